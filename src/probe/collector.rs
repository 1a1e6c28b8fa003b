//! Puts results, which come in any order, into the order in which they were due, and sums them in buckets.

use std::collections::{BTreeSet, VecDeque};

use super::shot::UNSENT;
use crate::history::{Bucket, Sample, Tally};
use crate::units::Micros;

/// How late a cut may be announced: no sample goes into a bucket before it is that old.
pub(super) const GRACE: Micros = 500_000;
const SECOND: Micros = 1_000_000;

/// When each request is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) start: Micros,
    /// Per second.
    pub(super) rate: f64,
}

impl Schedule {
    pub(super) fn due(&self, seq: u64) -> Micros {
        self.start + (seq as f64 * 1e6 / self.rate) as Micros
    }
}

/// Holds as many samples as are due in a timeout and the grace, however long the run.
pub(super) struct Collector {
    schedule: Schedule,
    /// Results from request `next` on, as they come; all requests before are in a bucket.
    waiting: VecDeque<Option<Sample>>,
    next: u64,
    /// The first request without a result.
    unsettled: u64,
    in_flight: usize,
    cuts: BTreeSet<Micros>,
    open: Bucket,
    complete: VecDeque<Bucket>,
    fresh: Tally,
    /// No request is due from here on.
    end: Micros,
}

impl Collector {
    pub(super) fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            waiting: VecDeque::new(),
            next: 0,
            unsettled: 0,
            in_flight: 0,
            cuts: BTreeSet::new(),
            open: bucket(schedule.start, schedule.start),
            complete: VecDeque::new(),
            fresh: Tally::default(),
            end: Micros::MAX,
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// The next request is under way.
    pub(super) fn issue(&mut self) {
        self.in_flight += 1;
        self.waiting.push_back(None);
    }

    /// The next request will not be sent: bad, and as slow as the slowest that would have been waited for.
    pub(super) fn skip(&mut self, now: Micros, timeout: Micros) {
        let seq = self.next + self.waiting.len() as u64;
        self.waiting.push_back(None);
        self.put(seq, None, now, timeout, Some(UNSENT.into()));
    }

    /// Request `seq` has its result.
    pub(super) fn settle(
        &mut self,
        seq: u64,
        sent: Option<Micros>,
        done: Micros,
        timeout: Micros,
        fault: Option<String>,
    ) {
        self.in_flight -= 1;
        self.put(seq, sent, done, timeout, fault);
        // One result comes in, so two going out keeps up, without ever holding the lock for long.
        self.fold(done.saturating_sub(GRACE), 2);
    }

    fn put(
        &mut self,
        seq: u64,
        sent: Option<Micros>,
        done: Micros,
        timeout: Micros,
        fault: Option<String>,
    ) {
        let due = self.schedule.due(seq);
        let unsent = sent.is_none();
        let sample = Sample {
            due,
            sent,
            done: if unsent {
                done.max(due + timeout)
            } else {
                done
            },
            fault,
        };
        self.fresh.record(&sample);
        if let Some(place) = self.waiting.get_mut((seq - self.next) as usize) {
            *place = Some(sample);
        }
        while let Some(Some(_)) = self.waiting.get((self.unsettled - self.next) as usize) {
            self.unsettled += 1;
        }
    }

    /// Ends the bucket at `at`, or as soon after as is still possible.
    pub(super) fn cut(&mut self, at: Micros) {
        let folded = self.next.checked_sub(1);
        let earliest = folded.map_or(0, |seq| self.schedule.due(seq) + 1);
        let at = at.max(earliest);
        if at > self.open.from {
            self.cuts.insert(at);
        }
    }

    /// Moves up to `budget` samples that were due before `horizon` into buckets. Is there more to do?
    pub(super) fn fold(&mut self, horizon: Micros, mut budget: usize) -> bool {
        let horizon = horizon.min(self.end);
        loop {
            let edge = self.edge();
            let due = self.schedule.due(self.next);
            if due >= edge {
                if edge > horizon {
                    return false;
                }
                self.close(edge);
            } else if budget == 0 {
                return true;
            } else {
                if due >= horizon || !matches!(self.waiting.front(), Some(Some(_))) {
                    return false;
                }
                if let Some(sample) = self.waiting.pop_front().flatten() {
                    self.open.tally.record(&sample);
                }
                self.next += 1;
                budget -= 1;
            }
        }
    }

    /// Requests that are due from `at` on will not be sent.
    pub(super) fn end(&mut self, at: Micros) {
        self.end = at;
    }

    /// Every request that was due before the end has its result: completes all buckets.
    pub(super) fn finish(&mut self) {
        while self.fold(self.end, usize::MAX) {}
        if self.open.from < self.end {
            self.close(self.end);
        }
    }

    pub(super) fn next_bucket(&mut self) -> Option<Bucket> {
        self.complete.pop_front()
    }

    /// What came in since this was asked last.
    pub(super) fn take_fresh(&mut self) -> Tally {
        std::mem::take(&mut self.fresh)
    }

    /// When the requests were due that have no result yet.
    pub(super) fn unanswered(&self) -> Vec<Micros> {
        let open = (self.next..)
            .zip(&self.waiting)
            .skip((self.unsettled - self.next) as usize);
        open.filter(|(_, result)| result.is_none())
            .map(|(seq, _)| self.schedule.due(seq))
            .collect()
    }

    /// Every sample due before this has its result.
    pub(super) fn settled(&self) -> Micros {
        self.schedule.due(self.unsettled)
    }

    /// Where the open bucket ends: at the next whole second, or at a cut before.
    fn edge(&self) -> Micros {
        let second = (self.open.from / SECOND + 1) * SECOND;
        let cut = self.cuts.range(self.open.from + 1..).next();
        cut.map_or(second, |cut| second.min(*cut))
    }

    fn close(&mut self, at: Micros) {
        let mut full = std::mem::replace(&mut self.open, bucket(at, at));
        full.to = at;
        self.complete.push_back(full);
        self.cuts.retain(|cut| *cut > at);
    }
}

fn bucket(from: Micros, to: Micros) -> Bucket {
    Bucket {
        from,
        to,
        tally: Tally::default(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIMEOUT: Micros = 1_000_000;

    fn drain(collector: &mut Collector) -> Vec<Bucket> {
        std::iter::from_fn(|| collector.next_bucket()).collect()
    }

    /// Ten requests a second from 0.25 s on, all good at once.
    fn ten_a_second(requests: u64) -> Collector {
        let mut all = Collector::new(Schedule {
            start: 250_000,
            rate: 10.0,
        });
        for seq in 0..requests {
            let due = all.schedule.due(seq);
            all.issue();
            all.settle(seq, Some(due), due + 1, TIMEOUT, None);
        }
        all
    }

    fn edges(buckets: &[Bucket]) -> Vec<(Micros, Micros, u64)> {
        buckets
            .iter()
            .map(|bucket| (bucket.from / 1_000, bucket.to / 1_000, bucket.tally.planned))
            .collect()
    }

    #[test]
    fn buckets_end_at_whole_seconds_and_at_cuts() {
        let mut all = ten_a_second(20);
        all.cut(2_050_000);
        all.end(2_230_000);
        all.finish();
        assert_eq!(
            edges(&drain(&mut all)),
            [
                (250, 1000, 8),
                (1000, 2000, 10),
                (2000, 2050, 0),
                (2050, 2230, 2)
            ]
        );
    }

    #[test]
    fn a_cut_may_be_announced_late_but_not_later_than_the_grace() {
        let mut all = ten_a_second(30);
        // The last sample was done at 3.15 s, so those until 2.65 s are in buckets.
        all.cut(2_700_000);
        all.cut(2_500_000);
        all.cut(100_000);
        all.end(3_240_000);
        all.finish();
        assert_eq!(
            edges(&drain(&mut all)),
            [
                (250, 1000, 8),
                (1000, 2000, 10),
                (2000, 2650, 7),
                (2650, 2700, 0),
                (2700, 3000, 3),
                (3000, 3240, 2)
            ]
        );
    }

    #[test]
    fn a_missing_result_holds_back_its_bucket_and_all_after() {
        let mut all = Collector::new(Schedule {
            start: 0,
            rate: 1.0,
        });
        (0..4).for_each(|_| all.issue());
        for seq in [0, 2, 3] {
            all.settle(seq, Some(seq), 4_000_000, TIMEOUT, None);
        }
        all.fold(4_000_000, usize::MAX);
        assert_eq!(edges(&drain(&mut all)), [(0, 1000, 1)]);
        assert_eq!((all.settled(), all.in_flight()), (1_000_000, 1));
        assert_eq!(all.unanswered(), [1_000_000]);
        all.settle(1, Some(1), 5_000_000, TIMEOUT, Some("timed out".into()));
        all.fold(4_000_000, usize::MAX);
        assert_eq!(
            edges(&drain(&mut all)),
            [(1000, 2000, 1), (2000, 3000, 1), (3000, 4000, 1)]
        );
        assert_eq!(all.settled(), 4_000_000);
    }

    #[test]
    fn a_slow_stream_has_empty_buckets_rather_than_gaps() {
        let mut all = Collector::new(Schedule {
            start: 0,
            rate: 0.5,
        });
        all.issue();
        all.settle(0, Some(0), 9, TIMEOUT, None);
        all.fold(1_999_999, usize::MAX);
        assert_eq!(edges(&drain(&mut all)), [(0, 1000, 1)]);
        all.end(2_000_000);
        all.finish();
        assert_eq!(edges(&drain(&mut all)), [(1000, 2000, 0)]);
    }

    #[test]
    fn an_unsent_request_is_as_slow_as_one_that_timed_out() {
        let mut all = ten_a_second(0);
        all.skip(250_010, TIMEOUT);
        all.end(300_000);
        all.finish();
        let tally = drain(&mut all).remove(0).tally;
        assert_eq!((tally.planned, tally.sent, tally.good), (1, 0, 0));
        assert_eq!(tally.reasons[UNSENT], 1);
        assert!(tally.latency.max().unwrap() >= TIMEOUT);
    }

    #[test]
    fn nothing_is_reported_of_the_time_after_the_end() {
        let mut all = ten_a_second(10);
        all.end(1_240_000);
        all.fold(9_000_000, usize::MAX);
        assert_eq!(edges(&drain(&mut all)), [(250, 1000, 8)]);
        all.finish();
        all.fold(9_000_000, usize::MAX);
        assert_eq!(edges(&drain(&mut all)), [(1000, 1240, 2)]);
    }

    proptest! {
        /// Whatever the order of the results and wherever the cuts: no gap, nothing lost, nothing counted twice.
        #[test]
        fn the_buckets_sum_to_everything(order in Just((0..40_u64).collect::<Vec<_>>()).prop_shuffle(), cuts in prop::collection::vec(0..5_000_000_u64, 0..6), bad: u64) {
            let schedule = Schedule { start: 123_456, rate: 10.0 };
            let mut all = Collector::new(schedule);
            let end = schedule.due(40);
            let mut whole = Tally::default();
            (0..40).for_each(|_| all.issue());
            let fault = |seq: u64| (bad >> seq & 1 == 1).then(|| "status 503".to_owned());
            for (i, seq) in order.iter().enumerate() {
                if let Some(cut) = cuts.get(i / 6) {
                    all.cut(*cut);
                }
                all.settle(*seq, Some(schedule.due(*seq)), schedule.due(*seq) + 50_000 + i as u64, TIMEOUT, fault(*seq));
            }
            for seq in 0..40 {
                let i = order.iter().position(|other| *other == seq).unwrap() as u64;
                let due = schedule.due(seq);
                whole.record(&Sample { due, sent: Some(due), done: due + 50_000 + i, fault: fault(seq) });
            }
            all.end(end);
        all.finish();
            let buckets = drain(&mut all);
            prop_assert_eq!(buckets[0].from, schedule.start);
            prop_assert_eq!(buckets[buckets.len() - 1].to, end);
            let mut sum = Tally::default();
            for (bucket, next) in buckets.iter().zip(buckets.iter().skip(1).chain([&bucket(end, end)])) {
                prop_assert!(bucket.from < bucket.to && bucket.to - bucket.from <= SECOND);
                prop_assert_eq!(bucket.to, next.from);
                let inside = bucket.from..bucket.to;
                prop_assert_eq!(bucket.tally.planned, (0..40).filter(|seq| inside.contains(&schedule.due(*seq))).count() as u64);
                sum.merge(&bucket.tally);
            }
            prop_assert_eq!(sum, whole);
        }
    }
}
