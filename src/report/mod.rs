//! One file a format. Every format is a pure function of the [`Report`], so each can be made again from the history alone.

mod compare;
mod json;
mod manual;
mod series;
mod table;
mod text;

pub use compare::render as comparison_table;
pub use json::{line as json_line, pretty as json_pretty};
pub use manual::render as manual;
pub use series::render as series_table;
pub use table::render as table;
pub use text::plain;

use crate::verdict::Report;

/// A format that is written to a file beside the history.
pub struct Format {
    pub name: &'static str,
    pub file: &'static str,
    pub render: fn(&Report) -> String,
}

pub const FORMATS: &[Format] = &[Format {
    name: "json",
    file: "report.json",
    render: json::render,
}];

/// Every format's file name and contents.
pub fn render_all(report: &Report) -> Vec<(&'static str, String)> {
    FORMATS
        .iter()
        .map(|format| (format.file, (format.render)(report)))
        .collect()
}

/// A format by its name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}
