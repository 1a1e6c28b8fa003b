//! `junit.xml`: one case for the verdict, one an SLO, one a step. A breach is a failure, trouble of the tool or of a fault an error,
//! and what did not run is skipped. Whatever is not `passed` has a case that is no success.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use super::text::plain;
use super::words;
use crate::history::Record;
use crate::verdict::{Report, SloRow, StepRow, Verdict};

pub(super) fn render(_record: &Record, report: &Report) -> String {
    let name = plain(&report.scenario);
    let mut suite = TestSuite::new(name.as_str());
    suite.set_time(time(report.duration_ms));
    suite.add_properties(properties(report));
    let cases = [case("verdict", "verdict".into(), verdict(report))]
        .into_iter()
        .chain(report.slos.iter().map(|row| {
            let name = format!(
                "{} {} during {} {}",
                row.probe, row.metric, row.during, row.objective
            );
            case("slo", name, slo(row))
        }))
        .chain(report.steps.iter().map(|row| {
            let mut case = case("step", format!("{} ({})", row.name, row.fault), step(row));
            if let (Some(from), Some(to)) = (row.injecting_ms, row.reverted_ms) {
                case.set_time(time(to - from));
            }
            case
        }));
    for mut case in cases {
        let class = case.classname.as_ref().map_or("", |class| class.as_str());
        let class = format!("{name}.{class}");
        case.set_classname(class);
        suite.add_test_case(case);
    }
    let mut all = quick_junit::Report::new("chaosrun");
    all.set_time(time(report.duration_ms));
    all.add_test_suite(suite);
    // Nothing that is written into memory fails.
    all.to_string().unwrap_or_default()
}

fn case(class: &str, name: String, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(plain(&name), status);
    case.set_classname(class);
    case
}

fn properties(report: &Report) -> Vec<Property> {
    let mut all = vec![
        Property::new("run", plain(&report.run)),
        Property::new("seed", report.seed.to_string()),
        Property::new("verdict", report.verdict.word()),
        Property::new("chaosrun", plain(&report.chaosrun)),
    ];
    if let Some(facts) = &report.engine {
        let engine = format!("{} {}", facts.engine, facts.version);
        all.push(Property::new("engine", plain(&engine)));
        all.push(Property::new("kernel", plain(&facts.kernel)));
    }
    all
}

fn verdict(report: &Report) -> TestCaseStatus {
    let kind = match report.verdict {
        Verdict::Passed => return TestCaseStatus::success(),
        Verdict::Failed => NonSuccessKind::Failure,
        _ => NonSuccessKind::Error,
    };
    let mut status = not(kind, report.verdict.word(), &report.summary);
    let reasons: Vec<_> = report.reasons.iter().map(|reason| plain(reason)).collect();
    status.set_description(reasons.join("\n"));
    status
}

fn slo(row: &SloRow) -> TestCaseStatus {
    match row.met {
        Some(true) => TestCaseStatus::success(),
        Some(false) => not(NonSuccessKind::Failure, "breached", &row.detail),
        None if row.samples == 0 => skipped(&row.detail),
        None => not(NonSuccessKind::Error, "inconclusive", &row.detail),
    }
}

fn step(row: &StepRow) -> TestCaseStatus {
    let trouble = |what: &str, why: &str| not(NonSuccessKind::Error, what, why);
    if row.injecting_ms.is_none() {
        return match &row.skipped {
            Some(skip) if skip.by_choice => skipped(&skip.why),
            Some(skip) => trouble("not injected", &skip.why),
            None => skipped("it was never injected"),
        };
    }
    if words::revert(row).1 != Some(true) {
        let revert = row.revert.as_ref();
        let why = revert.map_or("no revert is recorded", |revert| &revert.evidence);
        return trouble("revert not verified", why);
    }
    match &row.effect {
        Some(effect) if effect.proven => TestCaseStatus::success(),
        Some(effect) => trouble("effect not proven", &effect.evidence),
        None => trouble("not applied whole", "no effect of it is recorded"),
    }
}

fn not(kind: NonSuccessKind, what: &str, why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(what).set_message(plain(why));
    status
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(plain(why));
    status
}

/// A time that is no number is none.
fn time(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default()
}
