//! A step's way: whom it hits, the intents on disk, the changes, and taking them back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Done, Drive, Progress, State, micros};
use crate::action::{Action, Change, Condition, Subject, Undo};
use crate::engine::inject::{self, Effect, Miss};
use crate::engine::trip;
use crate::fault::Scene;
use crate::history::{Event, Impediment, Phase, Proof};
use crate::inventory::Instance;
use crate::plan::blast::{self, Hit};
use crate::plan::{lower, shared};

/// A step's actions, allowed and on disk: they may be carried out at once, for as long as the world stays as it is.
pub(super) struct Intended {
    scene: Scene,
    actions: Vec<Action>,
    pub(super) ids: Vec<u64>,
}

impl Drive<'_> {
    pub(super) fn resolve(&mut self, step: usize) {
        let Some(question) = self.question(step) else {
            let name = self.run.scenario.steps[step].fault.target();
            let why = format!("there is no target {name}");
            return self.halt_impeded(Impediment::Target, why);
        };
        self.steps[step].state = State::Resolving;
        self.tasks.spawn(async move {
            Done::Resolved {
                step,
                answer: inject::resolve(question).await,
            }
        });
    }

    /// All that it takes to find out whom the step hits.
    pub(super) fn question(&self, step: usize) -> Option<inject::Question> {
        let scenario = &self.run.scenario;
        let target = scenario.target(scenario.steps[step].fault.target())?;
        Some(inject::Question {
            runtime: Arc::clone(&self.run.runtime),
            inventory: Arc::clone(&self.world.borrow()),
            secrets: Arc::clone(&self.run.secrets),
            target: target.clone(),
            peers: scenario.steps[step]
                .fault
                .peers()
                .into_iter()
                .filter_map(|name| scenario.target(name).cloned())
                .collect(),
            limits: scenario.limits.clone(),
            held: self.held(),
            seed: self.run.seed,
            step,
        })
    }

    /// The only way to a fault: limits, intents on disk, boundary, then the changes.
    pub(super) fn inject(&mut self, step: usize, scene: Scene) {
        match self.intend(step, scene) {
            Ok(intended) => self.act(step, intended),
            Err((what, why)) => self.halt_impeded(what, format!("step {}: {why}", self.name(step))),
        }
    }

    pub(super) fn act(&mut self, step: usize, intended: Intended) {
        let Intended {
            scene,
            actions,
            ids,
        } = intended;
        let name = self.name(step);
        let instances = &scene.hit;
        let touched = instances.iter().map(|instance| instance.id.clone());
        self.run.touched.extend(touched);
        self.run.left.extend(to_be_left(&actions));
        if self.phase == Phase::Baseline {
            self.enter(Phase::Fault);
        }
        let has_part = |one: &&Instance| actions.iter().any(|action| action.subject.id == one.id);
        let hit = instances.iter().filter(has_part);
        let instances = hit.map(Subject::of).collect();
        for told in lower::passed_over(&self.run.scenario.steps[step], &scene) {
            let text = format!("step {name}: {told}");
            self.run.recorder.note(Event::Note { by: None, text });
        }
        let at = self.run.recorder.note(Event::Injecting {
            step: name,
            instances,
        });
        self.cut(at);
        self.steps[step].state = State::Injecting;
        self.steps[step].ids = ids;
        self.steps[step].actions.clone_from(&actions);
        self.steps[step].scene = scene;
        let progress = &self.steps[step];
        let checks = trip::checks(&actions, &progress.scene, &self.before, &self.impaired());
        self.steps[step].checks.clone_from(&checks);
        let stirs = Arc::clone(&self.stirs);
        let stir = stirs.fetch_add(1, Ordering::Relaxed) + 1;
        self.turns += 1;
        let runtime = Arc::clone(&self.run.runtime);
        let clock = self.run.clock;
        let hand = self.tasks.spawn(async move {
            let disturbed = || stirs.load(Ordering::Relaxed) != stir;
            Done::Applied {
                step,
                outcome: inject::apply(&*runtime, clock, &actions, &checks, disturbed).await,
            }
        });
        self.steps[step].hands.push(hand);
    }

    /// Everything that must be so before a change: limits kept, containers ours, intents on disk.
    pub(super) fn intend(
        &mut self,
        step: usize,
        scene: Scene,
    ) -> Result<Intended, (Impediment, String)> {
        let limits = &self.run.scenario.limits;
        let instances = scene.hit.as_slice();
        let world = Arc::clone(&self.world.borrow());
        let now = self.concerned();
        let hit = Hit {
            ever: &self.run.touched,
            now: &now,
        };
        blast::check(limits, &world, hit, instances).map_err(|why| (Impediment::Target, why))?;
        let actions = lower::all(&self.run.scenario.steps[step], &scene)
            .map_err(|why| (Impediment::Fault, why))?;
        shared::check(&world, instances, &actions).map_err(|why| (Impediment::Target, why))?;
        self.one_at_a_time(&actions)
            .map_err(|why| (Impediment::Fault, why))?;
        // Most were locked before the baseline; one that came later is locked now.
        let subjects: Vec<Subject> = instances.iter().map(Subject::of).collect();
        let locked = self.run.lock(&subjects);
        locked.map_err(|why| (Impediment::Locked, why))?;
        let journal = &mut self.run.journal;
        let ids = journal
            .intend(&self.run.scenario.steps[step].name, &actions)
            .map_err(|error| {
                let path = journal.path().display();
                let why = format!("writing the journal {path}: {error}");
                (Impediment::Storage, why)
            })?;
        Ok(Intended {
            scene,
            actions,
            ids,
        })
    }

    /// An agent holds one impairment, and another one would take its place.
    fn one_at_a_time(&self, actions: &[Action]) -> Result<(), String> {
        let impairs = |action: &&Action| matches!(action.change, Change::Impair { .. });
        for next in actions.iter().filter(impairs) {
            let holds = |progress: &Progress| {
                let held = progress.actions.iter().filter(impairs);
                progress.state != State::Over && held.clone().any(|a| a.subject == next.subject)
            };
            if let Some(other) = self.steps.iter().position(holds) {
                return Err(format!(
                    "{} still has the network fault of step {other}, and can have one at a time; \
                     start it `after = \"{other}\"`, or put both into one `fault.network`",
                    next.subject.name,
                    other = self.name(other)
                ));
            }
        }
        Ok(())
    }

    /// What the steps have made of containers that cannot be hit now, by id.
    fn held(&self) -> BTreeMap<String, String> {
        let mut held = BTreeMap::new();
        for (progress, step) in self.steps.iter().zip(&self.run.scenario.steps) {
            let undone = progress.state == State::Over && step.fault.may_last();
            let Some(state) = step.fault.takes_down().filter(|_| !undone) else {
                continue;
            };
            let words = format!("is {state} by step {}", step.name);
            let ids = progress.actions.iter().map(|a| a.subject.id.clone());
            held.extend(ids.map(|id| (id, words.clone())));
        }
        held
    }

    pub(super) fn on_resolved(&mut self, step: usize, answer: Result<Scene, Miss>) {
        if self.steps[step].state != State::Resolving {
            return;
        }
        if self.halting.is_some() {
            self.steps[step].state = State::Waiting;
            return;
        }
        match answer {
            Ok(scene) => {
                self.steps[step].state = State::Waiting;
                self.inject(step, scene);
            }
            Err(Miss::ByChoice(why)) => self.skip(step, why, true),
            Err(Miss::Impeded(what, why)) => {
                self.halt_impeded(what, format!("step {}: {why}", self.name(step)));
            }
        }
    }

    pub(super) fn on_applied(&mut self, step: usize, outcome: Result<Effect, String>) {
        let (effect, in_force, refused) = match outcome {
            Ok(Effect {
                proof,
                counted,
                in_force,
            }) => {
                self.steps[step].counted = counted;
                (proof, Some(in_force), None)
            }
            Err(why) => (
                Proof {
                    holds: false,
                    evidence: why.clone(),
                },
                None,
                Some(why),
            ),
        };
        let proven = effect.holds;
        let at = self.run.recorder.note(Event::Injected {
            step: self.name(step),
            effect,
            in_force,
        });
        if self.steps[step].state == State::Injecting {
            let spec = &self.run.scenario.steps[step];
            let hold = spec.hold.unwrap_or_else(|| spec.fault.default_hold());
            let progress = &mut self.steps[step];
            progress.state = State::Active {
                until: in_force.unwrap_or(at) + micros(hold),
            };
            progress.proven = proven;
            // One that restarted meanwhile has lost its fault already.
            let ids = progress.actions.iter().map(|a| a.subject.id.clone());
            self.stale.extend(ids);
            self.look_again();
        }
        if let Some(why) = refused {
            self.halt_impeded(
                Impediment::Fault,
                format!("step {}: {why}", self.name(step)),
            );
        }
    }
}

/// Ids of containers that the scenario wants nobody to bring back.
fn to_be_left(actions: &[Action]) -> impl Iterator<Item = String> {
    let ends = |effect: &Condition| matches!(effect, Condition::Down | Condition::Ended { .. });
    actions
        .iter()
        .filter(move |action| matches!(action.undo, Undo::None { .. }) && ends(&action.effect))
        .map(|action| action.subject.id.clone())
}
