//! `chaosrun doctor`: what this machine and its engine can do, tried out, and what to do about the rest.

mod checks;

use std::io;
use std::path::Path;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::json;

use self::checks::{Check, Local, Standing, checks};
use super::{Format, code, places, term};
use crate::engine::lock;
use crate::engine::recover::{leftovers, under_way};
use crate::report::plain;
use crate::runtime::docker::{Docker, compose_tool};
use crate::units::kernel_words;

pub(super) async fn main(format: Format) -> u8 {
    let state_dir = places::state_dir();
    let local = Local {
        compose: compose_tool().await,
        state: writable(&state_dir)
            .map_err(|e| (state_dir.display().to_string(), kernel_words(&e))),
        locks: writable(&lock::directory())
            .map_err(|e| (lock::directory().display().to_string(), kernel_words(&e))),
        journals: leftovers(&state_dir)
            .map(|found| found.into_iter().map(|(_, left)| left.run).collect())
            .map_err(|e| kernel_words(&e)),
        under_way: under_way(&state_dir),
    };
    let engine = match Docker::connect().await {
        Ok(docker) => {
            let docker = docker.with_run(&places::run_id());
            docker.examine().await.map(Box::new)
        }
        Err(error) => Err(error),
    };
    let checks = checks(&engine, &local);
    term::data(&match format {
        Format::Table => table(&checks, term::width()),
        Format::Json => as_json(&checks),
    });
    if works(&checks) {
        code::OK
    } else {
        code::INCONCLUSIVE
    }
}

/// Would every kind of scenario work?
fn works(checks: &[Check]) -> bool {
    checks
        .iter()
        .all(|check| check.standing != Standing::Missing)
}

fn has_engine(checks: &[Check]) -> bool {
    let engine = checks.iter().find(|check| check.name == "engine");
    engine.is_some_and(|engine| engine.standing != Standing::Missing)
}

/// Can a file be made there, and the folder if need be?
fn writable(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join(format!("doctor-{}", std::process::id()));
    std::fs::write(&path, "a try")?;
    std::fs::remove_file(path)
}

fn table(checks: &[Check], width: usize) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width.try_into().unwrap_or(u16::MAX));
    for check in checks {
        // A line each, whatever the engine puts into its answers.
        let found: Vec<_> = [&check.found, &check.todo]
            .into_iter()
            .filter(|text| !text.is_empty())
            .map(|text| plain(text))
            .collect();
        table.add_row([
            check.standing.name(),
            check.name.as_str(),
            &found.join("\n→ "),
        ]);
    }
    for index in [0, 1] {
        // The labels are short: it is the text that breaks.
        if let Some(column) = table.column_mut(index) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let verdict = match (
        works(checks),
        checks.iter().all(|c| c.standing == Standing::Ok),
    ) {
        (true, true) => "every kind of scenario works here",
        (true, false) => "every kind of scenario works here, within the limits above",
        (false, _) if !has_engine(checks) => "no scenario works here without an engine",
        (false, _) => "not every kind of scenario works here",
    };
    format!("{}\n\n{verdict}", table.trim_fmt())
}

fn as_json(checks: &[Check]) -> String {
    let lines: Vec<_> = checks
        .iter()
        .map(|check| {
            json!({
                "name": check.name,
                "standing": check.standing.name(),
                "found": check.found,
                "todo": check.todo,
            })
        })
        .collect();
    json!({ "version": 1, "works": works(checks), "checks": lines }).to_string()
}

#[cfg(test)]
mod tests;
