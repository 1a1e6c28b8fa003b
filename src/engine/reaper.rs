//! A small process that undoes a run's journal when the run dies without warning.
//!
//! It holds the reading end of a pipe whose other end only the run has: when the run is killed the pipe closes, whatever
//! killed it. It has a session of its own, so that a Ctrl-C at the terminal does not take it along.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the run says through the pipe when there is nothing left to undo.
const FAREWELL: &[u8] = b"done\n";

/// The run's end of it. Dropping it without [`Reaper::dismiss`] sets it to work.
#[derive(Debug)]
pub struct Reaper {
    child: Child,
    executable: PathBuf,
    journal: PathBuf,
    replaced: u8,
}

/// So often one that has ended is replaced: whatever ends them would go on.
const MOST_REPLACED: u8 = 3;

impl Reaper {
    /// Starts `executable reaper JOURNAL`.
    ///
    /// # Errors
    /// The process could not be started.
    pub fn start(executable: &Path, journal: &Path) -> io::Result<Self> {
        Ok(Self {
            child: spawn(executable, journal)?,
            executable: executable.into(),
            journal: journal.into(),
            replaced: 0,
        })
    }

    /// How it has ended, should it have: then nobody would undo anything.
    pub fn has_ended(&mut self) -> Option<String> {
        let status = self.child.try_wait();
        status.ok()?.map(|status| status.to_string())
    }

    /// Starts another one in place of one that has ended.
    ///
    /// # Errors
    /// The process could not be started, or too many have ended.
    pub fn replace(&mut self) -> io::Result<()> {
        self.replaced += 1;
        if self.replaced > MOST_REPLACED {
            return Err(io::Error::other(format!(
                "{MOST_REPLACED} others ended, too"
            )));
        }
        self.child = spawn(&self.executable, &self.journal)?;
        Ok(())
    }

    /// Sends it home.
    ///
    /// # Errors
    /// It had gone already.
    pub fn dismiss(mut self) -> io::Result<()> {
        if let Some(mut pipe) = self.child.stdin.take() {
            pipe.write_all(FAREWELL)?;
        }
        self.child.wait().map(drop)
    }
}

fn spawn(executable: &Path, journal: &Path) -> io::Result<Child> {
    Command::new(executable)
        .arg("reaper")
        .arg(journal)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
}

/// In the reaper itself: waits until the run is over. Is there something left to undo?
///
/// # Errors
/// The pipe could not be read, or no session be made.
pub fn wait_for_death(mut pipe: impl Read) -> io::Result<bool> {
    // Fails only for a process group's leader, which already stands apart from the terminal's.
    let _leader = rustix::process::setsid();
    let mut said = Vec::new();
    pipe.read_to_end(&mut said)?;
    Ok(said != FAREWELL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_farewell_sends_it_home() {
        assert!(!wait_for_death(FAREWELL).unwrap());
        assert!(wait_for_death(&b""[..]).unwrap());
        assert!(wait_for_death(&b"do"[..]).unwrap());
    }
}
