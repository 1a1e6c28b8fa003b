//! Everything that keeps a run from `passed`, each as a sentence.

mod steps;

use std::time::Duration;

use super::report::Verdict;
use super::slo::{Judged, Outcome};
use super::{baseline, prober, recovery, steered, window};
use crate::history::{Difference, Impediment, Phase, Record};
use crate::scenario::Window;
use crate::units::{Micros, format_duration};
use steps::named;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// What need not be said once something else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Cause,
    /// It is so because of something, if something stopped or impeded the run.
    Consequence,
    /// A claim that cannot be made: of no interest in a run that was stopped or impeded.
    Claim,
}

/// What was found, in the order in which it is told within one verdict.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) all: Vec<Finding>,
    /// No breach can be blamed on a fault: the system was not well before, nothing was injected, the record is not whole.
    groundless: bool,
}

impl Findings {
    pub(super) fn of(record: &Record, slos: &[Judged]) -> Self {
        let mut found = Self::default();
        found.dirty(record);
        found.stopped(record);
        found.groundless(record);
        found.steps(record);
        found.probers(record);
        found.watch(record);
        found.slos(record, slos);
        found.never_back(record);
        found.world(record);
        found
            .all
            .sort_by_key(|finding| std::cmp::Reverse(finding.verdict.weight()));
        found.leave_out(record);
        found
    }

    /// The heaviest; nothing found is `passed`.
    pub(super) fn verdict(&self) -> Verdict {
        self.all
            .first()
            .map_or(Verdict::Passed, |finding| finding.verdict)
    }

    fn push(&mut self, verdict: Verdict, kind: Kind, text: impl Into<String>) {
        let text = text.into();
        if !self.all.iter().any(|known| known.text == text) {
            self.all.push(Finding {
                verdict,
                text,
                kind,
            });
        }
    }

    fn add(&mut self, verdict: Verdict, text: impl Into<String>) {
        self.push(verdict, Kind::Cause, text);
    }

    fn open(&mut self, text: impl Into<String>) {
        self.push(Verdict::Inconclusive, Kind::Cause, text);
    }

    fn follows(&mut self, text: impl Into<String>) {
        self.push(Verdict::Inconclusive, Kind::Consequence, text);
    }

    fn unclaimed(&mut self, text: impl Into<String>) {
        self.push(Verdict::Inconclusive, Kind::Claim, text);
    }

    fn ground(&mut self, text: impl Into<String>) {
        self.groundless = true;
        self.open(text);
    }

    fn breach(&mut self, text: impl Into<String>) {
        if self.groundless {
            self.open(text);
        } else {
            self.add(Verdict::Failed, text);
        }
    }

    fn dirty(&mut self, record: &Record) {
        for step in record.steps.iter().filter(|step| !step.is_undone()) {
            let what = named(step);
            self.add(
                Verdict::Dirty,
                match &step.reverted {
                    Some((_, proof)) => format!(
                        "the revert of {what} could not be verified: {}; see `chaosrun recover`",
                        proof.evidence
                    ),
                    None => format!(
                        "{what} was injected and no revert of it is recorded; see `chaosrun recover`"
                    ),
                },
            );
        }
        if let Some(proof) = record.torn_down.as_ref().filter(|proof| !proof.holds) {
            let text = format!("what the run brought up is not gone: {}", proof.evidence);
            self.add(Verdict::Dirty, text);
        }
    }

    fn stopped(&mut self, record: &Record) {
        for (_, by) in &record.interruptions.first {
            self.add(
                Verdict::Interrupted,
                format!("the run was interrupted by {by}"),
            );
        }
        for (_, (guard, measured)) in &record.trips.first {
            let metric = guard.trips.metric;
            self.add(
                Verdict::Aborted,
                format!(
                    "a guard stopped the run: {} {} was {} over {}, and the guard trips at {}",
                    guard.probe,
                    super::objective::name(metric),
                    super::objective::amount(metric, *measured),
                    format_duration(guard.over),
                    super::objective::phrase(&guard.trips)
                ),
            );
        }
        for why in steered::aborts(record) {
            self.add(Verdict::Aborted, why);
        }
    }

    /// What takes away the ground for any claim.
    fn groundless(&mut self, record: &Record) {
        for (_, (what, why)) in &record.impediments.first {
            self.groundless |= matches!(what, Impediment::Baseline | Impediment::Probe);
            self.open(why.clone());
        }
        for (_, what) in &record.irregular.first {
            self.ground(format!("the history cannot be relied on: {what}"));
        }
        if record.header.is_none() {
            self.ground("the history has no start");
        }
        if record.torn && record.ended.is_some() {
            self.ground("the history is cut off after the run's end");
        }
        if record.ended.is_none() {
            self.groundless = true;
            self.follows(format!(
                "the run did not come to its end: its record stops after {}",
                time(record.last)
            ));
        }
        self.nothing_injected(record);
        self.baseline(record);
    }

    fn nothing_injected(&mut self, record: &Record) {
        let steps = &record.steps;
        if !steps.is_empty() && steps.iter().all(|step| step.injecting.is_none()) {
            self.groundless = true;
            self.follows("no fault was injected: nothing was put to the test");
        }
    }

    /// Without steps the baseline is what is under test, and its SLOs judge it.
    fn baseline(&mut self, record: &Record) {
        let Some(header) = record.header.as_ref().filter(|_| !record.steps.is_empty()) else {
            return;
        };
        let range = window::range(record, &Window::Baseline);
        let told = record
            .impediments
            .first
            .iter()
            .any(|(_, (what, _))| *what == Impediment::Baseline);
        let Some(range) = range else {
            self.groundless = true;
            return self.follows(
                "there was no baseline: whether the system was healthy before is not known",
            );
        };
        for probe in &record.probes {
            let seen = record.tally(&probe.name, range.from, range.to);
            let why = baseline::unhealthy(&header.slos, &probe.name, probe.timeout, &seen, range);
            match why {
                Some(_) if told => self.groundless = true,
                Some(why) => self.ground(why),
                None => {}
            }
        }
    }

    fn probers(&mut self, record: &Record) {
        let Some(range) = window::range(record, &Window::All) else {
            return self.follows("nothing was probed: the run never came to its baseline");
        };
        for probe in &record.probes {
            let tally = record.tally(&probe.name, range.from, range.to);
            if let Some(why) = prober::fell_behind(probe, &tally, range, "all") {
                self.unclaimed(why);
            }
        }
    }

    /// Recovery is watched for its full time, unless every probe is steady before.
    fn watch(&mut self, record: &Record) {
        let injected = record.steps.iter().any(|step| step.injecting.is_some());
        if injected && record.world.is_none() {
            self.follows("the world after the run was not compared with the one before");
        }
        let Some(header) = record.header.as_ref().filter(|_| injected) else {
            return;
        };
        let from = record.phase_start(Phase::Recovery).unwrap_or(Micros::MAX);
        let watched = Duration::from_micros(record.end().saturating_sub(from));
        if watched.as_secs_f64() >= 0.9 * header.timing.recovery.as_secs_f64() {
            return;
        }
        let unsteady = record.probes.iter().find(|probe| {
            let seen = record.span(&probe.name, 0, Micros::MAX);
            let good_for = record.end().saturating_sub(seen.last_bad.unwrap_or(0));
            seen.closes_bad.is_some()
                || (good_for as f64) < 0.9 * header.timing.steady.as_micros() as f64
        });
        if let Some(probe) = unsteady {
            self.follows(format!(
                "recovery was watched for {} of {}, and {} was not steady by then",
                format_duration(watched),
                format_duration(header.timing.recovery),
                probe.name
            ));
        }
    }

    /// What was promised of a window may hold although the end of it is nothing but bad.
    fn never_back(&mut self, record: &Record) {
        for (name, long) in recovery::bad_to_the_end(record) {
            let long = time(long);
            self.breach(format!(
                "{name} was bad for the last {long} without a break: the system did not come back"
            ));
        }
    }

    fn slos(&mut self, record: &Record, slos: &[Judged]) {
        if slos.is_empty() {
            self.open("the scenario has no SLO: nothing was promised, so nothing can be shown");
        }
        // A baseline that breaks its own SLO comes first: it takes the ground from under the others.
        if !record.steps.is_empty() {
            let broken = slos
                .iter()
                .find(|slo| slo.of_baseline && slo.outcome == Outcome::Breached);
            if let Some(slo) = broken {
                self.ground(slo.row.detail.clone());
            }
        }
        for Judged { row, outcome, .. } in slos {
            match outcome {
                Outcome::Held => {}
                Outcome::Breached => self.breach(row.detail.clone()),
                Outcome::Open => self.unclaimed(row.detail.clone()),
                Outcome::Absent => self.follows(row.detail.clone()),
            }
        }
    }

    /// What was not reverted for sure may be ours; the rest is the system's own doing.
    fn world(&mut self, record: &Record) {
        for difference in record.world.iter().flatten() {
            let name = &difference.subject.name;
            let what = if difference.what.starts_with(name.as_str()) {
                difference.what.clone()
            } else {
                format!("{name} {}", difference.what)
            };
            if is_ours(record, difference) {
                let text = format!("{what}: chaosrun changed it and its revert was not verified");
                self.add(Verdict::Dirty, text);
            } else {
                self.breach(format!("{what}: the system did not come back"));
            }
        }
    }

    /// Once something stopped the run or kept it from starting, the rest goes without saying.
    fn leave_out(&mut self, record: &Record) {
        let stops =
            |found: &Finding| matches!(found.verdict, Verdict::Aborted | Verdict::Interrupted);
        let stopped = self.all.iter().any(stops);
        let impeded = !record.impediments.is_empty();
        self.all.retain(|finding| match finding.kind {
            Kind::Cause => true,
            Kind::Consequence | Kind::Claim => !stopped && !impeded,
        });
    }
}

fn is_ours(record: &Record, difference: &Difference) -> bool {
    let mut hits = record
        .steps
        .iter()
        .filter(|step| {
            step.instances
                .iter()
                .any(|hit| hit.id == difference.subject.id)
        })
        .peekable();
    difference.touched && (hits.peek().is_none() || hits.any(|step| !step.is_undone()))
}

fn time(us: Micros) -> String {
    format_duration(Duration::from_micros(us))
}
