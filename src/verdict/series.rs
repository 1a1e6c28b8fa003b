//! Several runs of one scenario: one verdict over all of them, and how much they differ.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compare::measures::{Key, Value};
use super::compare::{Played, SpreadRow, gather, metric, spread};
use super::{Report, Verdict, worst};

/// Of `series.json`.
pub const SERIES_VERSION: u32 = 1;

/// What a series is made public as: this struct is `series.json`, a versioned contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    pub version: u32,
    pub scenario: String,
    pub title: Option<String>,
    /// The heaviest of its runs; `passed` only when all that were asked for have passed.
    pub verdict: Verdict,
    pub exit_code: u8,
    /// In a sentence.
    pub summary: String,
    /// Of the first run; the others have those that follow it.
    pub seed: u64,
    /// So many runs were asked for.
    pub planned: usize,
    pub runs: Vec<RunRow>,
    pub rows: Vec<SeriesRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRow {
    pub run: String,
    pub seed: u64,
    pub verdict: Verdict,
    pub exit_code: u8,
    pub summary: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesRow {
    pub probe: String,
    /// The window, or the step's name.
    pub during: String,
    pub metric: String,
    /// As a scenario writes it; `null`: nothing is promised of it.
    pub objective: Option<String>,
    /// In so many runs the objective was met. `null` without one.
    pub met: Option<usize>,
    pub spread: SpreadRow,
}

/// The verdict over all runs of a series, in the order in which they were made. Those that were asked for and are not there make
/// it `inconclusive` at least.
pub fn series(runs: &[Played], planned: usize) -> Series {
    let reports: Vec<&Report> = runs.iter().map(|run| &run.report).collect();
    let missing = planned.saturating_sub(reports.len());
    let heaviest = reports.iter().map(|report| report.verdict);
    let verdict = heaviest
        .chain((missing > 0).then_some(Verdict::Inconclusive))
        .max_by_key(|verdict| verdict.weight())
        .unwrap_or(Verdict::Inconclusive);
    let mut codes: Vec<u8> = reports.iter().map(|report| report.exit_code).collect();
    codes.extend((missing > 0).then_some(3));
    let first = reports.first();
    Series {
        version: SERIES_VERSION,
        scenario: first.map(|one| one.scenario.clone()).unwrap_or_default(),
        title: first.and_then(|one| one.title.clone()),
        verdict,
        exit_code: worst(&codes),
        summary: summary(&reports, verdict, planned),
        seed: first.map_or(0, |one| one.seed),
        planned,
        runs: reports.iter().map(|report| run(report)).collect(),
        rows: gather(runs)
            .iter()
            .filter(|(key, _)| metric(&key.metric).is_some())
            .map(|(key, values)| row(&reports, key, values))
            .collect(),
    }
}

fn run(report: &Report) -> RunRow {
    RunRow {
        run: report.run.clone(),
        seed: report.seed,
        verdict: report.verdict,
        exit_code: report.exit_code,
        summary: report.summary.clone(),
    }
}

fn row(reports: &[&Report], key: &Key, values: &[Value]) -> SeriesRow {
    let promises: Vec<_> = reports
        .iter()
        .flat_map(|report| &report.slos)
        .filter(|slo| {
            slo.probe == key.probe && slo.during == key.during && slo.metric == key.metric
        })
        .collect();
    let met = promises.iter().filter(|slo| slo.met == Some(true)).count();
    SeriesRow {
        probe: key.probe.clone(),
        during: key.during.clone(),
        metric: key.metric.clone(),
        objective: promises.first().map(|slo| slo.objective.clone()),
        met: (!promises.is_empty()).then_some(met),
        spread: spread(values),
    }
}

fn summary(reports: &[&Report], verdict: Verdict, planned: usize) -> String {
    let word = verdict.word();
    let made = reports.len();
    if verdict == Verdict::Passed {
        return format!("{word}: all {made} runs passed");
    }
    let as_bad: Vec<_> = reports
        .iter()
        .enumerate()
        .filter(|(_, report)| report.verdict == verdict)
        .collect();
    let missing = match planned.saturating_sub(made) {
        0 => String::new(),
        _ => format!("; {made} of {planned} runs were made"),
    };
    match as_bad.first() {
        Some((index, first)) => {
            let summary = &first.summary;
            let text = summary
                .split_once(": ")
                .map_or(summary.as_str(), |(_, text)| text);
            format!(
                "{word}: {} of {planned} runs; the first of them, run {}: {text}{missing}",
                as_bad.len(),
                index + 1
            )
        }
        None => format!("{word}: {made} of {planned} runs were made"),
    }
}
