//! Probers that did not do what they planned, and records that cannot be relied on.

use chaosrun::history::{Event, Phase};
use chaosrun::units::Micros;
use chaosrun::verdict::Verdict;

use crate::inconclusive::{open, open_run, passing};
use crate::run::*;
use crate::verdicts::{edit, with, without};

#[test]
fn a_prober_that_fell_behind() {
    open_run(
        |due| (Some(80 * MS), 90 * MS, fails_over(due).2),
        "the prober itself fell behind",
    );
    let unsent: Behaviour = |due| match due {
        12_000_000..12_100_000 => (None, 1_000 * MS, Some("unsent")),
        12_100_000..12_200_000 => (Some(90 * MS), 91 * MS, None),
        _ => fails_over(due),
    };
    open_run(unsent, "were never sent");
}

/// A breach that a starved prober measured is no breach.
#[test]
fn a_prober_that_fell_behind_accuses_nobody() {
    open_run(
        |due| (Some(80 * MS), 90 * MS, no_failover(due).2),
        "the prober itself fell behind",
    );
}

/// With the prober on time, what could not be sent was held up by the system.
#[test]
fn unsent_requests_of_a_prober_on_time_are_bad_samples() {
    let unsent: Behaviour = |due| match due {
        INJECTING..15_000_000 => (None, SECOND, Some("unsent")),
        _ => well(due),
    };
    let report = Run::new(unsent, usual()).report();
    assert_eq!(report.verdict, Verdict::Failed, "{:#?}", report.reasons);
    assert!(
        report.reasons[0].contains("unsent"),
        "{:#?}",
        report.reasons
    );
}

#[test]
fn samples_that_are_missing() {
    let late = |event: &Event| match event {
        Event::Bucket { bucket, .. } => (25 * SECOND..31 * SECOND).contains(&bucket.from),
        _ => false,
    };
    open(&without(passing(), late), "the prober lost its schedule");
    let end =
        |event: &Event| matches!(event, Event::Bucket { bucket, .. } if bucket.from >= 25 * SECOND);
    open(&without(passing(), end), "the prober lost its schedule");
}

#[test]
fn histories_that_contradict_themselves() {
    let all = passing();
    let bucket = |event: &Event| matches!(event, Event::Bucket { .. });
    let twice = all
        .iter()
        .find(|entry| bucket(&entry.event))
        .unwrap()
        .clone();
    open(&with(all.clone(), twice.at, twice.event), "overlap");
    open(
        &edit(all.clone(), |event| {
            if let Event::Bucket { bucket, .. } = event {
                bucket.tally.good = bucket.tally.planned;
            }
        }),
        "contradicts itself",
    );
    let straddling = edit(all.clone(), |event| {
        if let Event::Bucket { bucket, .. } = event
            && bucket.from == INJECTING
        {
            bucket.from -= 600 * MS;
        }
    });
    open(&straddling, "overlap");
    open(
        &with(
            all.clone(),
            30 * SECOND,
            Event::Phase {
                phase: Phase::Baseline,
            },
        ),
        "phases do not follow",
    );
    open(
        &with(
            all.clone(),
            60 * SECOND,
            Event::Note {
                by: None,
                text: "late".into(),
            },
        ),
        "after the run's end",
    );
    open(&all[1..], "before the run's start");
    let unknown = edit(all, |event| {
        if let Event::Bucket { probe, .. } = event {
            *probe = "read".into();
        }
    });
    open(&unknown, "probe read is not in the scenario");
}

/// What is due after a boundary belongs after it, whenever its bucket was written.
#[test]
fn late_buckets_belong_to_their_own_time() {
    let record = fold(&passing());
    let of = |from: Micros, to| record.tally("write", from, to);
    assert_eq!(of(0, INJECTING).good, of(0, INJECTING).planned);
    let first_bad = of(INJECTING, REVERTED).span.first_bad.unwrap();
    assert!((INJECTING..INJECTING + 20 * MS).contains(&first_bad));
    assert_eq!(of(INJECTING, REVERTED).planned, 274);
}
