//! `chaosrun report DIR`: every report again, from the history alone; of a run, or of a series of them.

use std::io::{BufRead, BufReader, stdout};
use std::path::Path;

use super::{Format, code, compare, series, term};
use crate::history::{self, Record};
use crate::report;
use crate::verdict::compare::Played;
use crate::verdict::{self, Report, Series};

pub(super) fn main(dir: &Path, format: Format) -> u8 {
    let folders = compare::folders(dir);
    let of_series = dir.join("series.json");
    if !of_series.exists() && folders.len() <= 1 {
        return match again(folders.first().map_or(dir, |folder| folder)) {
            Ok((record, played, written)) => {
                print(&record, &played.report, format);
                written
            }
            Err(code) => code,
        };
    }
    let mut runs = Vec::new();
    let mut all_written = code::OK;
    for folder in folders {
        match again(&folder) {
            Ok((_, played, written)) => {
                runs.push(played);
                all_written = all_written.max(written);
            }
            Err(code) => return code,
        }
    }
    let planned = std::fs::read(of_series)
        .ok()
        .and_then(|text| serde_json::from_slice::<Series>(&text).ok())
        .map_or(runs.len(), |series| series.planned);
    let series = verdict::series(&runs, planned);
    if let Err(why) = series::write(&series, dir) {
        term::error(&why, "");
        all_written = code::INCONCLUSIVE;
    }
    series::print(&series, format);
    all_written
}

/// One run's reports. What was read can be told where nothing can be written, which the exit code says.
fn again(dir: &Path) -> Result<(Record, Played, u8), u8> {
    let history = dir.join("history.jsonl");
    let record = read(&history).map_err(|why| {
        term::error(&format!("reading {}: {why}", history.display()), hint(dir));
        code::USAGE
    })?;
    let played = played(&record);
    match write(&record, &played.report, dir) {
        Ok(()) => Ok((record, played, code::OK)),
        Err(why) => {
            term::error(&why, "the verdict is told even so");
            Ok((record, played, code::INCONCLUSIVE))
        }
    }
}

/// The verdict on a record, with the text of its scenario.
pub(super) fn played(record: &Record) -> Played {
    let header = record.header.as_ref();
    Played {
        report: verdict::judge(record),
        source: header.map_or_else(String::new, |header| header.source.clone()),
    }
}

/// What to do about a history that cannot be read, beside what its reader says.
fn hint(dir: &Path) -> &'static str {
    if dir.join("history.jsonl").exists() {
        "a copy that is whole, or the chaosrun that wrote it, can make the report"
    } else if dir.is_file() {
        "name the folder that the file is in"
    } else if dir.is_dir() {
        "a run's folder holds its history.jsonl: name one, such as reports/kill-primary/…"
    } else {
        "there is no such folder: name a run's, such as reports/kill-primary/…"
    }
}

pub(super) fn read(path: &Path) -> Result<Record, String> {
    let kind = std::fs::metadata(path).map_err(|error| error.to_string())?;
    // A pipe would be waited for.
    if !kind.is_file() {
        return Err("it is no file".into());
    }
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
pub(super) fn print(record: &Record, report: &Report, format: Format) {
    let (width, color) = (term::width(), term::color(&stdout()));
    match format {
        Format::Table => {
            let table = report::table(report, width, color);
            let course = report::course(record, width, color);
            let between = if course.is_empty() { "" } else { "\n" };
            term::data(&format!("{table}{between}{course}"));
        }
        Format::Json => term::data(&report::json_line(report)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("history.jsonl");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert_eq!(read(&pipe).unwrap_err(), "it is no file");
        assert_eq!(read(dir.path()).unwrap_err(), "it is no file");
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let history = dir.path().join("history.jsonl");
        let cases: [(Option<&str>, &Path, &str, &str); 5] = [
            (
                None,
                &dir.path().join("no"),
                "No such file",
                "no such folder",
            ),
            (None, dir.path(), "No such file", "holds its history.jsonl"),
            (Some("hello\n"), dir.path(), "does not begin a run", "whole"),
            (Some(""), dir.path(), "no complete line", "whole"),
            (Some("{}\n"), &history, "Not a directory", "the folder"),
        ];
        for (text, named, why, what) in cases {
            if let Some(text) = text {
                std::fs::write(&history, text).unwrap();
            }
            let said = read(&named.join("history.jsonl")).unwrap_err();
            assert!(said.contains(why), "{said}");
            assert!(hint(named).contains(what), "{}", hint(named));
            assert_eq!(main(named, Format::Json), code::USAGE);
        }
    }
}
