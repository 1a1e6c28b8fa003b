//! One probe's course as a figure: success and latency over time, with the faults as shaded bands and what happened as lines, all
//! on one axis of time. Plain SVG that needs no script; its table behind it is what [`SCRIPT`] reads out under the pointer.
//!
//! Whatever the length of the run, a figure has at most [`COLUMNS`] columns, so that its size is bounded.

mod course;
mod draw;
mod marks;
mod promise;
mod scale;

use crate::history::Record;
use crate::units::Micros;
use crate::verdict::Report;

pub use draw::Figure;
pub use marks::{Band, Kind, Mark};

/// The most columns of a figure.
pub const COLUMNS: u64 = 240;

/// What figures look like. Its colours are variables that the page sets.
pub const STYLE: &str = include_str!("plot.css");

/// Reads out what is under the pointer, or under the slider. Without it nothing is missing but that.
pub const SCRIPT: &str = include_str!("plot.js");

/// The stretch of a run that figures show, in microseconds since it began. Never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    pub from: Micros,
    pub to: Micros,
}

impl Axis {
    /// From where probing began to where the last of it, or of its faults, ended.
    pub fn of(record: &Record) -> Self {
        let first = record.phases.first().map(|(_, at)| *at);
        let points = record.probes.iter().flat_map(|p| p.timeline.points());
        let begun = points.map(|point| point.from).chain(first).min();
        let reverts = record
            .steps
            .iter()
            .filter_map(|step| step.reverted.as_ref());
        let over = reverts.map(|(at, _)| *at).chain([record.end()]).max();
        let from = begun.unwrap_or(0).min(Micros::MAX - 1);
        Self {
            from,
            to: over.unwrap_or(0).max(from + 1),
        }
    }

    /// How far along a moment is, from 0 to 1.
    fn along(self, at: Micros) -> f64 {
        let at = at.clamp(self.from, self.to) - self.from;
        at as f64 / (self.to - self.from) as f64
    }

    fn holds(self, at: Micros) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

/// A figure for every probe, in the scenario's order.
pub fn figures(record: &Record, report: &Report) -> Vec<Figure> {
    let axis = Axis::of(record);
    let bands = marks::bands(report, axis);
    let marks = marks::marks(report, axis);
    record
        .probes
        .iter()
        .enumerate()
        .map(|(index, probe)| {
            let promises = promise::of(record, &probe.name);
            Figure::new(index, probe, report, axis, (&bands, &marks, &promises))
        })
        .collect()
}

/// One probe's figure as HTML; empty if there is no such probe.
pub fn figure(record: &Record, report: &Report, probe: &str) -> String {
    let found = record.probes.iter().position(|one| one.name == probe);
    let all = figures(record, report);
    found.map_or_else(String::new, |index| all[index].html())
}
