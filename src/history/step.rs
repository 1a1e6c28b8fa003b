//! What became of a step.

use std::time::Duration;

use super::event::{Event, Packets, Proof, RecordedStep};
use super::kept::{Kept, MAX_KEPT};
use crate::action::Subject;
use crate::units::Micros;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepRecord {
    pub name: String,
    pub fault: String,
    pub target: String,
    pub hold: Duration,
    pub line: usize,
    pub instances: Vec<Subject>,
    pub injecting: Option<Micros>,
    /// Since when it was in force, and what has shown it.
    pub injected: Option<(Micros, Proof)>,
    pub reapplied: Kept<(Subject, Proof)>,
    /// One that had lost its fault could not be shown to have it again.
    pub lost: bool,
    /// What the agents did to whose packets; the last word on each of them.
    pub counted: Vec<(Subject, Option<Packets>, Proof)>,
    pub reverting: Option<Micros>,
    pub reverted: Option<(Micros, Proof)>,
    /// Why, and whether the scenario allows it.
    pub skipped: Option<(String, bool)>,
}

impl StepRecord {
    /// It was shown that nothing of it is left.
    pub fn is_undone(&self) -> bool {
        self.injecting.is_none() || self.reverted.as_ref().is_some_and(|(_, proof)| proof.holds)
    }

    /// Takes in one of a step's events; `false`: it was there already.
    pub(super) fn apply(&mut self, at: Micros, event: &Event) -> bool {
        match event {
            Event::Injecting { instances, .. } => {
                // After a second injection an earlier revert says nothing.
                self.reverting = None;
                self.reverted = None;
                self.counted.clear();
                self.instances.extend_from_slice(instances);
                self.injecting.replace(at).is_none()
            }
            Event::Injected {
                effect, in_force, ..
            } => {
                let at = in_force.unwrap_or(at);
                self.injected.replace((at, effect.clone())).is_none()
            }
            Event::Reapplied {
                subject, effect, ..
            } => {
                self.lost |= !effect.holds;
                self.reapplied.push(at, (subject.clone(), effect.clone()));
                true
            }
            Event::Counted {
                subject,
                packets,
                effect,
                ..
            } => {
                self.counted.retain(|(known, ..)| known != subject);
                if self.counted.len() < MAX_KEPT {
                    let row = (subject.clone(), *packets, effect.clone());
                    self.counted.push(row);
                }
                true
            }
            Event::Reverting { .. } => self.reverting.replace(at).is_none(),
            Event::Reverted { revert, .. } => self.reverted.replace((at, revert.clone())).is_none(),
            Event::Skipped { why, by_choice, .. } => {
                let skip = (why.clone(), *by_choice);
                self.skipped.replace(skip).is_none()
            }
            _ => true,
        }
    }
}

impl From<&RecordedStep> for StepRecord {
    fn from(step: &RecordedStep) -> Self {
        Self {
            name: step.name.clone(),
            fault: step.fault.clone(),
            target: step.target.clone(),
            hold: step.hold,
            line: step.line,
            ..Self::default()
        }
    }
}
