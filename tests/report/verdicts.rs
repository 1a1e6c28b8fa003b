//! Passed, aborted, interrupted, dirty, and the order among them.

use chaosrun::history::{Difference, Entry, Event};
use chaosrun::scenario::{Guard, Metric, Objective, Relation};
use chaosrun::verdict::Verdict;
use std::time::Duration;

use crate::run::*;

fn passing() -> Vec<Entry> {
    Run::new(fails_over, usual()).entries()
}

/// Puts an event where it belongs in time.
pub(crate) fn with(mut entries: Vec<Entry>, at: u64, event: Event) -> Vec<Entry> {
    let place = entries.partition_point(|entry| entry.at <= at);
    entries.insert(place, entry(at, event));
    entries
}

pub(crate) fn edit(mut entries: Vec<Entry>, change: impl Fn(&mut Event)) -> Vec<Entry> {
    entries
        .iter_mut()
        .for_each(|entry| change(&mut entry.event));
    entries
}

pub(crate) fn without(mut entries: Vec<Entry>, what: impl Fn(&Event) -> bool) -> Vec<Entry> {
    entries.retain(|entry| !what(&entry.event));
    entries
}

fn difference(touched: bool, name: &str) -> impl Fn(&mut Event) {
    let found = Difference {
        subject: subject(name),
        touched,
        what: "was running before and is exited with code 1 now".into(),
    };
    move |event| {
        if let Event::World { differences } = event {
            differences.push(found.clone());
        }
    }
}

fn unverified(event: &mut Event) {
    if let Event::Reverted { revert, .. } = event {
        *revert = proof(
            false,
            "tried to start for 30s, and still: exited with code 137",
        );
    }
}

#[track_caller]
fn expect(entries: &[Entry], verdict: Verdict, code: u8, reason: &str) {
    let report = judge(entries);
    let found = (report.verdict, report.exit_code);
    assert_eq!(found, (verdict, code), "{:#?}", report.reasons);
    assert!(report.reasons[0].contains(reason), "{:#?}", report.reasons);
}

pub(crate) fn guard() -> Guard {
    Guard {
        probe: "write".into(),
        trips: Objective {
            metric: Metric::Success,
            relation: Relation::LessThan,
            value: 0.2,
        },
        over: Duration::from_secs(5),
    }
}

pub(crate) fn tripped() -> Event {
    Event::Tripped {
        guard: guard(),
        measured: 0.12,
    }
}

pub(crate) fn interrupted(by: &str) -> Event {
    Event::Interrupted { by: by.into() }
}

#[test]
fn passed_says_what_it_rests_on() {
    let report = judge(&passing());
    assert_eq!(
        (report.verdict, report.exit_code),
        (Verdict::Passed, 0),
        "{:#?}",
        report.reasons
    );
    assert!(report.reasons.is_empty());
    assert_eq!(
        report.summary,
        "passed: all 5 SLOs held; the fault had its effect and was undone"
    );
}

#[test]
fn a_run_without_steps_judges_the_system_as_it_is() {
    let mut run = Run::new(
        well,
        vec![least(
            chaosrun::scenario::Window::All,
            Metric::Success,
            0.99,
        )],
    );
    run.step = None;
    let entries = run.entries();
    assert_eq!(
        judge(&entries).verdict,
        Verdict::Passed,
        "{:#?}",
        judge(&entries).reasons
    );
    run.probes[0].2 = no_failover;
    expect(
        &run.entries(),
        Verdict::Failed,
        1,
        "below the objective >= 99%",
    );
}

#[test]
fn a_guard_aborts_and_says_at_which_value() {
    let entries = with(passing(), 12 * SECOND, tripped());
    expect(
        &entries,
        Verdict::Aborted,
        4,
        "a guard stopped the run: write success was 12% over 5s, and the guard trips at < 20%",
    );
    let mut run = Run::new(fails_over, usual());
    run.guards = vec![guard()];
    let report = judge(&with(run.entries(), 12 * SECOND, tripped()));
    assert_eq!(report.guards[0].tripped_ms, Some(12_000.0));
    assert_eq!(run.report().guards[0].tripped_ms, None);
}

#[test]
fn a_signal_is_told_by_its_code() {
    for (by, code) in [
        ("SIGINT", 130),
        ("SIGTERM", 143),
        ("SIGHUP", 129),
        ("the terminal", 130),
    ] {
        let entries = with(passing(), 12 * SECOND, interrupted(by));
        expect(
            &entries,
            Verdict::Interrupted,
            code,
            &format!("interrupted by {by}"),
        );
    }
    let twice = with(passing(), 12 * SECOND, interrupted("SIGTERM"));
    let twice = with(twice, 13 * SECOND, interrupted("SIGINT"));
    expect(&twice, Verdict::Interrupted, 143, "SIGTERM");
}

#[test]
fn an_interrupted_run_does_not_complain_of_what_follows_from_it() {
    let cut = without(passing(), |event| {
        matches!(event, Event::World { .. } | Event::Injected { .. })
    });
    let report = judge(&with(cut, 12 * SECOND, interrupted("SIGINT")));
    assert_eq!(report.reasons, ["the run was interrupted by SIGINT"]);
}

#[test]
fn a_revert_that_is_not_verified_is_dirty() {
    let entries = edit(passing(), unverified);
    expect(
        &entries,
        Verdict::Dirty,
        5,
        "the revert of kill on node-2 could not be verified: tried to start",
    );
}

#[test]
fn a_fault_without_a_revert_is_dirty() {
    let entries = without(passing(), |event| matches!(event, Event::Reverted { .. }));
    expect(
        &entries,
        Verdict::Dirty,
        5,
        "kill on node-2 was injected and no revert of it is recorded",
    );
}

#[test]
fn a_killed_run_is_dirty_only_while_a_fault_is_in_force() {
    let all = passing();
    let until = |at| {
        all.iter()
            .filter(|entry| entry.at < at)
            .cloned()
            .collect::<Vec<_>>()
    };
    expect(
        &until(9 * SECOND),
        Verdict::Inconclusive,
        3,
        "did not come to its end",
    );
    expect(
        &until(12 * SECOND),
        Verdict::Dirty,
        5,
        "no revert of it is recorded",
    );
    expect(
        &until(20 * SECOND),
        Verdict::Inconclusive,
        3,
        "did not come to its end",
    );
}

#[test]
fn what_chaosrun_brought_up_and_left_is_dirty() {
    let entries = edit(passing(), |event| {
        if let Event::TornDown { proof: found } = event {
            *found = proof(false, "container helper-1 is still there");
        }
    });
    expect(
        &entries,
        Verdict::Dirty,
        5,
        "container helper-1 is still there",
    );
}

#[test]
fn another_container_that_is_down_afterwards_is_a_failure() {
    let entries = edit(passing(), difference(false, "cache-1"));
    expect(
        &entries,
        Verdict::Failed,
        1,
        "cache-1 was running before and is exited with code 1 now: the system did not come back",
    );
}

#[test]
fn a_target_that_is_down_after_a_verified_revert_is_a_failure() {
    expect(
        &edit(passing(), difference(true, "node-2")),
        Verdict::Failed,
        1,
        "node-2 was running",
    );
}

#[test]
fn a_target_that_is_down_without_a_verified_revert_is_dirty() {
    let entries = edit(edit(passing(), difference(true, "node-2")), unverified);
    let report = judge(&entries);
    assert_eq!(report.verdict, Verdict::Dirty);
    assert!(
        report.reasons[1].contains("its revert was not verified"),
        "{:#?}",
        report.reasons
    );
    expect(
        &edit(passing(), difference(true, "node-9")),
        Verdict::Dirty,
        5,
        "node-9 was running",
    );
}

#[test]
fn dirty_outranks_interrupted_outranks_aborted_outranks_failed() {
    let failed = Run::new(no_failover, usual()).entries();
    expect(&failed, Verdict::Failed, 1, "objective");
    let aborted = with(failed, 12 * SECOND, tripped());
    expect(&aborted, Verdict::Aborted, 4, "guard");
    let interrupted = with(aborted, 13 * SECOND, interrupted("SIGTERM"));
    expect(&interrupted, Verdict::Interrupted, 143, "SIGTERM");
    let dirty = edit(interrupted, unverified);
    expect(&dirty, Verdict::Dirty, 5, "could not be verified");
    assert!(judge(&dirty).reasons.len() >= 4);
}
