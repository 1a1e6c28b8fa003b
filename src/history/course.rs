//! What a probe saw in the course of a run: a tally for every segment between two boundaries, and a timeline.

use std::time::Duration;

use super::bucket::{Bucket, Span, Tally};
use super::event::RecordedProbe;
use super::timeline::Timeline;
use crate::units::Micros;

/// A bucket may reach over a boundary by so much: the prober hears of a boundary a moment after it was set.
pub const SLACK: Micros = 20_000;

#[derive(Debug, Clone, PartialEq)]
pub struct ProbeRecord {
    pub name: String,
    pub kind: String,
    /// Per second.
    pub rate: f64,
    pub timeout: Duration,
    pub timeline: Timeline,
    /// Up to where its buckets reach.
    pub covered: Micros,
    /// In the order of time.
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq)]
struct Segment {
    /// The boundary at which it begins.
    start: Micros,
    covered: Micros,
    tally: Tally,
}

impl ProbeRecord {
    /// What it saw in the segments that begin in `[from, to)`.
    pub fn tally(&self, from: Micros, to: Micros) -> Tally {
        self.tally_but(from, to, &[])
    }

    pub(super) fn tally_but(&self, from: Micros, to: Micros, but: &[(Micros, Micros)]) -> Tally {
        let within = |start, (from, to): &(Micros, Micros)| (*from..*to).contains(&start);
        let mut sum = Tally::default();
        self.segments
            .iter()
            .filter(|segment| (from..to).contains(&segment.start))
            .filter(|segment| !but.iter().any(|range| within(segment.start, range)))
            .for_each(|segment| sum.merge(&segment.tally));
        sum
    }

    /// The same of when things turned bad and good, which costs less than the whole.
    pub fn span(&self, from: Micros, to: Micros) -> Span {
        self.segments
            .iter()
            .filter(|segment| (from..to).contains(&segment.start))
            .fold(Span::default(), |sum, one| sum.then(&one.tally.span))
    }

    /// Was something recorded already that lies behind this boundary?
    pub(super) fn is_past(&self, boundary: Micros) -> bool {
        self.segments.iter().any(|segment| {
            segment.start <= boundary && segment.covered > boundary.saturating_add(SLACK)
        })
    }

    /// Places a bucket by its own times: it comes later than what happened meanwhile.
    ///
    /// # Errors
    /// What is wrong with it. It counts nevertheless.
    pub(super) fn apply(&mut self, bucket: &Bucket, boundaries: &[Micros]) -> Result<(), String> {
        let Bucket { from, to, tally } = bucket;
        let middle = from.saturating_add(to.saturating_sub(*from) / 2);
        let after = boundaries.partition_point(|start| *start <= middle);
        let start = after.checked_sub(1).map_or(0, |i| boundaries[i]);
        let next = boundaries.get(after).copied().unwrap_or(Micros::MAX);
        let overlaps = *from < self.covered;
        self.covered = self.covered.max(*to);
        self.timeline.push(*from, *to, tally);
        self.segment(start, *to).merge(tally);
        let name = &self.name;
        if overlaps {
            return Err(format!("buckets of probe {name} overlap"));
        }
        // Whatever was probed before the first boundary is a part of the baseline.
        let early = after > 1 && start.saturating_sub(*from) > SLACK;
        if early || to.saturating_sub(next) > SLACK {
            return Err(format!("a bucket of probe {name} reaches over a boundary"));
        }
        if !is_sound(bucket) {
            return Err(format!("a bucket of probe {name} contradicts itself"));
        }
        Ok(())
    }

    fn segment(&mut self, start: Micros, covered: Micros) -> &mut Tally {
        let place = self
            .segments
            .partition_point(|segment| segment.start < start);
        if self.segments.get(place).is_none_or(|s| s.start != start) {
            let tally = Tally::default();
            self.segments.insert(
                place,
                Segment {
                    start,
                    covered,
                    tally,
                },
            );
        }
        let segment = &mut self.segments[place];
        segment.covered = segment.covered.max(covered);
        &mut segment.tally
    }
}

impl From<&RecordedProbe> for ProbeRecord {
    fn from(probe: &RecordedProbe) -> Self {
        Self {
            name: probe.name.clone(),
            kind: probe.kind.clone(),
            rate: probe.rate,
            timeout: probe.timeout,
            timeline: Timeline::default(),
            covered: 0,
            segments: Vec::new(),
        }
    }
}

/// Do its numbers agree with one another? What a prober counts always does.
fn is_sound(bucket: &Bucket) -> bool {
    let Tally {
        planned,
        sent,
        good,
        reasons,
        latency,
        lateness,
        span,
    } = &bucket.tally;
    let bad = reasons
        .values()
        .fold(0_u64, |sum, n| sum.saturating_add(*n));
    let due = [span.first_bad, span.last_bad, span.first_good];
    bucket.from <= bucket.to
        && sent <= planned
        && good <= sent
        && planned - good == bad
        && latency.count() == *planned
        && lateness.count() == *sent
        && span.last_bad.is_some() == (bad > 0)
        && span.first_good.is_some() == (*good > 0)
        && due
            .into_iter()
            .flatten()
            .all(|due| (bucket.from..bucket.to).contains(&due))
}
