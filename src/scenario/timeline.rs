//! Is there a timeline on which all steps can happen?

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
            at_once && a.kind() == b.kind() && a.target() == b.target()
        });
        if let (Some(other), Some(fault)) = (overlap, &draft.fault) {
            sheet.report(
                Problem::new(
                    draft.fault_place.clone(),
                    format!(
                        "target {} would be hit by two `{}` at the same time",
                        quote(fault.target()),
                        fault.kind()
                    ),
                )
                .expected("the second one")
                .also(drafts[other].fault_place.clone(), "the first one")
                .hint(format!("start it `after = \"{}\"`", drafts[other].name)),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::scenario::testing::{check, problems};
    use crate::scenario::{Step, Trigger};

    const BASE: &str = "[probes.p]\ntcp = { address = \"a:1\" }\n[targets.t]\nservice = \"s\"\n[[slos]]\nprobe = \"p\"\nsuccess = \">= 1%\"\n";

    fn steps(text: &str) -> Vec<Step> {
        check(&format!("{BASE}{text}")).steps
    }

    fn wrong(text: &str) -> Vec<String> {
        problems(&format!("{BASE}{text}"))
    }

    #[test]
    fn steps_start_at_after_or_when() {
        let steps = steps(
            "[[steps]]\nfault.kill = { target = \"t\" }\n\
             [[steps]]\nname = \"b\"\nafter = \"kill-1\"\nfor = \"2s\"\nfault.pause = { target = \"t\" }\n\
             [[steps]]\nwhen = { probe = \"p\", steady = \"5s\" }\n[steps.fault.stop]\ntarget = \"t\"\n",
        );
        assert_eq!(steps[0].name, "kill-1");
        assert_eq!(steps[0].trigger, Trigger::At(Duration::ZERO));
        assert_eq!(steps[1].trigger, Trigger::After("kill-1".into()));
        assert_eq!(steps[1].hold, Some(Duration::from_secs(2)));
        assert_eq!(steps[2].name, "stop-3");
        assert_eq!(
            steps[2].trigger,
            Trigger::Steady {
                probe: "p".into(),
                steady: Duration::from_secs(5),
                within: Duration::from_secs(30),
            }
        );
    }

    #[test]
    fn a_cycle_is_reported_once_and_waiting_for_oneself_too() {
        assert_eq!(
            wrong(
                "[[steps]]\nname = \"a\"\nafter = \"c\"\nfault.pause = { target = \"t\" }\n\
                 [[steps]]\nname = \"b\"\nafter = \"a\"\nfault.pause = { target = \"t\" }\n\
                 [[steps]]\nname = \"c\"\nafter = \"b\"\nfault.pause = { target = \"t\" }\n\
                 [[steps]]\nname = \"d\"\nafter = \"d\"\nfault.pause = { target = \"t\" }\n\
                 [[steps]]\nname = \"e\"\nafter = \"aa\"\nfault.pause = { target = \"t\" }\n"
            ),
            [
                "10: steps wait for each other: `a` after `c` after `b` after `a` (let one of them start `at` a time)",
                "22: step `d` waits for itself (say `at = \"...\"`, or `after` another step)",
                "26: no step named `aa` (known here: `a`, `b`, `c` or `d`)",
            ]
        );
    }

    #[test]
    fn impossible_steps() {
        assert_eq!(
            wrong(
                "[[steps]]\nname = \"all\"\nat = \"1s\"\nafter = \"x\"\nfor = \"1s\"\nfault.restart = { target = \"t\" }\n\
                 [[steps]]\nname = \"x\"\nwhen = { probe = \"p\", steady = \"1m\" }\nfault.pause = { target = \"t\" }\n\
                 [[steps]]\nname = \"x\"\nfor = \"1s\"\nfault.kill = { target = \"t\", by = \"crash\", restore = \"none\" }\n\
                 [[steps]]\nfault.delay = { target = \"t\" }\n\
                 [[steps]]\nfault.puase = { target = \"t\" }\n\
                 [[steps]]\nat = \"9s\"\nfault.kill = { target = \"t\" }\nfault.stop = { target = \"t\" }\n\
                 [[steps]]\nname = \"no-fault\"\n"
            ),
            [
                "9: a step cannot be named `all` [this is a phase's name] (SLOs say `during = \"...\"` with either: take another name)",
                "11: a step starts either `at` or `after` (keep one of them)",
                "12: this `restart` cannot last [it is over as soon as the container runs again] (remove `for`)",
                "16: steady for 1m cannot be seen within 30s (raise `within`, or lower `steady`)",
                "19: two steps are named `x` [a second one] (give one of them another `name`)",
                "20: this `kill` cannot last [chaosrun does not end it] (remove `for`)",
                "23: the fault `delay` is not yet supported [expected `kill`, `stop`, `restart`, `pause` or `disconnect`]",
                "25: no fault named `puase` (did you mean `pause`?)",
                "29: a step has one fault [a second one] (give each fault a step of its own)",
                "30: this step has no `fault` (add `fault.kill = { target = \"NAME\" }`)",
            ]
        );
    }

    #[test]
    fn the_same_fault_hits_the_same_target_once_at_a_time() {
        let two = |second: &str| {
            format!(
                "[[steps]]\nname = \"a\"\nat = \"1s\"\nfor = \"4s\"\nfault.pause = {{ target = \"t\" }}\n[[steps]]\n{second}\n"
            )
        };
        assert_eq!(
            wrong(&two("at = \"4s\"\nfault.pause = { target = \"t\" }")),
            [
                "15: target `t` would be hit by two `pause` at the same time [the second one] (start it `after = \"a\"`)"
            ]
        );
        for fine in [
            "at = \"5s\"\nfault.pause = { target = \"t\" }",
            "after = \"a\"\nfault.pause = { target = \"t\" }",
            "at = \"5s\"\nfault.stop = { target = \"t\" }",
        ] {
            assert_eq!(steps(&two(fine)).len(), 2);
        }
    }

    #[test]
    fn what_is_certainly_paused_or_down_cannot_be_hit() {
        const MORE: &str = "[targets.c]\ncontainer = \"c\"\n[targets.same]\ncontainer = \"c\"\n\
            [targets.all]\nservice = \"s\"\npick = \"all\"\n[targets.some]\nservice = \"s\"\npick = \"one\"\n[targets.skip]\ncontainer = \"c\"\non_empty = \"skip\"\n";
        let two = |first: &str, second: &str| {
            format!(
                "{MORE}[[steps]]\nname = \"a\"\nat = \"1s\"\n{first}\n[[steps]]\nname = \"b\"\n{second}\n"
            )
        };
        let pause = "for = \"4s\"\nfault.pause = { target = \"c\" }";
        let stop = "at = \"4s\"\nfault.stop = { target = \"same\" }";
        let why = |state: &str, target: &str, hint: &str| {
            format!(
                "target `{target}` is {state} by step `a` when step `b` starts [a fault needs a container that runs] ({hint})"
            )
        };
        let later = "start it `after = \"a\"`";
        for (first, second, expected) in [
            (pause, stop, why("paused", "same", later)),
            (
                "fault.stop = { target = \"all\" }",
                "at = \"3s\"\nfault.disconnect = { target = \"all\" }",
                why("taken down", "all", later),
            ),
            (
                "fault.kill = { target = \"c\", restore = \"none\" }",
                "at = \"1m\"\nfault.pause = { target = \"c\" }",
                why(
                    "taken down",
                    "c",
                    "nothing brings it back: start it before `a`",
                ),
            ),
        ] {
            let found = wrong(&two(first, second));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].ends_with(&expected), "{found:?}");
        }
        for (first, second) in [
            (pause, "at = \"5s\"\nfault.stop = { target = \"same\" }"),
            (pause, "at = \"4s\"\nfault.stop = { target = \"skip\" }"),
            (pause, "at = \"4s\"\nfault.stop = { target = \"all\" }"),
            ("fault.disconnect = { target = \"c\" }", stop),
            (
                "fault.kill = { target = \"c\", by = \"crash\" }",
                "at = \"3s\"\nfault.pause = { target = \"c\" }",
            ),
            (
                "fault.pause = { target = \"some\" }",
                "at = \"3s\"\nfault.stop = { target = \"some\" }",
            ),
        ] {
            assert_eq!(steps(&two(first, second)).len(), 2);
        }
    }
}
