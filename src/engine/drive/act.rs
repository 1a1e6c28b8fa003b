//! A step's way: whom it hits, the intents on disk, the changes, and taking them back.

use std::sync::Arc;

use super::{Done, Drive, State, micros};
use crate::action::{Action, Subject};
use crate::engine::inject::{self, Miss};
use crate::engine::journal::Line;
use crate::engine::undo::{Undone, undo_all};
use crate::history::{Difference, Event, Impediment, Phase, Proof};
use crate::inventory::Instance;
use crate::plan::blast;

impl Drive<'_> {
    pub(super) fn resolve(&mut self, step: usize) {
        let scenario = &self.run.scenario;
        let Some(target) = scenario.target(scenario.steps[step].fault.target()) else {
            let why = format!("there is no target {}", scenario.steps[step].fault.target());
            return self.halt_impeded(Impediment::Target, why);
        };
        let question = inject::Question {
            runtime: Arc::clone(&self.run.runtime),
            inventory: Arc::clone(&self.world.borrow()),
            secrets: Arc::clone(&self.run.secrets),
            target: target.clone(),
            limits: scenario.limits.clone(),
            seed: self.run.seed,
            step,
        };
        self.steps[step].state = State::Resolving;
        self.tasks.spawn(async move {
            Done::Resolved {
                step,
                answer: inject::resolve(question).await,
            }
        });
    }

    /// The only way to a fault: limits, intents on disk, boundary, then the changes.
    pub(super) fn inject(&mut self, step: usize, instances: &[Instance]) {
        let limits = &self.run.scenario.limits;
        let world = Arc::clone(&self.world.borrow());
        if let Err(why) = blast::check(limits, &world, &self.run.touched, instances) {
            return self.halt_impeded(
                Impediment::Target,
                format!("step {}: {why}", self.name(step)),
            );
        }
        let actions = match inject::lower(&self.run.scenario.steps[step], instances) {
            Ok(actions) => actions,
            Err(why) => {
                return self.halt_impeded(
                    Impediment::Fault,
                    format!("step {}: {why}", self.name(step)),
                );
            }
        };
        let name = self.name(step);
        let ids = match self.run.journal.intend(&name, &actions) {
            Ok(ids) => ids,
            Err(error) => {
                let why = format!(
                    "writing the journal {}: {error}",
                    self.run.journal.path().display()
                );
                return self.halt_impeded(Impediment::Storage, why);
            }
        };
        self.run
            .touched
            .extend(instances.iter().map(|instance| instance.id.clone()));
        if self.phase == Phase::Baseline {
            self.enter(Phase::Fault);
        }
        let instances = instances.iter().map(Subject::of).collect();
        let at = self.run.recorder.note(Event::Injecting {
            step: name,
            instances,
        });
        self.cut(at);
        self.steps[step].state = State::Injecting;
        self.steps[step].ids = ids;
        self.steps[step].actions.clone_from(&actions);
        let runtime = Arc::clone(&self.run.runtime);
        self.tasks.spawn(async move {
            Done::Applied {
                step,
                outcome: inject::apply(&*runtime, &actions).await,
            }
        });
    }

    /// Undoes these steps in one go, newest first.
    pub(super) fn revert(&mut self, newest_first: Vec<usize>) {
        let mut actions = Vec::new();
        let mut counts = Vec::new();
        for step in &newest_first {
            self.steps[*step].state = State::Reverting;
            let name = self.name(*step);
            self.run.recorder.note(Event::Reverting { step: name });
            let own = &self.steps[*step].actions;
            counts.push((*step, own.len()));
            actions.extend(own.iter().rev().cloned());
        }
        let runtime = Arc::clone(&self.run.runtime);
        let patient = self.halting.is_none();
        self.tasks.spawn(async move {
            let mut undone = undo_all(&*runtime, &actions, patient).await.into_iter();
            let steps = counts
                .into_iter()
                .map(|(step, n)| (step, undone.by_ref().take(n).collect()))
                .collect();
            Done::Reverted { steps }
        });
    }

    pub(super) fn on_resolved(&mut self, step: usize, answer: Result<Vec<Instance>, Miss>) {
        if self.halting.is_some() {
            self.steps[step].state = State::Waiting;
            return;
        }
        match answer {
            Ok(instances) => {
                self.steps[step].state = State::Waiting;
                self.inject(step, &instances);
            }
            Err(Miss::ByChoice(why)) => self.skip(step, why, true),
            Err(Miss::Impeded(what, why)) => {
                self.skip(step, why.clone(), false);
                self.halt_impeded(what, format!("step {}: {why}", self.name(step)));
            }
        }
    }

    pub(super) fn on_applied(&mut self, step: usize, outcome: Result<Proof, String>) {
        let (effect, refused) = match outcome {
            Ok(effect) => (effect, None),
            Err(why) => (
                Proof {
                    holds: false,
                    evidence: why.clone(),
                },
                Some(why),
            ),
        };
        let at = self.run.recorder.note(Event::Injected {
            step: self.name(step),
            effect,
        });
        if self.steps[step].state == State::Injecting {
            let spec = &self.run.scenario.steps[step];
            let hold = spec.hold.unwrap_or_else(|| spec.fault.default_hold());
            self.steps[step].state = State::Active {
                until: at + micros(hold),
            };
        }
        if let Some(why) = refused {
            self.halt_impeded(
                Impediment::Fault,
                format!("step {}: {why}", self.name(step)),
            );
        }
    }

    pub(super) fn on_reverted(&mut self, step: usize, undone: Vec<Undone>) {
        let name = self.name(step);
        let newest_first: Vec<Action> = self.steps[step].actions.iter().rev().cloned().collect();
        let mut receipts = Vec::new();
        let mut seen = Vec::new();
        for ((action, id), undone) in newest_first
            .iter()
            .zip(self.steps[step].ids.iter().rev())
            .zip(undone)
        {
            if undone.proof.holds {
                receipts.push(Line::Undone { id: *id });
            }
            if let Some(shortcoming) = undone.shortcoming {
                let what = format!("{}: {shortcoming}", action.subject.name);
                self.differences.push(Difference {
                    subject: action.subject.clone(),
                    touched: true,
                    what,
                });
            }
            seen.push((
                undone.proof.holds,
                format!("{}: {}", action.subject.name, undone.proof.evidence),
            ));
        }
        // Without a receipt the journal stays, and undoing again does no harm.
        let _kept = self.run.write_down(&receipts);
        let at = self.run.recorder.note(Event::Reverted {
            step: name,
            revert: inject::summary(seen),
        });
        self.cut(at);
        self.steps[step].state = State::Over;
        self.steps[step].over = Some(at);
    }
}
