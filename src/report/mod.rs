//! One file a format. Every format is a pure function of a run's [`Record`] and of the [`Report`] that is judged from it, so each
//! can be made again from the history alone.

mod compare;
mod course;
mod github;
pub mod html;
mod json;
mod junit;
mod manual;
mod markdown;
pub mod plot;
mod series;
mod spark;
mod table;
mod text;
mod words;

pub use compare::render as comparison_table;
pub use course::render as course;
pub use github::annotations as github;
pub use json::{line as json_line, pretty as json_pretty};
pub use manual::render as manual;
pub use markdown::MOST_BYTES as MOST_SUMMARY_BYTES;
pub use series::render as series_table;
pub use table::render as table;
pub use text::plain;

use crate::history::Record;
use crate::verdict::Report;

/// A format that is written to a file beside the history.
pub struct Format {
    pub file: &'static str,
    pub render: fn(&Record, &Report) -> String,
}

pub const FORMATS: &[Format] = &[
    Format {
        file: "report.json",
        render: |_, report| json::render(report),
    },
    Format {
        file: "report.html",
        render: html::render,
    },
    Format {
        file: "junit.xml",
        render: junit::render,
    },
    Format {
        file: "summary.md",
        render: markdown::render,
    },
];

/// Every format's file name and contents.
pub fn render_all(record: &Record, report: &Report) -> Vec<(&'static str, String)> {
    FORMATS
        .iter()
        .map(|format| (format.file, (format.render)(record, report)))
        .collect()
}
