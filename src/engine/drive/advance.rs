//! What is due: a pure look at the clock and the state, and the calls that follow from it.

use std::time::Duration;

use super::{Drive, IDLE, Next, Progress, STOP_WAITS, State, micros};
use crate::history::{Event, Impediment, Phase};
use crate::scenario::{Guard, Trigger};
use crate::units::{Micros, format_duration};
use crate::verdict::{self, Range, unhealthy};

impl Drive<'_> {
    /// Does everything whose time has come.
    pub(super) fn advance(&mut self) -> Next {
        let now = self.run.clock.now();
        self.forget_what_stands();
        if let Some(why) = self.run.recorder.take_failure() {
            self.halt_impeded(Impediment::Storage, why);
        }
        if let Some(since) = self.halting {
            return self.advance_halting(now, since);
        }
        if let Err(why) = self.run.mind_reaper() {
            self.halt_impeded(Impediment::Storage, why);
            return Next::WaitUntil(now);
        }
        if let Some((guard, measured)) = self
            .vitals
            .tripped()
            .filter(|_| self.phase != Phase::Baseline)
        {
            self.halt(Event::Tripped { guard, measured });
            return Next::WaitUntil(now);
        }
        if let Some(since) = self.ending.filter(|_| self.phase < Phase::Recovery) {
            return self.advance_ending(now, since);
        }
        match self.phase {
            Phase::Baseline | Phase::Fault => self.advance_steps(now),
            Phase::Recovery | Phase::Teardown => self.advance_recovery(now),
        }
    }

    pub(super) fn advance_steps(&mut self, now: Micros) -> Next {
        let mut next = self.look_ahead(now).min(now + micros(IDLE));
        if !self.baseline_judged {
            if now < self.baseline_end {
                return Next::WaitUntil(next.min(self.baseline_end));
            }
            self.baseline_judged = true;
            if let Some(why) = self.unhealthy() {
                self.halt_impeded(Impediment::Baseline, why);
                return Next::WaitUntil(now);
            }
        }
        if self.steps.is_empty() {
            return Next::End;
        }
        self.keep_pace(now);
        for step in 0..self.steps.len() {
            match self.steps[step].state {
                State::Waiting if self.pace.is_held() => {}
                State::Waiting => match self.due(step) {
                    Some(due) if due <= now => self.begin(step),
                    Some(due) => next = next.min(due),
                    None => self.give_up_waiting(step, now),
                },
                State::Active { until } if until <= now && self.has_settled(step, until, now) => {
                    self.revert(vec![step]);
                }
                State::Active { until } => next = next.min(until.max(now + 1)),
                _ => {}
            }
        }
        if self.halting.is_none() && self.steps.iter().all(|step| step.state == State::Over) {
            self.enter(Phase::Recovery);
            return Next::WaitUntil(now);
        }
        Next::WaitUntil(next)
    }

    /// A target that is being given its fault back is waited for, not for long.
    fn has_settled(&self, step: usize, until: Micros, now: Micros) -> bool {
        self.steps[step].reapplying.is_empty() || now >= until + micros(STOP_WAITS)
    }

    /// Why no fault may be injected: what is broken before cannot be blamed on one.
    fn unhealthy(&self) -> Option<String> {
        let scenario = &self.run.scenario;
        let range = Range {
            from: self.since,
            to: self.baseline_end,
        };
        scenario
            .probes
            .iter()
            .zip(self.vitals.tallies(self.baseline_end))
            .find_map(|(probe, seen)| {
                unhealthy(&scenario.slos, &probe.name, Duration::ZERO, &seen, range)
            })
            .or_else(|| self.would_trip())
    }

    /// A run that a guard stops at once is not to do harm first.
    fn would_trip(&self) -> Option<String> {
        let (Guard { probe, trips, over }, measured) = self.vitals.tripped()?;
        let metric = trips.metric;
        Some(format!(
            "the baseline was not healthy: {probe} {} was {} over {}, and a guard stops the run at {}",
            verdict::name(metric),
            verdict::amount(metric, measured),
            format_duration(over),
            verdict::phrase(&trips)
        ))
    }

    /// When a step is due; `None` while that depends on what has not happened yet.
    pub(super) fn due(&self, step: usize) -> Option<Micros> {
        match &self.run.scenario.steps[step].trigger {
            Trigger::At(offset) => {
                let at = self.baseline_end + micros(*offset);
                Some(self.pace.due(at, self.run.clock.now()))
            }
            Trigger::After(other) => {
                let index = self
                    .run
                    .scenario
                    .steps
                    .iter()
                    .position(|step| step.name == *other)?;
                self.steps[index].over
            }
            Trigger::Steady { probe, steady, .. } => {
                let since = self.waits_since(step)?;
                self.vitals
                    .is_steady(probe, since, *steady)
                    .then_some(since)
            }
        }
    }

    /// A step that waits for steadiness waits from when the step before it in the file is over.
    pub(super) fn waits_since(&self, step: usize) -> Option<Micros> {
        match step.checked_sub(1).filter(|_| !self.waits_for_itself(step)) {
            None => Some(self.baseline_end),
            Some(before) => self.steps[before].over,
        }
    }

    /// Does the step before it in the file start after this one?
    fn waits_for_itself(&self, step: usize) -> bool {
        let steps = &self.run.scenario.steps;
        let waits_for = |step: usize| match &steps[step].trigger {
            Trigger::At(_) => None,
            Trigger::After(other) => steps.iter().position(|step| step.name == *other),
            Trigger::Steady { .. } => step.checked_sub(1),
        };
        std::iter::successors(waits_for(step), |next| waits_for(*next))
            .take(steps.len())
            .any(|next| next == step)
    }

    pub(super) fn give_up_waiting(&mut self, step: usize, now: Micros) {
        let Trigger::Steady {
            probe,
            steady,
            within,
        } = &self.run.scenario.steps[step].trigger
        else {
            return;
        };
        let Some(since) = self.waits_since(step) else {
            return;
        };
        if now < since + micros(*within) + self.pace.stood_since(since, now) {
            return;
        }
        let why = format!(
            "probe {probe} was not steady for {} within {}",
            format_duration(*steady),
            format_duration(*within)
        );
        self.halt_impeded(
            Impediment::Timeline,
            format!("step {}: {why}", self.name(step)),
        );
    }

    pub(super) fn advance_recovery(&mut self, now: Micros) -> Next {
        let timing = self.run.scenario.timing;
        let end = self.since + micros(timing.recovery);
        if now >= end || self.vitals.all_steady(self.since, timing.steady) {
            return Next::End;
        }
        Next::WaitUntil(end.min(now + micros(IDLE)))
    }

    /// Everything in force is reverted at once; what is under way is waited for, not for long.
    pub(super) fn advance_halting(&mut self, now: Micros, since: Micros) -> Next {
        if self.run.stop.now().signals >= 3 {
            return Next::End;
        }
        if self.end_faults(now, since) {
            Next::WaitUntil(now + micros(IDLE))
        } else {
            Next::End
        }
    }

    /// Everything that is in force is reverted, and then the run goes on with recovery.
    fn advance_ending(&mut self, now: Micros, since: Micros) -> Next {
        if self.end_faults(now, since) {
            return Next::WaitUntil(now + micros(IDLE));
        }
        self.enter(Phase::Recovery);
        Next::WaitUntil(now)
    }

    /// Reverts whatever is ripe for it; is any of it still under way?
    fn end_faults(&mut self, now: Micros, since: Micros) -> bool {
        // A container that is still being stopped looks as if it needed no undo.
        let overdue = |progress: &Progress| {
            let lands = progress.actions.iter().map(|a| a.change.lands_within());
            now >= since + micros(STOP_WAITS + lands.max().unwrap_or_default())
        };
        let ripe = |progress: &Progress| match progress.state {
            State::Active { .. } => true,
            State::Injecting => overdue(progress),
            // The system had been given time that there is no longer.
            State::Reverting { patient } => patient,
            _ => false,
        };
        let mut steps: Vec<usize> = (0..self.steps.len())
            .filter(|step| ripe(&self.steps[*step]))
            .collect();
        steps.sort_by_key(|step| std::cmp::Reverse(self.steps[*step].ids.first().copied()));
        if !steps.is_empty() {
            self.revert(steps);
        }
        let busy = |progress: &Progress| {
            matches!(progress.state, State::Injecting | State::Reverting { .. })
        };
        self.steps.iter().any(busy)
    }
}
