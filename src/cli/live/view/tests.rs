//! A run as it would look at some moments.

use std::collections::BTreeMap;

use super::*;
use crate::action::Subject;
use crate::history::{Proof, RecordedProbe, Sample, VERSION};

pub(in crate::cli::live) fn header() -> Header {
    Header {
        version: VERSION,
        run: "r".into(),
        scenario: "kill-primary".into(),
        title: None,
        source: String::new(),
        seed: 42,
        chaosrun: "0.1.0".into(),
        began: String::new(),
        vars: BTreeMap::new(),
        timing: RecordedTiming {
            baseline: Duration::from_secs(10),
            recovery: Duration::from_secs(20),
            steady: Duration::from_secs(3),
        },
        probes: vec![RecordedProbe {
            name: "write".into(),
            kind: "http".into(),
            rate: 50.0,
            timeout: Duration::from_secs(1),
        }],
        slos: Vec::new(),
        guards: Vec::new(),
        steps: vec![RecordedStep {
            name: "kill".into(),
            fault: "kill".into(),
            target: "primary".into(),
            hold: Duration::from_secs(5),
            line: 0,
        }],
    }
}

fn begun() -> View {
    let mut view = View::default();
    view.start(&header());
    view
}

fn at(view: &mut View, at: Micros, event: Event) {
    view.entry(&Entry { at, event });
}

fn pulse(at: Micros, bad: bool) -> Pulse {
    let mut tally = Tally::default();
    for k in 0..10 {
        let due = at - 200_000 + k * 20_000;
        let fault = bad.then(|| "timed out".to_owned());
        tally.record(&Sample {
            due,
            sent: Some(due),
            done: due + 1_400,
            fault,
        });
    }
    Pulse {
        at,
        tally,
        settled: at,
        in_flight: 3,
        unanswered: Vec::new(),
    }
}

#[test]
fn a_fault_in_force_and_a_probe_in_trouble() {
    let mut view = begun();
    assert_eq!(view.lines(80, false)[0], "preparing");
    at(
        &mut view,
        0,
        Event::Phase {
            phase: Phase::Baseline,
        },
    );
    for k in 1..=20 {
        view.pulse("write", &pulse(k * 200_000, false));
    }
    assert_eq!(
        view.lines(80, false),
        [
            "baseline, 6s left",
            "  write       50/s     100% good  p99    1.4ms                             ████"
        ]
    );
    at(
        &mut view,
        10_000_000,
        Event::Phase {
            phase: Phase::Fault,
        },
    );
    let subject = Subject {
        id: "1".into(),
        name: "node\u{1b}-2".into(),
    };
    let instances = vec![subject];
    at(
        &mut view,
        10_000_000,
        Event::Injecting {
            step: "kill".into(),
            instances,
        },
    );
    for k in 55..=60 {
        view.pulse("write", &pulse(k * 200_000, true));
    }
    assert_eq!(
        view.lines(80, false),
        [
            "fault, for 2s | kill on node\\u{1b}-2, 3s left",
            "  write       50/s       0% good  p99    1.4ms                     ████      ▁▁",
            "  faults                                                                     ▒▒"
        ]
    );
    assert_eq!(view.lines(12, false)[0], "fault, for ");
    assert!(view.lines(80, true)[0].starts_with("\x1b[1m"));
}

#[test]
fn a_fault_that_was_undone_is_gone() {
    let mut view = begun();
    at(
        &mut view,
        0,
        Event::Phase {
            phase: Phase::Recovery,
        },
    );
    at(
        &mut view,
        0,
        Event::Injecting {
            step: "kill".into(),
            instances: vec![],
        },
    );
    at(
        &mut view,
        1_000_000,
        Event::Reverting {
            step: "kill".into(),
        },
    );
    assert!(view.lines(80, false)[0].ends_with("being undone"));
    let revert = Proof {
        holds: true,
        evidence: String::new(),
    };
    at(
        &mut view,
        1_500_000,
        Event::Reverted {
            step: "kill".into(),
            revert,
        },
    );
    assert_eq!(view.lines(80, false)[0], "recovery, at most 18.5s left");
    assert!(view.lines(80, false)[1].contains("no result"));
}

#[test]
fn only_the_last_seconds_count() {
    let mut view = begun();
    for k in 1..=100 {
        view.pulse("write", &pulse(k * 200_000, k <= 50));
    }
    assert!(view.lines(80, false)[1].contains("100% good"));
    assert!(view.probes[0].pulses.len() <= 26);
    view.pulse("unknown", &pulse(200_000, true));
}
