//! Recorded histories and what is made of them, byte for byte. `BLESS=1 cargo test --test report` writes them anew.

use std::path::{Path, PathBuf};
use std::process::Command;

use chaosrun::history::{Entry, Event, Impediment, Packets, Record, fold as read};
use chaosrun::impairment::{BackEnd, Counts};
use chaosrun::report;
use chaosrun::scenario::{Metric, Window};
use chaosrun::verdict::{Verdict, judge};

use crate::long::Long;
use crate::run::*;
use crate::verdicts::{edit, guard, interrupted, tripped, with, without};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories")
}

/// What stands in the file, or is put there.
#[track_caller]
pub(crate) fn same(file: &str, made: &str) {
    let path = folder().join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, made).expect("a golden can be written");
    }
    let known = std::fs::read_to_string(&path).expect("the golden is there");
    assert!(known == made, "{file} is not what is made now:\n{made}");
}

#[track_caller]
fn check(name: &str, entries: &[Entry]) {
    let text: String = entries.iter().map(|entry| entry.to_line() + "\n").collect();
    same(&format!("{name}.jsonl"), &text);
    check_recorded(name);
}

/// From the file alone, as `chaosrun report` does.
#[track_caller]
fn check_recorded(name: &str) {
    let recorded = std::fs::read(folder().join(format!("{name}.jsonl"))).expect("it is recorded");
    let record = read(recorded.split(|byte| *byte == b'\n')).expect("it reads");
    check_record(name, &record);
}

/// Every format of a record whose history is made again each time.
#[track_caller]
fn check_record(name: &str, record: &Record) {
    let found = judge(record);
    for (file, made) in report::render_all(record, &found) {
        same(&format!("{name}.{file}"), &bare(&made));
    }
    let table = report::table(&found, 80, false);
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
    same(&format!("{name}.table.txt"), &table);
    let lines = report::github(&found, "scenarios/kill.toml").join("\n") + "\n";
    same(&format!("{name}.github.txt"), &lines);
}

fn made(long: Long) -> Record {
    let mut record = Record::default();
    long.each(|entry| record.apply(&entry));
    record
}

/// A page without its style and script: these are the same in all.
fn bare(text: &str) -> String {
    let text = text.replace(report::plot::SCRIPT, "");
    let style = format!("{}{}", report::html::STYLE, report::plot::STYLE);
    let mut text = text.replace(&style, "");
    while let Some(from) = text.find("sha256-") {
        let to = text[from..].find("&#39;");
        text.replace_range(from..to.map_or(text.len(), |to| from + to), "HASH");
    }
    text
}

#[track_caller]
fn check_verdict(name: &str, entries: &[Entry], verdict: Verdict) {
    let record = fold(entries);
    assert_eq!(
        judge(&record).verdict,
        verdict,
        "{:#?}",
        judge(&record).reasons
    );
    check_record(name, &record);
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
fn aborted() {
    let mut run = Run::new(no_failover, usual());
    run.guards = vec![guard()];
    check("aborted", &with(run.entries(), 12 * SECOND, tripped()));
}

/// A fault of the network, with what agents counted.
fn delayed(packets: u64) -> Vec<Entry> {
    let entries = edit(
        Run::new(fails_over, usual()).entries(),
        |event| match event {
            Event::Started(header) => header.steps[0].fault = "delay".into(),
            Event::Injected { effect, .. } => {
                effect.evidence = "node-2: in force through queue: 0 packets so far; \
                node-2 to node-1: round trips of 102us before, 50.21ms now (10 of 10 answered); expected 40ms to 77ms more"
                .into();
            }
            Event::Reverted { revert, .. } => {
                revert.evidence = "node-2: nothing of chaosrun's is in force in its network".into();
            }
            _ => {}
        },
    );
    let counts = Counts {
        packets,
        bytes: packets * 90,
        delayed: packets,
        ..Counts::default()
    };
    let told = match packets {
        0 => "queue: 0 packets: no packet has met it".into(),
        _ => format!("queue: {packets} packets, {packets} delayed"),
    };
    let counted = Event::Counted {
        step: "kill".into(),
        subject: subject("node-2"),
        packets: Some(Packets {
            back_end: BackEnd::Queue,
            counts,
        }),
        effect: proof(packets > 0, &told),
    };
    with(entries, INJECTING + 5 * SECOND + MS, counted)
}

#[test]
fn a_fault_of_the_network() {
    check("network", &delayed(1234));
    check_verdict("network-unmet", &delayed(0), Verdict::Inconclusive);
}

#[test]
fn what_a_back_end_does_not_count_is_no_number() {
    let row = |back_end| {
        let counted = edit(delayed(1234), |event| {
            if let Event::Counted { packets, .. } = event {
                packets.iter_mut().for_each(|one| one.back_end = back_end);
            }
        });
        let report = crate::run::judge(&counted);
        report.steps[0].packets[0].clone()
    };
    let (queue, netem) = (row(BackEnd::Queue), row(BackEnd::Netem));
    assert_eq!((queue.corrupted, netem.corrupted), (Some(0), None));
    assert_eq!((queue.delayed, netem.delayed), (1234, 1234));
}

#[test]
fn cut_short() {
    let all = with(
        Run::new(fails_over, usual()).entries(),
        12 * SECOND,
        interrupted("SIGTERM"),
    );
    check("interrupted", &all);
}

/// The eight kinds of trouble without which a verdict could be given, and what else leaves it open.
#[test]
fn each_kind_of_inconclusive() {
    let passing = || Run::new(fails_over, usual()).entries();
    let bare = || without(passing(), is_step);
    let open = |name: &str, entries: &[Entry]| {
        check_verdict(&format!("open-{name}"), entries, Verdict::Inconclusive);
    };
    for (name, what, why) in [
        (
            "system",
            Impediment::System,
            "the system did not come up: node-1 is exited",
        ),
        (
            "target",
            Impediment::Target,
            "target primary matches no container",
        ),
        (
            "baseline",
            Impediment::Baseline,
            "the baseline was not healthy: write success was 20%",
        ),
        (
            "fault",
            Impediment::Fault,
            "step kill: killing node-2: permission denied",
        ),
        (
            "locked",
            Impediment::Locked,
            "container node-2 is held by run 7",
        ),
        (
            "probe",
            Impediment::Probe,
            "probe write: no such host: node",
        ),
        (
            "storage",
            Impediment::Storage,
            "writing the history: No space left on device",
        ),
        (
            "timeline",
            Impediment::Timeline,
            "write was not steady for 5s within 30s",
        ),
    ] {
        let why = why.to_owned();
        open(
            name,
            &with(bare(), 11 * SECOND, Event::Impeded { what, why }),
        );
    }
    let unproven = edit(passing(), |event| {
        if let Event::Injected { effect, .. } = event {
            *effect = proof(false, "running, pid 4711");
        }
    });
    open("unproven", &unproven);
    let starved: Behaviour = |due| (Some(200 * MS), 201 * MS, fails_over(due).2);
    open("starved", &Run::new(starved, usual()).entries());
    open("no-slo", &Run::new(well, vec![]).entries());
    open(
        "no-end",
        &without(passing(), |event| *event == Event::Ended),
    );
}

fn is_step(event: &Event) -> bool {
    matches!(
        event,
        Event::Injecting { .. }
            | Event::Injected { .. }
            | Event::Reverting { .. }
            | Event::Reverted { .. }
    )
}

#[test]
fn no_samples() {
    let none = without(Run::new(well, usual()).entries(), |event| {
        matches!(event, Event::Bucket { .. })
    });
    check_verdict("no-samples", &none, Verdict::Inconclusive);
    check_record("nothing", &Record::default());
}

#[test]
fn one_sample() {
    let mut run = Run::new(well, vec![least(Window::All, Metric::Success, 0.5)]);
    run.probes[0].1 = 0.02;
    let report = judge(&fold(&run.entries()));
    assert_eq!(report.probes[0].planned, 1);
    check_verdict("one-sample", &run.entries(), Verdict::Inconclusive);
}

#[test]
fn a_million_samples() {
    let record = made(Long {
        seconds: 1_000,
        probes: 1,
        rate: 1_000,
        faults: 1,
    });
    assert_eq!(judge(&record).probes[0].planned, 1_000_000);
    check_record("million", &record);
}

#[test]
fn three_hours() {
    let record = made(Long {
        seconds: 3 * 3_600,
        probes: 2,
        rate: 5,
        faults: 3,
    });
    check_record("three-hours", &record);
}

#[test]
fn fifty_faults() {
    let record = made(Long {
        seconds: 600,
        probes: 1,
        rate: 20,
        faults: 50,
    });
    check_record("fifty-faults", &record);
}

/// Written for a pipeline that knows one schema and takes nothing else.
#[test]
fn every_junit_file_keeps_to_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder()).expect("it is there");
    let files: Vec<_> = files
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".junit.xml"))
        .collect();
    assert!(files.len() > 20);
    let validate = |files: &[PathBuf]| {
        Command::new("xmllint")
            .args(["--noout", "--schema"])
            .arg(root.join("tests/report/junit.xsd"))
            .args(files)
            .output()
            .expect("xmllint is there (apt-get install libxml2-utils)")
    };
    let found = validate(&files);
    assert!(
        found.status.success(),
        "{}",
        String::from_utf8_lossy(&found.stderr)
    );
    let dir = tempfile::tempdir().expect("a folder");
    let wrong = dir.path().join("wrong.xml");
    let right = std::fs::read_to_string(&files[0]).expect("it reads");
    std::fs::write(&wrong, right.replace("classname=", "class=")).expect("it is written");
    assert!(
        !validate(&[wrong]).status.success(),
        "the schema takes anything"
    );
}

/// Whatever is not `passed` is not green in a pipeline that reads nothing else.
#[test]
fn junit_has_a_case_that_is_no_success_unless_all_is_well() {
    let files = std::fs::read_dir(folder()).expect("it is there");
    for path in files.filter_map(|file| Some(file.ok()?.path())) {
        let name = path.to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".junit.xml") else {
            continue;
        };
        let xml = std::fs::read_to_string(&path).expect("it reads");
        let json = std::fs::read_to_string(format!("{stem}.report.json")).expect("it is there");
        let passed = json.contains("\"verdict\": \"passed\"");
        let green = !xml.contains("<failure") && !xml.contains("<error");
        assert_eq!(passed, green, "{name}");
    }
}

#[test]
fn summaries_stay_below_their_limit() {
    for (probes, faults) in [(110, 1), (1, 110)] {
        let record = made(Long {
            seconds: 300,
            probes,
            rate: 1,
            faults,
        });
        let all = report::render_all(&record, &judge(&record));
        let found = all.iter().find(|(name, _)| *name == "summary.md");
        let (_, summary) = found.expect("it is made");
        let most = report::MOST_SUMMARY_BYTES / 4;
        assert!(summary.len() < most, "{}", summary.len());
        assert!(summary.contains("… and 10 more: see the report."));
    }
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
