//! A signal to the first process of a container, from outside its PID namespace: to the engine, as if it had crashed.
//!
//! Never to another process. The process is held by a descriptor *before* it is looked at, so a number that is given away again
//! in between is noticed: the descriptor still means the old process, and a signal to it reaches nobody.

use std::fs;

use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use super::protocol::Process;
use crate::units::{Signal, kernel_words};

/// A container's first process starts a little before the engine notes it down.
const NOTED_LATE_SECONDS: i64 = 30;
/// Both clocks are read with a rounding error.
const ROUNDING_SECONDS: i64 = 1;
/// The kernel shows times to user space in these, whatever it counts in itself.
const TICKS_PER_SECOND: i64 = 100;

/// Sends the signal, or only looks without one.
pub(super) fn job(process: &Process, signal: Option<Signal>) -> Result<(), String> {
    let pid = process.pid;
    let raw = i32::try_from(pid).map_err(|_| format!("{pid} is no process number"))?;
    let number = Pid::from_raw(raw).ok_or_else(|| format!("{pid} is no process number"))?;
    let held = pidfd_open(number, PidfdFlags::empty())
        .map_err(|e| format!("process {pid} cannot be held: {}", words(e)))?;
    belongs(process)?;
    let Some(signal) = signal else {
        return Ok(());
    };
    let sent = rustix::process::Signal::from_named_raw(signal.number())
        .ok_or_else(|| format!("{signal} is no signal here"))?;
    pidfd_send_signal(&held, sent)
        .map_err(|e| format!("process {pid} cannot be sent {signal}: {}", words(e)))
}

fn words(errno: rustix::io::Errno) -> String {
    kernel_words(&std::io::Error::from(errno))
}

/// Is this process of that container? Its control group says so; where that does not name containers, its mounts and its age do.
fn belongs(process: &Process) -> Result<(), String> {
    let Process {
        pid,
        container,
        started_at,
    } = process;
    if container.len() < 12 {
        return Err(format!("{container:?} is no container's full id"));
    }
    let read = |file: &str| {
        fs::read_to_string(format!("/proc/{pid}/{file}")).map_err(|e| {
            let e = kernel_words(&e);
            format!("process {pid} cannot be looked at: {e}")
        })
    };
    if names(&read("cgroup")?, container) {
        return Ok(());
    }
    let age = || -> Option<bool> {
        let boot = field_of(&fs::read_to_string("/proc/stat").ok()?, "btime ")?;
        let began = boot + started_ticks(&read("stat").ok()?)? / TICKS_PER_SECOND;
        let noted = started_at.parse::<jiff::Timestamp>().ok()?.as_second();
        Some(is_as_old(began, noted))
    };
    if names(&read("mountinfo")?, container) && age() == Some(true) {
        return Ok(());
    }
    Err(format!(
        "process {pid} is not of container {}: neither its control group nor its mounts and age say so",
        container.get(..12).unwrap_or(container)
    ))
}

fn names(text: &str, container: &str) -> bool {
    text.contains(container)
}

fn is_as_old(began: i64, noted: i64) -> bool {
    (noted - NOTED_LATE_SECONDS..=noted + ROUNDING_SECONDS).contains(&began)
}

fn field_of(text: &str, key: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().parse().ok()
}

/// Field 22 of `/proc/PID/stat`. The second is a name in brackets, which may hold blanks and brackets itself.
fn started_ticks(stat: &str) -> Option<i64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn process(pid: u32, container: &str) -> Process {
        Process {
            pid,
            container: container.into(),
            started_at: "2026-01-01T00:00:00Z".into(),
        }
    }

    #[test]
    fn a_process_of_no_container_is_never_signalled() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let error = job(&process(child.id(), ID), Some(Signal::KILL)).unwrap_err();
        let alive = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(alive);
        assert!(
            error.contains("is not of container 0123456789ab"),
            "{error}"
        );
    }

    #[test]
    fn a_process_that_is_gone_is_said_so() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let error = job(&process(child.id(), ID), None).unwrap_err();
        assert!(error.contains("no such process"), "{error}");
    }

    #[test]
    fn numbers_and_ids_that_mean_nothing_are_refused() {
        for pid in [0, u32::MAX] {
            let error = job(&process(pid, ID), None).unwrap_err();
            assert!(error.contains("is no process number"), "{error}");
        }
        // Every path contains the empty id.
        let error = job(&process(std::process::id(), ""), None).unwrap_err();
        assert!(error.contains("is no container's full id"), "{error}");
    }

    #[test]
    fn control_groups_name_their_container_in_any_style() {
        for text in [
            format!("4:pids:/docker/{ID}\n"),
            format!("0::/system.slice/docker-{ID}.scope\n"),
            format!("0::/../../libpod-{ID}.scope/init\n"),
        ] {
            assert!(names(&text, ID));
        }
        assert!(!names("0::/\n", ID));
    }

    #[test]
    fn the_age_is_the_containers_or_a_little_more() {
        let noted = 1_000_000;
        for (began, same) in [(0, true), (-29, true), (1, true), (2, false), (-31, false)] {
            assert_eq!(is_as_old(noted + began, noted), same, "{began}");
        }
    }

    #[test]
    fn a_process_may_have_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4321 99 0";
        assert_eq!(started_ticks(stat), Some(4321));
        assert_eq!(started_ticks("7 (a"), None);
    }
}
