//! Following the world: what happens to containers while the run goes on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Done, Drive, Progress, STOP_WAITS, State};
use crate::action::{Action, Condition, GONE, Subject};
use crate::engine::inject::{apply_one, look_at};
use crate::engine::undo::{LOOK_WITHIN, wait_for};
use crate::history::{Event, Proof};
use crate::inventory::{Instance, Inventory};
use crate::plan::lower;
use crate::runtime::{Notice, Runtime};

/// What is refused to one that runs may have met the end of its last life: it is tried so often.
const REAPPLY_TRIES: u32 = 3;

impl Drive<'_> {
    pub(super) fn on_notice(&mut self, notice: &Notice) {
        // Health checks and probes run commands all the time, which changes nothing about a container.
        if notice.what.starts_with("exec_") {
            return;
        }
        if matches!(notice.what.as_str(), Notice::LOST | Notice::RECONNECTED) {
            let text = format!("the engine's events: {}", notice.what);
            self.run.recorder.note(Event::Note { by: None, text });
        }
        let known = self.world.borrow().by_id(&notice.id).map(Subject::of);
        let known = known.or_else(|| self.target(&notice.id));
        if let Some(subject) = known.clone() {
            self.run.recorder.note(Event::Container {
                subject,
                what: notice.what.clone(),
            });
        }
        if known.is_some()
            || matches!(
                notice.what.as_str(),
                "create" | "start" | Notice::RECONNECTED
            )
        {
            self.turns += 1;
            self.stale.insert(notice.id.clone());
            self.look_again();
        }
    }

    /// Of a step so far; it may be gone by now.
    fn target(&self, id: &str) -> Option<Subject> {
        let actions = self.steps.iter().flat_map(|step| &step.actions);
        let mut subjects = actions.map(|action| &action.subject);
        subjects.find(|subject| subject.id == id).cloned()
    }

    pub(super) fn go_deaf(&mut self) {
        self.deaf = true;
        let text = "the engine's events have ended: what happens to containers is no longer told";
        let text = text.into();
        self.run.recorder.note(Event::Note { by: None, text });
    }

    /// Looks at what has changed, one look at a time; what changes meanwhile is looked at next.
    pub(super) fn look_again(&mut self) {
        if self.looking {
            return;
        }
        // What is being changed is looked at once that is through.
        let busy =
            |step: &&Progress| matches!(step.state, State::Injecting | State::Reverting { .. });
        let changing: BTreeSet<&str> = self
            .steps
            .iter()
            .filter(busy)
            .flat_map(|step| step.actions.iter().map(|action| action.subject.id.as_str()))
            .collect();
        let (later, stale): (BTreeSet<String>, BTreeSet<String>) = std::mem::take(&mut self.stale)
            .into_iter()
            .partition(|id| changing.contains(id.as_str()));
        self.stale = later;
        if stale.is_empty() {
            return;
        }
        self.looking = true;
        let unknown = stale
            .iter()
            .any(|id| self.world.borrow().by_id(id).is_none());
        let runtime = Arc::clone(&self.run.runtime);
        let scope = self.scope.clone();
        self.tasks.spawn(async move {
            let mut seen = Vec::new();
            let mut unseen = Vec::new();
            let mut whole = None;
            if unknown {
                let asked = timeout(LOOK_WITHIN, runtime.inventory(&scope)).await;
                whole = asked.ok().and_then(Result::ok);
                unseen.extend(stale.into_iter().filter(|_| whole.is_none()));
            } else {
                let ids: Vec<String> = stale.into_iter().collect();
                seen = look_at(&*runtime, ids.clone()).await;
                let known = |id: &String| seen.iter().any(|(other, _)| other == id);
                unseen.extend(ids.into_iter().filter(|id| !known(id)));
            }
            Done::Looked {
                seen,
                whole,
                unseen,
            }
        });
    }

    pub(super) fn on_looked(
        &mut self,
        seen: Vec<(String, Option<Instance>)>,
        whole: Option<Inventory>,
    ) {
        self.turns += 1;
        self.world.send_modify(|world| {
            let world = Arc::make_mut(world);
            if let Some(whole) = whole {
                *world = whole;
            }
            world.take_in(seen);
        });
        for step in 0..self.steps.len() {
            if matches!(self.steps[step].state, State::Active { .. }) && self.halting.is_none() {
                self.miss(step);
                self.relower(step);
                self.reapply(step);
            }
        }
    }

    /// Nothing can be given back to one that is no more.
    fn miss(&mut self, step: usize) {
        let world = Arc::clone(&self.world.borrow());
        let progress = &self.steps[step];
        let lasting = |action: &&Action| action.effect.is_lasting();
        let subjects = progress.actions.iter().filter(lasting).map(|a| &a.subject);
        let gone: Vec<Subject> = subjects
            .filter(|one| world.by_id(&one.id).is_none())
            .cloned()
            .collect();
        for subject in gone {
            let id = subject.id.clone();
            self.note_lost(step, subject, GONE.into());
            self.steps[step].gone.insert(id);
        }
    }

    /// Targets and peers may have come back at other addresses, which the fault goes along with. Its undo stays as it is on disk.
    fn relower(&mut self, step: usize) {
        let spec = &self.run.scenario.steps[step];
        if !spec.fault.is_of_network() {
            return;
        }
        let progress = &mut self.steps[step];
        progress.scene.move_on(&self.world.borrow());
        for action in &mut progress.actions {
            let mut hit = progress.scene.hit.iter();
            let Some(now) = hit.find(|one| one.id == action.subject.id && one.is_running()) else {
                continue;
            };
            let lowered = lower::one(spec, now, &progress.scene).unwrap_or_default();
            let same = |next: &Action| next.subject == action.subject && next.undo == action.undo;
            if let Some(next) = lowered.into_iter().find(same) {
                *action = next;
            }
        }
    }

    /// A target that restarted has lost what was done to it: it gets it again.
    pub(super) fn reapply(&mut self, step: usize) {
        let world = Arc::clone(&self.world.borrow());
        let lost = |action: &&Action| {
            if self.steps[step].reapplying.contains_key(&action.subject.id) {
                return false;
            }
            let now = world.by_id(&action.subject.id);
            action.effect.is_lasting()
                && now.is_some_and(Instance::is_running)
                && action.effect.check(now).is_err()
        };
        let again: Vec<Action> = self.steps[step]
            .actions
            .iter()
            .filter(lost)
            .cloned()
            .collect();
        for action in again {
            let subject = action.subject.clone();
            let runtime = Arc::clone(&self.run.runtime);
            let hand = self.tasks.spawn(async move {
                Done::Reapplied {
                    step,
                    effect: give_back(&*runtime, &action).await,
                    subject: action.subject,
                }
            });
            let progress = &mut self.steps[step];
            progress.reapplying.insert(subject.id.clone(), subject);
            progress.hands.push(hand);
        }
    }

    pub(super) fn on_reapplied(&mut self, step: usize, subject: Subject, effect: Option<Proof>) {
        // One that was cut short is on record already.
        let known = self.steps[step].reapplying.remove(&subject.id);
        if effect.is_some() {
            // Its agent counts anew.
            self.steps[step].counted.remove(&subject.id);
        }
        if let (Some(subject), Some(effect)) = (known, effect) {
            let step = self.name(step);
            self.run.recorder.note(Event::Reapplied {
                step,
                subject,
                effect,
            });
        }
    }

    pub(super) fn note_lost(&mut self, step: usize, subject: Subject, evidence: String) {
        if self.steps[step].gone.contains(&subject.id) {
            return;
        }
        let step = self.name(step);
        let effect = Proof {
            holds: false,
            evidence,
        };
        self.run.recorder.note(Event::Reapplied {
            step,
            subject,
            effect,
        });
    }
}

/// What was seen of the world may be older than the fault, so the target is looked at first.
async fn give_back(runtime: &dyn Runtime, action: &Action) -> Option<Proof> {
    let Action {
        subject, effect, ..
    } = action;
    let mut refusal = None;
    for _ in 0..REAPPLY_TRIES {
        let now = wait_for(runtime, subject, effect, Duration::ZERO).await;
        if now.is_ok() {
            return refusal.map(|_| proof(now));
        }
        match apply_one(runtime, action).await {
            Ok(()) => return Some(proof(wait_for(runtime, subject, effect, STOP_WAITS).await)),
            Err(why) => refusal = Some(why),
        }
        let running = wait_for(runtime, subject, &Condition::Running, Duration::ZERO).await;
        if running.is_err() {
            // It has died meanwhile. Should it come back, it is looked at again.
            return None;
        }
    }
    refusal.map(|why| proof(Err(why)))
}

fn proof(seen: Result<String, String>) -> Proof {
    Proof {
        holds: seen.is_ok(),
        evidence: seen.unwrap_or_else(|seen| seen),
    }
}
