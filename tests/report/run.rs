//! Makes histories as a run would have written them: one probe or more, one step, buckets that come late.

use std::collections::BTreeMap;
use std::time::Duration;

use chaosrun::action::Subject;
use chaosrun::history::{
    Bucket, Entry, Event, Header, Member, Phase, Proof, Record, RecordedProbe, RecordedStep,
    RecordedTiming, Sample, Tally, VERSION,
};
use chaosrun::inventory::EngineFacts;
use chaosrun::scenario::{Guard, Metric, Objective, Relation, Slo, Window};
use chaosrun::units::Micros;
use chaosrun::verdict::{self, Report};

pub(crate) const MS: Micros = 1_000;
pub(crate) const SECOND: Micros = 1_000_000;
pub(crate) const INJECTING: Micros = 10_003 * MS;
pub(crate) const REVERTED: Micros = 15_500 * MS;
pub(crate) const STOPPED: Micros = 35_500 * MS;

/// When a sample is due → when it was sent, after how long it was done, and what was wrong with it.
pub(crate) type Behaviour = fn(Micros) -> (Option<Micros>, Micros, Option<&'static str>);

pub(crate) struct Run {
    pub(crate) slos: Vec<Slo>,
    pub(crate) guards: Vec<Guard>,
    pub(crate) probes: Vec<(&'static str, f64, Behaviour)>,
    pub(crate) step: Option<&'static str>,
    pub(crate) target: &'static str,
    pub(crate) title: Option<&'static str>,
}

impl Run {
    /// One probe at 50/s with these SLOs, one step.
    pub(crate) fn new(behaviour: Behaviour, slos: Vec<Slo>) -> Self {
        Self {
            slos,
            guards: Vec::new(),
            probes: vec![("write", 50.0, behaviour)],
            step: Some("kill"),
            target: "node-2",
            title: Some("Killing the primary costs at most 5 s of writes"),
        }
    }

    pub(crate) fn header(&self) -> Header {
        let step = self.step.map(|name| RecordedStep {
            name: name.into(),
            fault: "kill".into(),
            target: "primary".into(),
            hold: Duration::from_secs(5),
            line: 38,
        });
        Header {
            version: VERSION,
            run: "20260101T000000Z-42".into(),
            scenario: "kill-primary".into(),
            title: self.title.map(Into::into),
            source: "seed = 42\n".into(),
            seed: 42,
            chaosrun: "0.1.0".into(),
            began: "2026-01-01T00:00:00Z".into(),
            vars: BTreeMap::new(),
            timing: RecordedTiming {
                baseline: Duration::from_secs(10),
                recovery: Duration::from_secs(20),
                steady: Duration::from_secs(3),
            },
            probes: self
                .probes
                .iter()
                .map(|(name, rate, _)| RecordedProbe {
                    name: (*name).into(),
                    kind: "http".into(),
                    rate: *rate,
                    timeout: Duration::from_secs(1),
                })
                .collect(),
            slos: self.slos.clone(),
            guards: self.guards.clone(),
            steps: step.into_iter().collect(),
        }
    }

    /// The whole history, in the order in which a run writes it.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![entry(0, Event::Started(Box::new(self.header())))];
        entries.push(entry(
            MS,
            Event::System {
                facts: EngineFacts {
                    engine: "docker".into(),
                    version: "28.0.0".into(),
                    ..EngineFacts::default()
                },
                instances: vec![Member {
                    subject: subject(self.target),
                    image: "quorum:1".into(),
                    image_id: "sha256:0".into(),
                    service: Some("node".into()),
                }],
            },
        ));
        entries.push(phase(2 * MS, Phase::Baseline));
        if let Some(step) = self.step {
            entries.push(phase(INJECTING, Phase::Fault));
            entries.extend(step_events(step, self.target));
            entries.push(phase(REVERTED, Phase::Recovery));
        }
        entries.push(phase(STOPPED, Phase::Teardown));
        for (name, rate, behaviour) in &self.probes {
            entries.extend(self.buckets(name, *rate, *behaviour));
        }
        entries.push(entry(
            STOPPED + 1_200 * MS,
            Event::World {
                differences: vec![],
            },
        ));
        let proof = proof(true, "3 containers and 1 network are gone");
        entries.push(entry(STOPPED + 2_000 * MS, Event::TornDown { proof }));
        entries.push(entry(STOPPED + 2_001 * MS, Event::Ended));
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    fn buckets(&self, name: &str, rate: f64, behaviour: Behaviour) -> Vec<Entry> {
        let start = 2 * MS;
        let mut cuts = vec![start, STOPPED];
        cuts.extend((1..36).map(|k| k * SECOND).filter(|at| *at < STOPPED));
        if self.step.is_some() {
            cuts.extend([INJECTING, REVERTED]);
        }
        cuts.sort_unstable();
        let bucket = |edge: &[Micros]| {
            let (from, to) = (edge[0], edge[1]);
            let due = |k: u64| start + (k as f64 * 1e6 / rate) as Micros;
            let first = ((from - start) as f64 * rate / 1e6).floor() as u64;
            let mut tally = Tally::default();
            (first..)
                .map(due)
                .take_while(|due| *due < to)
                .filter(|due| *due >= from)
                .for_each(|due| tally.record(&sample(due, behaviour)));
            let bucket = Bucket { from, to, tally };
            let probe = name.into();
            // The last answers come up to the timeout later: after the boundary, and after what is recorded there.
            entry(to + 1_000 * MS, Event::Bucket { probe, bucket })
        };
        cuts.windows(2).map(bucket).collect()
    }

    pub(crate) fn report(&self) -> Report {
        judge(&self.entries())
    }
}

fn sample(due: Micros, behaviour: Behaviour) -> Sample {
    let (late, took, fault) = behaviour(due);
    Sample {
        due,
        sent: late.map(|late| due + late),
        done: due + took,
        fault: fault.map(Into::into),
    }
}

pub(crate) fn step_events(step: &str, target: &str) -> [Entry; 4] {
    let step = || step.to_owned();
    [
        entry(
            INJECTING,
            Event::Injecting {
                step: step(),
                instances: vec![subject(target)],
            },
        ),
        entry(
            INJECTING + 20 * MS,
            Event::Injected {
                step: step(),
                effect: proof(true, "exited with code 137"),
                in_force: None,
            },
        ),
        entry(INJECTING + 5 * SECOND, Event::Reverting { step: step() }),
        entry(
            REVERTED,
            Event::Reverted {
                step: step(),
                revert: proof(true, "running, pid 4711"),
            },
        ),
    ]
}

pub(crate) fn entry(at: Micros, event: Event) -> Entry {
    Entry { at, event }
}

pub(crate) fn phase(at: Micros, phase: Phase) -> Entry {
    entry(at, Event::Phase { phase })
}

pub(crate) fn proof(holds: bool, evidence: &str) -> Proof {
    Proof {
        holds,
        evidence: evidence.into(),
    }
}

pub(crate) fn subject(name: &str) -> Subject {
    Subject {
        id: format!("id-{name}"),
        name: name.into(),
    }
}

pub(crate) fn slo(during: Window, metric: Metric, relation: Relation, value: f64) -> Slo {
    Slo {
        probe: "write".into(),
        during,
        objective: Objective {
            metric,
            relation,
            value,
        },
        line: 30,
    }
}

pub(crate) fn least(during: Window, metric: Metric, value: f64) -> Slo {
    slo(during, metric, Relation::AtLeast, value)
}

pub(crate) fn most(during: Window, metric: Metric, value: f64) -> Slo {
    slo(during, metric, Relation::AtMost, value)
}

pub(crate) fn kill() -> Window {
    Window::Step("kill".into())
}

pub(crate) fn fold(entries: &[Entry]) -> Record {
    let mut record = Record::default();
    entries.iter().for_each(|entry| record.apply(entry));
    record
}

pub(crate) fn judge(entries: &[Entry]) -> Report {
    verdict::judge(&fold(entries))
}

/// Good, in about a millisecond.
pub(crate) fn well(due: Micros) -> (Option<Micros>, Micros, Option<&'static str>) {
    (Some(100), 800 + due / MS % 7 * 100, None)
}

/// Bad for 1.2 seconds after the injection.
pub(crate) fn fails_over(due: Micros) -> (Option<Micros>, Micros, Option<&'static str>) {
    match due {
        INJECTING..10_400_000 => (Some(100), 900 * MS, Some("connection refused")),
        10_400_000..11_203_000 => (Some(100), SECOND, Some("timed out")),
        _ => well(due),
    }
}

/// Bad until the killed one is started again, and slow for a while then.
pub(crate) fn no_failover(due: Micros) -> (Option<Micros>, Micros, Option<&'static str>) {
    match due {
        INJECTING..15_600_000 => (Some(100), SECOND, Some("timed out")),
        15_600_000..16_000_000 => (Some(100), 400 * MS, None),
        _ => well(due),
    }
}

/// Never good again.
pub(crate) fn stays_down(due: Micros) -> (Option<Micros>, Micros, Option<&'static str>) {
    if due >= INJECTING {
        (Some(100), SECOND, Some("status 503"))
    } else {
        well(due)
    }
}

/// The usual promises, which `fails_over` keeps.
pub(crate) fn usual() -> Vec<Slo> {
    vec![
        least(Window::All, Metric::Success, 0.95),
        most(kill(), Metric::P90, 250.0),
        most(Window::All, Metric::Recovery, 5_000.0),
        most(kill(), Metric::Outage, 2_000.0),
        least(Window::All, Metric::Throughput, 40.0),
    ]
}
