//! `pause`: every process of a container is frozen; its connections stay open and nothing answers.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//!
//! *Effect*: the engine shows it as paused. *Undo*: it is unpaused; one that died meanwhile is not started. *Lasts* for the step's `for`, 5 s without one.
//!
//! ```toml
//! for = "10s"
//! fault.pause = { target = "primary" }
//! ```

use super::{Fault, Kind, read_target};
use crate::action::{Action, Change, Condition, Subject, Undo};
use crate::inventory::Instance;
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "pause",
    summary: "freeze every process of a container",
    aimed: false,
    read,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Pause {
    pub target: String,
}

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    let target = read_target(table)?;
    Some(Fault::Pause(Pause { target }))
}

pub(super) fn lower(instance: &Instance) -> Vec<Action> {
    vec![Action {
        subject: Subject::of(instance),
        change: Change::Pause,
        effect: Condition::Paused,
        undo: Undo::Change {
            change: Change::Unpause,
            until: Condition::NotPaused,
        },
    }]
}

#[cfg(test)]
mod tests {
    use super::super::Scene;
    use super::super::testing::{instance, problems, read};
    use super::*;

    #[test]
    fn pauses_and_unpauses() {
        let action = read("pause = { target = \"t\" }")
            .lower(&instance(), &Scene::default())
            .unwrap()
            .remove(0);
        assert_eq!(action.change, Change::Pause);
        assert_eq!(action.effect, Condition::Paused);
        assert_eq!(
            action.undo,
            Undo::Change {
                change: Change::Unpause,
                until: Condition::NotPaused
            }
        );
    }

    #[test]
    fn it_takes_a_target_and_nothing_else() {
        assert_eq!(
            problems("pause = { target = \"t\", signal = \"TERM\" }"),
            ["unknown key `signal` in fault `pause` (known here: `target`)"]
        );
    }
}
