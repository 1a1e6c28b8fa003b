//! Lines ↔ entries. A history that was written by a killed process may end in the middle of a line; that is told, not refused.

use serde::Deserialize;

use super::event::{Entry, Event, VERSION};
use super::record::Record;

/// No honest line is longer: a scenario's text and a histogram's buckets are far below.
pub const MAX_LINE: usize = 8 << 20;

/// Ten years in microseconds: no time and no sum of times in a run comes near to where arithmetic would overflow.
const MAX_TIME: u64 = 315_360_000_000_000;

/// More samples than any bucket can hold.
const MAX_COUNT: u64 = 1_000_000_000;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    #[error("the history holds no complete line: nothing was recorded before the run was cut off")]
    Empty,
    #[error(
        "line 1 of the history does not begin a run ({said}): is this a history.jsonl of chaosrun?"
    )]
    NoStart { said: String },
    #[error(
        "the history is of version {found}, this chaosrun reads version {VERSION}: read it with the chaosrun that wrote it"
    )]
    Version { found: u64 },
    #[error("line {line} of the history cannot be read: {said}; was the file changed by hand?")]
    Line { line: usize, said: String },
}

impl Entry {
    /// One line of `history.jsonl`, without a line break.
    pub fn to_line(&self) -> String {
        // Every key is a string and every type derives its serialisation: nothing in an entry can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Reads a history line by line, holding one line at most.
#[derive(Debug, Default)]
pub struct Reader {
    lines: usize,
    started: bool,
    torn: Option<HistoryError>,
}

impl Reader {
    /// The entry on the next line; `None` for an empty line, or for one that is cut off, which is fine if it was the last.
    ///
    /// # Errors
    /// A line that no chaosrun wrote, or that was cut off before this one.
    pub fn push(&mut self, line: &[u8]) -> Result<Option<Entry>, HistoryError> {
        self.lines += 1;
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        if let Some(earlier) = self.torn.take() {
            return Err(earlier);
        }
        if line.len() > MAX_LINE {
            return Err(self.broken(format!("it is longer than {MAX_LINE} bytes")));
        }
        if !self.started {
            check_start(line)?;
        }
        match serde_json::from_slice::<Entry>(line) {
            Ok(entry) => {
                check(&entry).map_err(|said| self.broken(said))?;
                self.started = true;
                Ok(Some(entry))
            }
            Err(error) if error.is_eof() || line.contains(&0) => {
                self.torn = Some(self.broken("it ends in the middle".into()));
                Ok(None)
            }
            Err(error) => Err(self.broken(error.to_string())),
        }
    }

    /// After the last line: was it cut off?
    ///
    /// # Errors
    /// There was no entry at all.
    pub fn finish(self) -> Result<bool, HistoryError> {
        if self.started {
            Ok(self.torn.is_some())
        } else {
            Err(HistoryError::Empty)
        }
    }

    fn broken(&self, said: String) -> HistoryError {
        HistoryError::Line {
            line: self.lines,
            said,
        }
    }
}

/// All entries of a history that fits in memory, and whether its last line was cut off.
///
/// # Errors
/// See [`HistoryError`].
pub fn parse(text: &[u8]) -> Result<(Vec<Entry>, bool), HistoryError> {
    let mut reader = Reader::default();
    let mut entries = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        entries.extend(reader.push(line)?);
    }
    Ok((entries, reader.finish()?))
}

/// Folds a history of any length.
///
/// # Errors
/// See [`HistoryError`].
pub fn fold<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Result<Record, HistoryError> {
    let mut reader = Reader::default();
    let mut record = Record::default();
    for line in lines {
        if let Some(entry) = reader.push(line.as_ref())? {
            record.apply(&entry);
        }
    }
    record.torn = reader.finish()?;
    Ok(record)
}

/// Read loosely, so that another version is told by its number whatever else has changed in it.
fn check_start(line: &[u8]) -> Result<(), HistoryError> {
    #[derive(Deserialize)]
    struct Start {
        event: String,
        version: Option<u64>,
    }
    match serde_json::from_slice::<Start>(line) {
        Ok(Start { event, version }) if event == "started" => match version {
            Some(version) if version == u64::from(VERSION) => Ok(()),
            Some(found) => Err(HistoryError::Version { found }),
            None => Err(HistoryError::NoStart {
                said: "it has no version".into(),
            }),
        },
        Ok(Start { event, .. }) => Err(HistoryError::NoStart {
            said: format!("its event is {event:?}"),
        }),
        Err(error) if error.is_eof() => Err(HistoryError::Empty),
        Err(error) => Err(HistoryError::NoStart {
            said: error.to_string(),
        }),
    }
}

/// Whatever is read keeps within the limits of arithmetic.
fn check(entry: &Entry) -> Result<(), String> {
    if entry.at > MAX_TIME {
        return Err("its time is beyond ten years".into());
    }
    let bucket = match &entry.event {
        Event::Bucket { bucket, .. } => bucket,
        Event::Injected { in_force, .. } if in_force.is_some_and(|at| at > MAX_TIME) => {
            return Err("its fault was in force at a time beyond ten years".into());
        }
        _ => return Ok(()),
    };
    let tally = &bucket.tally;
    if bucket.from > bucket.to || bucket.to > MAX_TIME {
        return Err("its bucket ends before it begins, or beyond ten years".into());
    }
    if tally.planned > MAX_COUNT || tally.sent > tally.planned || tally.good > tally.sent {
        return Err("its bucket has more good samples than sent, or more sent than planned".into());
    }
    let span = &tally.span;
    let times = [
        span.first_bad,
        span.last_bad,
        span.good_after,
        Some(span.longest_outage),
        span.first_good,
        span.closes_bad,
    ];
    if times.into_iter().flatten().any(|time| time > MAX_TIME) {
        return Err("its bucket names a time beyond ten years".into());
    }
    if tally.reasons.values().any(|count| *count > MAX_COUNT) {
        return Err("its bucket counts more bad samples than a bucket can hold".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Bucket, Phase, Sample, Tally};

    const START: &str = r#"{"at":0,"event":"started","version":1,"run":"r","scenario":"s","title":null,"source":"","seed":1,"chaosrun":"0.1.0","began":"2026-01-01T00:00:00Z","vars":{},"timing":{"baseline":{"secs":1,"nanos":0},"recovery":{"secs":1,"nanos":0},"steady":{"secs":1,"nanos":0}},"probes":[],"slos":[],"guards":[],"steps":[]}"#;
    const PHASE: &str = r#"{"at":5,"event":"phase","phase":"baseline"}"#;

    fn read(lines: &[&str]) -> Result<(Vec<Entry>, bool), HistoryError> {
        parse(lines.join("\n").as_bytes())
    }

    #[test]
    fn what_is_written_is_read() {
        let mut tally = Tally::default();
        tally.record(&Sample {
            due: 7,
            sent: Some(8),
            done: 1_009,
            fault: Some("status 503 \u{1b}[31m".into()),
        });
        let bucket = Bucket {
            from: 5,
            to: 1_000_000,
            tally,
        };
        let entry = Entry {
            at: 1_000_100,
            event: Event::Bucket {
                probe: "write".into(),
                bucket,
            },
        };
        assert!(!entry.to_line().contains('\n'));
        let (entries, torn) = read(&[START, PHASE, &entry.to_line(), ""]).unwrap();
        assert!(!torn);
        assert_eq!(
            entries[1].event,
            Event::Phase {
                phase: Phase::Baseline
            }
        );
        assert_eq!(entries[2], entry);
        assert_eq!(entries[0].to_line(), START);
    }

    #[test]
    fn a_last_line_cut_off_anywhere_is_told() {
        for cut in 1..PHASE.len() {
            let (entries, torn) = read(&[START, &PHASE[..cut]]).unwrap();
            assert!(torn, "cut at {cut}");
            assert_eq!(entries.len(), 1);
        }
        let zeros = [START.as_bytes(), b"\n\0\0\0"].concat();
        assert_eq!(parse(&zeros).map(|(_, torn)| torn), Ok(true));
    }

    #[test]
    fn a_line_cut_off_in_the_middle_of_the_history_is_refused_by_number() {
        let error = read(&[START, "", &PHASE[..9], PHASE]).unwrap_err();
        assert!(
            error.to_string().contains("line 3 of the history"),
            "{error}"
        );
    }

    #[test]
    fn garbage_is_refused_by_number() {
        for garbage in [
            "hello",
            "[]",
            "{}",
            r#"{"at":-1,"event":"ended"}"#,
            r#"{"at":1,"event":"x"}"#,
        ] {
            let error = read(&[START, PHASE, garbage]).unwrap_err();
            assert!(
                error.to_string().contains("line 3 of"),
                "{garbage}: {error}"
            );
        }
    }

    #[test]
    fn numbers_beyond_reason_are_refused() {
        let late = r#"{"at":999999999999999999,"event":"ended"}"#;
        assert!(matches!(
            read(&[START, late]),
            Err(HistoryError::Line { line: 2, .. })
        ));
    }

    #[test]
    fn another_version_is_refused_by_its_number() {
        let other = r#"{"at":0,"event":"started","version":2,"everything":"else"}"#;
        assert_eq!(read(&[other]), Err(HistoryError::Version { found: 2 }));
    }

    #[test]
    fn what_does_not_begin_a_run_is_no_history() {
        assert_eq!(read(&[""]), Err(HistoryError::Empty));
        assert_eq!(read(&[&START[..20]]), Err(HistoryError::Empty));
        assert!(matches!(read(&[PHASE]), Err(HistoryError::NoStart { .. })));
    }
}
