//! Following the world: what happens to containers while the run goes on.

use std::sync::Arc;

use super::{Done, Drive, STOP_WAITS, State};
use crate::action::{Action, Subject};
use crate::engine::undo::wait_for;
use crate::history::{Event, Proof};
use crate::inventory::{Instance, Inventory};
use crate::runtime::Notice;

impl Drive<'_> {
    pub(super) fn on_notice(&mut self, notice: &Notice) {
        let known = self.world.borrow().by_id(&notice.id).map(Subject::of);
        if let Some(subject) = known.clone().filter(|_| !notice.what.starts_with("exec_")) {
            self.run.recorder.note(Event::Container {
                subject,
                what: notice.what.clone(),
            });
        }
        if known.is_some()
            || matches!(
                notice.what.as_str(),
                "create" | "start" | "engine reconnected"
            )
        {
            self.stale.insert(notice.id.clone());
            self.look_again();
        }
    }

    /// Looks at what has changed, one look at a time; what changes meanwhile is looked at next.
    pub(super) fn look_again(&mut self) {
        if self.looking || self.stale.is_empty() {
            return;
        }
        self.looking = true;
        let stale = std::mem::take(&mut self.stale);
        let unknown = stale
            .iter()
            .any(|id| self.world.borrow().by_id(id).is_none());
        let runtime = Arc::clone(&self.run.runtime);
        let scope = self.scope.clone();
        self.tasks.spawn(async move {
            if unknown {
                let whole = runtime.inventory(&scope).await.ok();
                return Done::Looked {
                    seen: Vec::new(),
                    whole,
                };
            }
            let mut seen = Vec::new();
            for id in stale {
                if let Ok(now) = runtime.observe(&id).await {
                    seen.push((id, now));
                }
            }
            Done::Looked { seen, whole: None }
        });
    }

    pub(super) fn on_looked(
        &mut self,
        seen: Vec<(String, Option<Instance>)>,
        whole: Option<Inventory>,
    ) {
        self.looking = false;
        self.world.send_modify(|world| {
            let world = Arc::make_mut(world);
            if let Some(whole) = whole {
                *world = whole;
            }
            for (id, now) in seen {
                world.instances.retain(|instance| instance.id != id);
                world.instances.extend(now);
            }
            world.instances.sort_by_key(Instance::identity);
        });
        self.look_again();
        for step in 0..self.steps.len() {
            if matches!(self.steps[step].state, State::Active { .. }) && self.halting.is_none() {
                self.reapply(step);
            }
        }
    }

    /// A target that restarted has lost what was done to it: it gets it again.
    pub(super) fn reapply(&mut self, step: usize) {
        if self.steps[step].reapplying > 0 {
            return;
        }
        let world = Arc::clone(&self.world.borrow());
        let lost = |action: &&Action| {
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
            self.steps[step].reapplying += 1;
            let runtime = Arc::clone(&self.run.runtime);
            self.tasks.spawn(async move {
                let applied = runtime.apply(&action.subject, &action.change).await;
                let seen = match applied {
                    Err(error) => Err(error.to_string()),
                    Ok(()) => {
                        wait_for(&*runtime, &action.subject, &action.effect, STOP_WAITS).await
                    }
                };
                let effect = Proof {
                    holds: seen.is_ok(),
                    evidence: seen.unwrap_or_else(|seen| seen),
                };
                Done::Reapplied {
                    step,
                    subject: action.subject,
                    effect,
                }
            });
        }
    }
}
