//! What a run looks like right now: phase, faults in force, and each probe's last seconds.

use std::collections::VecDeque;
use std::time::Duration;

use crate::history::{Entry, Event, Header, Phase, RecordedStep, RecordedTiming, Tally};
use crate::probe::Pulse;
use crate::report::plain;
use crate::scenario::Metric;
use crate::units::{Micros, format_duration};
use crate::verdict::{amount, milliseconds};

/// Over so much of the past a probe's numbers are taken.
const LATELY: Micros = 5_000_000;

/// More probes than this are counted only.
const MOST_PROBES: usize = 8;

#[derive(Default)]
pub(super) struct View {
    timing: Option<RecordedTiming>,
    steps: Vec<RecordedStep>,
    now: Micros,
    phase: Option<(Phase, Micros)>,
    in_force: Vec<Fault>,
    probes: Vec<Probe>,
}

struct Fault {
    step: String,
    targets: String,
    since: Micros,
    hold: Duration,
    reverting: bool,
}

struct Probe {
    name: String,
    /// End of each pulse, and what it saw.
    pulses: VecDeque<(Micros, Tally)>,
    in_flight: usize,
}

impl View {
    /// What the run goes by; nothing is to be waited for before it is known.
    pub(super) fn timing(&self) -> RecordedTiming {
        self.timing.unwrap_or(RecordedTiming {
            baseline: Duration::ZERO,
            recovery: Duration::ZERO,
            steady: Duration::ZERO,
        })
    }

    fn start(&mut self, header: &Header) {
        let probes = header.probes.iter().map(|probe| Probe {
            name: probe.name.clone(),
            pulses: VecDeque::new(),
            in_flight: 0,
        });
        self.timing = Some(header.timing);
        self.steps.clone_from(&header.steps);
        self.probes = probes.collect();
    }

    pub(super) fn entry(&mut self, entry: &Entry) {
        self.now = self.now.max(entry.at);
        match &entry.event {
            Event::Started(header) => self.start(header),
            Event::Phase { phase } => self.phase = Some((*phase, entry.at)),
            Event::Injecting { step, instances } => {
                let names: Vec<_> = instances.iter().map(|hit| hit.name.as_str()).collect();
                let known = self.steps.iter().find(|known| known.name == *step);
                self.in_force.push(Fault {
                    step: step.clone(),
                    targets: names.join(", "),
                    since: entry.at,
                    hold: known.map_or(Duration::ZERO, |known| known.hold),
                    reverting: false,
                });
            }
            Event::Reverting { step } => {
                let reverted = self.in_force.iter_mut().filter(|fault| fault.step == *step);
                reverted.for_each(|fault| fault.reverting = true);
            }
            Event::Reverted { step, .. } => self.in_force.retain(|fault| fault.step != *step),
            _ => {}
        }
    }

    pub(super) fn pulse(&mut self, probe: &str, pulse: &Pulse) {
        self.now = self.now.max(pulse.at);
        let Some(probe) = self.probes.iter_mut().find(|known| known.name == probe) else {
            return;
        };
        probe.in_flight = pulse.in_flight;
        probe.pulses.push_back((pulse.at, pulse.tally.clone()));
        let horizon = pulse.at.saturating_sub(LATELY);
        while probe.pulses.front().is_some_and(|(at, _)| *at <= horizon) {
            probe.pulses.pop_front();
        }
    }

    /// Cut to the width, so that none is broken.
    pub(super) fn lines(&self, width: usize, color: bool) -> Vec<String> {
        let mut lines = vec![self.head()];
        let longest = self
            .probes
            .iter()
            .map(|probe| plain(&probe.name).chars().count());
        let column = longest.max().unwrap_or(0).min(24);
        lines.extend(
            self.probes
                .iter()
                .take(MOST_PROBES)
                .map(|probe| probe.line(column, self.now)),
        );
        if self.probes.len() > MOST_PROBES {
            lines.push(format!(
                "  and {} probes more",
                self.probes.len() - MOST_PROBES
            ));
        }
        let mut lines: Vec<_> = lines
            .into_iter()
            .map(|line| {
                line.chars()
                    .take(width.saturating_sub(1))
                    .collect::<String>()
            })
            .collect();
        if color {
            lines[0] = format!("\x1b[1m{}\x1b[0m", lines[0]);
        }
        lines
    }

    fn head(&self) -> String {
        let Some((phase, since)) = self.phase else {
            return "preparing".into();
        };
        let elapsed = Duration::from_micros(self.now.saturating_sub(since));
        let left = |whole: Duration| seconds(whole.saturating_sub(elapsed));
        let mut head = match phase {
            Phase::Baseline => format!("baseline, {} left", left(self.timing().baseline)),
            Phase::Fault => format!("fault, for {}", seconds(elapsed)),
            Phase::Recovery => format!("recovery, at most {} left", left(self.timing().recovery)),
            Phase::Teardown => "teardown".into(),
        };
        for fault in &self.in_force {
            let age = Duration::from_micros(self.now.saturating_sub(fault.since));
            let rest = match fault.hold.saturating_sub(age) {
                _ if fault.reverting => "being undone".into(),
                left if left.is_zero() => format!("for {}", seconds(age)),
                left => format!("{} left", seconds(left)),
            };
            head += &plain(&format!(" | {} on {}, {rest}", fault.step, fault.targets));
        }
        head
    }
}

impl Probe {
    fn line(&self, column: usize, now: Micros) -> String {
        let mut sum = Tally::default();
        self.pulses.iter().for_each(|(_, tally)| sum.merge(tally));
        let name: String = plain(&self.name).chars().take(column).collect();
        if sum.planned == 0 {
            return format!(
                "  {name:column$}  no result in the last seconds, {} under way",
                self.in_flight
            );
        }
        // A pulse covers the fifth of a second before it.
        let first = self
            .pulses
            .front()
            .map_or(now, |(at, _)| at.saturating_sub(200_000));
        let span = now.saturating_sub(first).max(200_000) as f64 / 1e6;
        let rate = amount(Metric::Throughput, sum.planned as f64 / span);
        let good = amount(Metric::Success, sum.good as f64 / sum.planned as f64);
        let p99 = sum.latency.quantile(0.99).unwrap_or(0) as f64 / 1e3;
        format!(
            "  {name:column$}  {rate:>9}  {good:>7} good  p99 {:>8}",
            milliseconds(p99)
        )
    }
}

/// With one decimal: a display that changes in its last digits is not read.
fn seconds(duration: Duration) -> String {
    format_duration(Duration::from_millis(
        (duration.as_secs_f64() * 10.0).round() as u64 * 100,
    ))
}

#[cfg(test)]
pub(super) mod tests {
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
                "  write       50/s     100% good  p99    1.4ms"
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
                "  write       50/s       0% good  p99    1.4ms"
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
}
