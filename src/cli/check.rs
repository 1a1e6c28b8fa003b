//! `chaosrun check FILE…`: is it a scenario?

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{code, files, term};

pub(super) fn main(named: &[PathBuf], vars: BTreeMap<String, String>) -> u8 {
    let Some(scenarios) = files::load(named, &vars) else {
        return code::USAGE;
    };
    for scenario in scenarios {
        term::data(&format!(
            "{}: ok ({}, {}, {})",
            scenario.path.display(),
            term::count(scenario.steps.len(), "step"),
            term::count(scenario.probes.len(), "probe"),
            term::count(scenario.slos.len(), "objective")
        ));
    }
    code::OK
}
