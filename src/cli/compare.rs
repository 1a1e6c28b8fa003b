//! `chaosrun compare A B`: what got better and what worse, and `run --baseline DIR`, which does it after the run.

use std::collections::BTreeMap;
use std::io::stdout;
use std::path::{Path, PathBuf};

use super::{Format, MarginArgs, code, report, term};
use crate::report::{comparison_table, json_line, json_pretty};
use crate::scenario::Scenario;
use crate::verdict::compare::{Comparison, Margin, Played, compare};
use crate::verdict::worst;

/// How many folders deep a run may lie below the one that is named.
const DEEPEST: usize = 4;

/// Runs by scenario.
type Runs = BTreeMap<String, Vec<Played>>;

pub(super) fn main(before: &Path, after: &Path, margin: &MarginArgs, format: Format) -> u8 {
    let (Some(before), Some(after)) = (read(before), read(after)) else {
        return code::USAGE;
    };
    let margin = margin.margin();
    if let (Some((_, a)), Some((_, b)), 1, 1) = (
        before.first_key_value(),
        after.first_key_value(),
        before.len(),
        after.len(),
    ) {
        return tell(&compare(a, b, margin), format);
    }
    let mut codes = Vec::new();
    for (name, runs) in &after {
        match before.get(name) {
            Some(known) => codes.push(tell(&compare(known, runs, margin), format)),
            None => term::say(&format!("only B has runs of {name}")),
        }
    }
    // What is no longer run may be what would have shown the regression.
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        term::error(&format!("only A has runs of {name}"), "");
        codes.push(code::INCONCLUSIVE);
    }
    worst(&codes)
}

/// What a run is to be held against. Read before it begins.
pub(super) struct Baseline {
    runs: Runs,
    margin: Margin,
    /// A single scenario is compared whatever it is called.
    alone: bool,
}

impl Baseline {
    /// `None`: there is nothing to compare with, and it has been said.
    pub(super) fn read(dir: &Path, margin: &MarginArgs, scenarios: &[Scenario]) -> Option<Self> {
        let runs = read(dir)?;
        let alone = runs.len() == 1 && scenarios.len() == 1;
        let known = |scenario: &Scenario| runs.contains_key(&scenario.name);
        if !alone && !scenarios.iter().any(known) {
            term::error(
                &format!(
                    "the baseline {} has no run of any of these scenarios",
                    dir.display()
                ),
                "name the report folder of earlier runs of theirs",
            );
            return None;
        }
        Some(Self {
            margin: margin.margin(),
            runs,
            alone,
        })
    }

    /// The comparison's exit code; `None` if there is nothing to compare with. It is written beside the runs, too.
    pub(super) fn hold_against(
        &self,
        scenario: &str,
        played: &[Played],
        dir: &Path,
        format: Format,
    ) -> Option<u8> {
        let same = self.runs.get(scenario);
        let only = self.runs.values().next().filter(|_| self.alone);
        let Some(before) = same.or(only) else {
            term::say(&format!("the baseline has no run of {scenario}"));
            return None;
        };
        let comparison = compare(before, played, self.margin);
        let told = tell(&comparison, format);
        match report::put(dir, "comparison.json", &json_pretty(&comparison)) {
            Ok(()) => Some(told),
            Err(why) => {
                term::error(&why, "");
                Some(worst(&[told, code::INCONCLUSIVE]))
            }
        }
    }
}

fn tell(comparison: &Comparison, format: Format) -> u8 {
    match format {
        Format::Table => term::data(&comparison_table(
            comparison,
            term::width(),
            term::color(&stdout()),
        )),
        Format::Json => term::data(&json_line(comparison)),
    }
    comparison.exit_code
}

/// Every run in a folder. All that is wrong is said before `None`.
fn read(dir: &Path) -> Option<Runs> {
    let mut runs = Runs::new();
    let mut sound = true;
    for folder in folders(dir) {
        let history = folder.join("history.jsonl");
        match report::read(&history) {
            Ok(record) => {
                let played = report::played(&record);
                let name = played.report.scenario.clone();
                runs.entry(name).or_default().push(played);
            }
            Err(why) => {
                term::error(&format!("reading {}: {why}", history.display()), "");
                sound = false;
            }
        }
    }
    if sound && runs.is_empty() {
        term::error(
            &format!("there is no run in {}", dir.display()),
            "name a run's folder, or one that holds runs, such as reports/kill-primary/…",
        );
        sound = false;
    }
    sound.then_some(runs)
}

/// Those that hold a history: the folder itself, or else what is below it, in order.
pub(super) fn folders(dir: &Path) -> Vec<PathBuf> {
    below(dir, DEEPEST)
}

fn below(dir: &Path, depth: usize) -> Vec<PathBuf> {
    if dir.join("history.jsonl").is_file() {
        return vec![dir.into()];
    }
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir() && depth > 0)
        .collect();
    // `2` before `10`.
    folders.sort_by_key(|path| {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        (name.parse::<u64>().unwrap_or(u64::MAX), name)
    });
    folders
        .iter()
        .flat_map(|folder| below(folder, depth - 1))
        .collect()
}
