//! Windows as stretches of time.

use crate::history::{Phase, Record, StepRecord};
use crate::scenario::Window;
use crate::units::Micros;

/// `[from, to)`, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub from: Micros,
    pub to: Micros,
}

impl Range {
    fn new(from: Micros, to: Micros) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    pub fn seconds(self) -> f64 {
        (self.to - self.from) as f64 / 1e6
    }
}

/// When a window was; `None`: it never was. All windows begin at a boundary of the record, so each segment of it belongs to a
/// window wholly or not at all.
pub fn range(record: &Record, window: &Window) -> Option<Range> {
    let end = record.end();
    let start = |phase| record.phase_start(phase);
    match window {
        Window::All => Range::new(start(Phase::Baseline)?, end),
        Window::Baseline => {
            let stop = first_injection(record)
                .or(start(Phase::Fault))
                .or(start(Phase::Recovery))
                .unwrap_or(end);
            Range::new(start(Phase::Baseline)?, stop.min(end))
        }
        Window::Fault => Range::new(first_injection(record)?, last_revert(record, end)),
        Window::Recovery => Range::new(start(Phase::Recovery)?, end),
        Window::Step(name) => {
            let step = record.steps.iter().find(|step| step.name == *name)?;
            of_step(record, step)
        }
    }
}

/// How long these stretches are together.
pub(super) fn seconds(stretches: &[(Micros, Micros)]) -> f64 {
    let long = |(from, to): &(Micros, Micros)| to.saturating_sub(*from) as f64 / 1e6;
    stretches.iter().map(long).sum()
}

/// From a step's injection until the next step that starts after its revert, or the end of the run.
pub(super) fn of_step(record: &Record, step: &StepRecord) -> Option<Range> {
    let from = step.injecting?;
    let end = record.end();
    let next = step.reverted.as_ref().and_then(|(reverted, _)| {
        let others = record.steps.iter().filter(|other| other.name != step.name);
        let after = others
            .filter_map(|other| other.injecting)
            .filter(|at| at >= reverted);
        after.min()
    });
    Range::new(from, next.map_or(end, |next| next.min(end)))
}

fn first_injection(record: &Record) -> Option<Micros> {
    record.steps.iter().filter_map(|step| step.injecting).min()
}

/// The end of the run, as long as something is not reverted.
fn last_revert(record: &Record, end: Micros) -> Micros {
    let injected = record.steps.iter().filter(|step| step.injecting.is_some());
    injected
        .map(|step| step.reverted.as_ref().map_or(end, |(at, _)| *at))
        .max()
        .map_or(end, |last| last.min(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Proof;

    fn step(name: &str, injecting: Option<Micros>, reverted: Option<Micros>) -> StepRecord {
        let proof = Proof {
            holds: true,
            evidence: String::new(),
        };
        StepRecord {
            name: name.into(),
            injecting,
            reverted: reverted.map(|at| (at, proof)),
            ..StepRecord::default()
        }
    }

    fn record(steps: Vec<StepRecord>) -> Record {
        let mut record = Record::default();
        record.phases = vec![
            (Phase::Baseline, 100),
            (Phase::Fault, 1_000),
            (Phase::Recovery, 5_000),
            (Phase::Teardown, 9_000),
        ];
        record.steps = steps;
        record.last = 9_500;
        record
    }

    fn of(record: &Record, window: Window) -> Option<(Micros, Micros)> {
        range(record, &window).map(|range| (range.from, range.to))
    }

    #[test]
    fn phases_meet_at_the_first_injection_and_the_last_revert() {
        let record = record(vec![
            step("a", Some(1_200), Some(2_000)),
            step("b", Some(1_500), Some(4_900)),
        ]);
        assert_eq!(of(&record, Window::Baseline), Some((100, 1_200)));
        assert_eq!(of(&record, Window::Fault), Some((1_200, 4_900)));
        assert_eq!(of(&record, Window::Recovery), Some((5_000, 9_000)));
        assert_eq!(of(&record, Window::All), Some((100, 9_000)));
    }

    #[test]
    fn a_step_lasts_until_the_next_one_that_starts_after_its_revert() {
        let record = record(vec![
            step("a", Some(1_200), Some(2_000)),
            step("b", Some(1_500), Some(4_000)),
            step("c", Some(3_000), Some(4_900)),
        ]);
        let of = |name: &str| of(&record, Window::Step(name.into()));
        assert_eq!(of("a"), Some((1_200, 3_000)), "b began before a's revert");
        assert_eq!(of("b"), Some((1_500, 9_000)));
        assert_eq!(of("c"), Some((3_000, 9_000)));
        assert_eq!(of("d"), None);
    }

    #[test]
    fn what_is_not_reverted_lasts_to_the_end() {
        let record = record(vec![step("a", Some(1_200), None)]);
        assert_eq!(of(&record, Window::Fault), Some((1_200, 9_000)));
    }

    #[test]
    fn what_never_happened_has_no_window() {
        let record = record(vec![step("a", None, None)]);
        assert_eq!(of(&record, Window::Fault), None);
        assert_eq!(of(&record, Window::Step("a".into())), None);
        assert_eq!(of(&record, Window::Baseline), Some((100, 1_000)));
        assert_eq!(of(&Record::default(), Window::All), None);
    }
}
