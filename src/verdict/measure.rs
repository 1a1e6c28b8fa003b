//! One number out of a tally.

use super::recovery::ms;
use crate::history::Tally;
use crate::plan::support;
use crate::scenario::Metric;
use crate::units::Micros;

/// What a metric says about the samples of `long` microseconds, in its unit; `None` where they say nothing.
pub fn measure(metric: Metric, tally: &Tally, long: Micros) -> Option<f64> {
    if tally.planned == 0 {
        return None;
    }
    match metric {
        Metric::Success => Some(tally.good as f64 / tally.planned as f64),
        Metric::Throughput => Some(tally.good as f64 / (long as f64 / 1e6)),
        Metric::Max => tally.latency.max().map(ms),
        Metric::Outage | Metric::Recovery => None,
        percentile => tally
            .latency
            .quantile(support::quantile(percentile)?)
            .map(ms),
    }
}
