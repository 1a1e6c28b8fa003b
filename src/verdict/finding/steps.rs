//! What each step lacks: its injection, its effect, its time.

use std::time::Duration;

use super::Findings;
use crate::history::{Record, StepRecord};
use crate::units::format_duration;

impl Findings {
    pub(super) fn steps(&mut self, record: &Record) {
        for step in &record.steps {
            let name = &step.name;
            match (&step.skipped, step.injecting, &step.injected) {
                (Some((_, true)), None, _) => {}
                (Some((why, _)), ..) if is_told(record, why) => {}
                (Some((why, _)), ..) => self.open(format!("step {name} was skipped: {why}")),
                (None, None, _) => self.follows(format!("step {name} was never injected")),
                (None, Some(_), None) => {
                    self.follows(format!("step {} was not applied whole", named(step)));
                }
                (None, Some(_), Some((_, proof)))
                    if !proof.holds && is_told(record, &proof.evidence) => {}
                (None, Some(_), Some((_, proof))) if !proof.holds => self.open(format!(
                    "the effect of {} is not proven: {}",
                    named(step),
                    proof.evidence
                )),
                _ => {
                    self.met(step);
                    self.lasted(step);
                }
            }
        }
    }

    /// A fault that was in force for a part of its time only is another fault.
    fn lasted(&mut self, step: &StepRecord) {
        if step.lost {
            self.open(format!(
                "{} was lost in the middle, and could not be shown to be in force again",
                named(step)
            ));
        }
        let until = step.reverting.or(step.reverted.as_ref().map(|(at, _)| *at));
        let (Some(from), Some(until)) = (step.injecting, until) else {
            return;
        };
        let lasted = Duration::from_micros(until.saturating_sub(from));
        if lasted.as_secs_f64() < 0.9 * step.hold.as_secs_f64() {
            self.follows(format!(
                "{} was in force for {} of its {}",
                named(step),
                format_duration(lasted),
                format_duration(step.hold)
            ));
        }
    }

    /// What no packet of the system has met cannot have harmed it.
    fn met(&mut self, step: &StepRecord) {
        let none = step.counted.iter().all(|(.., effect)| !effect.holds);
        // One that was lost is told of as that.
        if step.counted.is_empty() || !none || step.lost {
            return;
        }
        let seen: Vec<String> = step
            .counted
            .iter()
            .take(MOST_TOLD)
            .map(|(subject, _, effect)| format!("{}: {}", subject.name, effect.evidence))
            .collect();
        let more = step.counted.len() - seen.len();
        let more = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        self.follows(format!(
            "{} had no effect on any packet of the system: {}{more}",
            named(step),
            seen.join("; ")
        ));
    }
}

/// Of many targets.
const MOST_TOLD: usize = 6;

/// What kept the run from going on is told once.
fn is_told(record: &Record, why: &str) -> bool {
    let mut told = record.impediments.first.iter();
    told.any(|(_, (_, text))| text.contains(why))
}

/// `kill (kill on node-2)`
pub(super) fn named(step: &StepRecord) -> String {
    let names: Vec<_> = step.instances.iter().map(|hit| hit.name.as_str()).collect();
    let fault = if step.fault.is_empty() || step.fault == step.name {
        String::new()
    } else {
        format!(" ({})", step.fault)
    };
    match names.as_slice() {
        [] => format!("{}{fault}", step.name),
        names => format!("{}{fault} on {}", step.name, names.join(", ")),
    }
}
