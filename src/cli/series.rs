//! A scenario's turn: one run, or a series of them (`repeat`) that gives one verdict.
//!
//! Each run of a series stands for itself: a system that it brings up is brought up afresh, and it has a folder of its own. Run
//! k has the seed of the first one plus k − 1, so that the same seed gives the same series and each run can be made again alone.

use std::path::{Path, PathBuf};

use super::compare::Baseline;
use super::run::{Turn, one, report_dir, stopped};
use super::{Format, places, report, term};
use crate::clock::{self, Clock};
use crate::report::{json_line, json_pretty, series_table};
use crate::runtime::docker::Docker;
use crate::verdict::compare::Played;
use crate::verdict::{self, Report, Series, Verdict};

/// The exit code of the run or of the series, and of its comparison with the baseline.
pub(super) async fn play(
    turn: &Turn<'_>,
    ready: &mut Option<(Docker, Clock)>,
    baseline: Option<&Baseline>,
    runs: &mut Vec<(PathBuf, Report)>,
) -> u8 {
    let (args, scenario) = (turn.args, &turn.scenario);
    let seed = args.seed.or(scenario.seed).unwrap_or_else(places::seed);
    let stem = format!("{}-{seed}", clock::wall().strftime("%Y%m%dT%H%M%SZ"));
    let (code, played, dir): (u8, Vec<Played>, PathBuf) = match args.repeat.or(scenario.repeat) {
        None => {
            let dir = report_dir(&args.report_dir, scenario, &stem);
            let outcome = one(turn, seed, &dir, ready).await;
            if let Some((record, played)) = &outcome.played {
                report::print(record, &played.report, args.format);
                term::say(&format!("report: {}", dir.display()));
                runs.push((dir.clone(), played.report.clone()));
            }
            let played = outcome.played.map(|(_, played)| played);
            (outcome.code, played.into_iter().collect(), dir)
        }
        Some(count) => {
            let dir = report_dir(&args.report_dir, scenario, &format!("{stem}-x{count}"));
            let (code, played) = repeat(turn, seed, count, &dir, ready).await;
            let folder = |number: usize| dir.join((number + 1).to_string());
            let reports = played.iter().enumerate();
            runs.extend(reports.map(|(n, one)| (folder(n), one.report.clone())));
            (code, played, dir)
        }
    };
    let compared = baseline.and_then(|baseline| {
        let name = &scenario.name;
        baseline.hold_against(name, &played, &dir, args.format)
    });
    verdict::worst(&[&[code], compared.as_slice()].concat())
}

async fn repeat(
    turn: &Turn<'_>,
    seed: u64,
    count: u32,
    dir: &Path,
    ready: &mut Option<(Docker, Clock)>,
) -> (u8, Vec<Played>) {
    let mut codes = Vec::new();
    let mut runs: Vec<Played> = Vec::new();
    for number in 0..count {
        if let Some(code) = stopped(&turn.stop) {
            codes.push(code);
            break;
        }
        let seed = seed.wrapping_add(number.into());
        let folder = dir.join((number + 1).to_string());
        let outcome = one(turn, seed, &folder, ready).await;
        codes.push(outcome.code);
        let Some((_, played)) = outcome.played else {
            break;
        };
        let summary = &played.report.summary;
        term::say(&format!(
            "run {} of {count} (seed {seed}) {}",
            number + 1,
            crate::report::plain(summary)
        ));
        if turn.args.format == Format::Json {
            term::data(&json_line(&played.report));
        }
        let ends = ends_a_series(played.report.verdict);
        runs.push(played);
        if ends {
            break;
        }
    }
    let mut series = verdict::series(&runs, count as usize);
    if runs.is_empty() {
        series.scenario.clone_from(&turn.scenario.name);
        series.title.clone_from(&turn.scenario.title);
        series.seed = seed;
    }
    if let Err(why) = write(&series, dir) {
        term::error(&why, "without its report a series proves nothing");
        codes.push(super::code::INCONCLUSIVE);
    }
    print(&series, turn.args.format);
    term::say(&format!("report: {}", dir.display()));
    codes.push(series.exit_code);
    (verdict::worst(&codes), runs)
}

/// What was stopped is not begun again, and nothing is measured on what a run may have left.
fn ends_a_series(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Aborted | Verdict::Interrupted | Verdict::Dirty
    )
}

/// # Errors
/// What was tried, and the file system's words.
pub(super) fn write(series: &Series, dir: &Path) -> Result<(), String> {
    report::put(dir, "series.json", &json_pretty(series))
}

pub(super) fn print(series: &Series, format: Format) {
    match format {
        Format::Table => term::data(&series_table(
            series,
            term::width(),
            term::color(&std::io::stdout()),
        )),
        Format::Json => term::data(&json_line(series)),
    }
}
