//! `chaosrun report DIR`: every report again, from the history alone.

use std::io::{BufRead, BufReader, stdout};
use std::path::Path;

use super::{Format, code, term};
use crate::history::{self, Record};
use crate::report;
use crate::verdict::{self, Report};

pub(super) fn main(dir: &Path, format: Format) -> u8 {
    let history = dir.join("history.jsonl");
    let record = match read(&history) {
        Ok(record) => record,
        Err(why) => {
            term::error(
                &format!("reading {}: {why}", history.display()),
                "name a run's folder, such as reports/kill-primary/…",
            );
            return code::USAGE;
        }
    };
    let report = verdict::judge(&record);
    if let Err(why) = write(&record, &report, dir) {
        term::error(&why, "");
        return code::INCONCLUSIVE;
    }
    print(&report, format);
    code::OK
}

fn read(path: &Path) -> Result<Record, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut reader = history::Reader::default();
    let mut record = Record::default();
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(|error| error.to_string())?;
        if let Some(entry) = reader.push(&line).map_err(|error| error.to_string())? {
            record.apply(&entry);
        }
    }
    record.torn = reader.finish().map_err(|error| error.to_string())?;
    Ok(record)
}

/// Writes every format beside the history, each to a temporary name first.
///
/// # Errors
/// What was tried, and the file system's words.
pub(super) fn write(record: &Record, report: &Report, dir: &Path) -> Result<(), String> {
    report::render_all(record, report)
        .into_iter()
        .try_for_each(|(name, contents)| put(dir, name, &contents))
}

/// One file, whole or not at all.
///
/// # Errors
/// What was tried, and the file system's words.
pub(super) fn put(dir: &Path, name: &str, contents: &str) -> Result<(), String> {
    let path = dir.join(name);
    let draft = dir.join(format!(".{name}.new"));
    std::fs::write(&draft, contents)
        .and_then(|()| std::fs::rename(&draft, &path))
        .map_err(|error| format!("writing {}: {error}", path.display()))
}

/// The verdict, on standard output.
pub(super) fn print(report: &Report, format: Format) {
    match format {
        Format::Table => term::data(&report::table(
            report,
            term::width(),
            term::color(&stdout()),
        )),
        Format::Json => term::data(&report::json_line(report)),
    }
}
