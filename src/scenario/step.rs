//! `[[steps]]`: faults on the timeline.

use std::ops::Range;
use std::time::Duration;

use super::cursor::Cursor;
use super::entry::Entry;
use super::hint::{did_you_mean, either, quote};
use super::model::{Step, Target, Trigger};
use super::problem::{Problem, line_of};
use super::slo::WINDOWS;
use super::timeline;
use crate::fault::{Fault, KINDS, LATER};
use crate::units::{format_duration, parse_duration};

const WITHIN: Duration = Duration::from_secs(30);

/// A step while it is read: what it says, and where.
pub(super) struct Draft {
    pub(super) name: String,
    /// Of the name, or of the whole step when it has none.
    pub(super) place: Range<usize>,
    pub(super) trigger: Option<Trigger>,
    pub(super) trigger_place: Range<usize>,
    pub(super) hold: Option<Duration>,
    pub(super) fault: Option<Fault>,
    pub(super) fault_place: Range<usize>,
}

pub(super) fn read_all(root: &mut Cursor<'_>, targets: &[Target]) -> Vec<Step> {
    let section = root.get("steps");
    let tables = section
        .map(|section| section.items("[[steps]]"))
        .unwrap_or_default();
    let drafts: Vec<Draft> = tables
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| read(entry, index + 1))
        .collect();
    timeline::check(root.sheet, &drafts, targets);
    *root.sheet.steps.borrow_mut() = drafts.iter().map(|draft| draft.name.clone()).collect();
    drafts
        .into_iter()
        .filter_map(|draft| {
            Some(Step {
                line: line_of(root.sheet.source, draft.place.start),
                name: draft.name,
                trigger: draft.trigger?,
                hold: draft.hold,
                fault: draft.fault?,
            })
        })
        .collect()
}

fn read(entry: &Entry<'_>, number: usize) -> Option<Draft> {
    let mut table = entry.table("this step", "[[steps]]")?;
    let name_entry = table.get("name");
    let written = name_entry.as_ref().and_then(super::read_name);
    let (trigger, trigger_place) = read_trigger(&mut table);
    let hold_entry = table.get("for");
    let hold = table.duration("for");
    let (fault, fault_kind, fault_place) = read_fault(&mut table);
    if let (Some(fault), Some(hold)) = (&fault, &hold_entry)
        && !fault.may_last()
    {
        hold.report(
            hold.key_problem(format!("this `{}` cannot last", fault.kind()))
                .expected(fault.why_it_cannot_last())
                .hint("remove `for`"),
        );
    }
    if let Some(fault) = &fault {
        check_delay(&table, fault, (hold, hold_entry.as_ref()), &fault_place);
    }
    let place = match &name_entry {
        Some(name) => name.span.clone(),
        None => table.place.clone(),
    };
    table.finish();
    let name = written.unwrap_or_else(|| format!("{fault_kind}-{number}"));
    if WINDOWS.iter().any(|(word, _)| *word == name) {
        entry.report(
            Problem::new(place.clone(), format!("a step cannot be named `{name}`"))
                .expected("this is a phase's name")
                .hint("SLOs say `during = \"...\"` with either: take another name"),
        );
    }
    Some(Draft {
        name,
        place,
        trigger,
        trigger_place,
        hold,
        fault,
        fault_place,
    })
}

/// What no packet outlasts is no delay.
fn check_delay(
    table: &Cursor<'_>,
    fault: &Fault,
    (hold, written): (Option<Duration>, Option<&Entry<'_>>),
    place: &Range<usize>,
) {
    let hold = hold.unwrap_or_else(|| fault.default_hold());
    let Some(delay) = fault.least_delay().filter(|delay| *delay >= hold) else {
        return;
    };
    let text = format!(
        "every packet is held up for at least {}, and this fault lasts {}",
        format_duration(delay),
        format_duration(hold)
    );
    let problem = match written {
        Some(written) => written.problem(text).also(place.clone(), "the fault"),
        None => Problem::new(place.clone(), text),
    };
    table.report(
        problem
            .expected("expected packets to come through late before it is taken back")
            .hint("raise `for`, or lower `latency`; where nothing is to come through, say `fault.blackhole`"),
    );
}

/// Without any, a step starts right after the baseline.
fn read_trigger(table: &mut Cursor<'_>) -> (Option<Trigger>, Range<usize>) {
    const KEYS: [&str; 3] = ["at", "after", "when"];
    let mut found: Vec<Entry<'_>> = KEYS.iter().filter_map(|key| table.get(key)).collect();
    found.sort_by_key(|entry| entry.key_span.start);
    let mut found = found.into_iter();
    let Some(first) = found.next() else {
        return (Some(Trigger::At(Duration::ZERO)), table.place.clone());
    };
    for other in found {
        table.report(
            other
                .key_problem(format!(
                    "a step starts either `{}` or `{}`",
                    first.key, other.key
                ))
                .also(first.key_span.clone(), "the first one")
                .hint("keep one of them"),
        );
    }
    let trigger = match first.key {
        "at" => first.parse(parse_duration).map(Trigger::At),
        "after" => first.word().map(Trigger::After),
        _ => read_when(&first),
    };
    (trigger, first.span)
}

fn read_when(entry: &Entry<'_>) -> Option<Trigger> {
    const EXAMPLE: &str = "{ probe = \"write\", steady = \"5s\", within = \"30s\" }";
    let mut table = entry.table("`when`", EXAMPLE)?;
    let probe = table.required("probe", "probe = \"NAME\"");
    let probe = probe.and_then(|probe| probe.probe());
    table.required("steady", "steady = \"5s\"");
    let steady = table.duration("steady");
    let within_entry = table.get("within");
    let within = table.duration("within");
    table.finish();
    let within = match (within, within_entry) {
        (None, Some(_)) => return None,
        (within, _) => within.unwrap_or(WITHIN),
    };
    let steady = steady?;
    if steady > within {
        entry.report(
            entry
                .problem(format!(
                    "steady for {} cannot be seen within {}",
                    format_duration(steady),
                    format_duration(within)
                ))
                .hint("raise `within`, or lower `steady`"),
        );
    }
    Some(Trigger::Steady {
        probe: probe?,
        steady,
        within,
    })
}

/// The fault, its kind as written (for the step's name), and where it stands.
fn read_fault(table: &mut Cursor<'_>) -> (Option<Fault>, String, Range<usize>) {
    const EXAMPLE: &str = "fault.kill = { target = \"NAME\" }";
    let nothing = |table: &Cursor<'_>| (None, "step".to_owned(), table.place.clone());
    let Some(section) = table.required("fault", EXAMPLE) else {
        return nothing(table);
    };
    let Some(faults) = section.table("this step's `fault`", "{ kill = { target = \"NAME\" } }")
    else {
        return nothing(table);
    };
    let mut first: Option<Entry<'_>> = None;
    for entry in faults.entries() {
        match &first {
            None => first = Some(entry),
            Some(first) => faults.report(
                entry
                    .key_problem("a step has one fault")
                    .expected("a second one")
                    .also(first.key_span.clone(), "the first one")
                    .hint("give each fault a step of its own"),
            ),
        }
    }
    let Some(entry) = first else {
        faults.report(
            faults
                .problem("this step has no fault")
                .hint(format!("add `{EXAMPLE}`"))
                .absence(),
        );
        return nothing(table);
    };
    (
        read_kind(&entry),
        entry.key.to_owned(),
        entry.key_span.clone(),
    )
}

fn read_kind(entry: &Entry<'_>) -> Option<Fault> {
    let names = || KINDS.iter().map(|kind| kind.name);
    if let Some(kind) = KINDS.iter().find(|kind| kind.name == entry.key) {
        let mut table = entry.table(format!("fault `{}`", kind.name), "{ target = \"NAME\" }")?;
        let fault = (kind.read)(&mut table);
        table.finish();
        return fault;
    }
    let problem = if LATER.contains(&entry.key) {
        entry
            .key_problem(format!("the fault `{}` is not yet supported", entry.key))
            .expected(format!("expected {}", either(names())))
    } else {
        let all = names().chain(LATER.iter().copied());
        let problem = entry.key_problem(format!("no fault named {}", quote(entry.key)));
        let known = || format!("known here: {}", either(names()));
        problem.hint(did_you_mean(entry.key, all).unwrap_or_else(known))
    };
    entry.report(problem);
    None
}
