//! Taking steps back, as a task beside the loop.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::sleep;

use super::{Done, Drive, Progress, State};
use crate::action::{Action, Change, Subject};
use crate::engine::inject;
use crate::engine::journal::Line;
use crate::engine::lock;
use crate::engine::tally::{self, Counted};
use crate::engine::trip::{Check, impairments};
use crate::engine::undo::{AT_ONCE, Undone, undo_all};
use crate::history::{Difference, Event};
use crate::runtime::Runtime;

/// What the agents counted is worth waiting for so long; or so long, where the run is in a hurry.
const COUNTED_WITHIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(300));

/// An engine that was asked for a change and gave no answer may still make it; it is looked at again after this time.
const SETTLE: Duration = Duration::from_secs(1);

/// Everything that the task needs, owned.
#[derive(Default)]
pub(super) struct Revert {
    /// Newest first.
    pub(super) actions: Vec<Action>,
    /// Round trips that must be as they were.
    pub(super) checks: Vec<Check>,
    /// How many of the actions belong to which step.
    pub(super) counts: Vec<(usize, usize)>,
    pub(super) patient: bool,
    /// It is not known whether all changes that were asked for have been made.
    pub(super) doubtful: bool,
    /// Every fault was shown to be in force; is it still?
    pub(super) watched: bool,
    /// Where it is said which run has which container.
    pub(super) lock_dir: PathBuf,
    pub(super) run: String,
}

impl Drive<'_> {
    /// Undoes these steps in one go, newest first.
    pub(super) fn revert(&mut self, newest_first: Vec<usize>) {
        let patient = self.halting.is_none() && self.ending.is_none();
        self.stirs.fetch_add(1, Ordering::Relaxed);
        let mut work = Revert {
            patient,
            lock_dir: self.run.lock_dir.clone(),
            run: self.run.id.clone(),
            ..Revert::default()
        };
        for step in newest_first.iter().copied() {
            work.doubtful |= self.let_go(step);
            let first = !matches!(self.steps[step].state, State::Reverting { .. });
            if first {
                let name = self.name(step);
                self.run.recorder.note(Event::Reverting { step: name });
            }
            let progress = &mut self.steps[step];
            progress.state = State::Reverting { patient };
            work.counts.push((step, progress.actions.len()));
            work.actions.extend(progress.actions.iter().rev().cloned());
            work.checks.extend(progress.checks.iter().cloned());
            work.watched |= first && self.halting.is_none() && progress.proven;
        }
        for check in &mut work.checks {
            check.excused = self.excuses(check, &newest_first);
        }
        let runtime = Arc::clone(&self.run.runtime);
        let hand = self.tasks.spawn(async move { work.run(&*runtime).await });
        for step in newest_first {
            self.steps[step].hands.push(hand.clone());
        }
    }

    /// Ends every task that changes the step's targets. Is it unknown what the engine makes of the last thing it was asked?
    fn let_go(&mut self, step: usize) -> bool {
        let progress = &mut self.steps[step];
        let injecting = progress.state == State::Injecting;
        progress.hands.drain(..).for_each(|hand| hand.abort());
        let reapplying = std::mem::take(&mut progress.reapplying);
        let doubtful = injecting || !reapplying.is_empty();
        for subject in reapplying.into_values() {
            let why = "it had lost it, and the engine did not give it back in time";
            self.note_lost(step, subject, why.into());
        }
        doubtful
    }

    /// Is something else the matter with the way than what is undone now?
    fn excuses(&self, check: &Check, undone: &[usize]) -> bool {
        let world = self.world.borrow();
        let is_there = |id: &str, at: IpAddr| {
            let one = world.by_id(id).filter(|one| one.is_running());
            let all = one.into_iter().flat_map(|one| one.networks.values());
            all.flat_map(|endpoint| endpoint.addresses())
                .any(|own| own == at)
        };
        let way = &check.way;
        let Some(peer) = way.whose.as_ref() else {
            return true;
        };
        let ends = [&way.subject.id, &peer.id];
        let hit = |(index, step): (usize, &Progress)| {
            let in_force = step.state != State::Over && !undone.contains(&index);
            in_force && step.actions.iter().any(|a| ends.contains(&&a.subject.id))
        };
        !is_there(&way.subject.id, way.from)
            || !is_there(&peer.id, way.peer)
            || self.steps.iter().enumerate().any(hit)
    }

    /// What the agents did to packets, before they were told to stop.
    pub(super) fn note_counted(&mut self, steps: &[(usize, Vec<Undone>)], mut counted: Counted) {
        for (step, _) in steps {
            let name = self.name(*step);
            let progress = &self.steps[*step];
            let mut events = Vec::new();
            for (subject, impairment) in impairments(&progress.actions) {
                let start = progress.counted.get(&subject.id);
                let start = start.and_then(|start| start.as_ref().ok());
                if let Some(said) = counted.remove(&subject.id) {
                    events.push(tally::event(&name, (subject, impairment), start, said));
                }
            }
            for event in events {
                self.run.recorder.note(event);
            }
        }
    }

    pub(super) fn on_reverted(&mut self, step: usize, undone: Vec<Undone>) {
        // Once by the task that was cut short at its very end, and once by the one after it.
        if self.steps[step].state == State::Over {
            return;
        }
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
        let revert = inject::summary(seen);
        let clean = revert.holds;
        let at = self
            .run
            .recorder
            .note(Event::Reverted { step: name, revert });
        self.cut(at);
        if !clean {
            // What cannot be undone is not to be followed by more.
            self.halting.get_or_insert(at);
        }
        self.steps[step].state = State::Over;
        self.turns += 1;
        self.steps[step].over = Some(at);
        if self.halting.is_none() {
            self.measure_ahead();
        }
        self.stale
            .extend(newest_first.into_iter().map(|a| a.subject.id));
        self.look_again();
    }
}

impl Revert {
    pub(super) async fn run(self, runtime: &dyn Runtime) -> Done {
        let within = if self.patient {
            COUNTED_WITHIN.0
        } else {
            COUNTED_WITHIN.1
        };
        let counted = tally::count(runtime, &self.actions, within).await;
        let mut undone = undo_all(runtime, &self.actions, self.patient).await;
        let lost = if self.watched {
            self.lost(&undone)
        } else {
            Vec::new()
        };
        if self.doubtful {
            sleep(SETTLE).await;
            undone = undo_all(runtime, &self.actions, false).await;
        }
        if self.patient {
            self.look_at_round_trips(runtime, &mut undone).await;
        }
        let mut undone = undone.into_iter();
        let steps = self
            .counts
            .into_iter()
            .map(|(step, n)| (step, undone.by_ref().take(n).collect()))
            .collect();
        Done::Reverted {
            steps,
            lost,
            counted,
        }
    }

    /// Packets must fare as they did before, whatever the agents say.
    async fn look_at_round_trips(&self, runtime: &dyn Runtime, undone: &mut [Undone]) {
        let of_another = |peer: &Subject| lock::other(&self.lock_dir, peer, &self.run);
        let found: Vec<_> = stream::iter(self.checks.clone())
            .map(|check| async move {
                let found = check.is_as_before(runtime, of_another).await;
                (check.way.subject, found)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (subject, found) in found {
            let is_of = |action: &Action| {
                action.subject == subject && matches!(action.change, Change::Impair { .. })
            };
            let place = self.actions.iter().position(is_of);
            let (Some(found), Some(undone)) = (found, place.and_then(|at| undone.get_mut(at)))
            else {
                continue;
            };
            let proof = &mut undone.proof;
            proof.holds &= found.is_ok();
            let text = found.unwrap_or_else(|text| text);
            proof.evidence = format!("{}; {text}", proof.evidence);
        }
    }

    /// Targets that needed no undo: they were without the fault that they should have had to this moment, whether or not the
    /// engine told of its loss.
    fn lost(&self, undone: &[Undone]) -> Vec<(usize, Subject, String)> {
        let owners = self
            .counts
            .iter()
            .flat_map(|(step, n)| std::iter::repeat_n(*step, *n));
        owners
            .zip(self.actions.iter().zip(undone))
            .filter(|(_, (action, _))| action.effect.holds_to_the_end())
            .filter_map(|(step, (action, undone))| {
                Some((step, action.subject.clone(), undone.idle.clone()?))
            })
            .collect()
    }
}
