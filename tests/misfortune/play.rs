//! A run of chaosrun: while it goes on, and how it ended.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use serde_json::Value;

use crate::stage::{kill, until};

/// How a run of chaosrun ended.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The run's folder, if there is one.
    pub(crate) dir: Option<PathBuf>,
}

/// A run that is going on.
pub(crate) struct Playing {
    child: Child,
    reports: PathBuf,
    out: PathBuf,
}

impl Playing {
    pub(crate) fn new(child: Child, reports: PathBuf, out: PathBuf) -> Self {
        Self {
            child,
            reports,
            out,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The run's folder, once there is one.
    pub(crate) fn dir(&self) -> Option<PathBuf> {
        let only = |dir: PathBuf| {
            let entries = std::fs::read_dir(dir).ok()?.flatten();
            // Beside the folders lies a suite's index.
            entries.map(|entry| entry.path()).find(|path| path.is_dir())
        };
        only(only(self.reports.clone())?)
    }

    /// Everything recorded so far.
    pub(crate) fn history(&self) -> Vec<Value> {
        self.dir().map(|dir| history(&dir)).unwrap_or_default()
    }

    /// Waits until so many such events are on record.
    ///
    /// # Panics
    /// The run ended before, or nothing of that kind came.
    pub(crate) fn await_events(&mut self, n: usize, is_it: impl Fn(&Value) -> bool) {
        for _ in 0..6000 {
            if self.history().iter().filter(|event| is_it(event)).count() >= n {
                return;
            }
            if self.child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let stderr = self.said("stderr");
        panic!("it never came to this: {:#?}\n{stderr}", self.history());
    }

    /// The event of this kind, whose field has this value.
    pub(crate) fn await_event(&mut self, event: &str, field: &str, value: &str) {
        self.await_events(1, |e| {
            e["event"] == event && (field.is_empty() || e[field] == value)
        });
    }

    /// Puts a line into its standard input.
    pub(crate) fn types(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("its input is piped");
        writeln!(input, "{line}").unwrap();
    }

    /// Closes its standard input.
    pub(crate) fn hangs_up(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits until it has said this.
    pub(crate) fn hears(&self, words: &str) {
        until(words, || self.said("stderr").contains(words));
    }

    pub(crate) fn signal(&self, signal: &str) {
        kill(self.pid(), signal);
    }

    pub(crate) fn said(&self, stream: &str) -> String {
        std::fs::read_to_string(self.out.with_extension(stream)).unwrap_or_default()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// After two minutes.
    pub(crate) fn end(mut self) -> Played {
        let mut turns = 0;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            turns += 1;
            if turns > 12_000 {
                self.signal("TERM");
                std::thread::sleep(Duration::from_secs(10));
                self.child.kill().ok();
                panic!("it does not end: {}", self.said("stderr"));
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        Played {
            code: status.code(),
            stdout: self.said("stdout"),
            stderr: self.said("stderr"),
            dir: self.dir(),
        }
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            // Its reaper undoes what it did.
            self.child.kill().ok();
        }
        self.child.wait().ok();
    }
}

impl Played {
    /// `report.json`.
    pub(crate) fn report(&self) -> Value {
        let dir = self.dir.as_ref().unwrap_or_else(|| panic!("{self:#?}"));
        let text = std::fs::read_to_string(dir.join("report.json"))
            .unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn history(&self) -> Vec<Value> {
        self.dir.as_deref().map(history).unwrap_or_default()
    }

    /// Was a fault even tried?
    pub(crate) fn injected(&self) -> bool {
        self.history().iter().any(|e| e["event"] == "injecting")
    }

    /// That it ended with this code, or everything that it said.
    ///
    /// Where it was to pass, it may also say that this machine was too busy to probe, if that is all that it says.
    pub(crate) fn expect(self, code: i32) -> Self {
        if code == 0 && self.code == Some(3) && starved(&self.report()) {
            eprintln!("no verdict, this machine is too busy: {:?}", self.reasons());
            return self;
        }
        assert_eq!(self.code, Some(code), "{self:#?}\n{:#?}", self.reasons());
        if let Some(dir) = self
            .dir
            .as_ref()
            .filter(|dir| dir.join("report.json").exists())
        {
            let told = &self.report()["exit_code"];
            assert_eq!(*told, code, "{}", dir.display());
        }
        self
    }

    fn reasons(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.dir.as_ref()?.join("report.json")).ok()?;
        let report: Value = serde_json::from_str(&text).ok()?;
        Some(report["reasons"].clone())
    }

    /// That a person is told this, in words that may be spread over several lines of a table.
    pub(crate) fn says(self, words: &str) -> Self {
        let reasons = self.reasons().map(|reasons| reasons.to_string());
        let all = format!(
            "{}\n{}",
            self.stderr,
            reasons.unwrap_or_default().replace("\\\"", "\"")
        );
        assert!(all.contains(words), "{words:?} is not in {all}");
        self
    }
}

/// Is it nothing but the prober that stands between this run and a pass? Whatever else went wrong is to be seen.
fn starved(report: &Value) -> bool {
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let behind = |reason: &Value| {
        let text = reason.as_str().unwrap_or_default();
        text.starts_with("the prober itself fell behind")
    };
    let undone = |step: &Value| {
        !step["skipped"].is_null()
            || (step["effect"]["proven"] == true && step["revert"]["verified"] == true)
    };
    let reasons = list("reasons");
    report["verdict"] == "inconclusive"
        && !reasons.is_empty()
        && reasons.iter().all(behind)
        && list("impediments").is_empty()
        && list("differences").is_empty()
        && list("steps").iter().all(undone)
        && list("slos").iter().all(|slo| slo["met"] != false)
}

#[test]
fn only_a_busy_machine_counts_as_one() {
    let busy = serde_json::json!({
        "verdict": "inconclusive",
        "reasons": ["the prober itself fell behind: during all 3 of 9 requests of up were never sent"],
        "impediments": [], "differences": [],
        "steps": [{ "skipped": null, "effect": { "proven": true }, "revert": { "verified": true } }],
        "slos": [{ "met": null }],
    });
    assert!(starved(&busy));
    for (place, wrong) in [
        ("/reasons", serde_json::json!([])),
        (
            "/reasons",
            serde_json::json!([busy["reasons"][0], "too few samples"]),
        ),
        ("/impediments", serde_json::json!([{ "what": "target" }])),
        ("/differences", serde_json::json!([{ "what": "a is gone" }])),
        ("/steps/0/effect/proven", serde_json::json!(false)),
        ("/steps/0/revert", Value::Null),
        ("/slos/0/met", serde_json::json!(false)),
        ("/verdict", serde_json::json!("failed")),
    ] {
        let mut other = busy.clone();
        *other.pointer_mut(place).unwrap() = wrong;
        assert!(!starved(&other), "{place}: {other}");
    }
}

fn history(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("history.jsonl")).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}
