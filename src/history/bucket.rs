//! What a probe saw in a stretch of time, in constant space: buckets merge, so any window is the sum of its buckets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::latency::Latencies;
use crate::units::Micros;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When it was to be sent.
    pub due: Micros,
    /// When it was sent; `None`: it never was, and counts as bad.
    pub sent: Option<Micros>,
    /// When its answer, error or timeout came. Latency is `done - due`.
    pub done: Micros,
    /// Why it is bad, in a few words that repeat (`timed out`, `status 503`); `None`: it is good.
    pub fault: Option<String>,
}

/// All samples that were due in `[from, to)`, a second at most. Buckets end at every boundary of the run, so a bucket
/// belongs to each window either wholly or not at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    pub from: Micros,
    pub to: Micros,
    pub tally: Tally,
}

/// Different reasons kept by name; the rest is counted as [`OTHER`].
pub const MAX_REASONS: usize = 8;
pub const OTHER: &str = "other";

/// The sum of samples, in the order in which they were due. A monoid: see [`Tally::merge`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    pub planned: u64,
    pub sent: u64,
    pub good: u64,
    /// Bad samples by reason.
    pub reasons: BTreeMap<String, u64>,
    /// From due to done, in microseconds, over every sample.
    pub latency: Latencies,
    /// From due to sent, in microseconds: the prober's own lateness.
    pub lateness: Latencies,
    pub span: Span,
}

/// When things turned bad and good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Due times.
    pub first_bad: Option<Micros>,
    pub last_bad: Option<Micros>,
    /// When the first good answer came among the samples due after the last bad one.
    pub good_after: Option<Micros>,
    /// The longest bad stretch that both began and ended in here: from the first bad sample's due time to the due time of the
    /// next good one.
    pub longest_outage: Micros,
    /// If the first sample is bad: when it was due, and when the first good one was.
    pub opens_bad: Option<Micros>,
    pub first_good: Option<Micros>,
    /// If the last sample is bad: when the stretch began that it ends.
    pub closes_bad: Option<Micros>,
}
