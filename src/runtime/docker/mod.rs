//! Docker and Podman, over the Docker API.
//!
//! Nothing is decided by matching error texts: where the engine refuses a change, the container is looked at again, and what
//! is so already is no error.

mod call;
mod change;
mod compose;
mod connect;
mod endpoint;
mod examine;
mod exec;
mod executable;
mod foresee;
mod helper;
mod image;
mod inspection;
mod observe;
mod ports;
mod raw;
mod ready;
mod stuck;
mod sweep;
mod tarball;
mod watch;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, OnceCell, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::endpoint::Endpoint;
pub use self::examine::{About, Findings, compose_tool};
use self::helper::{Sidecars, Wire};
pub use self::ports::Port;
use super::{Made, Notice, Output, Result, Runtime, Scope};
use crate::action::{Capability, Change, Subject};
use crate::impairment::expect::Series;
use crate::inventory::{EngineFacts, Instance, Inventory};
use crate::scenario::Scenario;

/// An engine that answered.
pub struct Docker {
    client: bollard::Docker,
    endpoint: Endpoint,
    run: String,
    /// The folder in `/proc` of the process whose executable the agent image is made of.
    process: std::path::PathBuf,
    facts: Arc<OnceCell<EngineFacts>>,
    /// The agent image's tag, once the engine has it.
    image: OnceCell<String>,
    crasher: Mutex<Option<Wire>>,
    sidecars: Arc<Sidecars>,
    paused: stuck::Paused,
    watchers: Arc<watch::Watchers>,
    tasks: TaskTracker,
    /// Images on their way into the engine.
    loads: TaskTracker,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Docker {
    /// Finds the engine as the docker client would (`DOCKER_HOST`, contexts, the usual sockets; then Podman's) and greets it.
    ///
    /// # Errors
    /// No engine, no permission, an address of an unsupported kind, or no answer within 3 s.
    pub async fn connect() -> Result<Self> {
        Self::greet(Endpoint::choose(&|name| std::env::var(name).ok())?).await
    }

    /// Connects to what [`Docker::endpoint`] said in an earlier run.
    ///
    /// # Errors
    /// As [`Docker::connect`].
    pub async fn connect_to(endpoint: &str) -> Result<Self> {
        Self::greet(Endpoint::parse(endpoint)?).await
    }

    async fn greet(endpoint: Endpoint) -> Result<Self> {
        let stop = CancellationToken::new();
        let client = connect::client(&endpoint).await?;
        let tasks = TaskTracker::new();
        // Asked for while the run makes itself ready, so that nobody waits for it; if this fails, it is asked again.
        let facts = Arc::new(OnceCell::new());
        let (early, ask) = (
            Arc::clone(&facts),
            observe::ask(client.clone(), endpoint.to_string()),
        );
        tasks.spawn(async move { early.get_or_try_init(|| ask).await.is_ok() });
        Ok(Self {
            client,
            endpoint,
            run: format!("pid-{}", std::process::id()),
            process: "/proc/self".into(),
            facts,
            image: OnceCell::new(),
            crasher: Mutex::new(None),
            sidecars: Arc::default(),
            paused: stuck::Paused::default(),
            watchers: Arc::default(),
            tasks,
            loads: TaskTracker::new(),
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        })
    }

    /// Everything that is made from now on carries the label `chaosrun=<run id>`, and the agent image is named after it.
    #[must_use]
    pub fn with_run(mut self, run: &str) -> Self {
        self.run = run.into();
        self
    }

    /// The agent image is made of the executable of this running process, not of the own one.
    #[must_use]
    pub fn with_executable_of(mut self, pid: u32) -> Self {
        self.process = format!("/proc/{pid}").into();
        self
    }

    /// The containers that a scenario will find, whether they are there already or its Compose file only asks for them.
    ///
    /// # Errors
    /// The engine's, or the Compose tool's words about the file.
    pub async fn foresee(&self, scenario: &Scenario) -> Result<Inventory> {
        foresee::foresee(self, scenario).await
    }

    /// The TCP ports that a container exposes or publishes.
    ///
    /// # Errors
    /// The engine's.
    pub async fn ports(&self, id: &str) -> Result<Vec<Port>> {
        ports::of(self, id).await
    }

    /// How the engine was reached, e.g. `unix:///var/run/docker.sock`.
    pub fn endpoint(&self) -> String {
        self.endpoint.to_string()
    }
}

impl Runtime for Docker {
    fn inventory<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Inventory>> {
        Box::pin(observe::inventory(self, scope))
    }

    fn observe<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Instance>>> {
        Box::pin(observe::one(self, id))
    }

    fn apply<'a>(
        &'a self,
        subject: &'a Subject,
        change: &'a Change,
    ) -> BoxFuture<'a, Result<Made>> {
        Box::pin(change::apply(self, subject, change))
    }

    fn exec<'a>(
        &'a self,
        id: &'a str,
        command: &'a [String],
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Output>> {
        Box::pin(exec::run(self, id, command, timeout))
    }

    fn measure<'a>(
        &'a self,
        subject: &'a Subject,
        peer: (IpAddr, Option<u16>),
        series: Series,
    ) -> BoxFuture<'a, Result<Vec<Option<Duration>>>> {
        Box::pin(helper::measure(self, subject, peer, series))
    }

    fn watch(&self) -> BoxFuture<'_, Result<mpsc::Receiver<Notice>>> {
        Box::pin(watch::start(self))
    }

    fn prepare<'a>(&'a self, needs: &'a [(Subject, Capability)]) -> BoxFuture<'a, Result<()>> {
        Box::pin(helper::prepare(self, needs))
    }

    fn up<'a>(
        &'a self,
        project: &'a str,
        file: &'a Path,
        within: Duration,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(compose::up(self, project, file, within))
    }

    fn down<'a>(&'a self, project: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(sweep::down(self, project))
    }

    fn sweep<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(sweep::sweep(self, run))
    }
}

/// A filter as the engine's lists take it.
fn filter(key: &str, value: impl Into<String>) -> HashMap<String, Vec<String>> {
    HashMap::from([(key.to_owned(), vec![value.into()])])
}

const PROJECT_LABEL: &str = "com.docker.compose.project";
