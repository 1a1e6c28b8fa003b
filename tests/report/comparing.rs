//! Runs held against earlier ones.

use chaosrun::report::{comparison_table, json_pretty};
use chaosrun::verdict::compare::{Change, Comparison, Margin, Played, compare};
use chaosrun::verdict::{LatencyRow, RecoveryRow, Report, Verdict};
use proptest::prelude::*;

use crate::goldens::same;
use crate::run::*;

/// A run that recovered between these, with this p99 and these bad samples of 1000.
#[derive(Debug, Clone, Copy)]
struct Told {
    recovery: (f64, Option<f64>),
    p99: f64,
    bad: u64,
}

const USUAL: Told = Told {
    recovery: (1180.0, Some(1200.0)),
    p99: 50.0,
    bad: 20,
};

fn base() -> Report {
    let mut slos = usual();
    slos.push(most(kill(), chaosrun::scenario::Metric::P99, 5_000.0));
    Run::new(fails_over, slos).report()
}

fn played(told: Told) -> Played {
    let mut report = base();
    report.verdict = Verdict::Passed;
    let share = 1.0 - told.bad as f64 / 1000.0;
    for slo in &mut report.slos {
        slo.met = Some(true);
        match slo.metric.as_str() {
            "recovery" => {
                slo.measured = told.recovery.1;
                slo.interval_ms = Some(told.recovery);
            }
            "success" => (slo.measured, slo.samples) = (Some(share), 1000),
            "p99" => slo.measured = Some(told.p99),
            "throughput" => slo.measured = Some(48.0),
            _ => slo.measured = Some(100.0),
        }
    }
    let row = RecoveryRow {
        from_injection: Some(told.recovery),
        ..RecoveryRow::default()
    };
    report.steps[0].probes.insert("write".into(), row);
    let probe = &mut report.probes[0];
    (probe.planned, probe.good) = (1000, 1000 - told.bad);
    probe.latency_ms = Some(LatencyRow {
        p50: 1.0,
        p90: 2.0,
        p95: 3.0,
        p99: told.p99,
        p999: 900.0,
        max: 1000.0,
    });
    Played {
        report,
        source: "seed = 42\n".into(),
    }
}

/// Runs that recovered within these many milliseconds.
fn recovered(within: &[f64]) -> Vec<Played> {
    let told = |ms: &f64| Told {
        recovery: (ms - 20.0, Some(*ms)),
        ..USUAL
    };
    within.iter().map(|ms| played(told(ms))).collect()
}

fn held(before: &[Played], after: &[Played]) -> Comparison {
    compare(before, after, Margin::default())
}

#[track_caller]
fn row<'a>(
    comparison: &'a Comparison,
    metric: &str,
    during: &str,
) -> &'a chaosrun::verdict::compare::ComparisonRow {
    let mut rows = comparison.rows.iter();
    rows.find(|row| row.metric == metric && row.during == during)
        .unwrap_or_else(|| panic!("{:#?}", comparison.rows))
}

#[track_caller]
fn written(name: &str, found: &Comparison) {
    for width in [80, 200] {
        same(
            &format!("{name}.table-{width}.txt"),
            &comparison_table(found, width, false),
        );
    }
    same(&format!("{name}.comparison.json"), &json_pretty(found));
}

/// Worse, better, by chance perhaps, the same, not comparable: as a terminal and as a program reads it.
#[test]
fn a_comparison_is_written_as_it_always_was() {
    let slower = recovered(&[1600.0, 1700.0, 1900.0, 1650.0, 1750.0]);
    let usual = recovered(&BEFORE);
    written("comparison-worse", &held(&usual, &slower));
    written("comparison-better", &held(&slower, &usual));
    written("comparison-same", &held(&usual, &usual));
    written("comparison-unclear", &held(&usual[..1], &slower[..1]));
    let mut open = slower.clone();
    open[2].report.verdict = Verdict::Inconclusive;
    open[2].report.summary = "inconclusive: nothing was hit".into();
    open[1].report.scenario = "another".into();
    written("comparison-refused", &held(&usual, &open));
    written("comparison-empty", &held(&usual, &[]));
}

const BEFORE: [f64; 5] = [1000.0, 1100.0, 1200.0, 1050.0, 1150.0];

#[test]
fn a_recovery_that_takes_longer_in_every_run_is_a_regression() {
    let after = recovered(&[1600.0, 1700.0, 1900.0, 1650.0, 1750.0]);
    let found = held(&recovered(&BEFORE), &after);
    assert_eq!((found.change, found.exit_code), (Change::Worse, 1));
    assert_eq!(
        found.summary,
        "worse: write recovery during all went from 1.1s to 1.7s, worse beyond the margin (p = 0.004) (and 1 more)"
    );
    assert_eq!(row(&found, "recovery", "kill").change, Change::Worse);
    assert_eq!(row(&found, "p99", "all").change, Change::Same);
    // The other way round it got better, and that is no reason to stop anybody.
    let found = held(&after, &recovered(&BEFORE));
    assert_eq!((found.change, found.exit_code), (Change::Better, 0));
}

#[test]
fn within_the_margin_it_is_the_same_however_sure() {
    let after = recovered(&[1210.0, 1220.0, 1230.0, 1240.0, 1250.0]);
    let found = held(&recovered(&BEFORE), &after);
    assert_eq!((found.change, found.exit_code), (Change::Same, 0));
    let strict = Margin {
        share: 0.1,
        ..Margin::default()
    };
    assert_eq!(compare(&recovered(&BEFORE), &after, strict).exit_code, 1);
}

#[test]
fn what_may_be_chance_is_no_regression_and_no_pass() {
    let spread = recovered(&[300.0, 1100.0, 4000.0, 900.0, 2500.0]);
    let found = held(
        &spread,
        &recovered(&[400.0, 1400.0, 3500.0, 1000.0, 2600.0]),
    );
    assert_eq!((found.change, found.exit_code), (Change::Unclear, 3));
    assert!(
        found.summary.contains("which may be chance (p = 0."),
        "{}",
        found.summary
    );
    // What seems to have got better by chance stops nobody.
    let found = held(
        &recovered(&[400.0, 1400.0, 3500.0, 1000.0, 2600.0]),
        &spread,
    );
    assert_eq!((found.change, found.exit_code), (Change::Same, 0));
    assert_eq!(row(&found, "recovery", "kill").change, Change::Unclear);
}

#[test]
fn one_run_a_side_is_too_few_to_tell() {
    let found = held(&recovered(&[1000.0]), &recovered(&[3000.0]));
    assert_eq!((found.change, found.exit_code), (Change::Unclear, 3));
    assert!(
        found.summary.contains("one run a side is too few to tell"),
        "{}",
        found.summary
    );
    assert!(found.notes[0].starts_with("one run a side says nothing"));
    let found = held(&recovered(&[1000.0, 1001.0]), &recovered(&[3000.0, 3001.0]));
    assert!(
        found.summary.contains("2 and 2 runs are too few"),
        "{}",
        found.summary
    );
    assert!(found.notes.is_empty());
}

#[test]
fn one_run_a_side_can_tell_of_success() {
    let one = |bad| [played(Told { bad, ..USUAL })];
    let found = held(&one(20), &one(60));
    assert_eq!((found.change, found.exit_code), (Change::Worse, 1));
    assert_eq!(row(&found, "success", "all").change, Change::Worse);
    let found = held(&one(20), &one(300));
    assert!(
        found.summary.contains("beyond the margin (p < 0.001)"),
        "{}",
        found.summary
    );
    let table = comparison_table(&found, 80, false);
    assert!(table.contains("<0.001  WORSE"), "{table}");
    let found = held(&one(20), &one(26));
    assert_eq!((found.change, found.exit_code), (Change::Unclear, 3));
    let found = held(&one(20), &one(21));
    assert_eq!((found.change, found.exit_code), (Change::Same, 0));
}

#[test]
fn one_that_never_came_back_is_worse_than_any_that_did() {
    let never = played(Told {
        recovery: (20_000.0, None),
        ..USUAL
    });
    let after = vec![never; 3];
    let found = held(&recovered(&BEFORE[..3]), &after);
    assert_eq!(found.exit_code, 1);
    assert!(
        found.summary.contains("went from 1.1s to never"),
        "{}",
        found.summary
    );
    assert_eq!(held(&after, &after).change, Change::Same);
    let json = serde_json::to_value(&found).expect("it is written");
    assert!(json["rows"][0].is_object());
}

#[test]
fn intervals_that_overlap_tell_nothing() {
    let wide = |high: f64| {
        played(Told {
            recovery: (0.0, Some(high)),
            ..USUAL
        })
    };
    let before: Vec<_> = [1000.0, 1100.0, 1200.0].map(wide).into();
    let after: Vec<_> = [2000.0, 2100.0, 2200.0].map(wide).into();
    assert_eq!(held(&before, &after).exit_code, 3);
}

#[test]
fn a_run_that_proves_nothing_cannot_be_compared() {
    for verdict in [
        Verdict::Inconclusive,
        Verdict::Aborted,
        Verdict::Interrupted,
        Verdict::Dirty,
    ] {
        let mut after = recovered(&BEFORE);
        after[2].report.verdict = verdict;
        after[2].report.summary = "inconclusive: nothing was hit".into();
        let found = held(&recovered(&BEFORE), &after);
        assert_eq!((found.change, found.exit_code), (Change::Unclear, 3));
        assert!(
            found.reasons[0].contains("of B was inconclusive"),
            "{:?}",
            found.reasons
        );
    }
    let mut failed = recovered(&BEFORE);
    failed[0].report.verdict = Verdict::Failed;
    assert_eq!(held(&recovered(&BEFORE), &failed).exit_code, 0);
    assert_eq!(held(&recovered(&BEFORE), &[]).exit_code, 3);
}

/// The prober may have fallen behind in a run that failed for another reason.
#[test]
fn a_probe_that_could_not_be_judged_is_not_compared() {
    let mut after = recovered(&BEFORE);
    after[0].report.verdict = Verdict::Failed;
    after[0].report.slos[0].met = None;
    let found = held(&recovered(&BEFORE), &after);
    assert_eq!(row(&found, "recovery", "kill").after.runs, 4);
}

#[test]
fn what_else_differs_is_said() {
    let mut after = recovered(&BEFORE);
    for run in &mut after {
        run.report.scenario = "kill-secondary".into();
        run.report.chaosrun = "0.2.0".into();
        run.source.push_str("# changed\n");
        run.report.slos.pop();
        if let Some(engine) = &mut run.report.engine {
            engine.version = "29.0.0".into();
        }
    }
    let notes = held(&recovered(&BEFORE), &after).notes.join("\n");
    for said in [
        "the scenarios differ: kill-primary and kill-secondary",
        "the versions of chaosrun differ: 0.1.0 and 0.2.0",
        "the engines differ: docker 28.0.0",
        "the scenario's text is not the same",
        "only A has write p99 during kill",
    ] {
        assert!(notes.contains(said), "{said:?} is not in {notes}");
    }
    assert!(held(&after, &after).notes.is_empty());
}

#[test]
fn nothing_in_common_is_nothing_compared() {
    let mut after = recovered(&BEFORE);
    for run in &mut after {
        run.report.slos.clear();
        run.report.steps.clear();
        run.report.probes.clear();
    }
    let found = held(&recovered(&BEFORE), &after);
    assert_eq!(found.exit_code, 3);
    assert!(found.summary.contains("no measure in common"));
}

fn any_run() -> impl Strategy<Value = Played> {
    let recovery = (0.0..5_000.0, proptest::option::weighted(0.9, 0.0..2_000.0));
    (recovery, 1.0..500.0, 0_u64..200).prop_map(|((bad, more), p99, samples)| {
        played(Told {
            recovery: (bad, more.map(|more: f64| bad + more)),
            p99,
            bad: samples,
        })
    })
}

fn any_runs() -> impl Strategy<Value = Vec<Played>> {
    proptest::collection::vec(any_run(), 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_a_regression_against_itself(runs in any_runs()) {
        let found = held(&runs, &runs);
        prop_assert_eq!((found.change, found.exit_code), (Change::Same, 0));
        prop_assert!(found.rows.iter().all(|row| row.change == Change::Same));
    }

    #[test]
    fn the_other_way_round_is_the_mirror_image(before in any_runs(), after in any_runs()) {
        let there = held(&before, &after);
        let back = held(&after, &before);
        prop_assert_eq!(there.rows.len(), back.rows.len());
        for (one, other) in there.rows.iter().zip(&back.rows) {
            let mirrored = match one.change {
                Change::Worse => Change::Better,
                Change::Better => Change::Worse,
                same => same,
            };
            prop_assert_eq!(mirrored, other.change, "{:?} {:?}", one, other);
            prop_assert_eq!(one.chance, other.chance);
        }
    }

    /// However the runs are listed.
    #[test]
    fn their_order_does_not_matter(mut before in any_runs(), after in any_runs()) {
        let there = held(&before, &after);
        before.reverse();
        prop_assert_eq!(there.change, held(&before, &after).change);
    }

    /// Whatever is compared, a larger margin makes no regression out of none.
    #[test]
    fn a_larger_margin_is_more_lenient(before in any_runs(), after in any_runs(), share in 0.0..1.0_f64) {
        let at = |share| compare(&before, &after, Margin { share, least_ms: 10.0 });
        if at(share).change != Change::Worse {
            prop_assert_ne!(at(share + 0.5).change, Change::Worse);
        }
    }
}
