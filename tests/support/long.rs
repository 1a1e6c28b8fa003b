//! Histories of any length, with as many probes, samples and faults as asked for, made second by second.

use std::collections::BTreeMap;
use std::time::Duration;

use chaosrun::action::Subject;
use chaosrun::history::{
    Bucket, Entry, Event, Header, Member, Phase, Proof, RecordedProbe, RecordedStep,
    RecordedTiming, RoleChange, Sample, Tally, VERSION,
};
use chaosrun::inventory::EngineFacts;
use chaosrun::scenario::{Metric, Objective, Relation, Slo, Window};
use chaosrun::units::Micros;

const SECOND: Micros = 1_000_000;
const NODES: u64 = 3;

/// A run of so many seconds, a tenth of them baseline and a tenth recovery.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Long {
    pub(crate) seconds: u64,
    pub(crate) probes: usize,
    /// Per second and probe.
    pub(crate) rate: u64,
    pub(crate) faults: u64,
}

impl Long {
    /// Every entry, in the order of time.
    pub(crate) fn each(self, mut take: impl FnMut(Entry)) {
        let mut put = |second: u64, event| {
            let at = second * SECOND;
            take(Entry { at, event });
        };
        put(0, Event::Started(Box::new(self.header())));
        put(0, system());
        put(0, phase(Phase::Baseline));
        for second in 1..=self.seconds {
            if second == self.first() {
                put(second, phase(Phase::Fault));
            }
            for fault in 0..self.faults {
                self.step(fault, second, &mut put);
            }
            if second == self.over() {
                put(second, phase(Phase::Recovery));
            }
            if second == self.seconds {
                put(second, phase(Phase::Teardown));
            }
            // What was due in a second is known one later.
            if second > 1 {
                self.buckets(second - 2, second, &mut put);
            }
        }
        self.buckets(self.seconds - 1, self.seconds + 1, &mut put);
        let differences = Vec::new();
        put(self.seconds + 2, Event::World { differences });
        put(self.seconds + 3, Event::Ended);
    }

    fn first(self) -> u64 {
        self.seconds / 10
    }

    fn over(self) -> u64 {
        self.seconds * 9 / 10
    }

    /// From the injection to the revert.
    fn fault(self, fault: u64) -> (u64, u64) {
        let slot = (self.over() - self.first()) / self.faults.max(1);
        let from = self.first() + fault * slot;
        (from, from + (slot * 3 / 5).max(1))
    }

    fn step(self, fault: u64, second: u64, put: &mut impl FnMut(u64, Event)) {
        let (from, to) = self.fault(fault);
        let step = || format!("kill-{fault}");
        let node = subject(fault % NODES);
        let proof = |evidence: &str| Proof {
            holds: true,
            evidence: evidence.into(),
        };
        let container = |what: &str| Event::Container {
            subject: node.clone(),
            what: what.into(),
        };
        let role = |subject: &Subject, held| {
            Event::Role(RoleChange {
                target: "primary".into(),
                role: "primary".into(),
                subject: subject.clone(),
                held,
            })
        };
        if second == from {
            let instances = vec![node.clone()];
            put(
                second,
                Event::Injecting {
                    step: step(),
                    instances,
                },
            );
            put(second, container("kill"));
            put(second, container("die"));
            let effect = proof("exited with code 137");
            put(
                second,
                Event::Injected {
                    step: step(),
                    effect,
                    in_force: None,
                },
            );
            put(second, role(&node, false));
        }
        if second == from + self.away() {
            put(second, role(&subject((fault + 1) % NODES), true));
        }
        if second == to {
            put(second, Event::Reverting { step: step() });
            put(second, container("start"));
            let revert = proof("running, pid 4711");
            put(
                second,
                Event::Reverted {
                    step: step(),
                    revert,
                },
            );
        }
    }

    /// For how many seconds a fault hurts.
    fn away(self) -> u64 {
        let (from, to) = self.fault(0);
        ((to - from) / 4).clamp(1, 5)
    }

    fn buckets(self, second: u64, at: u64, put: &mut impl FnMut(u64, Event)) {
        let from = second * SECOND;
        let hurt = (0..self.faults).any(|fault| {
            let (injected, _) = self.fault(fault);
            (injected..injected + self.away()).contains(&second)
        });
        for probe in 0..self.probes {
            let mut tally = Tally::default();
            for k in 0..self.rate {
                let due = from + k * SECOND / self.rate;
                let wave = (second * 37 + k * 7_919 + probe as u64 * 131) % 1_000;
                let bad = hurt && wave < 700;
                let took = match bad {
                    true => SECOND,
                    false if wave > 990 => 20_000 + wave,
                    false => 800 + wave * (1 + probe as u64),
                };
                tally.record(&Sample {
                    due,
                    sent: Some(due + 100),
                    done: due + took,
                    fault: bad.then(|| "timed out".into()),
                });
            }
            let to = from + SECOND;
            let probe = name(probe);
            let bucket = Bucket { from, to, tally };
            put(at, Event::Bucket { probe, bucket });
        }
    }

    fn header(self) -> Header {
        let slo = |probe: usize, metric, relation, value| Slo {
            probe: name(probe),
            during: Window::All,
            objective: Objective {
                metric,
                relation,
                value,
            },
            line: 20 + probe,
        };
        let slos = (0..self.probes).flat_map(|probe| {
            [
                slo(probe, Metric::Success, Relation::AtLeast, 0.9),
                slo(probe, Metric::P99, Relation::AtMost, 1_500.0),
            ]
        });
        Header {
            version: VERSION,
            run: "20260101T000000Z-7".into(),
            scenario: "long".into(),
            title: Some(format!("{} faults in {} s", self.faults, self.seconds)),
            source: "seed = 7\n".into(),
            seed: 7,
            chaosrun: "0.1.0".into(),
            began: "2026-01-01T00:00:00Z".into(),
            vars: BTreeMap::new(),
            timing: RecordedTiming {
                baseline: Duration::from_secs(self.first()),
                recovery: Duration::from_secs(self.seconds - self.over()),
                steady: Duration::from_secs(3),
            },
            probes: (0..self.probes)
                .map(|probe| RecordedProbe {
                    name: name(probe),
                    kind: "http".into(),
                    rate: self.rate as f64,
                    timeout: Duration::from_secs(1),
                })
                .collect(),
            slos: slos.collect(),
            guards: Vec::new(),
            steps: (0..self.faults)
                .map(|fault| {
                    let (from, to) = self.fault(fault);
                    RecordedStep {
                        name: format!("kill-{fault}"),
                        fault: "kill".into(),
                        target: "primary".into(),
                        hold: Duration::from_secs(to - from),
                        line: 50 + fault as usize,
                    }
                })
                .collect(),
        }
    }
}

fn phase(phase: Phase) -> Event {
    Event::Phase { phase }
}

fn name(probe: usize) -> String {
    ["write", "read"]
        .get(probe)
        .map_or_else(|| format!("probe-{probe}"), |name| (*name).into())
}

fn subject(node: u64) -> Subject {
    Subject {
        id: format!("id-{node}"),
        name: format!("node-{node}"),
    }
}

fn system() -> Event {
    Event::System {
        facts: EngineFacts {
            engine: "docker".into(),
            version: "28.0.0".into(),
            ..EngineFacts::default()
        },
        instances: (0..NODES)
            .map(|node| Member {
                subject: subject(node),
                image: "quorum:1".into(),
                image_id: "sha256:0".into(),
                service: Some("node".into()),
            })
            .collect(),
    }
}
