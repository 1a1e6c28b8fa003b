//! A probe's course over a run of any length in a bounded number of points, for plots.

use super::bucket::Tally;
use crate::units::Micros;

/// When there would be more, neighbours are merged and the points become twice as wide.
pub const MAX_POINTS: usize = 2_000;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timeline {
    points: Vec<Point>,
    /// Below this width a point takes in what follows it.
    width: Micros,
}

/// A stretch of a probe's course.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub from: Micros,
    pub to: Micros,
    pub planned: u64,
    pub good: u64,
    /// Latencies in microseconds. Where points were merged, `p50` is the mean of theirs by number of samples, the others are
    /// the larger.
    pub p50: Micros,
    pub p95: Micros,
    pub p99: Micros,
    pub max: Micros,
}

impl Timeline {
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The points that begin in `[from, to)`, merged into at most `most` of equal width.
    pub fn columns(&self, from: Micros, to: Micros, most: u64) -> Vec<Point> {
        let width = to.saturating_sub(from).div_ceil(most.max(1)).max(1);
        let column = |point: &Point| (point.from - from) / width;
        let mut columns: Vec<Point> = Vec::new();
        let shown = |point: &&Point| (from..to).contains(&point.from);
        for point in self.points.iter().filter(shown) {
            match columns.last_mut() {
                Some(last) if column(last) == column(point) => last.take(point),
                _ => columns.push(*point),
            }
        }
        columns
    }

    /// Adds what follows the points so far.
    pub fn push(&mut self, from: Micros, to: Micros, tally: &Tally) {
        let point = Point {
            from,
            to,
            planned: tally.planned,
            good: tally.good,
            p50: tally.latency.quantile(0.5).unwrap_or(0),
            p95: tally.latency.quantile(0.95).unwrap_or(0),
            p99: tally.latency.quantile(0.99).unwrap_or(0),
            max: tally.latency.max().unwrap_or(0),
        };
        match self.points.last_mut() {
            Some(last) if to.saturating_sub(last.from) <= self.width => last.take(&point),
            _ => self.points.push(point),
        }
        if self.points.len() >= MAX_POINTS {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        let mut widest = 0;
        self.points = self
            .points
            .chunks(2)
            .map(|pair| {
                let mut merged = pair[0];
                pair[1..].iter().for_each(|next| merged.take(next));
                widest = widest.max(merged.to.saturating_sub(merged.from));
                merged
            })
            .collect();
        self.width = self.width.saturating_mul(2).max(widest);
    }
}

impl Point {
    fn take(&mut self, next: &Self) {
        let all = u128::from(self.planned) + u128::from(next.planned);
        let sum = u128::from(self.p50) * u128::from(self.planned)
            + u128::from(next.p50) * u128::from(next.planned);
        self.p50 = (sum / all.max(1)) as Micros;
        self.p95 = self.p95.max(next.p95);
        self.p99 = self.p99.max(next.p99);
        self.max = self.max.max(next.max);
        self.planned = self.planned.saturating_add(next.planned);
        self.good = self.good.saturating_add(next.good);
        self.to = self.to.max(next.to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Sample;

    fn second(timeline: &mut Timeline, k: u64, latency: Micros) {
        let mut tally = Tally::default();
        let due = k * 1_000_000;
        tally.record(&Sample {
            due,
            sent: Some(due),
            done: due + latency,
            fault: None,
        });
        timeline.push(due, due + 1_000_000, &tally);
    }

    #[test]
    fn a_short_run_keeps_every_second() {
        let mut timeline = Timeline::default();
        (0..100).for_each(|k| second(&mut timeline, k, 500));
        assert_eq!(timeline.points().len(), 100);
        assert_eq!(timeline.points()[7].from, 7_000_000);
    }

    #[test]
    fn columns_are_few_and_lose_nothing_of_their_stretch() {
        let mut timeline = Timeline::default();
        (0..100).for_each(|k| second(&mut timeline, k, 500 + k));
        let columns = timeline.columns(10_000_000, 90_000_000, 20);
        assert_eq!(columns.len(), 20);
        assert!(columns.iter().all(|column| column.planned == 4));
        let (first, last) = (columns[0], columns[19]);
        assert_eq!((first.from, last.to), (10_000_000, 90_000_000));
        assert!((510..=513).contains(&first.p50), "{}", first.p50);
        assert_eq!((first.p95, first.max), (513, 513));
        assert_eq!(timeline.columns(0, 100_000_000, 1_000).len(), 100);
        assert!(timeline.columns(50, 50, 0).is_empty());
    }

    #[test]
    fn a_day_fits_and_loses_nothing() {
        let mut timeline = Timeline::default();
        for k in 0..86_400 {
            second(&mut timeline, k, if k == 40_000 { 900_000 } else { 500 });
        }
        let points = timeline.points();
        assert!((500..MAX_POINTS).contains(&points.len()));
        assert_eq!(points.iter().map(|p| p.planned).sum::<u64>(), 86_400);
        assert_eq!(points.iter().filter(|p| p.max >= 900_000).count(), 1);
        assert!(points.windows(2).all(|w| w[0].to == w[1].from));
        assert_eq!(points[0].p50, 500);
    }
}
