//! Writes the history: to its file, into the fold that the verdict is made of, and to whoever looks on.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::clock::Clock;
use crate::history::{Entry, Event, Record};
use crate::probe::Pulse;
use crate::scenario::Secrets;
use crate::units::Micros;

/// Looks on while a run happens; the live display.
pub trait Observer: Send {
    fn entry(&mut self, entry: &Entry);
    fn pulse(&mut self, probe: &str, pulse: &Pulse);
}

pub(super) struct Recorder {
    clock: Clock,
    file: BufWriter<File>,
    record: Record,
    observer: Box<dyn Observer>,
    secrets: Secrets,
    /// The first thing that went wrong with the file; the record goes on without it.
    failed: Option<io::Error>,
}

impl Recorder {
    /// Records to `history.jsonl` in `dir`, which is made if need be.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn create(
        dir: &Path,
        clock: Clock,
        secrets: Secrets,
        observer: Box<dyn Observer>,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let file = BufWriter::new(File::create_new(dir.join("history.jsonl"))?);
        Ok(Self {
            clock,
            file,
            record: Record::default(),
            observer,
            secrets,
            failed: None,
        })
    }

    /// Records that this happens now, and says when that is.
    pub(super) fn note(&mut self, event: Event) -> Micros {
        let at = self.clock.now();
        self.note_at(at, event);
        at
    }

    pub(super) fn note_at(&mut self, at: Micros, mut event: Event) {
        event
            .texts()
            .into_iter()
            .for_each(|text| *text = self.secrets.redact(text));
        let entry = Entry { at, event };
        if self.failed.is_none()
            && let Err(error) =
                writeln!(self.file, "{}", entry.to_line()).and_then(|()| self.file.flush())
        {
            self.failed = Some(error);
        }
        self.record.apply(&entry);
        self.observer.entry(&entry);
    }

    pub(super) fn pulse(&mut self, probe: &str, pulse: &Pulse) {
        self.observer.pulse(probe, pulse);
    }

    /// What went wrong with the file, once.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failed
            .as_ref()
            .map(|error| io::Error::new(error.kind(), error.to_string()))
    }

    /// The fold of all that happened.
    pub(super) fn finish(self) -> Record {
        self.record
    }
}
