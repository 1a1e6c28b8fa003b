//! Several runs, one verdict.

use chaosrun::report::{comparison_table, json_pretty, series_table};
use chaosrun::verdict::compare::{Margin, Played, compare};
use chaosrun::verdict::{Series, Verdict, series};

use crate::goldens::same;
use crate::run::*;

fn played(behaviour: Behaviour, seed: u64) -> Played {
    let mut report = Run::new(behaviour, usual()).report();
    report.seed = seed;
    Played {
        report,
        source: String::new(),
    }
}

fn passes(seed: u64) -> Played {
    played(fails_over, seed)
}

fn fails(seed: u64) -> Played {
    played(no_failover, seed)
}

#[test]
fn all_must_pass() {
    let found = series(&[passes(42), passes(43), passes(44)], 3);
    assert_eq!((found.verdict, found.exit_code), (Verdict::Passed, 0));
    assert_eq!(found.summary, "passed: all 3 runs passed");
    assert_eq!((found.seed, found.planned), (42, 3));
    let found = series(&[passes(42), fails(43), passes(44)], 3);
    assert_eq!((found.verdict, found.exit_code), (Verdict::Failed, 1));
    assert!(
        found
            .summary
            .starts_with("failed: 1 of 3 runs; the first of them, run 2: "),
        "{}",
        found.summary
    );
    let met = |found: &Series| found.rows[0].met;
    assert_eq!(met(&found), Some(2));
}

#[test]
fn a_run_that_was_not_made_is_no_passed_one() {
    let found = series(&[passes(42), passes(43)], 3);
    assert_eq!((found.verdict, found.exit_code), (Verdict::Inconclusive, 3));
    assert_eq!(found.summary, "inconclusive: 2 of 3 runs were made");
    let found = series(&[], 3);
    assert_eq!((found.verdict, found.exit_code), (Verdict::Inconclusive, 3));
    let mut dirty = fails(43);
    dirty.report.verdict = Verdict::Dirty;
    dirty.report.exit_code = 5;
    let found = series(&[passes(42), dirty], 3);
    assert_eq!((found.verdict, found.exit_code), (Verdict::Dirty, 5));
    assert!(
        found.summary.ends_with("; 2 of 3 runs were made"),
        "{}",
        found.summary
    );
}

#[test]
fn the_spread_is_of_all_runs() {
    let found = series(&[passes(42), fails(43), passes(44)], 3);
    let outage = found.rows.iter().find(|row| row.metric == "outage");
    let spread = outage.map(|row| row.spread).expect("it was promised");
    assert_eq!(spread.runs, 3);
    assert!(
        spread.min < spread.max && spread.median == spread.min,
        "{spread:?}"
    );
}

/// One that passed, one that failed, one of three that was never made: as a terminal and as a program reads it.
#[test]
fn a_series_is_written_as_it_always_was() {
    let found = series(&[passes(42), fails(43)], 3);
    for width in [80, 200] {
        same(
            &format!("series.table-{width}.txt"),
            &series_table(&found, width, false),
        );
    }
    same("series.series.json", &json_pretty(&found));
    let found = series(&[passes(42), passes(43)], 2);
    same(
        "series-passed.table-80.txt",
        &series_table(&found, 80, false),
    );
    let mut none = series(&[], 3);
    none.scenario = "kill-primary".into();
    same("series-empty.table-80.txt", &series_table(&none, 80, false));
}

#[test]
fn tables_fit_their_terminal_and_colour_is_only_there_when_asked_for() {
    let mut runs = vec![passes(42), fails(43), passes(44)];
    for run in &mut runs {
        run.report.scenario = "kill\u{1b}[2J".into();
        run.report.title = None;
        for slo in &mut run.report.slos {
            slo.probe = "write\u{1b}]0;\u{7}".into();
        }
    }
    let series = series(&runs, 3);
    let comparison = compare(&runs, &runs, Margin::default());
    for width in [80, 200] {
        for table in [
            series_table(&series, width, false),
            comparison_table(&comparison, width, false),
        ] {
            assert!(!table.contains('\u{1b}'), "{table}");
            assert!(
                table.lines().all(|line| line.chars().count() <= width),
                "{table}"
            );
        }
    }
    assert!(series_table(&series, 80, true).starts_with("\u{1b}[1;31mFAILED\u{1b}[0m"));
    assert!(comparison_table(&comparison, 80, true).starts_with("\u{1b}[1;32mSAME\u{1b}[0m"));
}
