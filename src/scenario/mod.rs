//! The scenario language: TOML text → [`Scenario`], or every problem of the file at once.
//!
//! [`check`] is the way in. It parses into toml's spanned document and walks that with a `Cursor` a table; there
//! is one file a section. A reader that meets a problem reports it and goes on with a default: whatever was reported, the
//! scenario as a whole is refused in the end.

pub(crate) mod cursor;
pub(crate) mod entry;
mod guard;
mod hint;
mod limits;
mod model;
mod objective;
pub(crate) mod placeholder;
mod probe;
mod problem;
mod role;
mod schema;
mod sheet;
mod slo;
mod step;
mod syntax;
mod system;
mod target;
mod template;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;
mod timing;
mod vars;

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::DeTable;

use cursor::Cursor;
use entry::Entry;
use hint::quote;
pub(crate) use hint::{did_you_mean, either};
use sheet::Sheet;

pub use model::*;
pub use probe::KINDS as PROBE_KINDS;
pub use problem::{Problem, Problems};
pub use schema::{Describe, schema};
pub use template::{Bindings, Part, Secrets, Template};

/// Of a scenario's file, in bytes.
const MAX_SOURCE: usize = 1 << 20;

/// Of a scenario's runs in a series.
pub const MAX_REPEAT: u32 = 1000;

/// What a scenario's variables can take their values from, beside the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// `--var NAME=VALUE`.
    pub vars: BTreeMap<String, String>,
    /// The environment: `CHAOSRUN_VAR_NAME` is looked at, nothing else.
    pub env: BTreeMap<String, String>,
}

/// Reads a scenario's text. `path` is for messages and for its name.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(path: &Path, source: &str, inputs: &Inputs) -> Result<Scenario, Problems> {
    if source.len() > MAX_SOURCE {
        let problem = Problem::outside(format!("a file of {} bytes", source.len()))
            .hint(format!("a scenario has at most {MAX_SOURCE} bytes"));
        return Err(Problems::new(path, "", vec![problem]));
    }
    let (root, errors) = DeTable::parse_recoverable(source);
    let sheet = Sheet::new(source, root.get_ref());
    let scenario = read(&sheet, root.get_ref(), path, inputs);
    let problems = sheet.into_problems();
    if errors.is_empty() && problems.is_empty() {
        return Ok(scenario);
    }
    let problems = syntax::with(source, problems, &errors);
    Err(Problems::new(path, source, problems))
}

fn read<'a>(
    sheet: &'a Sheet<'a>,
    table: &'a DeTable<'a>,
    path: &Path,
    inputs: &Inputs,
) -> Scenario {
    let mut root = Cursor::new(sheet, table, 0..0, "a scenario".into());
    let vars = vars::read_vars(&mut root, inputs);
    let secrets = vars::read_secrets(&mut root);
    let title = root.word("title");
    let seed = root.get("seed");
    let repeat = root.get("repeat");
    let system = system::read(&mut root);
    let timing = timing::read(&mut root);
    let targets = target::read_all(&mut root);
    let probes = probe::read_all(&mut root);
    let steps = step::read_all(&mut root, &targets);
    let slos = slo::read_all(&mut root, &probes, &timing);
    let guards = guard::read_all(&mut root, &probes);
    let limits = limits::read(&mut root);
    root.finish();
    let stem = path.file_stem().unwrap_or_default();
    Scenario {
        name: stem.to_string_lossy().into_owned(),
        path: path.to_owned(),
        source: sheet.source.to_owned(),
        vars,
        title,
        seed: seed.and_then(|seed| seed.number(0..=u64::MAX)),
        repeat: repeat
            .and_then(|repeat| repeat.number(1..=MAX_REPEAT.into()))
            .and_then(|repeat| u32::try_from(repeat).ok()),
        system,
        timing,
        secrets,
        targets,
        probes,
        slos,
        guards,
        steps,
        limits,
    }
}

/// The name of a target or a probe: its key.
fn name_of(entry: &Entry<'_>) -> Option<String> {
    check_name(entry.key).map_or_else(
        |expected| {
            let message = format!("{} cannot be a name", quote(entry.key));
            entry.report(entry.key_problem(message).expected(expected));
            None
        },
        |()| Some(entry.key.to_owned()),
    )
}

/// The name of a step: a value.
fn read_name(entry: &Entry<'_>) -> Option<String> {
    let name = entry.word()?;
    if let Err(expected) = check_name(&name) {
        let message = format!("{} cannot be a name", quote(&name));
        entry.report(entry.problem(message).expected(expected));
    }
    Some(name)
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.trim().is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
        return Err("expected 1 to 100 bytes without control characters");
    }
    Ok(())
}
