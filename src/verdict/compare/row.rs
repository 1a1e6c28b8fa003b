//! What a comparison is made public as: a versioned contract, as `report.json` is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::verdict::Report;

/// Of a comparison's JSON.
pub const COMPARISON_VERSION: u32 = 1;

/// A run with the text of its scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    pub report: Report,
    pub source: String,
}

/// How much worse is still no regression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// Relative: 0.2 allows what takes 20 % longer, and 20 % more bad samples.
    pub share: f64,
    /// Times that differ by no more are the same.
    pub least_ms: f64,
}

impl Default for Margin {
    fn default() -> Self {
        Self {
            share: 0.2,
            least_ms: 10.0,
        }
    }
}

/// What became of a measure, or of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Within the margin.
    Same,
    Better,
    Worse,
    /// Beyond the margin, but it may be chance; or nothing can be said.
    Unclear,
}

impl Change {
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Unclear => "unclear",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    pub version: u32,
    pub before: SideRow,
    pub after: SideRow,
    /// A share: 0.2 allows 20 %.
    pub max_regression: f64,
    pub least_ms: f64,
    pub change: Change,
    pub exit_code: u8,
    /// In a sentence.
    pub summary: String,
    /// Why the runs cannot be compared at all; empty if they can.
    pub reasons: Vec<String>,
    /// In what else the two sides differ, and what to bear in mind.
    pub notes: Vec<String>,
    pub rows: Vec<ComparisonRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SideRow {
    pub scenario: String,
    /// Its version.
    pub chaosrun: String,
    pub runs: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparisonRow {
    pub probe: String,
    /// The window, or the step's name.
    pub during: String,
    pub metric: String,
    pub before: SpreadRow,
    pub after: SpreadRow,
    /// After to before, of the bad share or the time. `null` where there is no such number.
    pub ratio: Option<f64>,
    /// The probability that so large a difference is chance. `null`: not asked, or too few runs to tell.
    pub chance: Option<f64>,
    pub change: Change,
    /// The medians are worse by more than the margin, whether or not that may be chance.
    pub leans_worse: bool,
    /// In a sentence.
    pub detail: String,
}

/// Of several runs, in the metric's unit; a `null` is a recovery that never came.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpreadRow {
    pub runs: usize,
    pub min: Option<f64>,
    pub median: Option<f64>,
    pub max: Option<f64>,
}
