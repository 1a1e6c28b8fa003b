//! A small process that undoes a run's journal when the run dies without warning.
//!
//! It holds the reading end of a pipe whose other end only the run has: when the run is killed the pipe closes, whatever
//! killed it. It has a session of its own, so that a Ctrl-C at the terminal does not take it along.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What the run says through the pipe when there is nothing left to undo.
const FAREWELL: &[u8] = b"done\n";

/// The run's end of it. Dropping it without [`Reaper::dismiss`] sets it to work.
#[derive(Debug)]
pub struct Reaper {
    child: Child,
}

impl Reaper {
    /// Starts `executable reaper JOURNAL`.
    ///
    /// # Errors
    /// The process could not be started.
    pub fn start(executable: &Path, journal: &Path) -> io::Result<Self> {
        let child = Command::new(executable)
            .arg("reaper")
            .arg(journal)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { child })
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
