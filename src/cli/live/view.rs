//! What a run looks like right now: phase, faults in force, and each probe's last seconds.

use std::collections::VecDeque;
use std::time::Duration;

use super::strip::{Bands, Strip};
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
    bands: Bands,
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
    strip: Strip,
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
            strip: Strip::default(),
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
                self.bands.begin(entry.at);
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
            Event::Reverted { step, .. } => {
                self.bands.end(entry.at);
                self.in_force.retain(|fault| fault.step != *step);
            }
            _ => {}
        }
    }

    pub(super) fn pulse(&mut self, probe: &str, pulse: &Pulse) {
        self.now = self.now.max(pulse.at);
        let Some(probe) = self.probes.iter_mut().find(|known| known.name == probe) else {
            return;
        };
        probe.in_flight = pulse.in_flight;
        probe.strip.add(pulse.at, &pulse.tally);
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
                .map(|probe| probe.line(column, self.now, width)),
        );
        lines.extend(self.band(column, width));
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

    /// Where faults were in force, beneath what the probes saw.
    fn band(&self, column: usize, width: usize) -> Option<String> {
        let drawn = self.bands.draw(self.now, room(column, width))?;
        let text = format!("{:beside$}{drawn}", "  faults", beside = column + BESIDE);
        Some(text.trim_end().to_owned())
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

/// Of the indentation, and of the numbers behind a name.
const BESIDE: usize = 2 + "       50/s     100% good  p99    1.4ms  ".len();

/// So many columns are left for what is drawn.
fn room(column: usize, width: usize) -> usize {
    width.saturating_sub(column + BESIDE + 1)
}

impl Probe {
    fn line(&self, column: usize, now: Micros, width: usize) -> String {
        let numbers = self.numbers(column, now);
        let strip = self.strip.draw(now, room(column, width));
        let text = format!("{numbers:beside$}{strip}", beside = column + BESIDE);
        text.trim_end().to_owned()
    }

    fn numbers(&self, column: usize, now: Micros) -> String {
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
pub(super) mod tests;
