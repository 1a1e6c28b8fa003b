//! `restart`: a container is stopped in good order and started again at once.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `grace` | `"10s"` | from SIGTERM (or the image's own stop signal) to SIGKILL; `"0s"` is allowed |
//!
//! *Effect*: the container was down. *Undo*: it is started and runs; that is the second half of the restart, so a step with
//! this fault has no `for`.
//!
//! ```toml
//! fault.restart = { target = "primary" }
//! ```

use std::time::Duration;

use super::{Fault, Kind, Restore, Stop, read_target, stop};
use crate::action::Action;
use crate::inventory::Instance;
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "restart",
    summary: "stop a container in good order and start it again at once",
    aimed: false,
    read,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Restart {
    pub target: String,
    pub grace: Duration,
}

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    let target = read_target(table);
    let grace = stop::read_grace(table);
    Some(Fault::Restart(Restart {
        target: target?,
        grace,
    }))
}

impl Restart {
    pub(super) fn lower(&self, instance: &Instance) -> Vec<Action> {
        let stop = Stop {
            target: self.target.clone(),
            grace: self.grace,
            restore: Restore::Start,
        };
        stop.lower(instance)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scene;
    use super::super::testing::{instance, problems, read};
    use super::*;
    use crate::action::{Change, Undo};

    #[test]
    fn is_a_stop_whose_undo_comes_at_once() {
        let fault = read("restart = { target = \"t\", grace = \"0s\" }");
        let action = fault
            .lower(&instance(), &Scene::default())
            .unwrap()
            .remove(0);
        let grace = Duration::ZERO;
        assert_eq!(action.change, Change::Stop { grace });
        assert!(matches!(
            action.undo,
            Undo::Change {
                change: Change::Start,
                ..
            }
        ));
        assert_eq!(fault.default_hold(), Duration::ZERO);
    }

    #[test]
    fn it_has_no_restore() {
        assert_eq!(
            problems("restart = { target = \"t\", restore = \"none\" }"),
            ["unknown key `restore` in fault `restart` (known here: `target` or `grace`)"]
        );
    }
}
