//! After the probes: is the world as it was, and is everything gone that this run brought into it?

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::journal::Line;
use super::recover::down;
use super::run::{Finished, Run, told};
use super::signals::Stop;
use super::undo::{BUDGET, undo_all};
use super::world::differences;
use crate::action::{Action, Subject};
use crate::history::{Difference, Event, Proof};
use crate::inventory::{Inventory, State};
use crate::runtime::{Result as RuntimeResult, Scope};
use crate::units::format_duration;

impl Run {
    /// Compares before and after. Differences are given time to go: a container that was started again is not healthy at once.
    pub(super) async fn look_at_the_world(&mut self, before: &Inventory, scope: &Scope) {
        let before = &concerned(before, scope, &self.touched);
        let patience = patience(self.stop.clone(), self.scenario.timing.recovery);
        tokio::pin!(patience);
        loop {
            let seen = tokio::select! {
                biased;
                seen = bounded(self.runtime.inventory(scope)) => seen,
                _ = self.stop.reached(3) => Err("the run was told to stop at once".into()),
            };
            let found = seen
                .as_ref()
                .map(|after| differences(before, after, &self.touched, &self.left));
            if found.as_ref().is_ok_and(Vec::is_empty) {
                self.recorder.note(Event::World {
                    differences: Vec::new(),
                });
                return;
            }
            tokio::select! {
                _ = &mut patience => {
                    let event = match found {
                        Ok(found) => Event::World { differences: found },
                        Err(error) => Event::World { differences: self.unseen(before, error) },
                    };
                    self.recorder.note(event);
                    return;
                }
                _ = sleep(Duration::from_millis(100)) => {}
            }
        }
    }

    /// An engine that does not answer says nothing about the containers that were touched.
    fn unseen(&self, before: &Inventory, why: &str) -> Vec<Difference> {
        let of = |instance| Difference {
            subject: Subject::of(instance),
            touched: self.touched.contains(&instance.id),
            what: format!(
                "{}: the engine does not say how it is now: {why}",
                instance.identity()
            ),
        };
        before
            .instances
            .iter()
            .filter(|i| i.state == State::Running)
            .map(of)
            .collect()
    }

    /// Undoes what may still be in force, takes down what was brought up, and lets go.
    pub(super) async fn finish(mut self) -> Finished {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            _ = stop.reached(3) => {}
            () = self.clean_up() => {}
        }
        let urgency = self.stop.now();
        if let Some(by) = urgency.first.filter(|_| !self.recorder.was_interrupted()) {
            self.recorder.note(Event::Interrupted { by: by.into() });
        }
        let settled = self.journal.leftover().is_ok_and(|left| left.is_empty());
        if !settled {
            // The report must say what the exit code will.
            let evidence = format!(
                "the journal {} is kept, for not all of it is known to be undone",
                self.journal.path().display()
            );
            let proof = Proof {
                holds: false,
                evidence,
            };
            self.recorder.note(Event::TornDown { proof });
        }
        let path = self.journal.path().to_owned();
        let closed = settled && self.journal.close().is_ok();
        if closed && let Some(reaper) = self.reaper.take() {
            // One that is gone already has nothing to do any more.
            let _gone = reaper.dismiss();
        }
        Finished {
            record: self.recorder.finish(),
            journal: (!closed).then_some(path),
        }
    }

    async fn clean_up(&mut self) {
        self.undo_the_rest().await;
        let runtime = Arc::clone(&self.runtime);
        let mut evidence = Vec::new();
        let mut holds = true;
        if let Some(project) = self.project.take() {
            let name = project.name.clone();
            match bounded(down(&*runtime, &project)).await {
                Ok(()) => {
                    evidence.push(format!("system {name} taken down"));
                    holds &= self.write_down(&[Line::ProjectDown { name }]).is_ok();
                }
                Err(why) => {
                    holds = false;
                    evidence.push(format!("system {name} could not be taken down: {why}"));
                }
            }
        }
        if self.made
            && let Err(why) = bounded(runtime.sweep(&self.id)).await
        {
            holds = false;
            evidence.push(format!("helpers could not be removed: {why}"));
        }
        if !evidence.is_empty() {
            self.recorder.note(Event::TornDown {
                proof: Proof {
                    holds,
                    evidence: evidence.join("; "),
                },
            });
        }
    }

    /// Normally nothing: each step has been reverted by the loop.
    async fn undo_the_rest(&mut self) {
        let Ok(left) = self.journal.leftover() else {
            return;
        };
        let actions: Vec<Action> = left
            .actions
            .iter()
            .map(|(_, _, action)| action.clone())
            .collect();
        let results = undo_all(&*self.runtime, &actions, false).await;
        for ((id, step, _), undone) in left.actions.iter().zip(results) {
            if undone.proof.holds {
                let text = format!("step {step}: undone at last: {}", undone.proof.evidence);
                self.recorder.note(Event::Note { by: None, text });
                // Undoing twice does no harm; a journal that cannot be written to is kept and reported by `finish`.
                let _kept = self.write_down(&[Line::Undone { id: *id }]);
            }
        }
    }
}

/// How long the system may take to be again what it was: not for long once the run is told to stop.
async fn patience(mut stop: Stop, recovery: Duration) {
    let mut second = stop.clone();
    let hurry = async {
        stop.reached(1).await;
        sleep(Duration::from_secs(2)).await;
    };
    tokio::select! {
        () = sleep(recovery.max(Duration::from_secs(5))) => {}
        () = hurry => {}
        _ = second.reached(2) => {}
    }
}

/// What a run answers for. Where the system is a whole engine, containers that have no part in it come and go as they please:
/// what was hit counts, with the Compose projects that it belongs to.
fn concerned(before: &Inventory, scope: &Scope, touched: &BTreeSet<String>) -> Inventory {
    let mut before = before.clone();
    if *scope == Scope::Engine {
        let hit = before.instances.iter().filter(|i| touched.contains(&i.id));
        let projects: BTreeSet<String> = hit.filter_map(|i| i.project.clone()).collect();
        before.instances.retain(|instance| {
            let of_one = |project| projects.contains(project);
            touched.contains(&instance.id) || instance.project.as_ref().is_some_and(of_one)
        });
    }
    before
}

async fn bounded<T>(work: impl Future<Output = RuntimeResult<T>>) -> Result<T, String> {
    match timeout(BUDGET, work).await {
        Ok(outcome) => outcome.map_err(|error| told(&error)),
        Err(_) => Err(format!("no answer within {}", format_duration(BUDGET))),
    }
}
