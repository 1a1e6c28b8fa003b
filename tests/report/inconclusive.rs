//! Every way in which a run that looks well may not pass.

use chaosrun::history::{Entry, Event, Impediment, Phase};
use chaosrun::scenario::{Metric, Window};
use chaosrun::verdict::Verdict;

use crate::run::*;
use crate::verdicts::{edit, with, without};

pub(crate) fn passing() -> Vec<Entry> {
    Run::new(fails_over, usual()).entries()
}

#[track_caller]
pub(crate) fn open(entries: &[Entry], reason: &str) {
    let report = judge(entries);
    let found = (report.verdict, report.exit_code);
    assert_eq!(found, (Verdict::Inconclusive, 3), "{:#?}", report.reasons);
    assert!(
        report.reasons.iter().any(|why| why.contains(reason)),
        "{:#?}",
        report.reasons
    );
}

#[track_caller]
pub(crate) fn open_run(behaviour: Behaviour, reason: &str) {
    open(&Run::new(behaviour, usual()).entries(), reason);
}

fn drop_steps(event: &Event) -> bool {
    matches!(
        event,
        Event::Injecting { .. }
            | Event::Injected { .. }
            | Event::Reverting { .. }
            | Event::Reverted { .. }
    )
}

#[test]
fn too_few_samples() {
    let mut run = Run::new(
        fails_over,
        vec![least(Window::Baseline, Metric::Success, 0.999)],
    );
    open(&run.entries(), "needs 2995 good samples, had 501");
    run.slos = vec![most(Window::Baseline, Metric::P999, 50.0)];
    open(&run.entries(), "needs 2995 samples within it, had 501");
    run.slos = vec![most(Window::Baseline, Metric::P99, 50.0)];
    assert_eq!(
        run.report().verdict,
        Verdict::Passed,
        "{:#?}",
        run.report().reasons
    );
}

#[test]
fn good_enough_measured_but_not_supported() {
    let run = Run::new(fails_over, vec![least(Window::All, Metric::Success, 0.965)]);
    open(&run.entries(), "1715 of 1775 samples as wanted support 95.");
    open(&run.entries(), "at this share it needs about");
}

#[test]
fn an_objective_of_everything() {
    let run = Run::new(well, vec![least(Window::All, Metric::Success, 1.0)]);
    open(&run.entries(), "no number of samples can support 100%");
}

#[test]
fn one_sample_and_none() {
    let mut run = Run::new(well, vec![least(Window::All, Metric::Success, 0.5)]);
    run.probes[0].1 = 0.02;
    let report = run.report();
    assert_eq!(
        (report.verdict, report.slos[0].samples),
        (Verdict::Inconclusive, 1)
    );
    let none = without(passing(), |event| matches!(event, Event::Bucket { .. }));
    open(&none, "holds no sample");
    assert!(
        judge(&none)
            .slos
            .iter()
            .all(|slo| slo.met.is_none() && slo.samples == 0)
    );
}

#[test]
fn a_baseline_that_was_bad() {
    open_run(
        |due| {
            if due % (5 * SECOND) < SECOND && due < INJECTING {
                (Some(0), 1_000, Some("status 500"))
            } else {
                fails_over(due)
            }
        },
        "the baseline was not healthy: write success was",
    );
}

#[test]
fn a_breach_after_a_bad_baseline_is_nobodys_fault() {
    let down: Behaviour = |_| (Some(0), 1_000, Some("status 500"));
    open_run(down, "the baseline was not healthy");
    let report = Run::new(down, usual()).report();
    assert_eq!(
        report.slos[0].met,
        Some(false),
        "it is still told what was measured"
    );
}

#[test]
fn a_slow_baseline() {
    open_run(
        |due| (Some(0), 300 * MS, fails_over(due).2),
        "write p90 was 300",
    );
}

/// They were under way when the fault came.
#[test]
fn bad_samples_from_just_before_the_injection_are_no_bad_baseline() {
    let behaviour: Behaviour = |due| match due {
        9_500_000..INJECTING => (Some(0), 900 * MS, Some("connection reset")),
        _ => fails_over(due),
    };
    let slos = vec![most(Window::All, Metric::Recovery, 5_000.0)];
    let report = Run::new(behaviour, slos.clone()).report();
    assert_eq!(report.verdict, Verdict::Passed, "{:#?}", report.reasons);
    let earlier: Behaviour = |due| match due {
        8_500_000..8_600_000 => (Some(0), 900 * MS, Some("connection reset")),
        _ => fails_over(due),
    };
    open(
        &Run::new(earlier, slos).entries(),
        "so that recovery cannot be told",
    );
}

#[test]
fn no_baseline() {
    let entries = without(passing(), |event| {
        *event
            == Event::Phase {
                phase: Phase::Baseline,
            }
    });
    open(&entries, "there was no baseline");
}

#[test]
fn every_impediment_with_its_own_words() {
    for what in [
        Impediment::System,
        Impediment::Target,
        Impediment::Baseline,
        Impediment::Fault,
        Impediment::Locked,
        Impediment::Probe,
        Impediment::Storage,
        Impediment::Timeline,
    ] {
        let why = "container node-2 is held by run 7".to_owned();
        open(
            &with(passing(), 11 * SECOND, Event::Impeded { what, why }),
            "is held by run 7",
        );
    }
}

#[test]
fn nothing_injected() {
    let entries = without(passing(), drop_steps);
    open(&entries, "no fault was injected");
    open(&entries, "step kill was never injected");
}

#[test]
fn an_impediment_needs_no_consequences() {
    let why = "target primary matches no container".to_owned();
    let what = Impediment::Target;
    let entries = with(
        without(passing(), drop_steps),
        11 * SECOND,
        Event::Impeded { what, why },
    );
    assert_eq!(
        judge(&entries).reasons,
        ["target primary matches no container"]
    );
}

#[test]
fn what_was_refused_is_told_once() {
    let refused = edit(passing(), |event| {
        if let Event::Injected { effect, .. } = event {
            *effect = proof(false, "pausing node-2: permission denied");
        }
    });
    let why = "step kill: pausing node-2: permission denied".to_owned();
    let what = Impediment::Fault;
    let entries = with(refused, 11 * SECOND, Event::Impeded { what, why });
    assert_eq!(
        judge(&entries).reasons,
        ["step kill: pausing node-2: permission denied"]
    );
}

#[test]
fn a_step_that_was_skipped() {
    let skipped = |by_choice| Event::Skipped {
        step: "kill".into(),
        why: "no container matches".into(),
        by_choice,
    };
    let bare = without(passing(), drop_steps);
    open(
        &with(bare.clone(), 11 * SECOND, skipped(false)),
        "step kill was skipped: no container matches",
    );
    open(
        &with(bare, 11 * SECOND, skipped(true)),
        "no fault was injected",
    );
}

#[test]
fn an_effect_that_is_not_proven() {
    let entries = edit(passing(), |event| {
        if let Event::Injected { effect, .. } = event {
            *effect = proof(false, "running, pid 4711");
        }
    });
    open(
        &entries,
        "the effect of kill on node-2 is not proven: running, pid 4711",
    );
}

#[test]
fn a_breach_stays_a_breach_when_the_effect_is_not_proven() {
    let entries = edit(Run::new(no_failover, usual()).entries(), |event| {
        if let Event::Injected { effect, .. } = event {
            effect.holds = false;
        }
    });
    assert_eq!(judge(&entries).verdict, Verdict::Failed);
}

#[test]
fn a_fault_that_was_lost_in_the_middle() {
    let reapplied = |holds| Event::Reapplied {
        step: "kill".into(),
        subject: subject("node-2"),
        effect: proof(holds, "paused"),
    };
    open(
        &with(passing(), 12 * SECOND, reapplied(false)),
        "was lost in the middle",
    );
    let again = judge(&with(passing(), 12 * SECOND, reapplied(true)));
    assert_eq!(
        (again.verdict, again.steps[0].reapplied),
        (Verdict::Passed, 1)
    );
    let table = chaosrun::report::table(&again, 200, false);
    assert!(table.contains(", re-applied 1 ×"), "{table}");
    let json: serde_json::Value =
        serde_json::from_str(&chaosrun::report::json_line(&again)).unwrap();
    let [step] = &json["steps"].as_array().unwrap()[..] else {
        panic!("{json}")
    };
    // What recovery counts from, and when the effect was seen.
    assert_eq!(step["injected_ms"], INJECTING as f64 / 1e3);
    assert!(
        step["proven_ms"].as_f64() > step["injected_ms"].as_f64(),
        "{step}"
    );
}

#[test]
fn a_fault_that_was_in_force_too_shortly() {
    let mut entries = passing();
    for entry in &mut entries {
        if matches!(entry.event, Event::Reverting { .. }) {
            entry.at = INJECTING + SECOND;
        }
    }
    open(&entries, "kill on node-2 was in force for 1s of its 5s");
}

#[test]
fn a_record_that_stops() {
    let entries = without(passing(), |event| *event == Event::Ended);
    open(
        &entries,
        "the run did not come to its end: its record stops after 37.5s",
    );
}

#[test]
fn a_world_that_was_not_compared() {
    let entries = without(passing(), |event| matches!(event, Event::World { .. }));
    open(&entries, "was not compared");
}

#[test]
fn a_recovery_that_was_not_watched() {
    let entries = without(passing(), |event| {
        *event
            == Event::Phase {
                phase: Phase::Recovery,
            }
    });
    assert_eq!(
        judge(&entries).verdict,
        Verdict::Passed,
        "steady for long: {:?}",
        judge(&entries).reasons
    );
    let flaky: Behaviour = |due| {
        let bad = due > 20 * SECOND && due % SECOND < 20 * MS;
        (
            Some(0),
            1_000,
            bad.then_some("status 500").or(fails_over(due).2),
        )
    };
    let slos = vec![least(Window::All, Metric::Success, 0.9)];
    let watched = Run::new(flaky, slos).entries();
    assert_eq!(
        judge(&watched).verdict,
        Verdict::Passed,
        "{:?}",
        judge(&watched).reasons
    );
    let cut = without(watched, |event| {
        *event
            == Event::Phase {
                phase: Phase::Recovery,
            }
    });
    open(&cut, "recovery was watched for");
}

#[test]
fn a_scenario_without_slos() {
    open(&Run::new(well, vec![]).entries(), "has no SLO");
}
