//! How the probes are doing right now: is one steady, has a guard tripped, was the baseline healthy?

use std::collections::VecDeque;
use std::time::Duration;

use crate::history::{Latencies, Sample, Tally};
use crate::probe::Pulse;
use crate::scenario::{Guard, Metric, Probe};
use crate::units::Micros;
use crate::verdict::{holds, measure};

/// An answer may have come since the last pulse.
const UNHEARD: Micros = 500_000;

#[derive(Debug)]
pub(super) struct Vitals {
    probes: Vec<Vital>,
    guards: Vec<Watch>,
}

#[derive(Debug)]
struct Vital {
    name: String,
    /// Everything so far.
    tally: Tally,
    last_bad: Option<Micros>,
    /// When a good one was due, of the last that are known.
    last_good: Option<Micros>,
    settled: Micros,
    /// When those were due that had no answer at the last pulse.
    unanswered: Vec<Micros>,
}

/// A guard with the pulses of its window.
#[derive(Debug)]
struct Watch {
    guard: Guard,
    window: VecDeque<(Micros, Tally)>,
    /// What has had no answer for longer than the window: bad, however long its timeout lets it wait. As of the last pulse.
    overdue: Tally,
    /// What was measured when it held at the last pulse. The loop asks at its every turn.
    tripped: Option<f64>,
}

impl Vitals {
    pub(super) fn new(probes: &[Probe], guards: &[Guard]) -> Self {
        let vital = |probe: &Probe| Vital {
            name: probe.name.clone(),
            tally: Tally::default(),
            last_bad: None,
            last_good: None,
            settled: 0,
            unanswered: Vec::new(),
        };
        let watch = |guard: &Guard| Watch {
            guard: guard.clone(),
            window: VecDeque::new(),
            overdue: Tally::default(),
            tripped: None,
        };
        Self {
            probes: probes.iter().map(vital).collect(),
            guards: guards.iter().map(watch).collect(),
        }
    }

    pub(super) fn pulse(&mut self, probe: usize, pulse: &Pulse) {
        let vital = &mut self.probes[probe];
        vital.tally.merge(&pulse.tally);
        vital.last_bad = vital.last_bad.max(pulse.tally.span.last_bad);
        vital.last_good = vital.last_good.max(pulse.tally.span.first_good);
        vital.settled = pulse.settled;
        vital.unanswered.clone_from(&pulse.unanswered);
        for watch in self
            .guards
            .iter_mut()
            .filter(|watch| watch.guard.probe == vital.name)
        {
            watch.push(pulse);
        }
    }

    /// What each probe has seen so far. What has had no answer for longer than any other took is not going to be good news: it
    /// counts as bad, however long its timeout would let it wait.
    pub(super) fn tallies(&self, now: Micros) -> impl Iterator<Item = Tally> {
        self.probes.iter().map(move |vital| vital.so_far(now))
    }

    /// Has this probe had good samples only for so long, and one at least, counted from `since` at the earliest?
    pub(super) fn is_steady(&self, probe: &str, since: Micros, long: Duration) -> bool {
        self.probes
            .iter()
            .filter(|vital| vital.name == probe)
            .all(|vital| vital.is_steady(since, long))
    }

    pub(super) fn all_steady(&self, since: Micros, long: Duration) -> bool {
        self.probes.iter().all(|vital| vital.is_steady(since, long))
    }

    /// A guard whose condition holds over its whole window, with what was measured.
    pub(super) fn tripped(&self) -> Option<(Guard, f64)> {
        self.guards
            .iter()
            .find_map(|watch| Some((watch.guard.clone(), watch.tripped?)))
    }
}

impl Vital {
    fn so_far(&self, now: Micros) -> Tally {
        let mut tally = self.tally.clone();
        let patience = 2 * tally.latency.max().unwrap_or(0) + UNHEARD;
        let overdue = |due: &&Micros| now.saturating_sub(**due) > patience;
        for due in self.unanswered.iter().filter(overdue) {
            tally.record(&overdue_at(now, *due));
        }
        tally
    }

    fn is_steady(&self, since: Micros, long: Duration) -> bool {
        let from = self.last_bad.map_or(since, |bad| bad.max(since));
        let shown = self.last_good.is_some_and(|good| good >= from);
        shown && self.settled >= from + long.as_micros() as Micros
    }
}

impl Watch {
    fn push(&mut self, pulse: &Pulse) {
        self.window.push_back((pulse.at, self.of_interest(pulse)));
        let start = pulse
            .at
            .saturating_sub(self.guard.over.as_micros() as Micros);
        // One older than the window stays: it shows that the window is full.
        while self.window.get(1).is_some_and(|(at, _)| *at <= start) {
            self.window.pop_front();
        }
        self.overdue = Tally::default();
        for due in pulse.unanswered.iter().take_while(|due| **due < start) {
            self.overdue.record(&overdue_at(pulse.at, *due));
        }
        self.tripped = self.measured();
    }

    /// Without the latencies where nothing is asked of them: summing thousands of histograms takes longer than a pulse.
    fn of_interest(&self, pulse: &Pulse) -> Tally {
        let mut tally = pulse.tally.clone();
        tally.lateness = Latencies::default();
        if matches!(
            self.guard.trips.metric,
            Metric::Success | Metric::Throughput
        ) {
            tally.latency = Latencies::default();
        }
        tally
    }

    fn measured(&self) -> Option<f64> {
        let (last, _) = self.window.back()?;
        let over = self.guard.over.as_micros() as Micros;
        let start = last.checked_sub(over)?;
        if self.window.front().is_none_or(|(at, _)| *at > start) {
            return None;
        }
        let mut sum = self.overdue.clone();
        self.window
            .iter()
            .filter(|(at, _)| *at > start)
            .for_each(|(_, tally)| sum.merge(tally));
        let value = measure(self.guard.trips.metric, &sum, over)?;
        holds(&self.guard.trips, value).then_some(value)
    }
}

fn overdue_at(now: Micros, due: Micros) -> Sample {
    Sample {
        due,
        sent: None,
        done: now,
        fault: Some("no answer".into()),
    }
}
