//! What people made a run do from outside, and what that means for what can be claimed of it.

use super::recovery::ms;
use super::report::{CommandRow, NoteRow};
use super::window::Range;
use crate::history::{Record, Steering};
use crate::units::{Micros, format_duration};

pub(super) fn rows(record: &Record) -> Vec<CommandRow> {
    let row = |(at, (by, what)): &(Micros, (String, Steering))| CommandRow {
        at_ms: ms(*at),
        by: by.clone(),
        what: in_words(what),
    };
    record.steering.first.iter().map(row).collect()
}

pub(super) fn notes(record: &Record) -> Vec<NoteRow> {
    let row = |(at, (by, text)): &(Micros, (Option<String>, String))| NoteRow {
        at_ms: ms(*at),
        by: by.clone(),
        text: text.clone(),
    };
    record.notes.first.iter().map(row).collect()
}

/// `step kill started 3s before its time`
pub fn in_words(what: &Steering) -> String {
    match what {
        Steering::Start { step, early: 0 } => format!("step {step} started"),
        Steering::Start { step, early } => format!(
            "step {step} started {} before its time",
            format_duration(std::time::Duration::from_millis(early.div_ceil(1_000)))
        ),
        Steering::Hold => "timeline held".into(),
        Steering::Release => "timeline released".into(),
        Steering::Revert => "every fault reverted before its time".into(),
        Steering::Abort { why } => format!("aborted: {why}"),
    }
}

/// Why the run ended, as sentences.
pub(super) fn aborts(record: &Record) -> Vec<String> {
    let told = record.steering.first.iter();
    told.filter_map(|(_, (by, what))| match what {
        Steering::Abort { why } => Some(format!("the run was aborted from the {by}: {why}")),
        _ => None,
    })
    .collect()
}

/// When the timeline stood still and no fault was in force: time that the scenario did not ask for. Each begins and ends at a
/// boundary of the record.
pub(super) fn idle(record: &Record, range: Range) -> Vec<(Micros, Micros)> {
    let mut idle: Vec<(Micros, Micros)> = record
        .stood
        .iter()
        .map(|(from, to)| (*from, to.unwrap_or(Micros::MAX)))
        .collect();
    for step in &record.steps {
        let Some(from) = step.injecting else {
            continue;
        };
        let to = step.reverted.as_ref().map_or(Micros::MAX, |(at, _)| *at);
        let cut = |(a, b): (Micros, Micros)| [(a, b.min(from)), (a.max(to), b)];
        idle = idle.into_iter().flat_map(cut).collect();
        idle.retain(|(a, b)| a < b);
        idle.dedup();
    }
    idle.into_iter()
        .map(|(from, to)| (from.max(range.from), to.min(range.to)))
        .filter(|(from, to)| from < to)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Proof, StepRecord};

    fn step(injecting: Micros, reverted: Option<Micros>) -> StepRecord {
        let proof = Proof {
            holds: true,
            evidence: String::new(),
        };
        StepRecord {
            injecting: Some(injecting),
            reverted: reverted.map(|at| (at, proof)),
            ..StepRecord::default()
        }
    }

    fn idle_of(stood: &[(Micros, Option<Micros>)], steps: Vec<StepRecord>) -> Vec<(u64, u64)> {
        let mut record = Record::default();
        record.stood = stood.to_vec();
        record.steps = steps;
        idle(&record, Range { from: 100, to: 900 })
    }

    #[test]
    fn time_with_a_fault_in_force_is_never_idle() {
        assert_eq!(idle_of(&[], vec![step(200, None)]), []);
        assert_eq!(idle_of(&[(300, Some(400))], vec![step(200, None)]), []);
        assert_eq!(
            idle_of(&[(300, Some(700))], vec![step(200, Some(500))]),
            [(500, 700)]
        );
        assert_eq!(
            idle_of(
                &[(150, Some(700))],
                vec![step(200, Some(300)), step(250, Some(400))]
            ),
            [(150, 200), (400, 700)]
        );
        assert_eq!(idle_of(&[(0, None)], vec![]), [(100, 900)]);
    }

    #[test]
    fn what_was_done_is_told_in_words() {
        let start = |early| {
            in_words(&Steering::Start {
                step: "kill".into(),
                early,
            })
        };
        assert_eq!(start(0), "step kill started");
        assert_eq!(start(2_999_400), "step kill started 3s before its time");
    }
}
