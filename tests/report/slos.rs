//! Each metric, kept and broken, and the sentence that says so.

use chaosrun::scenario::{Metric, Slo, Window};
use chaosrun::units::Micros;
use chaosrun::verdict::{Report, SloRow, Verdict};

use crate::run::*;

fn one(behaviour: Behaviour, slo: Slo) -> (Report, SloRow) {
    let report = Run::new(behaviour, vec![slo]).report();
    let row = report.slos[0].clone();
    (report, row)
}

fn kept(behaviour: Behaviour, slo: Slo) -> SloRow {
    let (report, row) = one(behaviour, slo);
    assert_eq!(report.verdict, Verdict::Passed, "{:#?}", report.reasons);
    assert_eq!((report.exit_code, row.met), (0, Some(true)));
    assert!(report.reasons.is_empty());
    row
}

fn broken(behaviour: Behaviour, slo: Slo) -> (SloRow, String) {
    let (report, row) = one(behaviour, slo);
    assert_eq!(report.verdict, Verdict::Failed, "{:#?}", report.reasons);
    assert_eq!((report.exit_code, row.met), (1, Some(false)));
    assert!(row.margin.unwrap_or(-1.0) < 0.0);
    (row, report.reasons[0].clone())
}

#[test]
fn success() {
    let row = kept(fails_over, least(Window::All, Metric::Success, 0.95));
    assert_eq!(row.samples, 1_775);
    assert!(row.bound.unwrap() > 0.95 && row.bound < row.measured);
    let (row, why) = broken(fails_over, least(Window::Fault, Metric::Success, 0.95));
    assert_eq!(row.samples, 274);
    assert_eq!(
        why,
        "write success during fault was 78.1% (60 of 274 bad: 41 × timed out, 19 × connection refused), below the objective >= 95%"
    );
}

#[test]
fn success_that_must_not_be() {
    let mut slo = most(Window::Fault, Metric::Success, 0.05);
    let row = kept(no_failover, slo.clone());
    assert_eq!(row.measured, Some(0.0));
    slo.during = kill();
    let (_, why) = broken(no_failover, slo);
    assert!(why.contains("above the objective <= 5%"), "{why}");
}

#[test]
fn percentiles() {
    let row = kept(fails_over, most(Window::All, Metric::P95, 250.0));
    assert!(row.bound >= row.measured && row.bound <= Some(250.0));
    let (row, why) = broken(fails_over, most(kill(), Metric::P99, 250.0));
    assert!(row.measured > Some(990.0), "{row:?}");
    assert!(
        why.starts_with("write p99 during kill was 1s (60 of"),
        "{why}"
    );
    assert!(why.ends_with("above the objective <= 250ms"), "{why}");
}

#[test]
fn a_request_that_was_refused_at_once_was_not_answered_in_time() {
    fn refuses(due: Micros) -> (Option<Micros>, Micros, Option<&'static str>) {
        let refused = (INJECTING..REVERTED).contains(&due);
        (Some(0), MS, refused.then_some("connection refused"))
    }
    let p95 = most(Window::All, Metric::P95, 250.0);
    let report = Run::new(refuses, vec![p95.clone()]).report();
    assert_eq!(report.verdict, Verdict::Failed, "{:#?}", report.reasons);
    assert_eq!(report.slos[0].measured, None);
    assert_eq!(
        report.reasons[0],
        "write p95 during all was not <= 250ms: only 84.56% were good (274 of 1775 bad: 274 × connection refused), \
         and no SLO on the success of write in that time says how many may be bad"
    );
    // Said for that time, it may be so; said for another time, it may not.
    let some = |during| least(during, Metric::Success, 0.5);
    kept_all(refuses, vec![p95.clone(), some(Window::All)]);
    let report = Run::new(refuses, vec![p95, some(Window::Baseline)]).report();
    assert_eq!(report.verdict, Verdict::Failed, "{:#?}", report.reasons);
    // Few enough bad ones are what a percentile leaves room for.
    kept(refuses, most(Window::All, Metric::P50, 250.0));
}

fn kept_all(behaviour: Behaviour, slos: Vec<Slo>) {
    let report = Run::new(behaviour, slos).report();
    assert_eq!(report.verdict, Verdict::Passed, "{:#?}", report.reasons);
}

#[test]
fn the_maximum() {
    kept(fails_over, most(kill(), Metric::Max, 1_100.0));
    let (_, why) = broken(fails_over, most(kill(), Metric::Max, 500.0));
    assert!(why.contains("write max during kill was 1s"), "{why}");
}

#[test]
fn throughput() {
    let row = kept(fails_over, least(Window::All, Metric::Throughput, 45.0));
    assert!((48.0..48.6).contains(&row.measured.unwrap()), "{row:?}");
    let (_, why) = broken(fails_over, least(Window::Fault, Metric::Throughput, 45.0));
    assert!(why.contains("was 38.93/s"), "{why}");
}

#[test]
fn outage() {
    let row = kept(fails_over, most(kill(), Metric::Outage, 2_000.0));
    assert_eq!(row.measured, Some(1_200.0));
    broken(fails_over, most(kill(), Metric::Outage, 1_000.0));
    let (row, why) = broken(stays_down, most(kill(), Metric::Outage, 1_000.0));
    assert!(row.measured > Some(25_000.0), "{why}");
}

#[test]
fn recovery() {
    let row = kept(fails_over, most(Window::All, Metric::Recovery, 5_000.0));
    let (bad, good) = row.interval_ms.unwrap();
    assert!(bad < 1_200.0 && good.unwrap() > 1_190.0 && good.unwrap() - bad < 25.0);
    let (_, why) = broken(no_failover, most(Window::All, Metric::Recovery, 5_000.0));
    assert!(
        why.starts_with("write recovered between 5.579s and 5.")
            && why.contains("the injection of kill"),
        "{why}"
    );
}

#[test]
fn recovery_of_what_was_never_bad() {
    let row = kept(well, most(Window::All, Metric::Recovery, 5_000.0));
    assert_eq!((row.measured, row.interval_ms), (Some(0.0), None));
    assert!(row.detail.contains("never bad"), "{}", row.detail);
}

#[test]
fn recovery_that_never_came() {
    let (row, why) = broken(stays_down, most(Window::All, Metric::Recovery, 5_000.0));
    assert_eq!(row.measured, None);
    assert!(matches!(row.interval_ms, Some((_, None))));
    assert!(why.contains("took > 25.5s to recover from kill"), "{why}");
}

#[test]
fn recovery_from_the_revert_counts_only_what_lies_after_it() {
    let early = Run::new(fails_over, usual()).report();
    assert_eq!(early.steps[0].recovery_ms.from_revert, None);
    let late = Run::new(no_failover, usual()).report();
    let (bad, good) = late.steps[0].recovery_ms.from_revert.unwrap();
    assert!(
        (60.0..100.0).contains(&bad) && good.unwrap() < 510.0,
        "{bad} {good:?}"
    );
    assert_eq!(late.steps[0].probes["write"], late.steps[0].recovery_ms);
}

/// Between the last bad sample and the first good answer nothing is known: an objective that lies there is neither kept nor
/// broken.
#[test]
fn an_objective_within_the_interval_is_open() {
    let (report, row) = one(fails_over, most(Window::All, Metric::Recovery, 1_210.0));
    assert_eq!(
        (report.verdict, row.met),
        (Verdict::Inconclusive, None),
        "{row:?}"
    );
    assert!(
        row.detail.contains("raise the probe's rate"),
        "{}",
        row.detail
    );
}

#[test]
fn an_objective_beyond_the_watch_is_open() {
    let (report, row) = one(stays_down, most(Window::All, Metric::Recovery, 60_000.0));
    assert_eq!((report.verdict, row.met), (Verdict::Inconclusive, None));
    assert!(row.detail.contains("raise `recovery`"), "{}", row.detail);
}

#[test]
fn a_breach_comes_before_what_could_not_be_judged() {
    let slos = vec![
        least(Window::All, Metric::Success, 0.9999),
        least(Window::Fault, Metric::Success, 0.9),
        least(Window::Baseline, Metric::Success, 0.9999),
    ];
    let report = Run::new(fails_over, slos).report();
    assert_eq!(report.verdict, Verdict::Failed);
    assert!(
        report.reasons[0].contains("96.62%"),
        "{:#?}",
        report.reasons
    );
    assert!(report.reasons[2].contains("needs 29956 good samples, had 501"));
    assert!(
        report
            .summary
            .starts_with("failed: write success during all")
    );
    assert!(report.summary.ends_with("(and 2 reasons more)"));
}

/// Whatever share of the window was good: a system that stays broken has not come back.
#[test]
fn what_is_bad_to_the_end_fails_although_its_slo_held() {
    let slo = || least(Window::All, Metric::Success, 0.2);
    kept(fails_over, slo());
    let report = Run::new(stays_down, vec![slo()]).report();
    assert_eq!(report.verdict, Verdict::Failed, "{:#?}", report.reasons);
    let told = |reason: &String| reason.ends_with("the system did not come back");
    assert!(report.reasons.iter().any(told), "{:#?}", report.reasons);
    assert_eq!(report.slos[0].met, Some(true));
}
