//! The intent log: what a run is about to do to the world, on disk before it is done, with how to take it back.
//!
//! One JSON object a line. An intent without a receipt counts as applied. The file lives as long as something may have to be
//! undone and is locked by whoever is responsible for that: the run, then its reaper, then any later run.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::action::Action;

const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Opened {
        version: u32,
        run: String,
        endpoint: String,
        pid: u32,
    },
    /// About to be applied.
    Intent {
        id: u64,
        step: String,
        action: Box<Action>,
    },
    Undone {
        id: u64,
    },
    /// About to be brought up, and to be taken down with everything in it.
    Project {
        name: String,
    },
    /// Its containers are all there: nothing more is on its way.
    ProjectUp {
        name: String,
    },
    ProjectDown {
        name: String,
    },
}

/// An open journal: this process is the one to undo what is in it.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    next: u64,
    /// The file may end in the middle of a line.
    torn: bool,
}

/// What a journal says is still to be undone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Leftover {
    pub run: String,
    pub endpoint: String,
    /// Newest first.
    pub actions: Vec<(u64, String, Action)>,
    pub projects: Vec<Project>,
    /// Lines that another version of chaosrun may understand: what they say is still to be undone.
    pub unreadable: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    pub name: String,
    /// Was it up when the journal ended? If not, the Compose tool may still be at work.
    pub up: bool,
}

impl Journal {
    /// A new journal `<run>.journal` in `dir`.
    ///
    /// # Errors
    /// The file system's.
    pub fn create(dir: &Path, run: &str, endpoint: &str) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let path = dir.join(format!("{run}.journal"));
        let file = new_and_locked(&path)?;
        let mut journal = Self {
            file,
            path,
            next: 0,
            torn: false,
        };
        journal.append(&[Line::Opened {
            version: VERSION,
            run: run.into(),
            endpoint: endpoint.into(),
            pid: std::process::id(),
        }])?;
        // Without this the file itself may be gone after a power cut, however safe its contents.
        File::open(dir)?.sync_all()?;
        Ok(journal)
    }

    /// Opens what another process left, once that process is gone.
    ///
    /// # Errors
    /// `WouldBlock` while somebody else is responsible for it; else the file system's.
    pub fn adopt(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).read(true).open(path)?;
        match file.try_lock() {
            // Closed by its owner between our opening and our locking it.
            Ok(()) if is_gone(&file)? => Err(io::ErrorKind::NotFound.into()),
            Ok(()) => Ok(Self {
                file,
                path: path.into(),
                next: 0,
                torn: true,
            }),
            Err(std::fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// The process that opened it, as far as the file says.
    pub fn owner(path: &Path) -> Option<u32> {
        let text = std::fs::read_to_string(path).ok()?;
        match serde_json::from_str(text.lines().next()?) {
            Ok(Line::Opened { pid, .. }) => Some(pid),
            _ => None,
        }
    }

    /// Puts these intents on disk and answers with their ids. Only then may they be applied.
    ///
    /// # Errors
    /// The file system's, or somebody has removed the file; nothing may be applied then.
    pub fn intend(&mut self, step: &str, actions: &[Action]) -> io::Result<Vec<u64>> {
        if is_gone(&self.file)? {
            let why = "somebody has removed it, and without it nothing could be undone later";
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        let ids: Vec<u64> = (self.next..).take(actions.len()).collect();
        let lines: Vec<Line> = actions
            .iter()
            .zip(&ids)
            .map(|(action, id)| Line::Intent {
                id: *id,
                step: step.into(),
                action: Box::new(action.clone()),
            })
            .collect();
        self.append(&lines)?;
        self.next += actions.len() as u64;
        Ok(ids)
    }

    /// Writes lines and waits until they are on disk.
    ///
    /// # Errors
    /// The file system's.
    pub fn append(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut text = String::from(if self.torn { "\n" } else { "" });
        for line in lines {
            text.push_str(&serde_json::to_string(line)?);
            text.push('\n');
        }
        // What was written in part only must not swallow the line that comes after it.
        self.torn = true;
        self.file.write_all(text.as_bytes())?;
        self.torn = false;
        self.file.sync_data()
    }

    /// Does a name still lead to the file? What is in it without one would be lost with this process.
    pub fn is_there(&self) -> bool {
        is_gone(&self.file).is_ok_and(|gone| !gone)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is still to be undone, read from the file itself.
    ///
    /// # Errors
    /// The file system's.
    pub fn leftover(&self) -> io::Result<Leftover> {
        let mut text = String::new();
        let mut file = &self.file;
        file.rewind()?;
        file.read_to_string(&mut text)?;
        Ok(Leftover::read(&text))
    }

    /// What one that somebody else is responsible for says is still to be undone.
    ///
    /// # Errors
    /// The file system's.
    pub fn peek(path: &Path) -> io::Result<Leftover> {
        Ok(Leftover::read(&std::fs::read_to_string(path)?))
    }

    /// Everything is undone: the file has served.
    ///
    /// # Errors
    /// The file system's.
    pub fn close(self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }
}

/// Before it is locked, another run that begins may take it for one that was left empty, and remove it.
fn new_and_locked(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create_new(true).append(true).read(true);
    loop {
        let file = options.open(path)?;
        file.lock()?;
        if !is_gone(&file)? {
            return Ok(file);
        }
    }
}

/// Does no name lead to this file any more?
fn is_gone(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() == 0)
}

impl Leftover {
    /// A line that is cut off was never acted upon, and is passed over.
    fn read(text: &str) -> Self {
        let mut left = Self::default();
        let mut undone = BTreeSet::new();
        for line in text.lines() {
            let line = match serde_json::from_str(line) {
                Ok(line) => line,
                Err(error) => {
                    left.unreadable += usize::from(error.is_data());
                    continue;
                }
            };
            match line {
                Line::Opened { run, endpoint, .. } => (left.run, left.endpoint) = (run, endpoint),
                Line::Intent { id, step, action } => left.actions.push((id, step, *action)),
                Line::Undone { id } => {
                    undone.insert(id);
                }
                Line::Project { name } => left.projects.push(Project { name, up: false }),
                Line::ProjectUp { name } => {
                    left.projects
                        .iter_mut()
                        .filter(|p| p.name == name)
                        .for_each(|p| p.up = true);
                }
                Line::ProjectDown { name } => left.projects.retain(|p| p.name != name),
            }
        }
        left.actions.retain(|(id, ..)| !undone.contains(id));
        left.actions.reverse();
        left
    }

    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.projects.is_empty() && self.unreadable == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Change, Condition, Subject, Undo};

    fn pause(name: &str) -> Action {
        Action {
            subject: Subject {
                id: format!("id-{name}"),
                name: name.into(),
            },
            change: Change::Pause,
            effect: Condition::Paused,
            undo: Undo::Change {
                change: Change::Unpause,
                until: Condition::NotPaused,
            },
        }
    }

    #[test]
    fn another_run_that_looks_for_what_was_left_removes_no_journal_that_begins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r1.journal");
        std::thread::scope(|scope| {
            let created = scope.spawn(|| {
                (0..300).all(|_| {
                    let journal = Journal::create(dir.path(), "r1", "e").unwrap();
                    journal.is_there() && journal.close().is_ok()
                })
            });
            while !created.is_finished() {
                let adopted = Journal::adopt(&path).ok();
                let empty = adopted.filter(|it| it.leftover().unwrap().is_empty());
                empty.map(Journal::close).transpose().unwrap();
            }
            assert!(created.join().unwrap());
        });
    }

    #[test]
    fn what_is_not_undone_is_left_over_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path(), "r1", "unix:///x").unwrap();
        journal
            .intend("a", &[pause("node-1"), pause("node-2")])
            .unwrap();
        journal.intend("b", &[pause("node-3")]).unwrap();
        journal
            .append(&[Line::Undone { id: 1 }, Line::Project { name: "p".into() }])
            .unwrap();
        let left = journal.leftover().unwrap();
        assert_eq!(
            (left.run.as_str(), left.endpoint.as_str()),
            ("r1", "unix:///x")
        );
        let names: Vec<_> = left
            .actions
            .iter()
            .map(|(_, _, a)| a.subject.name.as_str())
            .collect();
        assert_eq!(names, ["node-3", "node-1"]);
        assert_eq!(
            left.projects,
            [Project {
                name: "p".into(),
                up: false
            }]
        );
    }

    #[test]
    fn a_torn_last_line_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path(), "r1", "e").unwrap();
        journal.intend("a", &[pause("node-1")]).unwrap();
        journal
            .file
            .write_all(b"{\"intent\":{\"id\":1,\"st")
            .unwrap();
        assert_eq!(journal.leftover().unwrap().actions.len(), 1);
        let path = journal.path().to_owned();
        drop(journal);
        let mut adopted = Journal::adopt(&path).unwrap();
        adopted.append(&[Line::Undone { id: 0 }]).unwrap();
        assert!(adopted.leftover().unwrap().is_empty());
    }

    #[test]
    fn a_line_of_another_version_is_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path(), "r1", "e").unwrap();
        journal
            .file
            .write_all(b"{\"intent\":{\"id\":1,\"step\":\"a\",\"action\":{\"teleport\":7}}}\n")
            .unwrap();
        let left = journal.leftover().unwrap();
        assert_eq!((left.unreadable, left.is_empty()), (1, false));
    }

    #[test]
    fn a_journal_that_somebody_removed_takes_no_intents() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path(), "r1", "e").unwrap();
        journal.intend("a", &[pause("node-1")]).unwrap();
        assert!(journal.is_there());
        std::fs::remove_file(journal.path()).unwrap();
        assert!(!journal.is_there());
        let error = journal.intend("b", &[pause("node-2")]).unwrap_err();
        assert!(error.to_string().contains("removed"), "{error}");
        assert_eq!(journal.leftover().unwrap().actions.len(), 1);
    }

    #[test]
    fn only_one_is_responsible() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::create(dir.path(), "r1", "e").unwrap();
        let path = journal.path().to_owned();
        assert_eq!(
            Journal::adopt(&path).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        drop(journal);
        Journal::adopt(&path).unwrap().close().unwrap();
        assert!(!path.exists());
    }
}
