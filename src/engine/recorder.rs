//! Writes the history: to its file, into the fold that the verdict is made of, and to whoever looks on.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::clock::Clock;
use crate::history::{Entry, Event, Impediment, Record};
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
    told: bool,
}

impl Recorder {
    /// A new `history.jsonl` in `dir`, which is made if need be.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn file(dir: &Path) -> io::Result<File> {
        std::fs::create_dir_all(dir)?;
        File::create_new(dir.join("history.jsonl"))
    }

    pub(super) fn new(
        file: File,
        clock: Clock,
        secrets: Secrets,
        observer: Box<dyn Observer>,
    ) -> Self {
        Self {
            clock,
            file: BufWriter::new(file),
            record: Record::default(),
            observer,
            secrets,
            failed: None,
            told: false,
        }
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
    pub(super) fn take_failure(&mut self) -> Option<String> {
        let error = self.failed.as_ref().filter(|_| !self.told)?;
        self.told = true;
        Some(format!("writing the history: {error}"))
    }

    pub(super) fn was_interrupted(&self) -> bool {
        !self.record.interruptions.is_empty()
    }

    /// The last entry, and then the fold of all that happened. A history that could not be written whole is in it.
    pub(super) fn finish(mut self) -> Record {
        self.tell_failure();
        self.note(Event::Ended);
        self.tell_failure();
        self.record
    }

    fn tell_failure(&mut self) {
        if let Some(why) = self.take_failure() {
            let what = Impediment::Storage;
            self.note(Event::Impeded { what, why });
        }
    }
}
