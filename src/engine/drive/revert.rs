//! Taking steps back, as a task beside the loop.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use super::Done;
use crate::action::{Action, Subject};
use crate::engine::inject::look_at;
use crate::engine::undo::{undo_all, wait_for};
use crate::runtime::Runtime;

/// An engine that was asked for a change and gave no answer may still make it; it is looked at again after this time.
const SETTLE: Duration = Duration::from_secs(1);

/// Everything that the task needs, owned.
#[derive(Default)]
pub(super) struct Revert {
    /// Newest first.
    pub(super) actions: Vec<Action>,
    /// How many of them belong to which step.
    pub(super) counts: Vec<(usize, usize)>,
    pub(super) patient: bool,
    /// It is not known whether all changes that were asked for have been made.
    pub(super) doubtful: bool,
    /// Every fault was shown to be in force; is it still?
    pub(super) watched: bool,
}

impl Revert {
    pub(super) async fn run(self, runtime: &dyn Runtime) -> Done {
        let lost = if self.watched {
            self.lost(runtime).await
        } else {
            Vec::new()
        };
        let mut undone = undo_all(runtime, &self.actions, self.patient).await;
        if self.doubtful {
            sleep(SETTLE).await;
            undone = undo_all(runtime, &self.actions, false).await;
        }
        let ids: BTreeSet<String> = self.actions.iter().map(|a| a.subject.id.clone()).collect();
        let seen = look_at(runtime, ids.into_iter().collect()).await;
        let mut undone = undone.into_iter();
        let steps = self
            .counts
            .into_iter()
            .map(|(step, n)| (step, undone.by_ref().take(n).collect()))
            .collect();
        Done::Reverted { steps, lost, seen }
    }

    /// Targets without the fault that they should have to this moment, whether or not the engine told of its loss.
    async fn lost(&self, runtime: &dyn Runtime) -> Vec<(usize, Subject, String)> {
        let mut lost = Vec::new();
        let owners = self
            .counts
            .iter()
            .flat_map(|(step, n)| std::iter::repeat_n(*step, *n));
        for (step, action) in owners.zip(&self.actions) {
            if !action.effect.is_lasting() {
                continue;
            }
            let seen = wait_for(runtime, &action.subject, &action.effect, Duration::ZERO).await;
            if let Err(seen) = seen {
                lost.push((step, action.subject.clone(), seen));
            }
        }
        lost
    }
}
