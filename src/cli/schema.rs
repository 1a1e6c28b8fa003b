//! `chaosrun schema`: what a scenario may look like, and what a report does.

use clap::ValueEnum;
use schemars::schema_for;
use serde_json::Value;

use super::{code, manual, term};
use crate::verdict::compare::Comparison;
use crate::verdict::{Report, Series};
use crate::{report, scenario};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Of {
    /// A scenario's file
    Scenario,
    /// report.json
    Report,
    /// series.json
    Series,
    /// comparison.json
    Comparison,
}

pub(super) fn main(of: Of) -> u8 {
    let schema: Value = match of {
        Of::Scenario => scenario::schema(&manual::describe),
        Of::Report => schema_for!(Report).into(),
        Of::Series => schema_for!(Series).into(),
        Of::Comparison => schema_for!(Comparison).into(),
    };
    term::data(&report::json_pretty(&schema));
    code::OK
}
