//! The record's lines.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use crate::action::Subject;
use crate::impairment::{BackEnd, Counts};
use crate::inventory::EngineFacts;
use crate::scenario::{Guard, Slo};
use crate::units::Micros;

/// Of the history's format. A reader refuses what it does not know.
pub const VERSION: u32 = 1;

/// One line of `history.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Microseconds since the run began.
    pub at: Micros,
    #[serde(flatten)]
    pub event: Event,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Always the first.
    Started(Box<Header>),
    /// The system is up; what it consists of.
    System {
        facts: EngineFacts,
        instances: Vec<Member>,
    },
    /// A phase begins, and with it the one before ends.
    Phase {
        phase: Phase,
    },
    /// A step is about to be applied to these; its window begins.
    Injecting {
        step: String,
        instances: Vec<Subject>,
    },
    /// All of its actions were applied, and what shows their effect was measured.
    Injected {
        step: String,
        effect: Proof,
        /// From when on it was in force, by the engine's word and the agents': round trips that show it take their time after
        /// that. `None`: from now on, or not at all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        in_force: Option<Micros>,
    },
    /// The step's own time is over, or the run is.
    Reverting {
        step: String,
    },
    Reverted {
        step: String,
        revert: Proof,
    },
    /// Not injected, and why. `by_choice`: the scenario allows it (`on_empty = "skip"`).
    Skipped {
        step: String,
        why: String,
        by_choice: bool,
    },
    Bucket {
        probe: String,
        bucket: Bucket,
    },
    /// The target had lost its fault in the middle (it restarted), and has it again.
    Reapplied {
        step: String,
        subject: Subject,
        effect: Proof,
    },
    /// What an agent has done to a target's packets in the time of the step, and whether that shows its effect.
    Counted {
        step: String,
        subject: Subject,
        /// `None`: nobody says.
        packets: Option<Packets>,
        effect: Proof,
    },
    /// Something happened to a container, by whomever.
    Container {
        subject: Subject,
        what: String,
    },
    /// Of a target with a role: this instance has it from now on, or has it no longer.
    Role(RoleChange),
    /// The guard's condition held.
    Tripped {
        guard: Guard,
        measured: f64,
    },
    /// A signal by name, or a wish to stop from elsewhere.
    Interrupted {
        by: String,
    },
    /// Something without which no verdict can be given.
    Impeded {
        what: Impediment,
        why: String,
    },
    /// Differences between the world before and after.
    World {
        differences: Vec<Difference>,
    },
    /// What the run had brought up itself is gone again: the system, helper containers, images.
    TornDown {
        proof: Proof,
    },
    /// Free text for the report: of a person, with where they wrote it, or of chaosrun itself.
    Note {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        text: String,
    },
    /// A person made the run do something that its scenario does not say, from the terminal or the live page.
    Steered {
        by: String,
        what: Steering,
    },
    /// The scenario's clock stops for the steps that have not begun, or goes on.
    Timeline {
        stands: bool,
    },
    /// Always the last of a run that came to its end.
    Ended,
}

/// What a run starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub version: u32,
    pub run: String,
    pub scenario: String,
    pub title: Option<String>,
    /// The scenario's text.
    pub source: String,
    pub seed: u64,
    pub chaosrun: String,
    /// RFC 3339, UTC.
    pub began: String,
    pub vars: BTreeMap<String, String>,
    pub timing: RecordedTiming,
    pub probes: Vec<RecordedProbe>,
    pub slos: Vec<Slo>,
    pub guards: Vec<Guard>,
    pub steps: Vec<RecordedStep>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedTiming {
    pub baseline: Duration,
    pub recovery: Duration,
    pub steady: Duration,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedProbe {
    pub name: String,
    /// `http`, `tcp`, …
    pub kind: String,
    /// Per second.
    pub rate: f64,
    pub timeout: Duration,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedStep {
    pub name: String,
    /// The fault's kind.
    pub fault: String,
    pub target: String,
    pub hold: Duration,
    /// In the scenario; 0 where it was not recorded.
    #[serde(default)]
    pub line: usize,
}

/// One container of the system, as far as a report shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub subject: Subject,
    pub image: String,
    pub image_id: String,
    pub service: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Baseline,
    Fault,
    Recovery,
    /// The probes have stopped; what is left is to look at the world and to clean up.
    Teardown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    pub back_end: BackEnd,
    pub counts: Counts,
}

/// As the instances themselves say it. It is for the eye alone: no verdict depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleChange {
    pub target: String,
    /// What those who have it answer.
    pub role: String,
    pub subject: Subject,
    pub held: bool,
}

/// Whether something that was done could be shown to be so, with the evidence or what stood against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub holds: bool,
    pub evidence: String,
}

/// What a person can make a run do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steering {
    /// This step began at once, and by so many microseconds before its time.
    Start {
        step: String,
        early: Micros,
    },
    /// No further step begins by itself.
    Hold,
    Release,
    /// Every fault is reverted before its time, and no further step begins.
    Revert,
    /// The run ends, with everything reverted.
    Abort {
        why: String,
    },
}

/// Each makes a run inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Impediment {
    /// The system did not come up, or could not be reached.
    System,
    /// A target matched nothing, or too much, or its role could not be found out.
    Target,
    /// The baseline was not healthy: nothing was injected.
    Baseline,
    /// A fault could not be applied.
    Fault,
    /// Another run owns a container.
    Locked,
    /// A probe could not do its work, whatever the system does.
    Probe,
    /// The report could not be written, or the journal, or nobody stands by to undo what that says.
    Storage,
    /// A `when` was not met in time.
    Timeline,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub subject: Subject,
    /// Did chaosrun change this container in this run?
    pub touched: bool,
    /// A sentence with what was and what is.
    pub what: String,
}

impl RoleChange {
    /// `node-2 is primary now`
    pub fn sentence(&self) -> String {
        let Self { subject, role, .. } = self;
        match self.held {
            true => format!("{} is {role} now", subject.name),
            false => format!("{} is {role} no longer", subject.name),
        }
    }
}

impl Event {
    /// Text that may quote the outside, such as an engine's words or a command's output: whoever writes an event looks
    /// through these for what must not be written.
    pub fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::Injected { effect, .. }
            | Self::Reapplied { effect, .. }
            | Self::Counted { effect, .. } => vec![&mut effect.evidence],
            Self::Reverted { revert, .. } => vec![&mut revert.evidence],
            Self::TornDown { proof } => vec![&mut proof.evidence],
            Self::Skipped { why, .. } | Self::Impeded { why, .. } => vec![why],
            Self::Container { what, .. } => vec![what],
            Self::World { differences } => differences.iter_mut().map(|d| &mut d.what).collect(),
            Self::Note { text, .. }
            | Self::Steered {
                what: Steering::Abort { why: text },
                ..
            } => vec![text],
            Self::Role(change) => vec![&mut change.role],
            Self::Started(_)
            | Self::System { .. }
            | Self::Phase { .. }
            | Self::Injecting { .. }
            | Self::Reverting { .. }
            | Self::Bucket { .. }
            | Self::Tripped { .. }
            | Self::Interrupted { .. }
            | Self::Steered { .. }
            | Self::Timeline { .. }
            | Self::Ended => Vec::new(),
        }
    }
}
