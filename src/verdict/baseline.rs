//! Was the system healthy before anything was done to it? Otherwise no fault can be blamed, and none is to be injected.

use std::time::Duration;

use super::objective::{amount, holds, name, phrase, wants_health};
use super::percentile;
use super::slo::blame;
use super::{recovery::ms, window::Range};
use crate::history::Tally;
use crate::plan::support;
use crate::scenario::{Metric, Slo, Window};
use crate::units::Micros;

/// Why a probe's baseline is not healthy, measured by what its SLOs ask for at any time; `None`: it is.
///
/// Samples that were due within `doubt` before the end may have been hit by what came then, and are not held against it. Before
/// the injection nothing has come yet: ask with a `doubt` of zero then, and with the probe's timeout afterwards.
pub fn unhealthy(
    slos: &[Slo],
    probe: &str,
    doubt: Duration,
    seen: &Tally,
    range: Range,
) -> Option<String> {
    let mine: Vec<_> = slos.iter().filter(|slo| slo.probe == probe).collect();
    if mine.is_empty() {
        return None;
    }
    if seen.planned == 0 {
        return Some(format!(
            "the baseline holds no sample of {probe}: whether it was healthy is not known"
        ));
    }
    let certain = range.to.saturating_sub(doubt.as_micros() as Micros);
    let spared = seen.span.first_bad.is_none_or(|bad| bad >= certain);
    let slack = if doubt.is_zero() {
        0.0
    } else {
        under_way(seen, range)
    };
    mine.iter()
        .filter(|slo| applies(slo))
        .find_map(|slo| broken(slo, seen, range, spared, slack))
        .or_else(|| strict(&mine, probe, seen, spared))
        .or_else(|| unanswered(&mine, seen, spared))
}

/// The share of samples that were still under way at the end, with some allowance: twice the usual latency at this rate.
fn under_way(seen: &Tally, range: Range) -> f64 {
    let usual = seen.latency.quantile(0.5).unwrap_or(0) as f64 / 1e6;
    (2.0 * usual / range.seconds()).min(0.05)
}

/// A promise that must hold during a fault must hold without one; how broken something must be says nothing about before.
fn applies(slo: &Slo) -> bool {
    wants_health(&slo.objective) || slo.during == Window::Baseline
}

fn broken(slo: &Slo, seen: &Tally, range: Range, spared: bool, slack: f64) -> Option<String> {
    let objective = &slo.objective;
    let value = match objective.metric {
        Metric::Success if !spared => seen.good as f64 / seen.planned as f64,
        Metric::Outage if !spared => ms(seen.outage(range.to)),
        metric => {
            let quantile = support::quantile(metric)?;
            // With so few beyond it, a quantile is about the last moment before the injection.
            if seen.latency.count() as f64 * (1.0 - quantile) < 5.0 {
                return None;
            }
            ms(seen.latency.quantile(quantile - slack)?)
        }
    };
    (!holds(objective, value)).then(|| {
        format!(
            "the baseline was not healthy: {} {} was {}{} before anything was injected, and the objective is {}",
            slo.probe,
            name(objective.metric),
            amount(objective.metric, value),
            blame(seen),
            phrase(objective)
        )
    })
}

/// Whoever promises to come back, and nothing about bad samples, starts from none.
fn strict(slos: &[&Slo], probe: &str, seen: &Tally, spared: bool) -> Option<String> {
    let has = |metric| {
        slos.iter()
            .any(|slo| slo.objective.metric == metric && applies(slo))
    };
    let asks = has(Metric::Recovery) && !has(Metric::Success);
    (asks && !spared && seen.good < seen.planned).then(|| {
        format!(
            "the baseline was not healthy: {probe} was bad before anything was injected{}, so that recovery cannot be told",
            blame(seen)
        )
    })
}

/// Whoever promises how fast answers are, and nothing about bad ones, starts from answers.
fn unanswered(slos: &[&Slo], seen: &Tally, spared: bool) -> Option<String> {
    let mut timed = slos.iter().filter(|slo| applies(slo) && !spared);
    timed.find_map(|slo| {
        let quantile = support::quantile(slo.objective.metric)?;
        let answered = percentile::answered(slos.iter().copied(), slo, seen);
        percentile::too_few(answered, seen.planned, quantile).then(|| {
            format!(
                "the baseline was not healthy: {} {} cannot be {} before anything was injected{}",
                slo.probe,
                name(slo.objective.metric),
                phrase(&slo.objective),
                blame(seen)
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Sample;
    use crate::scenario::{Objective, Relation};

    const SECOND: Micros = 1_000_000;
    const RANGE: Range = Range {
        from: 0,
        to: 10 * SECOND,
    };

    fn slo(metric: Metric, relation: Relation, value: f64) -> Slo {
        Slo {
            probe: "write".into(),
            during: Window::Fault,
            objective: Objective {
                metric,
                relation,
                value,
            },
            line: 1,
        }
    }

    /// 50/s for ten seconds; due time → latency and whether it is bad.
    fn asked(slo: Slo, doubt: Duration, sample: fn(Micros) -> (Micros, bool)) -> Option<String> {
        let mut seen = Tally::default();
        for due in (0..500).map(|k| k * SECOND / 50) {
            let (took, bad) = sample(due);
            seen.record(&Sample {
                due,
                sent: Some(due),
                done: due + took,
                fault: bad.then(|| "timed out".into()),
            });
        }
        unhealthy(&[slo], "write", doubt, &seen, RANGE)
    }

    const NONE: Duration = Duration::ZERO;
    const TIMEOUT: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_promised_for_a_fault_holds_without_one() {
        let success = || slo(Metric::Success, Relation::AtLeast, 0.95);
        assert_eq!(asked(success(), NONE, |due| (900, due == 0)), None);
        let why = asked(success(), NONE, |due| (900, due < SECOND)).unwrap();
        assert!(why.contains("success was 90% (50 of 500 bad"), "{why}");
        let outage = || slo(Metric::Outage, Relation::AtMost, 500.0);
        assert!(asked(outage(), NONE, |due| (900, due < SECOND)).is_some());
        assert!(asked(outage(), NONE, |due| (900, due < SECOND / 4)).is_none());
    }

    #[test]
    fn how_broken_something_must_become_says_nothing_about_before() {
        let refuse = slo(Metric::Success, Relation::AtMost, 0.05);
        assert_eq!(asked(refuse, NONE, |_| (900, false)), None);
    }

    #[test]
    fn the_last_moment_is_doubtful_only_afterwards() {
        let late: fn(Micros) -> (Micros, bool) = |due| (900, due >= 9 * SECOND);
        let success = || slo(Metric::Success, Relation::AtLeast, 0.95);
        assert!(asked(success(), NONE, late).is_some());
        assert!(asked(success(), TIMEOUT, late).is_none());
        let slow: fn(Micros) -> (Micros, bool) = |due| {
            let hit = due >= 9_850_000;
            (if hit { 900_000 } else { 100_000 }, false)
        };
        let p99 = || slo(Metric::P99, Relation::AtMost, 250.0);
        assert!(asked(p99(), NONE, slow).is_some());
        assert!(asked(p99(), TIMEOUT, slow).is_none());
    }

    #[test]
    fn whoever_must_come_back_starts_from_all_good() {
        let recovery = || slo(Metric::Recovery, Relation::AtMost, 5_000.0);
        assert!(asked(recovery(), NONE, |_| (900, false)).is_none());
        let why = asked(recovery(), NONE, |due| (900, due == SECOND)).unwrap();
        assert!(why.contains("recovery cannot be told"), "{why}");
    }

    #[test]
    fn whoever_must_be_fast_must_answer() {
        let p95 = || slo(Metric::P95, Relation::AtMost, 250.0);
        let some: fn(Micros) -> (Micros, bool) = |due| (900, due % SECOND == 0);
        assert!(asked(p95(), NONE, some).is_none());
        let why = asked(p95(), NONE, |due| (900, due < SECOND)).unwrap();
        assert!(why.contains("p95 cannot be <= 250ms"), "{why}");
        assert!(why.ends_with("(50 of 500 bad: 50 × timed out)"), "{why}");
        assert!(asked(p95(), TIMEOUT, |due| (900, due >= 9 * SECOND)).is_none());
    }

    #[test]
    fn a_probe_without_samples_is_not_known_to_be_healthy() {
        let slos = [slo(Metric::Success, Relation::AtLeast, 0.95)];
        let none = Tally::default();
        assert!(unhealthy(&slos, "write", NONE, &none, RANGE).is_some());
        assert!(unhealthy(&slos, "read", NONE, &none, RANGE).is_none());
    }
}
