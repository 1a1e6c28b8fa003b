//! One file a format. Every format is a pure function of a run's [`Record`] and of the [`Report`] that is judged from it, so each
//! can be made again from the history alone.

mod github;
pub mod html;
mod json;
mod junit;
mod markdown;
pub mod plot;
mod spark;
mod table;
mod text;
mod words;

pub use github::annotations as github;
pub use json::line as json_line;
pub use markdown::MOST_BYTES as MOST_SUMMARY_BYTES;
pub use table::render as table;
pub use text::plain;

use crate::history::Record;
use crate::verdict::Report;

/// A format that is written to a file beside the history.
pub struct Format {
    pub name: &'static str,
    pub file: &'static str,
    pub render: fn(&Record, &Report) -> String,
}

pub const FORMATS: &[Format] = &[
    Format {
        name: "json",
        file: "report.json",
        render: |_, report| json::render(report),
    },
    Format {
        name: "html",
        file: "report.html",
        render: html::render,
    },
    Format {
        name: "junit",
        file: "junit.xml",
        render: junit::render,
    },
    Format {
        name: "markdown",
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

/// A format by its name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}
