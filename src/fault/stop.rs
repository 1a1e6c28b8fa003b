//! `stop`: a container is stopped in good order, as `docker stop` does.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `grace` | `"10s"` | from SIGTERM (or the image's own stop signal) to SIGKILL; `"0s"` is allowed |
//! | `restore` | `"start"` | `"start"`: chaosrun starts it when the step ends; `"none"`: nobody does |
//!
//! *Effect*: the container is down. *Undo*: it is started and runs. The restart policy plays no part: the engine holds it back
//! after a stop. *Lasts* for the step's `for`, 5 s without one; if somebody else starts it before, that is said and no run passes.
//!
//! ```toml
//! fault.stop = { target = "primary", grace = "2s" }
//! ```

use std::time::Duration;

use super::{Fault, Kind, Restore, read_target};
use crate::action::{Action, Change, Condition, Subject, Undo};
use crate::inventory::Instance;
use crate::scenario::cursor::Cursor;
use crate::units::parse_duration;

pub(super) const KIND: Kind = Kind {
    name: "stop",
    summary: "stop it in good order, and start it again when the step ends",
    aimed: false,
    read,
};

pub(super) const GRACE: Duration = Duration::from_secs(10);
const MAX_GRACE: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, PartialEq)]
pub struct Stop {
    pub target: String,
    pub grace: Duration,
    /// Never [`Restore::Policy`].
    pub restore: Restore,
}

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    let target = read_target(table);
    let grace = read_grace(table);
    let restore = match table.get("restore") {
        None => Some(Restore::Start),
        Some(entry) if entry.value.as_str() == Some("policy") => {
            entry.report(
                entry
                    .problem("the engine holds the restart policy back after a stop")
                    .expected("expected `start` or `none`")
                    .hint(
                        "for a crash that the policy reacts to: `fault.kill` with `by = \"crash\"`",
                    ),
            );
            None
        }
        Some(entry) => entry.choice(&[("start", Restore::Start), ("none", Restore::None)]),
    };
    Some(Fault::Stop(Stop {
        target: target?,
        grace,
        restore: restore?,
    }))
}

pub(super) fn read_grace(table: &mut Cursor<'_>) -> Duration {
    let grace = table.parse("grace", |text| match parse_duration(text)? {
        grace if grace > MAX_GRACE => Err("expected at most 1h".into()),
        grace => Ok(grace),
    });
    grace.unwrap_or(GRACE)
}

impl Stop {
    pub(super) fn lower(&self, instance: &Instance) -> Vec<Action> {
        vec![Action {
            subject: Subject::of(instance),
            change: Change::Stop { grace: self.grace },
            effect: Condition::Down,
            undo: match self.restore {
                Restore::None => Undo::None {
                    why: "the scenario says restore = \"none\"".into(),
                },
                _ => Undo::Change {
                    change: Change::Start,
                    until: Condition::Running,
                },
            },
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scene;
    use super::super::testing::{instance, problems, read};
    use super::*;

    #[test]
    fn stops_with_grace_and_starts_again() {
        let action = read("stop = { target = \"t\", grace = \"2s\" }")
            .lower(&instance(), &Scene::default())
            .unwrap()
            .remove(0);
        assert_eq!(
            action,
            Action {
                subject: Subject::of(&instance()),
                change: Change::Stop {
                    grace: Duration::from_secs(2)
                },
                effect: Condition::Down,
                undo: Undo::Change {
                    change: Change::Start,
                    until: Condition::Running
                },
            }
        );
    }

    #[test]
    fn a_stop_that_nobody_undoes_cannot_last() {
        let fault = read("stop = { target = \"t\", restore = \"none\" }");
        assert!(!fault.may_last());
        let action = fault
            .lower(&instance(), &Scene::default())
            .unwrap()
            .remove(0);
        assert_eq!(action.change, Change::Stop { grace: GRACE });
        assert!(matches!(action.undo, Undo::None { .. }));
    }

    #[test]
    fn the_restart_policy_has_no_part_in_it() {
        assert_eq!(
            problems("stop = { target = \"t\", restore = \"policy\", grace = \"2h\" }"),
            [
                "the engine holds the restart policy back after a stop [expected `start` or `none`] (for a crash that the policy reacts to: `fault.kill` with `by = \"crash\"`)",
                "`grace` cannot be `2h` [expected at most 1h]",
            ]
        );
    }
}
