//! `kill`: a signal to a container's first process.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `signal` | `"SIGKILL"` | any but those that only stop or continue a process: for that, use `pause` |
//! | `by` | `"engine"` | `"engine"`: as `docker kill`, after which the engine holds the restart policy back; `"crash"`: from outside the container, as a real crash, so that the restart policy reacts |
//! | `restore` | `"start"`, or `"none"` for a signal that ends nothing by nature (`SIGHUP`, `SIGUSR1`, …) | `"start"`: chaosrun starts the container when the step ends; `"policy"`: its restart policy does, only with `by = "crash"`; `"none"`: nobody |
//! | `within` | `"30s"` | how long the restart policy may take; only with `restore = "policy"` |
//!
//! *Effect*: the first process that was there before is gone: the container is down, or runs with another one. A signal that
//! ends nothing by nature counts as soon as the engine has delivered it; say `restore` to expect that it does end it.
//!
//! *Undo*: the container is started and runs. With `restore = "policy"` it is awaited, and started by chaosrun if it did not
//! come back in time, which the report says.
//!
//! *Lasts* for the step's `for`, 5 s without one, with `restore = "start"`; otherwise it is over once the container is back.
//!
//! ```toml
//! fault.kill = { target = "primary", signal = "SIGTERM" }
//! fault.kill = { target = "worker", by = "crash", restore = "policy" }
//! ```

use std::time::Duration;

use super::{Fault, Kind, Restore, read_target};
use crate::action::{Action, Change, Condition, Subject, Undo};
use crate::inventory::{Instance, RestartPolicy};
use crate::scenario::cursor::Cursor;
use crate::scenario::entry::Entry;
use crate::units::Signal;

pub(super) const KIND: Kind = Kind {
    name: "kill",
    summary: "signal its first process, through the engine or as a crash",
    aimed: false,
    read,
};

const WITHIN: Duration = Duration::from_secs(30);
/// Those that a process outlives as a rule.
const GENTLE: &[&str] = &[
    "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGCONT", "SIGWINCH",
];
/// Those that stop a process without ending it.
const STOPPING: &[&str] = &["SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"];

#[derive(Debug, Clone, PartialEq)]
pub struct Kill {
    pub target: String,
    pub signal: Signal,
    pub by: By,
    pub restore: Restore,
    /// How long the restart policy may take.
    pub within: Duration,
    /// Is it expected to end the first process?
    pub deadly: bool,
}

/// Where the signal comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Engine,
    /// From outside of the container's PID namespace.
    Crash,
}

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    let target = read_target(table);
    let signal = table.get("signal").map(|entry| read_signal(&entry));
    let by_entry = table.get("by");
    let by = by_entry
        .as_ref()
        .map(|by| by.choice(&[("engine", By::Engine), ("crash", By::Crash)]));
    let restore_entry = table.get("restore");
    let restore = restore_entry.as_ref().and_then(|restore| {
        restore.choice(&[
            ("start", Restore::Start),
            ("policy", Restore::Policy),
            ("none", Restore::None),
        ])
    });
    let within_entry = table.get("within");
    let within = table.duration("within").unwrap_or(WITHIN);
    // A key that could not be read says nothing about the others.
    let signal = signal.unwrap_or(Some(Signal::KILL))?;
    let by = by.unwrap_or(Some(By::Engine))?;
    if let Some(entry) = &restore_entry {
        check_policy(entry, by_entry.as_ref(), by, restore?);
    }
    let gentle = GENTLE.contains(&signal.name());
    let by_nature = if gentle {
        Restore::None
    } else {
        Restore::Start
    };
    let restore = restore.unwrap_or(by_nature);
    if let Some(entry) = within_entry.filter(|_| restore != Restore::Policy) {
        entry.report(
            entry
                .key_problem("`within` goes with `restore = \"policy\"`")
                .hint("nothing is waited for otherwise"),
        );
    }
    Some(Fault::Kill(Kill {
        target: target?,
        signal,
        by,
        restore,
        within,
        deadly: !gentle || restore != Restore::None,
    }))
}

fn read_signal(entry: &Entry<'_>) -> Option<Signal> {
    let signal: Signal = entry.parse(str::parse)?;
    if STOPPING.contains(&signal.name()) {
        entry.report(
            entry
                .problem(format!("{signal} does not end a process, it stops it"))
                .hint("use `fault.pause`"),
        );
        return None;
    }
    Some(signal)
}

fn check_policy(restore: &Entry<'_>, by_entry: Option<&Entry<'_>>, by: By, wanted: Restore) {
    if by != By::Engine || wanted != Restore::Policy {
        return;
    }
    let problem = restore
        .problem("the engine holds the restart policy back after its own kill")
        .expected("nothing would bring the container back")
        .hint("say `by = \"crash\"`");
    restore.report(match by_entry {
        Some(by) => problem.also(by.span.clone(), "a kill through the engine"),
        None => problem,
    });
}

impl Kill {
    pub(super) fn lower(&self, instance: &Instance) -> Result<Vec<Action>, String> {
        let signal = self.signal;
        Ok(vec![Action {
            subject: Subject::of(instance),
            change: match self.by {
                By::Engine => Change::Signal { signal },
                By::Crash => Change::Crash { signal },
            },
            effect: if self.deadly {
                Condition::Ended {
                    started_at: instance.started_at.clone(),
                    pid: instance.pid,
                }
            } else {
                Condition::Delivered
            },
            undo: self.undo(instance)?,
        }])
    }

    fn undo(&self, instance: &Instance) -> Result<Undo, String> {
        Ok(match self.restore {
            Restore::Start => Undo::Change {
                change: Change::Start,
                until: Condition::Running,
            },
            Restore::Policy => {
                check_revival(instance)?;
                Undo::Await {
                    until: Condition::RunningAgain {
                        started_at: instance.started_at.clone(),
                    },
                    within: self.within,
                    otherwise: Change::Start,
                }
            }
            Restore::None if self.deadly => Undo::None {
                why: "the scenario says restore = \"none\"".into(),
            },
            Restore::None => Undo::None {
                why: format!("a delivered {} cannot be taken back", self.signal),
            },
        })
    }
}

fn check_revival(instance: &Instance) -> Result<(), String> {
    let name = instance.identity();
    match instance.restart_policy {
        policy if !policy.revives() => Err(format!(
            "cannot leave {name} to its restart policy: it has none; give its service `restart: always`, or say restore = \"start\""
        )),
        RestartPolicy::OnFailure { at_most }
            if at_most > 0 && instance.restart_count >= at_most =>
        {
            Err(format!(
                "cannot leave {name} to its restart policy: it has used up its {at_most} restarts; start it anew, or say restore = \"start\""
            ))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scene;
    use super::super::testing::{instance, problems, read};
    use super::*;

    fn ended() -> Condition {
        Condition::Ended {
            started_at: instance().started_at,
            pid: Some(100),
        }
    }

    #[test]
    fn by_default_sigkill_through_the_engine_and_a_start() {
        let fault = read("kill = { target = \"t\" }");
        let actions = fault.lower(&instance(), &Scene::default()).unwrap();
        assert_eq!(
            actions,
            [Action {
                subject: Subject::of(&instance()),
                change: Change::Signal {
                    signal: Signal::KILL
                },
                effect: ended(),
                undo: Undo::Change {
                    change: Change::Start,
                    until: Condition::Running
                },
            }]
        );
        assert!(fault.may_last());
    }

    #[test]
    fn a_crash_can_be_left_to_the_restart_policy() {
        let fault = read(
            "kill = { target = \"t\", by = \"crash\", restore = \"policy\", within = \"10s\" }",
        );
        let mut instance = instance();
        assert_eq!(
            fault.lower(&instance, &Scene::default()).unwrap_err(),
            "cannot leave node-1 to its restart policy: it has none; give its service `restart: always`, or say restore = \"start\""
        );
        instance.restart_policy = RestartPolicy::OnFailure { at_most: 3 };
        let action = fault.lower(&instance, &Scene::default()).unwrap().remove(0);
        assert_eq!(
            action.change,
            Change::Crash {
                signal: Signal::KILL
            }
        );
        assert_eq!(
            action.undo,
            Undo::Await {
                until: Condition::RunningAgain {
                    started_at: instance.started_at.clone()
                },
                within: Duration::from_secs(10),
                otherwise: Change::Start,
            }
        );
        instance.restart_count = 3;
        assert!(
            fault
                .lower(&instance, &Scene::default())
                .unwrap_err()
                .contains("used up its 3 restarts")
        );
        assert!(!fault.may_last());
    }

    #[test]
    fn a_gentle_signal_is_only_delivered_unless_restore_says_more() {
        let action = read("kill = { target = \"t\", signal = \"hup\" }")
            .lower(&instance(), &Scene::default())
            .unwrap()
            .remove(0);
        assert_eq!(action.effect, Condition::Delivered);
        assert!(matches!(action.undo, Undo::None { why } if why.contains("SIGHUP")));

        let action = read("kill = { target = \"t\", signal = \"SIGHUP\", restore = \"start\" }")
            .lower(&instance(), &Scene::default())
            .unwrap()
            .remove(0);
        assert_eq!(action.effect, ended());
    }

    #[test]
    fn a_kill_that_nobody_undoes_says_so() {
        let fault = read("kill = { target = \"t\", signal = \"TERM\", restore = \"none\" }");
        let action = fault
            .lower(&instance(), &Scene::default())
            .unwrap()
            .remove(0);
        assert_eq!(action.effect, ended());
        assert!(matches!(action.undo, Undo::None { .. }));
        assert!(!fault.may_last());
    }

    #[test]
    fn parameters_that_do_not_go_together() {
        for (fault, expected) in [
            (
                "kill = { target = \"t\", restore = \"policy\" }",
                "the engine holds the restart policy back after its own kill [nothing would bring the container back] (say `by = \"crash\"`)",
            ),
            (
                "kill = { target = \"t\", signal = \"SIGSTOP\" }",
                "SIGSTOP does not end a process, it stops it (use `fault.pause`)",
            ),
            (
                "kill = { target = \"t\", signal = \"SIGKIL\" }",
                "`signal` cannot be `SIGKIL` [expected a signal's name, such as \"SIGKILL\" or \"SIGTERM\"]",
            ),
            (
                "kill = { target = \"t\", within = \"5s\" }",
                "`within` goes with `restore = \"policy\"` (nothing is waited for otherwise)",
            ),
            (
                "kill = { target = \"u\" }",
                "no target named `u` (known here: `t`)",
            ),
            (
                "kill = {}",
                "fault `kill` has no `target` (add `target = \"NAME\"`)",
            ),
        ] {
            assert_eq!(problems(fault), [expected]);
        }
    }
}
