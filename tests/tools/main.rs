//! The commands around a run, as people start them; none of these needs an engine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod comparing;
mod complete;
mod manual;
mod schema;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}

/// As if typed into a pipe.
fn chaosrun(args: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("chaosrun"))
        .args(args)
        .env_remove("COLUMNS")
        .output()
        .unwrap()
}

/// Exit code and standard output.
fn said(args: &[&str]) -> (Option<i32>, String) {
    let output = chaosrun(args);
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

/// Exit code and standard error.
fn complained(args: &[&str]) -> (Option<i32>, String) {
    let output = chaosrun(args);
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}
