//! Was the system healthy before anything was done to it? Otherwise no fault can be blamed, and none is to be injected.

use std::time::Duration;

use super::objective::{amount, holds, name, phrase, wants_health};
use super::slo::blame;
use super::{recovery::ms, window::Range};
use crate::history::Tally;
use crate::plan::support;
use crate::scenario::{Metric, Slo, Window};
use crate::units::Micros;

/// Why a probe's baseline is not healthy, measured by what its SLOs ask for at any time; `None`: it is.
///
/// Samples that were due within `timeout` before the end may have been hit by what came then, and are not held against it.
pub fn unhealthy(
    slos: &[Slo],
    probe: &str,
    timeout: Duration,
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
    let doubt = range.to.saturating_sub(timeout.as_micros() as Micros);
    let spared = seen.span.first_bad.is_none_or(|bad| bad >= doubt);
    mine.iter()
        .filter(|slo| applies(slo))
        .find_map(|slo| broken(slo, seen, range, spared))
        .or_else(|| strict(&mine, probe, seen, spared))
}

/// A promise that must hold during a fault must hold without one; how broken something must be says nothing about before.
fn applies(slo: &Slo) -> bool {
    wants_health(&slo.objective) || slo.during == Window::Baseline
}

fn broken(slo: &Slo, seen: &Tally, range: Range, spared: bool) -> Option<String> {
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
            ms(seen.latency.quantile(quantile)?)
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
