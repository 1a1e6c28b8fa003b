//! Is there a timeline on which all steps can happen?

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::hint::{did_you_mean, either, quote};
use super::model::{OnEmpty, Pick, Selector, Target, Trigger};
use super::problem::Problem;
use super::sheet::Sheet;
use super::step::Draft;
use crate::fault::Fault;

pub(super) fn check(sheet: &Sheet<'_>, drafts: &[Draft], targets: &[Target]) {
    check_names(sheet, drafts);
    check_after(sheet, drafts);
    check_cycles(sheet, drafts);
    check_overlaps(sheet, drafts);
    check_taken_down(sheet, drafts, targets);
}

fn check_names(sheet: &Sheet<'_>, drafts: &[Draft]) {
    for (index, draft) in drafts.iter().enumerate() {
        if let Some(first) = drafts[..index]
            .iter()
            .find(|other| other.name == draft.name)
        {
            sheet.report(
                Problem::new(
                    draft.place.clone(),
                    format!("two steps are named {}", quote(&draft.name)),
                )
                .expected("a second one")
                .also(first.place.clone(), "the first one")
                .hint("give one of them another `name`"),
            );
        }
    }
}

fn check_after(sheet: &Sheet<'_>, drafts: &[Draft]) {
    for draft in drafts {
        let Some(Trigger::After(name)) = &draft.trigger else {
            continue;
        };
        if *name == draft.name {
            sheet.report(
                Problem::new(
                    draft.trigger_place.clone(),
                    format!("step {} waits for itself", quote(name)),
                )
                .hint("say `at = \"...\"`, or `after` another step"),
            );
        } else if find(drafts, name).is_none() {
            let others = || {
                let others = drafts.iter().filter(|other| other.name != draft.name);
                others.map(|other| other.name.as_str()).take(100)
            };
            let hint = did_you_mean(name, others()).unwrap_or_else(|| match drafts.len() {
                1 => "there is no other step: say `at = \"...\"`".into(),
                _ => format!("known here: {}", either(others().take(10))),
            });
            sheet.report(
                Problem::new(
                    draft.trigger_place.clone(),
                    format!("no step named {}", quote(name)),
                )
                .hint(hint)
                .absence(),
            );
        }
    }
}

fn find(drafts: &[Draft], name: &str) -> Option<usize> {
    drafts.iter().position(|draft| draft.name == name)
}

/// The step that each step waits for.
fn waits_for(drafts: &[Draft]) -> Vec<Option<usize>> {
    let after = |draft: &Draft| match &draft.trigger {
        Some(Trigger::After(name)) => find(drafts, name),
        _ => None,
    };
    drafts.iter().map(after).collect()
}

/// Every step waits for one other at most, so a cycle is found by following. Each is reported once, at its first step.
fn check_cycles(sheet: &Sheet<'_>, drafts: &[Draft]) {
    let next = waits_for(drafts);
    let mut seen = vec![false; drafts.len()];
    for start in 0..drafts.len() {
        let mut path = Vec::new();
        let mut here = Some(start);
        while let Some(index) = here.filter(|index| !seen[*index]) {
            seen[index] = true;
            path.push(index);
            here = next[index];
        }
        let Some(cycle) = here.and_then(|end| path.iter().position(|index| *index == end)) else {
            continue;
        };
        let cycle = &path[cycle..];
        if cycle.len() < 2 {
            continue;
        }
        let first = cycle.iter().copied().min().unwrap_or(start);
        let names = cycle.iter().cycle().skip_while(|index| **index != first);
        let names: Vec<String> = names
            .take(cycle.len().min(10) + 1)
            .map(|index| quote(&drafts[*index].name))
            .collect();
        sheet.report(
            Problem::new(
                drafts[first].trigger_place.clone(),
                format!("steps wait for each other: {}", names.join(" after ")),
            )
            .hint("let one of them start `at` a time"),
        );
    }
}

/// From when to when after the baseline a step is in force, where that can be told in advance.
fn spans(drafts: &[Draft]) -> Vec<Option<(Duration, Duration)>> {
    let next = waits_for(drafts);
    let mut spans: Vec<Option<(Duration, Duration)>> = vec![None; drafts.len()];
    // In the worst order each round settles one step more.
    for _ in 0..drafts.len() {
        let mut settled = true;
        for (index, draft) in drafts.iter().enumerate() {
            let start = match draft.trigger {
                Some(Trigger::At(at)) => Some(at),
                _ => next[index]
                    .and_then(|before| spans[before])
                    .map(|(_, end)| end),
            };
            let (Some(start), Some(fault), None) = (start, &draft.fault, spans[index]) else {
                continue;
            };
            let hold = draft.hold.unwrap_or_else(|| fault.default_hold());
            spans[index] = Some((start, start + hold));
            settled = false;
        }
        if settled {
            break;
        }
    }
    spans
}

fn check_overlaps(sheet: &Sheet<'_>, drafts: &[Draft]) {
    let spans = spans(drafts);
    for (index, draft) in drafts.iter().enumerate() {
        let overlap = (0..index).find(|other| {
            let (Some(a), Some(b)) = (&draft.fault, &drafts[*other].fault) else {
                return false;
            };
            let (Some((from, to)), Some((other_from, other_to))) = (spans[index], spans[*other])
            else {
                return false;
            };
            let at_once = from == other_from || (from < other_to && other_from < to);
            let alike = a.kind() == b.kind() || (a.is_of_network() && b.is_of_network());
            at_once && alike && a.target() == b.target()
        });
        if let (Some(other), Some(fault)) = (overlap, &draft.fault) {
            let first = drafts[other].fault.as_ref().map(Fault::kind);
            let mut hint = format!("start it `after = \"{}\"`", drafts[other].name);
            let two = if first == Some(fault.kind()) {
                format!("two `{}`", fault.kind())
            } else {
                hint.push_str(", or put both into one `fault.network`");
                "two faults of the network".into()
            };
            let target = quote(fault.target());
            sheet.report(
                Problem::new(
                    draft.fault_place.clone(),
                    format!("target {target} would be hit by {two} at the same time"),
                )
                .expected("the second one")
                .also(drafts[other].fault_place.clone(), "the first one")
                .hint(hint),
            );
        }
    }
}

/// A step cannot hit whom an earlier one certainly holds paused or down at that time.
fn check_taken_down(sheet: &Sheet<'_>, drafts: &[Draft], targets: &[Target]) {
    let spans = spans(drafts);
    let target = |fault: &Fault| targets.iter().find(|target| target.name == fault.target());
    for (index, draft) in drafts.iter().enumerate() {
        let (Some(fault), Some((starts, _))) = (&draft.fault, spans[index]) else {
            continue;
        };
        let held = drafts.iter().zip(&spans).find_map(|(other, span)| {
            let (first, (from, to)) = (other.fault.as_ref()?, (*span)?);
            let state = first.takes_down()?;
            let lasts = !first.may_last() || starts < to;
            let both = first.kind() != fault.kind() || !first.may_last();
            let covers = hits_all_of(target(first)?, target(fault)?);
            (from < starts && lasts && both && covers).then_some((other, first, state))
        });
        let Some((other, first, state)) = held else {
            continue;
        };
        sheet.report(
            Problem::new(
                draft.fault_place.clone(),
                format!(
                    "target {} is {state} by step {} when step {} starts",
                    quote(fault.target()),
                    quote(&other.name),
                    quote(&draft.name)
                ),
            )
            .expected("a fault needs a container that runs")
            .also(other.fault_place.clone(), format!("{state} here"))
            .hint(if first.may_last() {
                format!("start it `after = \"{}\"`", other.name)
            } else {
                format!(
                    "nothing brings it back: start it before {}",
                    quote(&other.name)
                )
            }),
        );
    }
}

/// Does the first certainly hit everyone whom the second could?
fn hits_all_of(first: &Target, second: &Target) -> bool {
    let alone = |target: &Target| {
        target.select.iter().find_map(|selector| match selector {
            Selector::Container(name) => Some(name.clone()),
            _ => None,
        })
    };
    let one = alone(first);
    let everyone = first.pick == Pick::All || (one.is_some() && first.pick == Pick::One);
    let same = first.name == second.name
        || (one.is_some() && one == alone(second) && first.select.len() == 1);
    first.role.is_none() && everyone && same && second.on_empty == OnEmpty::Error
}
