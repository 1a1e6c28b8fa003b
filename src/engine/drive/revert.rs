//! Taking steps back, as a task beside the loop.

use std::time::Duration;

use tokio::time::sleep;

use super::Done;
use crate::action::{Action, Subject};
use crate::engine::undo::{Undone, undo_all};
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
        let mut undone = undone.into_iter();
        let steps = self
            .counts
            .into_iter()
            .map(|(step, n)| (step, undone.by_ref().take(n).collect()))
            .collect();
        Done::Reverted { steps, lost }
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
