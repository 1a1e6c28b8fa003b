//! People at the wheel: what they ask for, whether it can be done now, and doing it.

use super::{Drive, Progress, State};
use crate::engine::control::{
    Answer, Command, MOST_ORDERS, Order, Refused, Standing, Upcoming, bounded,
};
use crate::history::{Event, Phase, Steering};
use crate::scenario::Trigger;
use crate::units::{Micros, format_duration};

impl Drive<'_> {
    pub(super) fn on_order(&mut self, order: Order) {
        let by = order.by.clone();
        let answer = match order.command.clone() {
            Command::Revert => self.take_back(&by),
            Command::Abort { why } => self.abort(&by, &why),
            _ if self.orders >= MOST_ORDERS => Err(format!(
                "{MOST_ORDERS} commands and notes were carried out, and a run takes no more"
            )),
            Command::Start { step } => self.start(&by, step.as_deref()),
            Command::Hold => self.hold(&by, true),
            Command::Release => self.hold(&by, false),
            Command::Note { text } => self.run.remark(&by, &text),
        };
        self.orders += usize::from(answer.is_ok());
        // Whoever has the answer sees where the run stands after it.
        self.tell_standing();
        order.answer(answer);
    }

    fn start(&mut self, by: &str, name: Option<&str>) -> Answer {
        let (step, due) = self.may_start()?;
        let next = self.name(step);
        if let Some(name) = name.filter(|name| *name != next) {
            return Err(format!("the next step is {next}, not {name}"));
        }
        let now = self.run.clock.now();
        let early = due.map_or(0, |due| due.saturating_sub(now));
        if let Some(due) = due {
            self.pace.jump(due, now);
        }
        let what = Steering::Start {
            step: next.clone(),
            early,
        };
        self.note_steered(by, what);
        self.begin(step);
        Ok(format!("step {next} begins"))
    }

    fn hold(&mut self, by: &str, hold: bool) -> Answer {
        self.may_hold(hold)?;
        self.pace.hold(hold);
        let (what, said) = if hold {
            (Steering::Hold, "held: no step begins by itself")
        } else {
            (Steering::Release, "released: the timeline goes on")
        };
        self.note_steered(by, what);
        Ok(said.into())
    }

    fn take_back(&mut self, by: &str) -> Answer {
        self.may_take_back()?;
        let at = self.note_steered(by, Steering::Revert);
        self.ending = Some(at);
        for step in 0..self.steps.len() {
            if matches!(self.steps[step].state, State::Waiting | State::Resolving) {
                let why = format!("every fault was reverted from the {by} before it began");
                self.skip(step, why, false);
            }
        }
        self.keep_pace(at);
        Ok("reverting every fault; then recovery is watched".into())
    }

    fn abort(&mut self, by: &str, why: &str) -> Answer {
        self.may_abort()?;
        let why = bounded(why, "a reason")?;
        let (by, what) = (by.to_owned(), Steering::Abort { why });
        self.halt(Event::Steered { by, what });
        Ok("aborting: reverting every fault".into())
    }

    fn note_steered(&mut self, by: &str, what: Steering) -> Micros {
        let by = by.to_owned();
        self.run.recorder.note(Event::Steered { by, what })
    }

    /// The timeline stands still for as long as it is held and a step is waiting; the record and the probes' buckets are cut there.
    pub(super) fn keep_pace(&mut self, now: Micros) {
        let stands = self.pace.is_held() && self.is_waiting();
        if stands == self.pace.stands() {
            return;
        }
        let at = self.run.recorder.note(Event::Timeline { stands });
        self.cut(at);
        if stands {
            self.pace.stand(at);
        } else {
            self.pace.go_on(now.max(at));
        }
    }

    pub(super) fn tell_standing(&self) {
        let next = self.next_step().map(|(step, due)| {
            let spec = &self.run.scenario.steps[step];
            Upcoming {
                step: spec.name.clone(),
                fault: spec.fault.kind().into(),
                target: spec.fault.target().into(),
                due: due.ok().flatten().filter(|_| !self.pace.is_held()),
            }
        });
        let in_force = |step: &usize| {
            let state = self.steps[*step].state;
            !matches!(state, State::Waiting | State::Over)
        };
        self.run.orders.tell(Standing {
            phase: Some(self.phase),
            held: self.pace.is_held(),
            next,
            in_force: (0..self.steps.len())
                .filter(in_force)
                .map(|step| self.name(step))
                .collect(),
            refused: Refused {
                start: self.may_start().err(),
                hold: self.may_hold(true).err(),
                release: self.may_hold(false).err(),
                revert: self.may_take_back().err(),
                abort: self.may_abort().err(),
            },
        });
    }

    fn may_abort(&self) -> Result<(), String> {
        match self.halting {
            Some(_) => Err("the run is stopping already".into()),
            None => Ok(()),
        }
    }

    fn may_take_back(&self) -> Result<(), String> {
        self.may_abort()?;
        let resolving = |step: &Progress| step.state == State::Resolving;
        match self.phase {
            Phase::Recovery | Phase::Teardown => Err("every fault is reverted".into()),
            _ if self.ending.is_some() => Err("every fault is being reverted already".into()),
            Phase::Baseline if !self.steps.iter().any(resolving) => {
                Err("no fault was injected yet".into())
            }
            Phase::Baseline | Phase::Fault => Ok(()),
        }
    }

    fn may_hold(&self, hold: bool) -> Result<(), String> {
        self.may_abort()?;
        if !self.is_waiting() {
            return Err("every step has begun: there is nothing to hold".into());
        }
        match (hold, self.pace.is_held()) {
            (true, true) => Err("the timeline is held already".into()),
            (false, false) => Err("the timeline is not held".into()),
            _ => Ok(()),
        }
    }

    fn may_start(&self) -> Result<(usize, Option<Micros>), String> {
        self.may_abort()?;
        let Some((step, due)) = self.next_step() else {
            return Err("every step has begun".into());
        };
        if !self.baseline_judged {
            let left = self.baseline_end.saturating_sub(self.since);
            let long = format_duration(std::time::Duration::from_micros(left));
            return Err(format!("the baseline takes its {long} first"));
        }
        Ok((step, due?))
    }

    fn is_waiting(&self) -> bool {
        self.steps.iter().any(|step| step.state == State::Waiting)
    }

    /// The step that begins next, and when; `Ok(None)`: as soon as a probe is steady, `Err`: what it waits for.
    fn next_step(&self) -> Option<(usize, Result<Option<Micros>, String>)> {
        let waiting =
            (0..self.steps.len()).filter(|step| self.steps[*step].state == State::Waiting);
        let begins = |step: usize| {
            let after = |other: &str| {
                format!(
                    "step {} begins after {other}, which is not over",
                    self.name(step)
                )
            };
            match &self.run.scenario.steps[step].trigger {
                Trigger::At(_) => Ok(self.due(step)),
                Trigger::After(other) => self.due(step).map(Some).ok_or_else(|| after(other)),
                Trigger::Steady { .. } => match self.waits_since(step) {
                    Some(_) => Ok(self.due(step)),
                    None => Err(after(&self.name(step.saturating_sub(1)))),
                },
            }
        };
        // What waits for nothing but its time comes first, then what waits for a probe, then what cannot begin yet.
        waiting
            .map(|step| (step, begins(step)))
            .min_by_key(|(step, due)| match due {
                Ok(Some(due)) => (0, *due, *step),
                Ok(None) => (1, 0, *step),
                Err(_) => (2, 0, *step),
            })
    }
}
