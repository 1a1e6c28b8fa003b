//! A probe's course in a few lines of text: blocks for success and latency, and the faults beneath.

use super::plot::Axis;
use super::text::plain;
use super::words::milliseconds;
use crate::history::{Point, ProbeRecord, Record};
use crate::units::Micros;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// In columns, where nobody says how many there are.
pub(super) const WIDTH: usize = 60;
/// Of all that stands before and behind the blocks.
const BESIDE: usize = MOST_NAME + 1 + " up to 999.9ms".len();
/// So many faults get a line each; the rest share the last.
const MOST_FAULTS: usize = 5;
const MOST_NAME: usize = 12;

/// Lines of equal indentation, the first with the axis of time.
pub(super) fn lines(record: &Record, probe: &ProbeRecord, width: usize) -> Vec<String> {
    let axis = Axis::of(record);
    let columns = columns(probe, axis, width);
    let highest = probe.timeline.points().iter().map(|point| point.p99).max();
    let lowest = probe.timeline.points().iter().map(|point| point.p50).min();
    let (low, high) = (lowest.unwrap_or(0), highest.unwrap_or(0));
    let success = row(&columns, |point| {
        point.good as f64 / point.planned.max(1) as f64
    });
    let latency = row(&columns, |point| height(point.p99, low, high));
    let mut lines = vec![
        line("", &ends(axis, width)),
        line("success", &success),
        line(
            "p99",
            &format!("{latency} up to {}", milliseconds(high as f64 / 1e3)),
        ),
    ];
    lines.extend(faults(record, axis, width));
    lines
}

/// So many columns of blocks fit where there are so many in all.
pub(super) fn room(width: usize) -> usize {
    width.saturating_sub(BESIDE).clamp(10, 300)
}

fn columns(probe: &ProbeRecord, axis: Axis, width: usize) -> Vec<Option<Point>> {
    let mut columns = vec![None; width];
    for point in probe.timeline.columns(axis.from, axis.to, width as u64) {
        // Where there are fewer points than columns, each fills what it covers.
        let (from, to) = (place(axis, point.from, width), place(axis, point.to, width));
        for column in &mut columns[from..to.max(from + 1).min(width)] {
            if point.planned > 0 {
                *column = Some(point);
            }
        }
    }
    columns
}

fn place(axis: Axis, at: Micros, width: usize) -> usize {
    let along = at.clamp(axis.from, axis.to) - axis.from;
    let share = along as f64 / (axis.to - axis.from) as f64;
    ((share * width as f64) as usize).min(width - 1)
}

fn row(columns: &[Option<Point>], of: impl Fn(&Point) -> f64) -> String {
    let block = |column: &Option<Point>| {
        let Some(point) = column else { return ' ' };
        // Only what is whole gets the whole block.
        let level = (of(point) * (BLOCKS.len() - 1) as f64) as usize;
        BLOCKS[level.min(BLOCKS.len() - 1)]
    };
    columns.iter().map(block).collect()
}

/// On a logarithmic scale, from 0 to 1.
fn height(us: Micros, low: Micros, high: Micros) -> f64 {
    let log = |us: Micros| (us.max(1) as f64).log10();
    let span = log(high) - log(low);
    if span <= 0.0 {
        return 0.0;
    }
    ((log(us) - log(low)) / span).clamp(0.0, 1.0)
}

fn faults(record: &Record, axis: Axis, width: usize) -> Vec<String> {
    let injected: Vec<_> = record
        .steps
        .iter()
        .filter(|step| step.injecting.is_some())
        .collect();
    let own = if injected.len() > MOST_FAULTS {
        MOST_FAULTS - 1
    } else {
        injected.len()
    };
    let mut rows = Vec::new();
    for (index, step) in injected.iter().enumerate() {
        if index <= own && rows.len() <= own {
            rows.push((step.name.clone(), vec![' '; width]));
        }
        let Some((name, row)) = rows.last_mut() else {
            continue;
        };
        if index > own {
            *name = format!("{} more", injected.len() - own);
        }
        let from = step.injecting.unwrap_or(axis.from);
        let to = step.reverted.as_ref().map_or(axis.to, |(at, _)| *at);
        row[place(axis, from, width)..=place(axis, to.max(from), width)].fill('▒');
    }
    rows.iter()
        .map(|(name, row)| line(name, &row.iter().collect::<String>()))
        .collect()
}

fn ends(axis: Axis, width: usize) -> String {
    let at = |us: Micros| format!("+{}", milliseconds(us as f64 / 1e3));
    let (from, to) = (at(axis.from), at(axis.to));
    format!(
        "{from}{to:>width$}",
        width = width.saturating_sub(from.len())
    )
}

fn line(name: &str, text: &str) -> String {
    let name: String = plain(name).chars().take(MOST_NAME).collect();
    format!("{name:<MOST_NAME$} {text}").trim_end().to_owned()
}
