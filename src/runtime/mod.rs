//! The only door to an engine: it observes, makes single changes and watches. It decides nothing: what to change, whether it
//! had its effect and how it is undone comes from [`crate::action`].

pub mod docker;
pub mod memory;

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::action::{Capability, Change, Subject};
use crate::impairment::expect::Series;
use crate::inventory::{Instance, Inventory};

/// What went wrong, in the engine's own words, with what was tried and what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RuntimeError {
    /// No engine answers, or it does not let us in.
    #[error("{tried}: {said}")]
    Unreachable {
        tried: String,
        said: String,
        hint: String,
    },
    /// The engine answered with a refusal.
    #[error("{tried}: {said}")]
    Refused {
        tried: String,
        said: String,
        hint: String,
    },
    /// Nothing came back in time.
    #[error("{tried}: no answer within {}", crate::units::format_duration(*.after))]
    TimedOut { tried: String, after: Duration },
}

impl RuntimeError {
    /// What happened, for whoever says already what was tried.
    pub fn said(&self) -> String {
        match self {
            Self::Unreachable { said, .. } | Self::Refused { said, .. } => said.clone(),
            Self::TimedOut { after, .. } => {
                format!("no answer within {}", crate::units::format_duration(*after))
            }
        }
    }

    /// What to do about it; may be empty.
    pub fn hint(&self) -> &str {
        match self {
            Self::Unreachable { hint, .. } | Self::Refused { hint, .. } => hint,
            Self::TimedOut { .. } => {
                "is the engine overloaded or hung? `docker info` should answer at once"
            }
        }
    }
}

pub type Result<T> = std::result::Result<T, RuntimeError>;

/// Which part of the engine is the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Project(String),
    Engine,
}

/// Output of a command run inside a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub exit: i64,
    /// Cut at 64 KiB each.
    pub stdout: String,
    pub stderr: String,
}

/// What came of a change that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    Now,
    /// The engine refused, because it was so already.
    Already,
}

/// Something happened to a container, or to the engine itself (then `id` and `name` are empty).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub id: String,
    pub name: String,
    /// In the engine's word: `start`, `die`, `pause`, `health_status: healthy`, `connect`, …
    pub what: String,
}

impl Notice {
    /// The engine's stream broke off: what is known may be out of date.
    pub const LOST: &str = "engine lost";
    /// The agent in a container's network is gone, and with it what it had in force there.
    pub const AGENT_LOST: &str = "agent lost";
    /// The engine answers again; whatever happened meanwhile is only seen by observing again.
    pub const RECONNECTED: &str = "engine reconnected";

    fn of_engine(what: &str) -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            what: what.into(),
        }
    }
}

/// An engine. Each call has its own time limit and none leaves anything half done that a repeated call would not mend.
pub trait Runtime: Send + Sync {
    /// Every container in the scope, running or not, sorted by identity.
    fn inventory<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Inventory>>;

    /// One container as it is now; `None` when it is gone.
    fn observe<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Instance>>>;

    /// Makes one change. Changing what is so already is no error.
    fn apply<'a>(&'a self, subject: &'a Subject, change: &'a Change)
    -> BoxFuture<'a, Result<Made>>;

    /// Runs a command inside a running container.
    fn exec<'a>(
        &'a self,
        id: &'a str,
        command: &'a [String],
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Output>>;

    /// Round trips from inside a container's network to a peer: over TCP to a port where one is named (a refusal is an answer), else
    /// by ICMP echo. `None`: no answer in time. Through the agent of [`Capability::Network`].
    fn measure<'a>(
        &'a self,
        subject: &'a Subject,
        peer: (IpAddr, Option<u16>),
        series: Series,
    ) -> BoxFuture<'a, Result<Vec<Option<Duration>>>>;

    /// What happens to containers from now on. The channel closes when the engine's stream ends for good.
    fn watch(&self) -> BoxFuture<'_, Result<mpsc::Receiver<Notice>>>;

    /// Makes ready what these need for these containers (agent image, helper containers), so that a later `apply` is quick.
    fn prepare<'a>(&'a self, needs: &'a [(Subject, Capability)]) -> BoxFuture<'a, Result<()>>;

    /// Brings a Compose stack up under this project name and waits until every container runs and is healthy.
    fn up<'a>(
        &'a self,
        project: &'a str,
        file: &'a std::path::Path,
        within: Duration,
    ) -> BoxFuture<'a, Result<()>>;

    /// Removes every container, network, volume and image of a project that [`Runtime::up`] brought up.
    fn down<'a>(&'a self, project: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Removes everything that this run made to do its work: agents, networks, its image. Not a stack, and not the image that one still
    /// runs on.
    fn sweep<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<()>>;
}
