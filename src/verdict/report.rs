//! What a verdict is made public as: this struct is `report.json`, a versioned contract.
//!
//! Times are milliseconds since the run began. Names and reasons are as they came: whoever renders them escapes them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inventory::EngineFacts;

/// Of `report.json`.
pub const REPORT_VERSION: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every SLO held, and everything that could have made this a false claim was ruled out.
    Passed,
    Failed,
    /// Nothing can be claimed.
    Inconclusive,
    /// By a guard; everything was reverted.
    Aborted,
    /// By a signal; everything was reverted.
    Interrupted,
    /// Something may be left of a fault, or of what chaosrun had brought up.
    Dirty,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    pub version: u32,
    pub scenario: String,
    pub title: Option<String>,
    pub verdict: Verdict,
    pub exit_code: u8,
    /// The verdict in a sentence.
    pub summary: String,
    /// Why it is not `passed`, the most important first.
    pub reasons: Vec<String>,
    pub run: String,
    pub seed: u64,
    /// Version of the chaosrun that ran it.
    pub chaosrun: String,
    /// RFC 3339, UTC.
    pub began: String,
    pub duration_ms: f64,
    pub engine: Option<EngineFacts>,
    pub instances: Vec<InstanceRow>,
    pub vars: BTreeMap<String, String>,
    pub phases: Vec<PhaseRow>,
    pub steps: Vec<StepRow>,
    pub slos: Vec<SloRow>,
    pub probes: Vec<ProbeRow>,
    pub guards: Vec<GuardRow>,
    /// Between the world before and after.
    pub differences: Vec<DifferenceRow>,
    /// What the run had brought up: is it gone again? `None`: nothing is known of it.
    pub torn_down: Option<Checked>,
    /// What happened to containers, the first of it.
    pub events: Vec<EventRow>,
    pub events_dropped: u64,
    /// Which instance took a target's role on, or lost it.
    #[serde(default)]
    pub roles: Vec<RoleRow>,
    pub notes: Vec<NoteRow>,
    /// What people made the run do that its scenario does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandRow>,
    /// By what.
    pub interruptions: Vec<TextRow>,
    pub impediments: Vec<ImpedimentRow>,
    /// The history ends in the middle of a line.
    pub torn: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceRow {
    pub name: String,
    pub id: String,
    pub image: String,
    pub image_id: String,
    pub service: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseRow {
    pub name: String,
    pub start_ms: f64,
    pub end_ms: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepRow {
    pub name: String,
    pub fault: String,
    pub target: String,
    pub hold_ms: f64,
    pub instances: Vec<String>,
    /// When it was injected: its window begins, and recovery counts from here.
    #[serde(rename = "injected_ms")]
    pub injecting_ms: Option<f64>,
    /// When all of it was seen to be in force, or not to be; round trips may show it later.
    #[serde(rename = "proven_ms")]
    pub injected_ms: Option<f64>,
    pub reverting_ms: Option<f64>,
    pub reverted_ms: Option<f64>,
    /// `None`: it was not injected.
    pub effect: Option<Proven>,
    pub reapplied: u64,
    /// Of a fault of the network: what the agents did to whose packets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packets: Vec<PacketsRow>,
    /// `None`: no revert is recorded.
    pub revert: Option<Checked>,
    pub skipped: Option<SkipRow>,
    /// The slowest probe's, and each one's.
    pub recovery_ms: RecoveryRow,
    pub probes: BTreeMap<String, RecoveryRow>,
    /// In the scenario; 0 where it is not known.
    #[serde(default)]
    pub line: usize,
}

/// From when the fault was shown to be in force until it was taken back, without the packets that measured it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PacketsRow {
    pub instance: String,
    /// `netem` or `queue`; `null`, and no numbers, where the agent did not say.
    pub back_end: Option<String>,
    /// That the fault is about.
    pub packets: u64,
    pub bytes: u64,
    pub delayed: u64,
    pub dropped: u64,
    /// This and the next two are `null` where the back end does not count them, as netem.
    pub corrupted: Option<u64>,
    pub duplicated: Option<u64>,
    pub reordered: Option<u64>,
    /// Connections that were reset or refused.
    pub reset: u64,
    /// Questions to a name server.
    pub answered: u64,
    /// Dropped because the most that may be held was held already.
    pub overflowed: u64,
    /// Has it done to packets what it should?
    pub met: bool,
    pub evidence: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proven {
    pub proven: bool,
    pub evidence: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    pub verified: bool,
    pub evidence: String,
    /// A container is no more: there was nothing left to undo on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SkipRow {
    pub why: String,
    pub by_choice: bool,
}

/// `[last bad, first good]`; the second is `null` if it never came back in the time, the whole is `null` if it was never bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryRow {
    pub from_injection: Option<(f64, Option<f64>)>,
    /// Also `null` if it was good again before the revert.
    pub from_revert: Option<(f64, Option<f64>)>,
    /// When the first bad sample was due, from the injection.
    pub first_bad: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SloRow {
    pub probe: String,
    /// The window, or the step's name.
    pub during: String,
    pub metric: String,
    /// As a scenario writes it: `>= 95%`.
    pub objective: String,
    /// In the metric's unit: a share from 0 to 1, milliseconds, or a rate per second. `null`: nothing was measured.
    pub measured: Option<f64>,
    /// What the samples support at 95 % confidence. `null`: they support nothing, or the metric makes no such claim.
    pub bound: Option<f64>,
    pub samples: u64,
    /// So many samples are needed if all of them are good. `null`: no number is enough.
    pub needed: Option<u64>,
    /// `null`: not to be judged.
    pub met: Option<bool>,
    /// How far the measured value is on the right side of the objective, in its unit; negative on the wrong one.
    pub margin: Option<f64>,
    /// For `recovery`, as in [`RecoveryRow`].
    pub interval_ms: Option<(f64, Option<f64>)>,
    /// In a sentence.
    pub detail: String,
    /// In the scenario.
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeRow {
    pub name: String,
    pub kind: String,
    /// Per second.
    pub rate: f64,
    pub planned: u64,
    pub sent: u64,
    pub good: u64,
    pub reasons: BTreeMap<String, u64>,
    /// `null` without samples.
    pub latency_ms: Option<LatencyRow>,
    /// The prober's own.
    pub lateness_p99_ms: Option<f64>,
    pub phases: Vec<ProbePhaseRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbePhaseRow {
    pub phase: String,
    pub planned: u64,
    pub sent: u64,
    pub good: u64,
    pub latency_ms: Option<LatencyRow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyRow {
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuardRow {
    pub probe: String,
    pub metric: String,
    pub trips: String,
    pub over_ms: f64,
    pub tripped_ms: Option<f64>,
    pub measured: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DifferenceRow {
    pub instance: String,
    pub id: String,
    /// Did chaosrun change it in this run?
    pub touched: bool,
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventRow {
    pub at_ms: f64,
    pub instance: String,
    pub id: String,
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoleRow {
    pub at_ms: f64,
    pub target: String,
    pub role: String,
    pub instance: String,
    pub id: String,
    pub held: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TextRow {
    pub at_ms: f64,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoteRow {
    pub at_ms: f64,
    /// Where a person wrote it; without it, it is chaosrun's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandRow {
    pub at_ms: f64,
    /// Where it was given.
    pub by: String,
    /// In a few words.
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImpedimentRow {
    pub at_ms: f64,
    pub what: crate::history::Impediment,
    pub why: String,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
            Self::Aborted => "aborted",
            Self::Interrupted => "interrupted",
            Self::Dirty => "dirty",
        }
    }

    /// The heaviest of several decides.
    pub(super) fn weight(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Inconclusive => 1,
            Self::Failed => 2,
            Self::Aborted => 3,
            Self::Interrupted => 4,
            Self::Dirty => 5,
        }
    }
}
