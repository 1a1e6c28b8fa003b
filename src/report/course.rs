//! The course of a run for a terminal: each probe's success and latency over time, with the faults beneath.

use super::spark;
use super::text::plain;
use crate::history::Record;

/// More probes than these are in the other formats only.
const MOST_PROBES: usize = 8;
/// Of a probe's name.
const MOST_NAME: usize = 60;

/// In at most `width` columns; nothing of a run without samples.
pub fn render(record: &Record, width: usize, color: bool) -> String {
    let paint = |code: &str, text: &str| match color {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let probed = record.probes.iter().filter(|probe| probe.covered > 0);
    let probed: Vec<_> = probed.take(MOST_PROBES).collect();
    if probed.is_empty() {
        return String::new();
    }
    let mut out = paint("1", "Course") + "\n";
    for probe in probed {
        let name: String = plain(&probe.name).chars().take(MOST_NAME).collect();
        let room = spark::room(width.saturating_sub(2));
        for (index, line) in spark::lines(record, probe, room).iter().enumerate() {
            // The axis, success and latency come first; the rest are faults.
            let line = if index > 2 {
                paint("31", line)
            } else {
                line.clone()
            };
            if index == 0 {
                out.push_str(&format!("  {name}\n"));
            }
            out.push_str(&format!("  {line}\n"));
        }
    }
    out
}
