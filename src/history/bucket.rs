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

/// Different reasons kept by name: the first in the order of the alphabet, so that it does not matter in which order parts
/// are summed. The rest is counted as [`OTHER`].
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
    /// The due time of the first good sample.
    pub first_good: Option<Micros>,
    /// When the first good answer came among the samples due after the last bad one (among all, if none is bad).
    pub good_after: Option<Micros>,
    /// The longest bad stretch that both began and ended in here: from the first bad sample's due time to the due time of the
    /// next good one.
    pub longest_outage: Micros,
    /// If the last sample is bad: when the stretch began that is still open.
    pub closes_bad: Option<Micros>,
}

impl Tally {
    /// Adds a sample that was due after all others in here.
    pub fn record(&mut self, sample: &Sample) {
        self.planned += 1;
        self.latency.record(sample.done.saturating_sub(sample.due));
        if let Some(sent) = sample.sent {
            self.sent += 1;
            self.lateness.record(sent.saturating_sub(sample.due));
        }
        match &sample.fault {
            None => self.good += 1,
            Some(reason) => self.blame(reason, 1),
        }
        self.span = self.span.then(&Span::of(sample));
    }

    /// Adds a tally of samples that were all due later. Associative, with the empty tally as its neutral element: a window is
    /// the sum of its buckets, however they were cut.
    pub fn merge(&mut self, later: &Self) {
        self.planned += later.planned;
        self.sent += later.sent;
        self.good += later.good;
        for (reason, count) in &later.reasons {
            self.blame(reason, *count);
        }
        self.latency.merge(&later.latency);
        self.lateness.merge(&later.lateness);
        self.span = self.span.then(&later.span);
    }

    /// The longest unbroken bad stretch; one that is still open lasts until `window_end`.
    pub fn outage(&self, window_end: Micros) -> Micros {
        let open = self.span.closes_bad;
        open.map_or(0, |began| window_end.saturating_sub(began))
            .max(self.span.longest_outage)
    }

    fn blame(&mut self, reason: &str, count: u64) {
        if let Some(known) = self.reasons.get_mut(reason) {
            *known += count;
            return;
        }
        self.reasons.insert(reason.to_owned(), count);
        let named = self.reasons.keys().filter(|name| *name != OTHER);
        if let Some(last) = named.skip(MAX_REASONS).last().cloned() {
            let count = self.reasons.remove(&last).unwrap_or_default();
            *self.reasons.entry(OTHER.into()).or_default() += count;
        }
    }
}

impl Span {
    fn of(sample: &Sample) -> Self {
        let due = Some(sample.due);
        if sample.fault.is_some() {
            Self {
                first_bad: due,
                last_bad: due,
                closes_bad: due,
                ..Self::default()
            }
        } else {
            Self {
                first_good: due,
                good_after: Some(sample.done),
                ..Self::default()
            }
        }
    }

    /// This span and then that one.
    pub(super) fn then(&self, later: &Self) -> Self {
        let joined = match (self.closes_bad, later.first_good) {
            (Some(began), Some(ended)) => ended.saturating_sub(began),
            _ => 0,
        };
        Self {
            first_bad: self.first_bad.or(later.first_bad),
            last_bad: later.last_bad.or(self.last_bad),
            first_good: self.first_good.or(later.first_good),
            good_after: match later.last_bad {
                Some(_) => later.good_after,
                None => earliest(self.good_after, later.good_after),
            },
            longest_outage: joined.max(self.longest_outage).max(later.longest_outage),
            closes_bad: match later.first_good {
                Some(_) => later.closes_bad,
                None => self.closes_bad.or(later.closes_bad),
            },
        }
    }
}

fn earliest(a: Option<Micros>, b: Option<Micros>) -> Option<Micros> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(due: Micros, fault: Option<&str>) -> Sample {
        Sample {
            due,
            sent: Some(due + 3),
            done: due + 40,
            fault: fault.map(Into::into),
        }
    }

    fn tally<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Tally {
        let mut all = Tally::default();
        samples.into_iter().for_each(|sample| all.record(sample));
        all
    }

    #[test]
    fn an_outage_lasts_until_the_next_good_sample_was_due() {
        let bad = Some("timed out");
        let all = [(0, None), (100, bad), (200, bad), (300, None), (400, bad)];
        let all: Vec<_> = all.map(|(due, fault)| sample(due, fault)).into();
        let whole = tally(&all);
        assert_eq!(whole.outage(450), 200);
        assert_eq!(whole.outage(900), 500, "the last one is still open");
        assert_eq!(tally(&all[..4]).outage(10_000), 200, "it ended");
        assert_eq!(tally(&all[..1]).outage(10_000), 0);
    }

    #[test]
    fn recovery_is_the_first_good_answer_after_the_last_bad_sample() {
        let mut all = vec![
            sample(0, None),
            sample(100, Some("timed out")),
            sample(200, None),
            sample(300, None),
        ];
        all[2].done = 900;
        let span = tally(&all).span;
        assert_eq!((span.last_bad, span.good_after), (Some(100), Some(340)));
    }

    #[test]
    fn an_unsent_sample_is_planned_and_bad_but_not_late() {
        let unsent = Sample {
            sent: None,
            ..sample(100, Some("unsent"))
        };
        let all = tally(&[sample(0, None), unsent]);
        assert_eq!((all.planned, all.sent, all.good), (2, 1, 1));
        assert_eq!((all.latency.count(), all.lateness.count()), (2, 1));
    }

    #[test]
    fn reasons_are_bounded() {
        let all: Vec<_> = (0..1_000)
            .map(|i| sample(i, Some(&format!("r{:03}", i % 500))))
            .collect();
        let all = tally(&all);
        assert_eq!(all.reasons.len(), MAX_REASONS + 1);
        assert_eq!(
            (all.reasons["r000"], all.reasons[OTHER]),
            (2, 1_000 - 2 * MAX_REASONS as u64)
        );
    }

    /// What a list says without any cleverness.
    fn naive(samples: &[Sample], window_end: Micros) -> (Option<Micros>, Option<Micros>, Micros) {
        let last_bad = samples.iter().rposition(|sample| sample.fault.is_some());
        let good_after = samples[last_bad.map_or(0, |at| at + 1)..]
            .iter()
            .map(|sample| sample.done)
            .min();
        let mut outage = 0;
        let mut began = None;
        for sample in samples {
            if sample.fault.is_some() {
                began = began.or(Some(sample.due));
            } else if let Some(began) = began.take() {
                outage = outage.max(sample.due - began);
            }
        }
        if let Some(began) = began {
            outage = outage.max(window_end - began);
        }
        (last_bad.map(|at| samples[at].due), good_after, outage)
    }

    prop_compose! {
        fn samples()(list in prop::collection::vec((1..50_u64, 0..400_u64, prop::option::weighted(0.5, 0..20_u8)), 0..60)) -> Vec<Sample> {
            let mut due = 0;
            list.into_iter().map(|(gap, took, fault)| {
                due += gap;
                Sample {
                    due,
                    sent: (took % 7 != 0).then_some(due + took / 3),
                    done: due + took,
                    fault: fault.map(|n| if n == 19 { OTHER.into() } else { format!("reason {n}") }),
                }
            }).collect()
        }
    }

    proptest! {
        #[test]
        fn any_split_sums_to_the_whole(all in samples(), cuts in prop::collection::vec(0..60_usize, 0..5), from_the_left: bool) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(all.len())).chain([0, all.len()]).collect();
            cuts.sort_unstable();
            let parts: Vec<_> = cuts.windows(2).map(|edge| tally(&all[edge[0]..edge[1]])).collect();
            let sum = if from_the_left {
                parts.iter().fold(Tally::default(), |mut sum, part| { sum.merge(part); sum })
            } else {
                parts.iter().rev().fold(Tally::default(), |sum, part| { let mut part = part.clone(); part.merge(&sum); part })
            };
            prop_assert_eq!(sum, tally(&all));
        }

        #[test]
        fn spans_say_what_the_list_says(all in samples()) {
            let end = all.last().map_or(0, |sample| sample.due) + 10;
            let whole = tally(&all);
            prop_assert_eq!((whole.span.last_bad, whole.span.good_after, whole.outage(end)), naive(&all, end));
            let first = |bad: bool| all.iter().find(|sample| sample.fault.is_some() == bad).map(|sample| sample.due);
            prop_assert_eq!((whole.span.first_bad, whole.span.first_good), (first(true), first(false)));
        }
    }
}
