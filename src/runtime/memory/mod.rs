//! An engine that is not there: for tests of what drives a runtime.
//!
//! Changes alter its instances as Docker would, restart policies included; what it was asked to do is in its [`Memory::log`];
//! and it fails where a test wants it to. It follows tokio's paused clock.

mod example;
mod network;
#[cfg(test)]
mod tests;
mod world;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use self::example::instance;
pub use self::network::ROUND_TRIP;
use self::world::{Afterwards, World, refused, word};
use super::{Made, Notice, Output, Result, Runtime, RuntimeError, Scope};
use crate::action::{Capability, Change, Subject};
use crate::impairment::expect::Series;
use crate::inventory::{AGENT_LABEL, EngineFacts, Instance, Inventory, RUN_LABEL};

/// As Docker waits before it starts a crashed container again.
pub const RESTART_DELAY: Duration = Duration::from_millis(100);

/// What goes wrong, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The engine says no, in these words.
    Refuse(String),
    /// No answer ever comes.
    Hang,
    /// The engine says yes and does nothing.
    Ignore,
}

/// The engine.
pub struct Memory {
    world: Arc<Mutex<World>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Memory {
    pub fn new(instances: impl IntoIterator<Item = Instance>) -> Self {
        let instances = instances.into_iter().map(|i| (i.id.clone(), i)).collect();
        let stop = CancellationToken::new();
        Self {
            world: Arc::new(Mutex::new(World {
                instances,
                ..World::default()
            })),
            tasks: TaskTracker::new(),
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        }
    }

    /// Everything that it was asked to do, in order, observations left out: `pause node-1`, `up shop`, `down shop`,
    /// `sweep run-1`, `prepare crash for node-1`, `exec in node-1: redis-cli ping`.
    pub fn log(&self) -> Vec<String> {
        self.world().log.clone()
    }

    /// The next asked-for effect whose log line begins so fails; several times for several calls. `observe` and `inventory`,
    /// which are not logged, fail under these names.
    pub fn fail(&self, line: &str, failure: Failure) {
        let mut world = self.world();
        match world.failures.iter_mut().find(|(key, _)| key == line) {
            Some((_, queue)) => queue.push_back(failure),
            None => world
                .failures
                .push((line.into(), VecDeque::from([failure]))),
        }
    }

    /// Something happens to a container by itself. Watchers are told, in this word.
    pub fn happen(&self, id: &str, what: &str, change: impl FnOnce(&mut Instance)) {
        self.world().alter(id, what, change);
    }

    /// A container goes, or comes.
    pub fn remove(&self, id: &str) {
        let mut world = self.world();
        world.tell(id, "destroy");
        world.instances.remove(id);
    }

    pub fn add(&self, instance: Instance) {
        let mut world = self.world();
        let id = instance.id.clone();
        world.instances.insert(id.clone(), instance);
        world.tell(&id, "start");
    }

    /// A crash that nobody asked for: the restart policy reacts.
    pub fn crash(&self, id: &str) {
        let afterwards = self.world().crash(id, 137);
        self.finish(id, afterwards);
    }

    /// Tells watchers something without anything having changed, such as [`Notice::RECONNECTED`].
    pub fn notify(&self, notice: Notice) {
        self.world().send(&notice);
    }

    /// How commands inside containers answer; without it they exit 0 and say nothing.
    pub fn answer(&self, answer: impl Fn(&Instance, &[String]) -> Result<Output> + Send + 'static) {
        self.world().answer = Some(Box::new(answer));
    }

    /// How long packets take from a container to a peer and back; without it as [`ROUND_TRIP`] says, and as what is
    /// in force at both ends makes of it.
    pub fn round_trips(
        &self,
        round_trip: impl Fn(&Instance, IpAddr) -> Option<Duration> + Send + 'static,
    ) {
        self.world().round_trips = Some(Box::new(round_trip));
    }

    /// What `up` of this project brings up.
    pub fn stack(&self, project: &str, instances: impl IntoIterator<Item = Instance>) {
        let instances = instances.into_iter().map(|instance| Instance {
            project: Some(project.into()),
            ..instance
        });
        let stack = instances.collect();
        self.world().stacks.insert(project.into(), stack);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, id: &str, afterwards: Afterwards) {
        if afterwards == Afterwards::Nothing {
            return;
        }
        let (world, id) = (self.world.clone(), id.to_owned());
        let stopped = self.stop.clone().cancelled_owned();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stopped => {}
                () = tokio::time::sleep(RESTART_DELAY) => {
                    world.lock().unwrap_or_else(PoisonError::into_inner).revive(&id);
                }
            }
        });
    }

    /// Logs what is asked for; `true` if it is to be done.
    async fn ask(&self, line: &str, logged: bool) -> Result<bool> {
        if logged {
            return self.tell(line, line).await;
        }
        self.fare(line, line).await
    }

    async fn tell(&self, line: &str, tried: &str) -> Result<bool> {
        self.world().log.push(line.into());
        self.fare(line, tried).await
    }

    async fn fare(&self, line: &str, tried: &str) -> Result<bool> {
        let failure = self.world().next_failure(line);
        match failure {
            None => Ok(true),
            Some(Failure::Ignore) => Ok(false),
            Some(Failure::Hang) => std::future::pending().await,
            Some(Failure::Refuse(said)) => Err(refused(tried, &said)),
        }
    }
}

impl Runtime for Memory {
    fn inventory<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Inventory>> {
        Box::pin(async move {
            self.ask("inventory", false).await?;
            let world = self.world();
            let in_scope = |i: &&Instance| match scope {
                Scope::Project(project) => i.project.as_ref() == Some(project),
                Scope::Engine => true,
            };
            let mut instances: Vec<_> =
                world.instances.values().filter(in_scope).cloned().collect();
            instances.sort_by_key(|i| (i.identity(), i.id.clone()));
            let facts = EngineFacts {
                engine: "memory".into(),
                ..EngineFacts::default()
            };
            Ok(Inventory { facts, instances })
        })
    }

    fn observe<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Instance>>> {
        Box::pin(async move {
            self.ask("observe", false).await?;
            Ok(self.world().seen(id))
        })
    }

    fn apply<'a>(
        &'a self,
        subject: &'a Subject,
        change: &'a Change,
    ) -> BoxFuture<'a, Result<Made>> {
        Box::pin(async move {
            if self.world().is_so(&subject.id, change) {
                return Ok(Made::Already);
            }
            let line = format!("{} {}", word(change), subject.name);
            let tried = subject.could_not(change);
            if self.tell(&line, &tried).await? {
                let changed = self.world().change(&subject.id, change);
                let afterwards = changed.map_err(|said| refused(&tried, &said))?;
                self.finish(&subject.id, afterwards);
            }
            Ok(Made::Now)
        })
    }

    fn exec<'a>(
        &'a self,
        id: &'a str,
        command: &'a [String],
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Output>> {
        Box::pin(async move {
            let seen = self.world().instances.get(id).cloned();
            let seen = seen.ok_or_else(|| refused("exec", &format!("No such container: {id}")))?;
            let line = format!("exec in {}: {}", seen.identity(), command.join(" "));
            let asked = tokio::time::timeout(timeout, self.ask(&line, true)).await;
            asked.map_err(|_| RuntimeError::TimedOut {
                tried: line,
                after: timeout,
            })??;
            match &self.world().answer {
                Some(answer) => answer(&seen, command),
                None => Ok(Output {
                    exit: 0,
                    stdout: String::new(),
                    stderr: String::new(),
                }),
            }
        })
    }

    fn measure<'a>(
        &'a self,
        subject: &'a Subject,
        (peer, port): (IpAddr, Option<u16>),
        series: Series,
    ) -> BoxFuture<'a, Result<Vec<Option<Duration>>>> {
        Box::pin(async move {
            let line = format!("measure {}", subject.name);
            self.ask(&line, false).await?;
            let times = series.times;
            let one = self.world().round_trip(&subject.id, peer, (port, times));
            let one = one.filter(|took| *took <= series.patience);
            let patience = one.unwrap_or(series.patience);
            tokio::time::sleep(Series { patience, ..series }.lasts()).await;
            Ok(vec![one; times as usize])
        })
    }

    fn watch(&self) -> BoxFuture<'_, Result<mpsc::Receiver<Notice>>> {
        Box::pin(async move {
            let (watcher, notices) = mpsc::channel(1024);
            self.world().watchers.push(watcher);
            Ok(notices)
        })
    }

    fn prepare<'a>(&'a self, needs: &'a [(Subject, Capability)]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for (subject, capability) in needs {
                let what = match capability {
                    Capability::Crash => "crash",
                    Capability::Network => "network",
                };
                let line = format!("prepare {what} for {}", subject.name);
                self.ask(&line, true).await?;
            }
            Ok(())
        })
    }

    fn up<'a>(
        &'a self,
        project: &'a str,
        _file: &'a Path,
        within: Duration,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let line = format!("up {project}");
            let asked = tokio::time::timeout(within, self.ask(&line, true)).await;
            let wanted = asked.map_err(|_| RuntimeError::TimedOut {
                tried: line,
                after: within,
            })??;
            let stack = self.world().stacks.get(project).cloned();
            for instance in stack.into_iter().flatten().filter(|_| wanted) {
                self.add(instance);
            }
            Ok(())
        })
    }

    fn down<'a>(&'a self, project: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if self.ask(&format!("down {project}"), true).await? {
                let mut world = self.world();
                let of_project = |i: &Instance| i.project.as_deref() == Some(project);
                world.instances.retain(|_, i| !of_project(i));
            }
            Ok(())
        })
    }

    fn sweep<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if self.ask(&format!("sweep {run}"), true).await? {
                let mut world = self.world();
                let of_run = |i: &Instance| {
                    i.labels.get(RUN_LABEL).is_some_and(|id| id == run)
                        && i.labels.contains_key(AGENT_LABEL)
                };
                world.instances.retain(|_, i| !of_run(i));
            }
            Ok(())
        })
    }
}
