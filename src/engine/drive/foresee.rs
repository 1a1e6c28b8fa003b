//! Shortly before a step's time: whom it will hit, and the intents of it on disk. What was found is good for so long as nothing is heard
//! of anybody in the system and no other step begins or ends; then the step asks anew when its time has come, as one with a role
//! always does, and what was intended is struck out.

use std::time::Duration;

use super::act::Intended;
use super::{Done, Drive, State, micros};
use crate::engine::inject::{self, Miss};
use crate::engine::journal::Line;
use crate::fault::Scene;
use crate::scenario::Trigger;
use crate::units::Micros;

/// So long before: an engine that is busy takes its time, and what it has just said an agent need not ask again.
const AHEAD: Duration = Duration::from_millis(200);

/// What a step knows before its time.
#[derive(Default)]
pub(super) enum Foresight {
    #[default]
    Nothing,
    /// Asked, at this state of the world.
    Asked(usize),
    /// All that must be so before its changes is so, at this state of the world.
    Ready(usize, Box<Intended>),
}

impl Drive<'_> {
    /// Asks ahead for the steps whose time is near. When is it for the next?
    pub(super) fn look_ahead(&mut self, now: Micros) -> Micros {
        let mut next = Micros::MAX;
        for step in 0..self.steps.len() {
            let Some(due) = self.is_foreseeable(step).then(|| self.due(step)).flatten() else {
                continue;
            };
            let near = due.saturating_sub(micros(AHEAD));
            if near > now {
                next = next.min(near);
            } else if due > now
                && let Some(question) = self.question(step)
            {
                let turn = self.turns;
                self.foresee(step, Foresight::Asked(turn));
                self.tasks.spawn(async move {
                    let answer = inject::resolve(question).await;
                    Done::Foreseen { step, turn, answer }
                });
            }
        }
        next
    }

    /// Of steps that will not begin by themselves as things stand, nothing is left on disk: whoever undoes what a killed run has left
    /// must not meddle with containers that it has not touched.
    pub(super) fn forget_what_stands(&mut self) {
        for step in 0..self.steps.len() {
            if !self.is_to_come(step) {
                self.foresee(step, Foresight::Nothing);
            }
        }
    }

    fn is_to_come(&self, step: usize) -> bool {
        let goes_on = self.halting.is_none() && self.ending.is_none() && !self.pace.is_held();
        goes_on && self.steps[step].state == State::Waiting
    }

    fn is_foreseeable(&self, step: usize) -> bool {
        let scenario = &self.run.scenario;
        let (spec, progress) = (&scenario.steps[step], &self.steps[step]);
        let has_role = |name: &str| scenario.target(name).is_none_or(|one| one.role.is_some());
        let known = match &progress.foresight {
            Foresight::Nothing => false,
            Foresight::Asked(turn) | Foresight::Ready(turn, _) => *turn == self.turns,
        };
        !known
            && self.is_to_come(step)
            && matches!(spec.trigger, Trigger::At(_))
            && !has_role(spec.fault.target())
            && !spec.fault.peers().into_iter().any(has_role)
    }

    /// What stands against it is told when the step asks for itself.
    pub(super) fn on_foreseen(&mut self, step: usize, turn: usize, answer: Result<Scene, Miss>) {
        let may_come = self.is_to_come(step) && turn == self.turns;
        if may_come
            && matches!(self.steps[step].foresight, Foresight::Asked(asked) if asked == turn)
            && let Ok(scene) = answer
            && let Ok(intended) = self.intend(step, scene)
        {
            self.steps[step].foresight = Foresight::Ready(turn, Box::new(intended));
        }
    }

    /// The step's time has come.
    pub(super) fn begin(&mut self, step: usize) {
        match std::mem::take(&mut self.steps[step].foresight) {
            Foresight::Ready(turn, intended)
                if turn == self.turns && self.run.journal.is_there() =>
            {
                self.act(step, *intended);
            }
            void => {
                self.strike_out(void);
                self.resolve(step);
            }
        }
    }

    /// In place of what was foreseen before.
    fn foresee(&mut self, step: usize, foresight: Foresight) {
        let void = std::mem::replace(&mut self.steps[step].foresight, foresight);
        self.strike_out(void);
    }

    /// Nothing of what was intended has been done, and nothing will be.
    fn strike_out(&mut self, void: Foresight) {
        if let Foresight::Ready(_, intended) = void {
            let undone = intended.ids.iter().map(|id| Line::Undone { id: *id });
            // What stays is undone at the run's end, which does no harm.
            let _kept = self.run.write_down(&undone.collect::<Vec<_>>());
        }
    }
}
