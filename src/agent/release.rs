//! Ends the start of a command that was frozen together with its container.
//!
//! Engines start a command in a container by a process of their own, `runc … exec --process FILE … ID`, and wait for it. Where
//! the container is paused meanwhile, that process waits for a frozen one for good, and Docker 20.10 holds the container's lock
//! as long: it says nothing about the container and does not thaw it either. Only that process of the engine is ended, never
//! one of the container's.

use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Hexadecimal digits of an engine's id of a container.
const FULL_ID: usize = 64;

/// # Errors
/// Nothing is being started in it, or the kernel's words.
pub(super) fn job(container: &str) -> Result<(), String> {
    let all = fs::read_dir("/proc").map_err(|e| format!("the processes cannot be listed: {e}"))?;
    let numbers = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let ended: Vec<Result<(), String>> = numbers
        .filter_map(|number| end_if_it_starts(number, container))
        .collect();
    if ended.is_empty() {
        return Err("no command is being started in it".into());
    }
    ended.into_iter().collect()
}

/// `None`: it is another process. It is held by a descriptor before it is looked at: no other can get its number meanwhile.
fn end_if_it_starts(number: i32, container: &str) -> Option<Result<(), String>> {
    let held = pidfd_open(Pid::from_raw(number)?, PidfdFlags::empty()).ok()?;
    let words = fs::read(format!("/proc/{number}/cmdline")).ok()?;
    let sent = starts_a_command(&words, container)
        .then(|| pidfd_send_signal(&held, Signal::KILL))?
        .map_err(|e| {
            let e = std::io::Error::from(e);
            format!("process {number}, which starts a command in it, cannot be ended: {e}")
        });
    Some(sent)
}

/// Engines call all runtimes in this way; a user's `docker exec ID` has neither these options nor the id at its end.
fn starts_a_command(words: &[u8], container: &str) -> bool {
    let words: Vec<&[u8]> = words
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .collect();
    let says = |word: &str| words.contains(&word.as_bytes());
    container.len() == FULL_ID
        && words.last() == Some(&container.as_bytes())
        && says("exec")
        && says("--process")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn words(line: &str) -> Vec<u8> {
        let mut words = line.replace(' ', "\0").into_bytes();
        words.push(0);
        words
    }

    #[test]
    fn the_engines_own_start_of_a_command_is_known() {
        let runc = format!(
            "runc --root /run/moby --log /l.json exec --process /tmp/p1 --detach --pid-file /x.pid {ID}"
        );
        assert!(starts_a_command(&words(&runc), ID));
        let crun = format!("/usr/bin/crun exec --process /tmp/p1 {ID}");
        assert!(starts_a_command(&words(&crun), ID));
    }

    #[test]
    fn nothing_else_is() {
        let other = ID.replace('f', "e");
        for line in [
            format!("docker exec {ID} sh"),
            format!("docker exec {ID}"),
            format!("docker exec --process {ID} sh"),
            format!("containerd-shim-runc-v2 -namespace moby -id {ID}"),
            format!("runc exec --process /tmp/p1 {other}"),
            format!("runc kill {ID}"),
            String::new(),
        ] {
            assert!(!starts_a_command(&words(&line), ID), "{line}");
        }
        // Every process may end with the empty word.
        assert!(!starts_a_command(&words("runc exec --process f"), "f"));
    }

    #[test]
    fn where_nothing_is_being_started_that_is_said() {
        assert_eq!(
            job(&"ab".repeat(32)).unwrap_err(),
            "no command is being started in it"
        );
    }
}
