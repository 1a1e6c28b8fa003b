//! Standard output, standard error and signals as others leave them to chaosrun: pipes that nobody reads, disks that are full,
//! `nohup`. Needs no engine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::File;
use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};

fn chaosrun() -> Command {
    Command::new(env!("CARGO_BIN_EXE_chaosrun"))
}

/// The writing end of a pipe that nobody reads.
fn closed_pipe() -> Stdio {
    let (_, writer) = std::io::pipe().unwrap();
    writer.into()
}

/// A command that ends with this scenario's problems on standard error.
fn wrong_scenario(dir: &tempfile::TempDir) -> Command {
    let file = dir.path().join("wrong.toml");
    std::fs::write(&file, "titel = 1\n").unwrap();
    let mut check = chaosrun();
    check.arg("check").arg(file);
    check
}

/// A history that is only begun, rendered as JSON.
fn report(dir: &tempfile::TempDir, stdout: Stdio) -> Output {
    let started = r#"{"at":0,"event":"started","version":1,"run":"r","scenario":"s","title":null,"source":"","seed":1,"chaosrun":"0","began":"","vars":{},"timing":{"baseline":{"secs":1,"nanos":0},"recovery":{"secs":1,"nanos":0},"steady":{"secs":1,"nanos":0}},"probes":[],"slos":[],"guards":[],"steps":[]}"#;
    std::fs::write(dir.path().join("history.jsonl"), format!("{started}\n")).unwrap();
    let mut report = chaosrun();
    report
        .arg("report")
        .arg(dir.path())
        .args(["--format", "json"]);
    report.stdout(stdout).output().unwrap()
}

#[test]
fn nobody_reading_errors_changes_no_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let heard = wrong_scenario(&dir).output().unwrap();
    assert!(!heard.stderr.is_empty());
    let unheard = wrong_scenario(&dir).stderr(closed_pipe()).status().unwrap();
    assert_eq!((heard.status.code(), unheard.code()), (Some(2), Some(2)));
}

/// A folder on a medium that takes nothing, say.
#[test]
fn a_verdict_whose_files_cannot_be_written_is_told_even_so() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("report.html")).unwrap();
    let output = report(&dir, Stdio::piped());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("report.html: "), "{said}");
    assert!(output.stdout.starts_with(b"{"));
}

#[test]
fn results_that_cannot_be_written_are_no_success() {
    let dir = tempfile::tempdir().unwrap();
    let fine = report(&dir, Stdio::piped());
    let said = String::from_utf8_lossy(&fine.stderr).into_owned();
    assert_eq!(fine.status.code(), Some(0), "{said}");
    assert!(fine.stdout.starts_with(b"{"));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let lost = report(&dir, full.into());
    let said = String::from_utf8_lossy(&lost.stderr).into_owned();
    assert_eq!(lost.status.code(), Some(3), "{said}");
    let why = "error: writing to standard output: No space left on device";
    assert!(said.starts_with(why), "{said}");
    // `| head`: it has read what it wanted.
    assert_eq!(report(&dir, closed_pipe()).status.code(), Some(0));
}

/// What the kernel says of SIGHUP once chaosrun listens to signals: is it ignored, is it caught?
fn hangup(prelude: &str) -> (bool, bool) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("engine.sock");
    // An engine that takes the call and says nothing.
    let engine = UnixListener::bind(&socket).unwrap();
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/kill-primary.toml");
    let mut run = Command::new("sh")
        .args(["-c", &format!("{prelude} exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_chaosrun"))
        .args(["run", scenario])
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut call, _) = engine.accept().unwrap();
    call.read_exact(&mut [0]).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    let has = |key: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(key));
        u64::from_str_radix(mask.unwrap().trim(), 16).unwrap() & 1 == 1
    };
    (has("SigIgn:"), has("SigCgt:"))
}

#[test]
fn a_hang_up_that_was_ignored_stays_ignored() {
    assert_eq!(hangup("trap '' HUP;"), (true, false));
    assert_eq!(hangup(""), (false, true));
}

#[test]
fn a_doctor_without_an_engine_says_what_to_do_and_tells_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("no.sock");
    let output = chaosrun()
        .arg("doctor")
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .env("CHAOSRUN_STATE", dir.path().join("state"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");
    for words in [
        "no.sock",
        "→ start the engine",
        "can be written",
        "no scenario works here without an engine",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
}
