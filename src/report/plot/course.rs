//! What a probe saw, as paths in a drawing that is [`WIDTH`] units wide.

use std::fmt::Write as _;

use super::scale::Decades;
use super::{Axis, COLUMNS};
use crate::history::{Point, ProbeRecord};
use crate::units::Micros;

pub(super) const WIDTH: f64 = 1_000.0;
/// So much of a column is red at least, where anything in it was bad.
const LEAST_BAD: f64 = 2.0;

/// Columns in the order of time, in stretches without a gap.
pub(super) struct Course {
    axis: Axis,
    pub(super) columns: Vec<Point>,
    /// Longer without a sample is a gap.
    patience: Micros,
}

impl Course {
    pub(super) fn of(probe: &ProbeRecord, axis: Axis) -> Self {
        let mut columns = probe.timeline.columns(axis.from, axis.to, COLUMNS);
        columns.retain(|column| column.planned > 0);
        // A rate that is no number leaves the second that a bucket lasts.
        let patience = 1_000_000 + (2e6 / probe.rate.max(1e-6)) as Micros;
        Self {
            axis,
            columns,
            patience,
        }
    }

    /// Good from the bottom, bad from the top.
    pub(super) fn success(&self, height: f64) -> (String, String) {
        let mut good = String::new();
        let mut bad = String::new();
        for stretch in self.stretches() {
            self.area(&mut good, stretch, height, |column| {
                height - share(column) * height
            });
            for ill in stretch.chunk_by(|a, b| is_bad(a) == is_bad(b)) {
                if is_bad(&ill[0]) {
                    self.area(&mut bad, ill, 0.0, |column| {
                        ((1.0 - share(column)) * height).max(LEAST_BAD)
                    });
                }
            }
        }
        (good, bad)
    }

    /// A line in steps: each column's value holds for all of it.
    pub(super) fn line(&self, scale: Decades, of: fn(&Point) -> Micros) -> String {
        let mut path = String::new();
        for stretch in self.stretches() {
            let mut drawn = String::new();
            for (index, column) in stretch.iter().enumerate() {
                let y = n(scale.place(of(column)));
                let x = n(self.x(column.from));
                match index {
                    0 => write!(path, "M{x} {y}").unwrap_or_default(),
                    _ if y != drawn => write!(path, "H{x}V{y}").unwrap_or_default(),
                    _ => {}
                }
                drawn = y;
            }
            let end = stretch.last().map_or(0, |column| column.to);
            write!(path, "H{}", n(self.x(end))).unwrap_or_default();
        }
        path
    }

    /// Of every latency here, and of these.
    pub(super) fn scale(
        &self,
        height: f64,
        reach: impl Iterator<Item = Micros> + Clone,
    ) -> Decades {
        let least = self.columns.iter().map(|column| column.p50);
        let most = self.columns.iter().map(|column| column.max);
        let (least, most) = (least.chain(reach.clone()).min(), most.chain(reach).max());
        Decades::new(least.unwrap_or(0), most.unwrap_or(0), height)
    }

    fn stretches(&self) -> impl Iterator<Item = &[Point]> {
        self.columns
            .chunk_by(|a, b| b.from.saturating_sub(a.to) <= self.patience)
    }

    /// Between a line and the tops of the columns.
    fn area(&self, path: &mut String, columns: &[Point], base: f64, top: impl Fn(&Point) -> f64) {
        let Some(first) = columns.first() else { return };
        write!(path, "M{} {}", n(self.x(first.from)), n(base)).unwrap_or_default();
        let mut drawn = f64::NAN;
        for (index, column) in columns.iter().enumerate() {
            let y = top(column);
            if y != drawn {
                if index > 0 {
                    write!(path, "H{}", n(self.x(column.from))).unwrap_or_default();
                }
                write!(path, "V{}", n(y)).unwrap_or_default();
                drawn = y;
            }
        }
        let end = columns.last().map_or(0, |column| column.to);
        write!(path, "H{}V{}Z", n(self.x(end)), n(base)).unwrap_or_default();
    }

    fn x(&self, at: Micros) -> f64 {
        self.axis.along(at) * WIDTH
    }
}

pub(super) fn share(column: &Point) -> f64 {
    column.good as f64 / column.planned.max(1) as f64
}

fn is_bad(column: &Point) -> bool {
    column.good < column.planned
}

/// A coordinate to a tenth.
pub(super) fn n(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(Into::into).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(second: u64, planned: u64, good: u64) -> Point {
        let from = second * 1_000_000;
        Point {
            from,
            to: from + 1_000_000,
            planned,
            good,
            p50: 1_000,
            p95: 1_000,
            p99: 1_000,
            max: 10_000,
        }
    }

    fn course(columns: Vec<Point>) -> Course {
        let (from, to) = (0, 10_000_000);
        Course {
            axis: Axis { from, to },
            columns,
            patience: 1_500_000,
        }
    }

    #[test]
    fn good_and_bad_meet() {
        let course = course(vec![column(0, 10, 10), column(1, 10, 5), column(2, 10, 10)]);
        let (good, bad) = course.success(40.0);
        assert_eq!(good, "M0 40V0H100V20H200V0H300V40Z");
        assert_eq!(bad, "M100 0V20H200V0Z");
    }

    #[test]
    fn a_line_goes_up_where_its_column_begins() {
        let mut slow = column(1, 10, 10);
        slow.p50 = 10_000;
        let course = course(vec![column(0, 10, 10), slow, column(2, 10, 10)]);
        let line = course.line(Decades::new(100, 10_000, 100.0), |column| column.p50);
        assert_eq!(line, "M0 50H100V3H200V50H300");
    }

    #[test]
    fn a_single_bad_sample_in_a_thousand_is_seen() {
        let (_, bad) = course(vec![column(0, 1_000, 999)]).success(40.0);
        assert_eq!(bad, "M0 0V2H100V0Z");
    }

    #[test]
    fn where_nothing_was_sent_nothing_is_drawn() {
        let course = course(vec![column(0, 10, 10), column(1, 10, 10), column(8, 1, 1)]);
        let (good, bad) = course.success(40.0);
        assert_eq!(good, "M0 40V0H200V40ZM800 40V0H900V40Z");
        assert!(bad.is_empty());
        let line = course.line(Decades::new(100, 10_000, 100.0), |column| column.p50);
        assert_eq!(line, "M0 50H200M800 50H900");
    }
}
