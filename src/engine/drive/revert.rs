//! Taking steps back, as a task beside the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::sleep;

use super::Done;
use crate::action::{Action, Subject};
use crate::engine::inject::look_at;
use crate::engine::undo::undo_all;
use crate::inventory::Instance;
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
        let mut undone = undone.into_iter();
        let steps = self
            .counts
            .into_iter()
            .map(|(step, n)| (step, undone.by_ref().take(n).collect()))
            .collect();
        Done::Reverted { steps, lost }
    }

    /// Targets without the fault that they should have to this moment, whether or not the engine told of its loss. An engine
    /// that does not answer says nothing either way.
    async fn lost(&self, runtime: &dyn Runtime) -> Vec<(usize, Subject, String)> {
        let lasting = self.actions.iter().filter(|a| a.effect.is_lasting());
        let ids: BTreeSet<String> = lasting.map(|a| a.subject.id.clone()).collect();
        let seen: BTreeMap<String, Option<Instance>> = look_at(runtime, ids.into_iter().collect())
            .await
            .into_iter()
            .collect();
        let owners = self
            .counts
            .iter()
            .flat_map(|(step, n)| std::iter::repeat_n(*step, *n));
        owners
            .zip(&self.actions)
            .filter(|(_, action)| action.effect.is_lasting())
            .filter_map(|(step, action)| {
                let now = seen.get(&action.subject.id)?.as_ref();
                let without = action.effect.check(now).err()?;
                Some((step, action.subject.clone(), without))
            })
            .collect()
    }
}
