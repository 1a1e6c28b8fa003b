//! Every kind of fault. A fault is a compiler: it lowers, purely, to actions.
//!
//! One file a fault; the page on top of it is its manual. [`KINDS`] is the list that everything else reads.

mod blackhole;
mod combined;
mod corrupt;
mod delay;
mod disconnect;
mod dns;
mod duplicate;
mod kill;
mod loss;
mod network;
mod partition;
mod pause;
mod rate;
mod reorder;
mod reset;
mod restart;
mod scene;
mod stop;
#[cfg(test)]
mod testing;

use std::time::Duration;

use crate::action::{Action, Change, Undo};
use crate::impairment::Effect;
use crate::impairment::line::spread;
use crate::inventory::{Instance, State};
use crate::scenario::cursor::Cursor;

pub use disconnect::Disconnect;
pub use kill::{By, Kill};
pub use network::{Aim, Network, Peer, Shape};
pub use partition::{Partition, Sides};
pub use pause::Pause;
pub use restart::Restart;
pub use scene::Scene;
pub use stop::Stop;

/// How long a lasting fault lasts when its step has no `for`.
const HOLD: Duration = Duration::from_secs(5);

/// One kind of harm, with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    Kill(Kill),
    Stop(Stop),
    Restart(Restart),
    Pause(Pause),
    Disconnect(Disconnect),
    /// All that makes some packets fare worse.
    Network(Network),
    Partition(Partition),
}

/// Who brings a container back that a fault took down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restore {
    /// chaosrun starts it when the step ends.
    Start,
    /// Its own restart policy does.
    Policy,
    /// Nobody.
    None,
}

/// A fault as a scenario names it.
pub struct Kind {
    /// Its key: `kill`.
    pub name: &'static str,
    pub summary: &'static str,
    /// Does it take the keys that say which packets?
    pub aimed: bool,
    pub(crate) read: fn(&mut Cursor<'_>) -> Option<Fault>,
}

/// All that can be used.
pub const KINDS: &[Kind] = &[
    kill::KIND,
    stop::KIND,
    restart::KIND,
    pause::KIND,
    disconnect::KIND,
    delay::KIND,
    loss::KIND,
    corrupt::KIND,
    duplicate::KIND,
    reorder::KIND,
    rate::KIND,
    combined::KIND,
    partition::KIND,
    blackhole::KIND,
    reset::KIND,
    dns::KIND,
];

/// Names that the language keeps for faults to come.
pub const LATER: &[&str] = &[
    "remove", "cpu", "memory", "io", "disk", "pids", "process", "clock", "exec", "scale", "drain",
    "rollout",
];

impl Fault {
    /// Its key in a scenario: `kill`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Kill(_) => kill::KIND.name,
            Self::Stop(_) => stop::KIND.name,
            Self::Restart(_) => restart::KIND.name,
            Self::Pause(_) => pause::KIND.name,
            Self::Disconnect(_) => disconnect::KIND.name,
            Self::Network(network) => network.kind,
            Self::Partition(_) => partition::KIND.name,
        }
    }

    /// The name of the target that it hits.
    pub fn target(&self) -> &str {
        match self {
            Self::Kill(kill) => &kill.target,
            Self::Stop(stop) => &stop.target,
            Self::Restart(restart) => &restart.target,
            Self::Pause(pause) => &pause.target,
            Self::Disconnect(disconnect) => &disconnect.target,
            Self::Network(network) => &network.target,
            Self::Partition(partition) => &partition.target,
        }
    }

    /// Can a step say `for` how long it lasts? Not when something else than the step's end brings the container back.
    pub fn may_last(&self) -> bool {
        match self {
            Self::Kill(kill) => kill.restore == Restore::Start,
            Self::Stop(stop) => stop.restore == Restore::Start,
            Self::Restart(_) => false,
            Self::Pause(_) | Self::Disconnect(_) | Self::Network(_) | Self::Partition(_) => true,
        }
    }

    /// The targets that it names as peers.
    pub fn peers(&self) -> Vec<&str> {
        let all: Vec<&Peer> = match self {
            Self::Network(network) => network.aim.to.iter().collect(),
            Self::Partition(Partition {
                sides: Sides::Groups { from, to },
                ..
            }) => from.iter().chain(to).collect(),
            _ => Vec::new(),
        };
        let names = all.into_iter().filter_map(|peer| match peer {
            Peer::Target(name) => Some(name.as_str()),
            _ => None,
        });
        names.collect()
    }

    /// Does what happens to one target depend on how many there are?
    pub fn is_shaped(&self) -> bool {
        matches!(self, Self::Partition(partition) if matches!(partition.sides, Sides::Shape(_)))
    }

    /// Is it one of those of which a container has one at a time?
    pub fn is_of_network(&self) -> bool {
        matches!(self, Self::Network(_) | Self::Partition(_))
    }

    /// What its targets certainly are while it is in force, if that keeps other faults off them: `paused`.
    pub fn takes_down(&self) -> Option<&'static str> {
        match self {
            Self::Pause(_) => Some("paused"),
            Self::Stop(_) => Some("taken down"),
            // After a crash the restart policy may bring it back at any time.
            Self::Kill(kill) if kill.deadly && kill.by == By::Engine => Some("taken down"),
            _ => None,
        }
    }

    /// For those that may not last: a few words on why.
    pub(crate) fn why_it_cannot_last(&self) -> &'static str {
        match self {
            Self::Restart(_) => "it is over as soon as the container runs again",
            Self::Kill(kill) if kill.restore == Restore::Policy => {
                "it is over when the restart policy has brought the container back"
            }
            _ => "chaosrun does not end it",
        }
    }

    /// So late come even those packets that it holds up least.
    pub(crate) fn least_delay(&self) -> Option<Duration> {
        let Self::Network(Network {
            effect: Effect::Line(line),
            ..
        }) = self
        else {
            return None;
        };
        // Those that overtake are not held up at all.
        let all = line.delay.as_ref().filter(|_| line.reorder.is_none());
        all.map(spread::least)
    }

    /// How long it lasts when the step has no `for`.
    pub fn default_hold(&self) -> Duration {
        if self.may_last() {
            HOLD
        } else {
            Duration::ZERO
        }
    }

    /// What to do to one instance; nothing, where it has no part in what the others are hit by.
    ///
    /// # Errors
    /// A sentence saying why this instance cannot be hit in this way, and what to do.
    pub fn lower(&self, instance: &Instance, scene: &Scene) -> Result<Vec<Action>, String> {
        if instance.state != State::Running {
            return Err(not_running(self.kind(), instance));
        }
        let actions = match self {
            Self::Kill(kill) => kill.lower(instance)?,
            Self::Stop(stop) => stop.lower(instance),
            Self::Restart(restart) => restart.lower(instance),
            Self::Pause(_) => pause::lower(instance),
            Self::Disconnect(disconnect) => disconnect.lower(instance)?,
            Self::Network(network) => network.lower(instance, scene)?,
            Self::Partition(partition) => partition.lower(instance, scene)?,
        };
        if instance.auto_remove && actions.iter().any(wants_a_start) {
            return Err(format!(
                "cannot {} {}: it was run with --rm, so the engine removes it once it ends and it cannot be started again; \
                 run it without --rm, or say `restore = \"none\"`",
                self.kind(),
                instance.identity()
            ));
        }
        Ok(actions)
    }

    /// What of all that its scenario names it passes over where this one is hit: the target itself, or a peer. A sentence each.
    pub fn left_out(&self, instance: &Instance, scene: &Scene) -> Vec<String> {
        match self {
            Self::Network(network) => network.left_out(instance, scene),
            Self::Partition(partition) => partition.left_out(instance, scene),
            _ => Vec::new(),
        }
    }
}

fn wants_a_start(action: &Action) -> bool {
    matches!(
        action.undo,
        Undo::Await { .. }
            | Undo::Change {
                change: Change::Start,
                ..
            }
    )
}

fn not_running(kind: &str, instance: &Instance) -> String {
    format!(
        "cannot {kind} {}: it {}; a fault needs a container that runs",
        instance.identity(),
        instance.state.phrase()
    )
}

/// `target = "NAME"`, which every fault has.
fn read_target(table: &mut Cursor<'_>) -> Option<String> {
    table.required("target", "target = \"NAME\"")?.target()
}

#[cfg(test)]
mod tests {
    use super::testing::{instance, least, read};
    use super::*;

    #[test]
    fn what_cannot_be_started_again_is_not_ended() {
        let mut gone_once_ended = instance();
        gone_once_ended.auto_remove = true;
        let lower = |text: &str| read(text).lower(&gone_once_ended, &Scene::default());
        for ends in ["kill", "stop", "restart"] {
            let why = lower(&format!("{ends} = {{ target = \"t\" }}")).unwrap_err();
            assert!(why.contains("it was run with --rm"), "{why}");
        }
        for spares in [
            "pause = { target = \"t\" }",
            "kill = { target = \"t\", restore = \"none\" }",
        ] {
            assert!(lower(spares).is_ok(), "{spares}");
        }
    }

    #[test]
    fn every_kind_reads_and_knows_its_name_and_target() {
        for kind in KINDS {
            let fault = read(&least(kind));
            assert_eq!((fault.kind(), fault.target()), (kind.name, "t"));
            assert!(!LATER.contains(&kind.name));
            assert_eq!(fault.may_last(), fault.default_hold() > Duration::ZERO);
        }
    }

    #[test]
    fn only_a_running_container_can_be_hit() {
        let mut instance = instance();
        let other = Instance {
            id: "c2".into(),
            number: Some(2),
            ..instance.clone()
        };
        let scene = Scene {
            hit: vec![instance.clone(), other],
            ..Scene::default()
        };
        for kind in KINDS {
            let fault = read(&least(kind));
            instance.state = State::Running;
            assert!(fault.lower(&instance, &scene).is_ok(), "{}", kind.name);
            for state in [
                State::Created,
                State::Paused,
                State::Restarting,
                State::Removing,
                State::Exited { code: 1 },
                State::Dead,
            ] {
                instance.state = state;
                assert!(fault.lower(&instance, &scene).is_err(), "{}", kind.name);
            }
        }
        instance.state = State::Exited { code: 137 };
        assert_eq!(
            read("pause = { target = \"t\" }")
                .lower(&instance, &Scene::default())
                .unwrap_err(),
            "cannot pause node-1: it has exited with code 137; a fault needs a container that runs"
        );
    }
}
