//! No false pass, and no panic, whatever a history holds.

use proptest::prelude::*;

use chaosrun::history::{
    Bucket, Difference, Entry, Event, Impediment, Packets, Phase, Sample, Steering, Tally,
    fold as read,
};
use chaosrun::impairment::{BackEnd, Counts};
use chaosrun::scenario::{Metric, Relation, Slo, Window};
use chaosrun::units::Micros;
use chaosrun::verdict::Verdict;

use crate::run::*;
use crate::verdicts::{edit, with, without};

fn passing() -> Vec<Entry> {
    Run::new(fails_over, usual()).entries()
}

type Corruption = (&'static str, fn(Vec<Entry>, Micros) -> Vec<Entry>);

/// One bad ingredient each; the number says when or where.
const CORRUPTIONS: &[Corruption] = &[
    ("cut off", |mut all, at| {
        all.truncate((at % (all.len() as u64 - 1)) as usize);
        all
    }),
    ("effect", |all, _| {
        edit(all, |event| {
            if let Event::Injected { effect, .. } = event {
                effect.holds = false
            }
        })
    }),
    ("revert", |all, _| {
        edit(all, |event| {
            if let Event::Reverted { revert, .. } = event {
                revert.holds = false
            }
        })
    }),
    ("no revert", |all, _| {
        without(all, |event| matches!(event, Event::Reverted { .. }))
    }),
    ("no injection", |all, _| {
        without(all, |event| matches!(event, Event::Injecting { .. }))
    }),
    ("no effect", |all, _| {
        without(all, |event| matches!(event, Event::Injected { .. }))
    }),
    ("no baseline", |all, _| {
        without(all, |event| {
            *event
                == Event::Phase {
                    phase: Phase::Baseline,
                }
        })
    }),
    ("no world", |all, _| {
        without(all, |event| matches!(event, Event::World { .. }))
    }),
    ("no end", |all, _| {
        without(all, |event| *event == Event::Ended)
    }),
    ("no samples", |all, _| {
        without(all, |event| matches!(event, Event::Bucket { .. }))
    }),
    ("torn down", |all, _| {
        edit(all, |event| {
            if let Event::TornDown { proof } = event {
                proof.holds = false
            }
        })
    }),
    ("difference", |all, at| {
        edit(all, |event| {
            if let Event::World { differences } = event {
                let touched = at % 2 == 0;
                differences.push(Difference {
                    subject: subject("node-2"),
                    touched,
                    what: "is gone".into(),
                });
            }
        })
    }),
    ("impeded", |all, at| {
        with(
            all,
            at,
            Event::Impeded {
                what: Impediment::Probe,
                why: "broken".into(),
            },
        )
    }),
    ("interrupted", |all, at| {
        with(
            all,
            at,
            Event::Interrupted {
                by: "SIGINT".into(),
            },
        )
    }),
    ("skipped", |all, at| {
        with(
            all,
            at,
            Event::Skipped {
                step: "kill".into(),
                why: "none".into(),
                by_choice: false,
            },
        )
    }),
    ("late prober", |all, _| {
        samples(all, |sample| sample.sent = Some(sample.due + 200 * MS))
    }),
    ("bad samples", |all, _| {
        samples(all, |sample| sample.fault = Some("status 500".into()))
    }),
    ("slow samples", |all, _| {
        samples(all, |sample| sample.done = sample.due + 2 * SECOND)
    }),
    ("no slo", |all, _| {
        edit(all, |event| {
            if let Event::Started(header) = event {
                header.slos.clear()
            }
        })
    }),
    ("stricter", |all, _| {
        edit(all, |event| {
            if let Event::Started(header) = event {
                header.slos[0] = least(Window::All, Metric::Success, 0.99999);
            }
        })
    }),
    ("lost bucket", |all, at| {
        let hole = 1 + at % 30;
        let mut dropped = 0;
        without_mut(all, |event| {
            matches!(event, Event::Bucket { bucket, .. } if bucket.from >= hole * SECOND && {
                dropped += 1;
                dropped <= 6
            })
        })
    }),
    ("bucket twice", |all, at| {
        let buckets: Vec<_> = all
            .iter()
            .filter(|e| matches!(e.event, Event::Bucket { .. }))
            .cloned()
            .collect();
        let twice = buckets[(at % buckets.len() as u64) as usize].clone();
        with(all, twice.at, twice.event)
    }),
];

fn without_mut(mut all: Vec<Entry>, mut what: impl FnMut(&Event) -> bool) -> Vec<Entry> {
    all.retain(|entry| !what(&entry.event));
    all
}

/// Every sample again, each as the probe would have seen it then.
fn samples(all: Vec<Entry>, change: fn(&mut Sample)) -> Vec<Entry> {
    edit(all, |event| {
        if let Event::Bucket { bucket, .. } = event {
            let mut tally = Tally::default();
            let step = (bucket.to - bucket.from) / bucket.tally.planned.max(1);
            for k in 0..bucket.tally.planned {
                let due = bucket.from + k * step;
                let mut sample = Sample {
                    due,
                    sent: Some(due),
                    done: due + MS,
                    fault: None,
                };
                change(&mut sample);
                tally.record(&sample);
            }
            bucket.tally = tally;
        }
    })
}

#[test]
fn the_sound_history_passes_and_reads_back() {
    let all = passing();
    assert_eq!(
        judge(&all).verdict,
        Verdict::Passed,
        "{:#?}",
        judge(&all).reasons
    );
    let same = samples(all.clone(), |_| {});
    assert_eq!(
        judge(&same).verdict,
        Verdict::Passed,
        "{:#?}",
        judge(&same).reasons
    );
    let lines: Vec<_> = all.iter().map(Entry::to_line).collect();
    let record = read(&lines).unwrap();
    assert_eq!(chaosrun::verdict::judge(&record), judge(&all));
}

#[test]
fn a_history_torn_anywhere_does_not_pass() {
    let lines: Vec<_> = passing().iter().map(Entry::to_line).collect();
    let text = lines.join("\n");
    for cut in (lines[0].len() + 2..text.len() - 1).step_by(97) {
        let record = read(text.as_bytes()[..cut].split(|b| *b == b'\n')).unwrap();
        assert_ne!(
            chaosrun::verdict::judge(&record).verdict,
            Verdict::Passed,
            "cut at {cut}"
        );
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let step = prop_oneof![Just("kill".to_owned()), Just("other".to_owned())];
    let phase = prop_oneof![
        Just(Phase::Baseline),
        Just(Phase::Fault),
        Just(Phase::Recovery),
        Just(Phase::Teardown)
    ];
    let proof = any::<bool>().prop_map(|holds| proof(holds, "seen"));
    prop_oneof![
        phase.prop_map(|phase| Event::Phase { phase }),
        step.clone().prop_map(|step| Event::Injecting {
            step,
            instances: vec![subject("node-2")]
        }),
        (step.clone(), proof.clone(), any::<Option<u32>>()).prop_map(|(step, effect, in_force)| {
            Event::Injected {
                step,
                effect,
                in_force: in_force.map(u64::from),
            }
        }),
        step.clone().prop_map(|step| Event::Reverting { step }),
        (step.clone(), proof.clone(), any::<Option<u64>>()).prop_map(|(step, effect, packets)| {
            let packets = packets.map(|packets| Packets {
                back_end: BackEnd::Netem,
                counts: Counts {
                    packets,
                    dropped: packets,
                    ..Counts::default()
                },
            });
            Event::Counted {
                step,
                subject: subject("node-2"),
                packets,
                effect,
            }
        }),
        (step.clone(), proof.clone()).prop_map(|(step, revert)| Event::Reverted { step, revert }),
        (step, any::<bool>()).prop_map(|(step, by_choice)| Event::Skipped {
            step,
            why: "none".into(),
            by_choice
        }),
        any_bucket().prop_map(|bucket| Event::Bucket {
            probe: "write".into(),
            bucket
        }),
        any::<bool>().prop_map(|touched| Event::World {
            differences: vec![Difference {
                subject: subject("node-2"),
                touched,
                what: "is gone".into()
            }]
        }),
        Just(Event::World {
            differences: vec![]
        }),
        proof.prop_map(|proof| Event::TornDown { proof }),
        Just(Event::Interrupted {
            by: "\u{1b}[2J".into()
        }),
        any::<bool>().prop_map(|stands| Event::Timeline { stands }),
        prop_oneof![
            Just(Steering::Hold),
            Just(Steering::Revert),
            Just(Steering::Abort {
                why: "\u{202e}".into()
            }),
        ]
        .prop_map(|what| Event::Steered {
            by: "terminal".into(),
            what
        }),
        Just(Event::Ended),
    ]
}

fn any_bucket() -> impl Strategy<Value = Bucket> {
    let time = prop_oneof![0..40 * SECOND, any::<Micros>()];
    let small = 0..200_u64;
    (
        time.clone(),
        time.clone(),
        [small.clone(), small.clone(), small],
        prop::option::of(time.clone()),
        prop::option::of(time),
    )
        .prop_map(|(from, to, [planned, sent, good], bad, after)| {
            let mut tally = Tally::default();
            tally.record(&Sample {
                due: from,
                sent: Some(to),
                done: to,
                fault: None,
            });
            (tally.planned, tally.sent, tally.good) = (planned, sent, good);
            tally.span.last_bad = bad;
            tally.span.closes_bad = bad;
            tally.span.good_after = after;
            Bucket { from, to, tally }
        })
}

fn any_slo() -> impl Strategy<Value = Slo> {
    let metric = prop_oneof![
        Just(Metric::Success),
        Just(Metric::P50),
        Just(Metric::P99),
        Just(Metric::P999),
        Just(Metric::Max),
        Just(Metric::Throughput),
        Just(Metric::Outage),
        Just(Metric::Recovery)
    ];
    let relation = prop_oneof![
        Just(Relation::AtLeast),
        Just(Relation::MoreThan),
        Just(Relation::AtMost),
        Just(Relation::LessThan)
    ];
    let during = prop_oneof![
        Just(Window::All),
        Just(Window::Baseline),
        Just(Window::Fault),
        Just(Window::Recovery),
        Just(kill()),
        Just(Window::Step("other".into()))
    ];
    let value = prop_oneof![0.0..1.0, any::<f64>()];
    (during, metric, relation, value)
        .prop_map(|(during, metric, relation, value)| slo(during, metric, relation, value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_corruption_passes(which in prop::sample::select(CORRUPTIONS), at in 0..35 * SECOND) {
        let (name, corrupt) = which;
        let report = judge(&corrupt(passing(), at));
        prop_assert_ne!(report.verdict, Verdict::Passed, "{}", name);
        prop_assert!(!report.reasons.is_empty() && report.exit_code != 0);
    }

    #[test]
    fn any_sequence_of_events_gets_a_verdict_and_renders(
        events in prop::collection::vec((prop_oneof![0..40 * SECOND, any::<Micros>()], any_event()), 0..40),
        slos in prop::collection::vec(any_slo(), 0..4),
        started: bool,
        rate in prop_oneof![Just(50.0), any::<f64>()],
    ) {
        let mut run = Run::new(well, slos);
        run.probes[0].1 = rate;
        let start = entry(0, Event::Started(Box::new(run.header())));
        let mut entries: Vec<_> = started.then_some(start).into_iter().collect();
        entries.extend(events.into_iter().map(|(at, event)| entry(at, event)));
        let record = fold(&entries);
        let report = chaosrun::verdict::judge(&record);
        let table = chaosrun::report::table(&report, 80, false);
        prop_assert!(table.chars().all(|c| c == '\n' || !c.is_control()));
        let json = &chaosrun::report::render_all(&record, &report)[0].1;
        prop_assert!(serde_json::from_str::<serde_json::Value>(json).is_ok());
    }
}
