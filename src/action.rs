//! The closed vocabulary of what chaosrun can do to a container.
//!
//! Faults are compiled to [`Action`]s; only a runtime performs their [`Change`]s, and only the engine asks it to. An action
//! carries what must be true afterwards and its undo as data, so dry run, plan, journal, recovery and goldens all read the
//! same thing. An undo aims at a *condition*: where that holds already nothing is done, so undoing twice does no harm.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::impairment::Impairment;
use crate::inventory::{Endpoint, Instance, RestartPolicy, State};
use crate::units::{Signal, format_duration};

/// What is seen of a container that is no more.
pub const GONE: &str = "the container is gone";

/// What is said of an action that is not to be taken back, before why.
pub const NOT_UNDONE: &str = "nothing to undo";

/// The container that an action is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// The engine's id.
    pub id: String,
    /// For people: [`Instance::identity`].
    pub name: String,
}

/// One invertible step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    pub subject: Subject,
    pub change: Change,
    /// Must hold after the change, or the step's effect is not proven.
    pub effect: Condition,
    pub undo: Undo,
}

/// What a runtime can be asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A signal through the engine, which then holds the restart policy back.
    Signal {
        signal: Signal,
    },
    /// A signal from outside the container's PID namespace, as a crash: the restart policy reacts. Needs the agent.
    Crash {
        signal: Signal,
    },
    /// SIGTERM, then SIGKILL after the grace.
    Stop {
        grace: Duration,
    },
    Start,
    Pause,
    Unpause,
    Disconnect {
        network: String,
    },
    Connect {
        network: String,
        endpoint: Box<Endpoint>,
    },
    /// From now on its packets fare so, in place of how they fared before. Needs the agent.
    Impair {
        impairment: Box<Impairment>,
    },
    /// Nothing of chaosrun's is in its network any more.
    Relieve,
}

/// A question about one container, answered from an observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    Running,
    Paused,
    /// Whatever else it is. Undoing a pause ends with the pause: a target that died meanwhile is not started.
    NotPaused,
    /// Exited, dead or gone.
    Down,
    /// Its first process is no longer the one that was there before: it is down, or was started again.
    Ended {
        started_at: String,
        pid: Option<u32>,
    },
    /// Runs, and not since before `started_at`.
    RunningAgain {
        started_at: String,
    },
    Connected {
        network: String,
        aliases: Vec<String>,
    },
    Disconnected {
        network: String,
    },
    /// Its agent has an impairment with this digest in force, in the network that the container has now.
    Impaired {
        digest: String,
    },
    /// No impairment of chaosrun's is in force in its network.
    Relieved,
    /// A signal that was delivered but need not end anything: nothing can be read back from the engine.
    Delivered,
}

/// How an action is taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// Unless `until` holds already: make the change, then wait for it.
    Change {
        change: Change,
        until: Condition,
    },
    /// The system does it by itself; chaosrun only waits. `otherwise` is done when it did not come in time, and the run says so.
    Await {
        until: Condition,
        within: Duration,
        otherwise: Change,
    },
    None {
        why: String,
    },
}

/// Something that a runtime or the agent must be able to do for a plan to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Signals from the host's PID namespace, through the agent.
    Crash,
    /// Packets in the container's own network namespace, through an agent in it.
    Network,
}

impl Subject {
    pub fn of(instance: &Instance) -> Self {
        Self {
            id: instance.id.clone(),
            name: instance.identity(),
        }
    }

    /// What was tried, for errors: `node-1: could not pause`.
    pub fn could_not(&self, change: &Change) -> String {
        format!("{}: could not {}", self.name, change.phrase())
    }
}

impl Change {
    pub fn needs(&self) -> Option<Capability> {
        match self {
            Self::Crash { .. } => Some(Capability::Crash),
            Self::Impair { .. } => Some(Capability::Network),
            _ => None,
        }
    }

    /// Does whoever makes it find out by itself that it is so already? Then nobody has to look first; and whether a network is free of
    /// what an agent that is no more has put there, nobody can see from outside.
    pub fn is_refused_when_so(&self) -> bool {
        matches!(self, Self::Pause | Self::Unpause | Self::Relieve)
    }

    /// How long after it was asked for, and whether or not anybody still waits for the answer, the engine may do it.
    pub fn lands_within(&self) -> Duration {
        match self {
            Self::Stop { grace } => *grace,
            // A process may take its time to end, where it is asked to.
            Self::Signal { signal } | Self::Crash { signal } if *signal != Signal::KILL => {
                Duration::from_secs(10)
            }
            _ => Duration::ZERO,
        }
    }

    /// As a phrase for plans, reports and errors: `pause`, `send SIGKILL through the engine`.
    pub fn phrase(&self) -> String {
        match self {
            Self::Signal { signal } => format!("send {signal} through the engine"),
            Self::Crash { signal } => format!("send {signal} from outside, as a crash"),
            Self::Stop { grace } => format!("stop with {} of grace", format_duration(*grace)),
            Self::Start => "start".into(),
            Self::Pause => "pause".into(),
            Self::Unpause => "unpause".into(),
            Self::Disconnect { network } => format!("disconnect from network {network}"),
            Self::Connect { network, .. } => format!("connect to network {network}"),
            Self::Impair { impairment } => impairment.phrase(),
            Self::Relieve => "relieve its network".into(),
        }
    }
}

impl Undo {
    /// As a phrase for plans and reports.
    pub fn phrase(&self) -> String {
        match self {
            Self::Change { change, .. } => change.phrase(),
            Self::Await { within, .. } => format!(
                "wait up to {} for its restart policy",
                format_duration(*within)
            ),
            Self::None { why } => format!("none: {why}"),
        }
    }
}

impl Condition {
    /// Does it hold for what was observed (`None`: the container is gone)? Either way with the evidence, for people.
    pub fn check(&self, now: Option<&Instance>) -> Result<String, String> {
        let Some(now) = now else {
            let gone = GONE.to_owned();
            return match self {
                Self::Down
                | Self::Ended { .. }
                | Self::Disconnected { .. }
                | Self::NotPaused
                | Self::Relieved => Ok(gone),
                _ => Err(gone),
            };
        };
        let seen = describe(now);
        let answer = |holds: bool| {
            if holds {
                Ok(seen.clone())
            } else {
                Err(seen.clone())
            }
        };
        match self {
            Self::Running => answer(now.state == State::Running),
            Self::Paused => answer(now.state == State::Paused),
            Self::NotPaused => answer(now.state != State::Paused),
            Self::Down => answer(matches!(now.state, State::Exited { .. } | State::Dead)),
            Self::Ended { started_at, pid } => answer(
                !matches!(now.state, State::Running | State::Paused)
                    || now.started_at != *started_at
                    || (pid.is_some() && now.pid != *pid),
            ),
            Self::RunningAgain { started_at } => {
                answer(now.state == State::Running && now.started_at != *started_at)
            }
            Self::Connected { network, aliases } => match now.networks.get(network) {
                None => Err(format!("not in network {network}")),
                Some(endpoint) => match aliases
                    .iter()
                    .find(|alias| !endpoint.aliases.contains(alias))
                {
                    Some(missing) => Err(format!(
                        "in network {network}, but without its alias {missing}"
                    )),
                    None if now.state == State::Running
                        && endpoint.address.is_empty()
                        && endpoint.address_v6.is_empty() =>
                    {
                        Err(format!("in network {network}, but without an address"))
                    }
                    None => Ok(format!("in network {network} at {}", endpoint.address)),
                },
            },
            Self::Disconnected { network } if now.networks.contains_key(network) => {
                Err(format!("still in network {network}"))
            }
            Self::Disconnected { network } => Ok(format!("no longer in network {network}")),
            Self::Impaired { digest } => match &now.impaired {
                Some(impaired) if impaired.digest == *digest => Ok(impaired.phrase()),
                Some(_) => Err("another impairment is in force in its network".into()),
                None => Err("nothing is in force in its network".into()),
            },
            Self::Relieved => match &now.impaired {
                Some(impaired) => Err(impaired.phrase()),
                None => Ok("nothing of chaosrun's is in force in its network".into()),
            },
            Self::Delivered => Ok("the engine delivered the signal".into()),
        }
    }

    /// Must it stay true for as long as the fault lasts? A target that restarts in the middle then gets its fault again.
    pub fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Paused | Self::Disconnected { .. } | Self::Impaired { .. }
        )
    }

    /// Was it another fault if this does not hold any more when its time is over? One that was killed may come back by itself.
    pub fn holds_to_the_end(&self) -> bool {
        self.is_lasting() || *self == Self::Down
    }

    /// As a phrase for plans: `it is paused`.
    pub fn phrase(&self) -> String {
        match self {
            Self::Running => "it runs".into(),
            Self::Paused => "it is paused".into(),
            Self::NotPaused => "it is not paused".into(),
            Self::Down => "it is down".into(),
            Self::Ended { .. } => "its first process has ended".into(),
            Self::RunningAgain { .. } => "it runs again, newly started".into(),
            Self::Connected { network, .. } => {
                format!("it is in network {network} with its aliases")
            }
            Self::Disconnected { network } => format!("it is not in network {network}"),
            Self::Impaired { .. } => "its agent has that in force".into(),
            Self::Relieved => "nothing of chaosrun's is in force in its network".into(),
            Self::Delivered => "the engine took the signal".into(),
        }
    }
}

/// State, PID and start, as evidence.
fn describe(instance: &Instance) -> String {
    let pid = instance
        .pid
        .map(|pid| format!(", pid {pid}"))
        .unwrap_or_default();
    match instance.state {
        State::Running => format!("running{pid}, started {}", instance.started_at),
        State::Paused => format!("paused{pid}"),
        State::Exited { code } => format!("exited with code {code}"),
        State::Created => "created, never started".into(),
        State::Restarting => format!("restarting (restart {})", instance.restart_count),
        State::Removing => "being removed".into(),
        State::Dead => "dead".into(),
    }
}

impl RestartPolicy {
    /// Would it bring back a container that crashed?
    pub fn revives(self) -> bool {
        self != Self::No
    }
}
