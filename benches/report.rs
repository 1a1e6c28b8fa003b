//! What it costs to make the reports of a long run. `cargo bench --bench report`; needs nothing.
//!
//! Each case is a process of its own, so that the peak of its memory is that case's.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its results are what it is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures time from outside of any run"
)]

#[path = "../tests/support/long.rs"]
mod long;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use chaosrun::history::{Reader, Record};
use chaosrun::report;
use chaosrun::verdict::judge;
use comfy_table::Table;
use long::Long;
use serde_json::{Value, json};

const ROUNDS: usize = 7;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, flag, history] = &args[..]
        && flag == "--one"
    {
        return one(Path::new(history));
    }
    let folder = tempfile::tempdir().unwrap();
    let case = |name: &str, minutes: u64, rate: u64| {
        let long = Long {
            seconds: minutes * 60,
            probes: 10,
            rate,
            faults: 5,
        };
        let history = folder.path().join(name);
        write(long, &history);
        let own = std::env::current_exe().unwrap();
        let output = Command::new(own).arg("--one").arg(&history).output();
        let found: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
        found
    };
    let hour = case("hour", 60, 100);
    let half = case("half", 30, 100);
    let two = case("two", 120, 100);
    let fast = case("fast", 60, 1_000);
    let mut table = Table::new();
    table.set_header(["ten probes, five faults", "measured", "wanted"]);
    let number = |of: &Value, key: &str| of[key].as_f64().unwrap();
    let ratio =
        |a: &Value, b: &Value, key: &str| format!("{:.2} ×", number(a, key) / number(b, key));
    let mut row = |what: &str, measured: String, wanted: &str| {
        table.add_row([what.into(), measured, wanted.to_owned()]);
    };
    let ms = |of: &Value, key: &str| format!("{:.1} ms", number(of, key));
    row(
        "an hour at 100/s: every format, median",
        ms(&hour, "render"),
        "< 200 ms",
    );
    row("its verdict before that", ms(&hour, "judge"), "");
    row("its history read from disk", ms(&hour, "fold"), "");
    row(
        "peak memory of all that",
        format!("{:.1} MB", number(&hour, "memory") / 1e6),
        "< 50 MB",
    );
    row(
        "its report.html",
        format!("{:.0} kB", number(&hour, "html") / 1e3),
        "< 1000 kB",
    );
    row(
        "two hours beside one, reading",
        ratio(&two, &hour, "fold"),
        "about 2",
    );
    row(
        "one hour beside half an hour, reading",
        ratio(&hour, &half, "fold"),
        "about 2",
    );
    row(
        "two hours beside one, every format",
        ratio(&two, &hour, "render"),
        "<= 2",
    );
    row(
        "one hour beside half an hour, every format",
        ratio(&hour, &half, "render"),
        "<= 2",
    );
    row(
        "1000/s beside 100/s, reading",
        ratio(&fast, &hour, "fold"),
        "about 1",
    );
    row(
        "1000/s beside 100/s, every format",
        ratio(&fast, &hour, "render"),
        "about 1",
    );
    row(
        "1000/s beside 100/s, report.html",
        ratio(&fast, &hour, "html"),
        "about 1",
    );
    println!("{table}");
}

fn write(long: Long, history: &Path) {
    let mut file = BufWriter::new(File::create(history).unwrap());
    long.each(|entry| writeln!(file, "{}", entry.to_line()).unwrap());
    file.flush().unwrap();
}

/// Reads a history as `chaosrun report` does, makes everything of it, and says what that took.
fn one(history: &Path) {
    let (record, fold) = timed(|| read(history));
    let (judged, judge) = timed(|| judge(&record));
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| timed(|| report::render_all(&record, &judged)).1)
        .collect();
    rounds.sort_by(f64::total_cmp);
    let all = report::render_all(&record, &judged);
    let page = all.iter().find(|(name, _)| *name == "report.html").unwrap();
    let found = json!({
        "fold": fold, "judge": judge, "render": rounds[ROUNDS / 2], "html": page.1.len(), "memory": peak(),
    });
    println!("{found}");
}

fn read(history: &Path) -> Record {
    let mut reader = Reader::default();
    let mut record = Record::default();
    for line in BufReader::new(File::open(history).unwrap()).split(b'\n') {
        if let Some(entry) = reader.push(&line.unwrap()).unwrap() {
            record.apply(&entry);
        }
    }
    record
}

/// And how many milliseconds it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let began = Instant::now();
    let made = work();
    (made, began.elapsed().as_secs_f64() * 1e3)
}

/// The most memory this process ever had, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() * 1_024
}
