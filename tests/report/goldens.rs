//! Recorded histories and what is made of them, byte for byte. `BLESS=1 cargo test --test report` writes them anew.

use std::path::{Path, PathBuf};

use chaosrun::history::{Entry, Event, Impediment, fold as read};
use chaosrun::report;
use chaosrun::scenario::{Metric, Window};
use chaosrun::verdict::judge;

use crate::run::*;
use crate::verdicts::{edit, with};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories")
}

/// What stands in the file, or is put there.
#[track_caller]
fn same(file: &str, made: &str) {
    let path = folder().join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, made).expect("a golden can be written");
    }
    let known = std::fs::read_to_string(&path).expect("the golden is there");
    assert!(known == made, "{file} is not what is made now:\n{made}");
}

fn check(name: &str, entries: &[Entry]) {
    let text: String = entries.iter().map(|entry| entry.to_line() + "\n").collect();
    same(&format!("{name}.jsonl"), &text);
    check_recorded(name);
}

/// From the file alone, as `chaosrun report` does.
fn check_recorded(name: &str) {
    let recorded = std::fs::read(folder().join(format!("{name}.jsonl"))).expect("it is recorded");
    let record = read(recorded.split(|byte| *byte == b'\n')).expect("it reads");
    let found = judge(&record);
    for (file, made) in report::render_all(&record, &found) {
        same(&format!("{name}.{file}"), &made);
    }
    let table = report::table(&found, 80, false);
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
    same(&format!("{name}.table.txt"), &table);
}

#[test]
fn passed() {
    check("passed", &Run::new(fails_over, usual()).entries());
}

#[test]
fn failed() {
    check("failed", &Run::new(no_failover, usual()).entries());
}

#[test]
fn inconclusive() {
    let mut slos = usual();
    slos.push(least(Window::Baseline, Metric::Success, 0.999));
    check("inconclusive", &Run::new(fails_over, slos).entries());
}

#[test]
fn dirty() {
    let entries = edit(Run::new(no_failover, usual()).entries(), |event| {
        if let Event::Reverted { revert, .. } = event {
            *revert = proof(
                false,
                "node-2: tried to start for 30s, and still: exited with code 137",
            );
        }
    });
    let text: Vec<_> = entries.iter().map(|entry| entry.to_line() + "\n").collect();
    let torn = text.concat();
    same("dirty.jsonl", &torn[..torn.len() - 20]);
    check_recorded("dirty");
}

/// Names and reasons that would steer a terminal.
#[test]
fn hostile() {
    let hostile: Behaviour = |due| match no_failover(due) {
        (late, took, Some(_)) => (late, took, Some("\u{1b}]0;owned\u{7}\u{202e}<script>")),
        fine => fine,
    };
    let mut run = Run::new(hostile, usual());
    run.target = "node\u{1b}[31m-\u{9b}2J";
    run.title = Some("Kill\r\nit </title> | & `");
    let why = "exit \u{1b}[2J status".to_owned();
    let what = Impediment::Storage;
    check(
        "hostile",
        &with(run.entries(), 20 * SECOND, Event::Impeded { what, why }),
    );
}

#[test]
fn colour_is_only_there_when_asked_for() {
    let report = Run::new(no_failover, usual()).report();
    let plain = report::table(&report, 100, false);
    let colored = report::table(&report, 100, true);
    assert!(!plain.contains('\u{1b}'));
    assert!(colored.contains("\u{1b}[1;31mFAILED\u{1b}[0m"), "{colored}");
    assert!(plain.starts_with("FAILED"));
}
