//! The whole report for machines: pretty as `report.json`, on one line for pipes.

use std::fmt::Write as _;

use serde::Serialize;

use super::text::steers;
use crate::verdict::Report;

pub(super) fn render(report: &Report) -> String {
    pretty(report)
}

/// A report of any kind as JSON that people can read, too.
pub fn pretty(report: &impl Serialize) -> String {
    // Every key is a string: nothing in a report can fail to be written.
    let json = serde_json::to_string_pretty(report).unwrap_or_default();
    escaped(json) + "\n"
}

/// A report of any kind as JSON on one line, without a line break.
pub fn line(report: &impl Serialize) -> String {
    escaped(serde_json::to_string(report).unwrap_or_default())
}

/// JSON itself lets these stand in a string, and a terminal would obey them.
fn unsafe_here(c: char) -> bool {
    c != '\n' && steers(c)
}

/// Outside of strings there are none of them, so that each may be written as a string's escape.
fn escaped(json: String) -> String {
    if !json.chars().any(unsafe_here) {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if unsafe_here(c) {
            // All of them are in the basic plane.
            write!(out, "\\u{:04x}", c as u32).unwrap_or_default();
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Record;
    use crate::verdict::judge;

    #[test]
    fn what_is_written_reads_back_the_same() {
        let mut report = judge(&Record::default());
        report.scenario = "a\u{9b}2J \u{202e} \u{1b}[31m \"quoted\"".into();
        let json = render(&report);
        assert!(json.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(json.contains("\\u009b2J \\u202e \\u001b[31m"));
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
        let line = line(&report);
        assert!(!line.chars().any(char::is_control));
        assert_eq!(serde_json::from_str::<Report>(&line).unwrap(), report);
    }
}
