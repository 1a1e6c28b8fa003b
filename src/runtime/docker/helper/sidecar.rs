//! One agent in one target's network, and all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use tokio::sync::{OnceCell, mpsc, oneshot};

use super::back_end;
use super::keeper::{Keeper, Order, Reply};
use super::wire::{Wire, lost, unexpected};
use crate::action::Subject;
use crate::agent::protocol::{Request, Response};
use crate::clock::Clock;
use crate::impairment::BackEnd;
use crate::inventory::{Instance, TARGET_LABEL};
use crate::runtime::docker::call::refused;
use crate::runtime::docker::{Docker, image, observe};
use crate::runtime::{Result, RuntimeError};
use crate::units::Micros;

pub(super) const JOB: &str = "network";

/// One life of a container's first process: with the next one it has another network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Life {
    pid: u32,
    started_at: String,
}

impl Life {
    /// `None`: it does not live.
    pub(super) fn of(instance: &Instance) -> Option<Self> {
        Some(Self {
            pid: instance.pid?,
            started_at: instance.started_at.clone(),
        })
    }
}

/// A running agent. It ends when this is dropped.
pub(super) struct Sidecar {
    pub(super) of: Life,
    clock: Clock,
    /// Until then, by that clock, the target counts as seen to live that life.
    confirmed_until: AtomicU64,
    back_ends: OnceCell<Vec<BackEnd>>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Sidecar {
    /// # Errors
    /// The target is in no state to have one, or the engine's.
    pub(super) async fn start(docker: &Docker, target: &Subject) -> Result<Self> {
        let tried = format!("starting an agent in the network of {}", target.name);
        // Before it is started, so that it is never taken for one of a life that began later.
        let seen = observe::look(docker, &target.id).await?;
        let seen = seen.ok_or_else(|| refused(tried.as_str(), "no such container"))?;
        let of = Life::of(&seen).ok_or_else(|| {
            let state = seen.state.phrase();
            refused(tried.as_str(), format!("it does not run: it {state}"))
        })?;
        if seen.network_mode == "host" {
            return Err(on_the_host(&tried));
        }
        let tag = image::ensure(docker).await?;
        let body = body(&docker.run, &tag, &target.id);
        let started = Wire::start(docker, &tried, body).await?;
        let (orders, inbox) = mpsc::unbounded_channel();
        let keeper = Keeper::new(docker, target, started, inbox);
        docker.tasks.spawn(keeper.run());
        Ok(Self {
            of,
            clock: Clock::start(),
            confirmed_until: AtomicU64::new(JUST_NOW),
            back_ends: OnceCell::new(),
            orders,
        })
    }

    /// # Errors
    /// The agent is gone, does not answer, or answers with a refusal.
    pub(super) async fn ask(&self, tried: &str, request: Request) -> Result<Reply> {
        let (reply, answer) = oneshot::channel();
        let reply = Some(reply);
        let gone = || lost(tried, "the agent is gone");
        let order = Order { request, reply };
        self.orders.send(order).map_err(|_| gone())?;
        let reply = answer.await.map_err(|_| gone())??;
        match reply.response {
            Response::Refused { why } => Err(refused(tried, why)),
            _ => Ok(reply),
        }
    }

    /// Is this the target as it was when the agent was started?
    pub(super) fn is_of(&self, life: Option<&Life>) -> bool {
        let same = life == Some(&self.of);
        if same {
            let until = self.clock.now() + JUST_NOW;
            self.confirmed_until.store(until, Ordering::Relaxed);
        }
        same
    }

    /// Was that seen just now? Then nobody has to look again.
    pub(super) fn is_confirmed(&self) -> bool {
        self.clock.now() < self.confirmed_until.load(Ordering::Relaxed)
    }

    /// Something has happened to the target: it may live another life.
    fn is_in_doubt(&self) {
        self.confirmed_until.store(0, Ordering::Relaxed);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.orders.is_closed()
    }

    /// Those that work here, in the order in which they are asked: netem first, which costs least.
    ///
    /// # Errors
    /// None does, and what each lacks.
    pub(super) async fn back_ends(&self, tried: &str) -> Result<&[BackEnd]> {
        let find = || async {
            match self.ask(tried, Request::Features).await?.response {
                Response::Features { features } => back_end::order(tried, features),
                other => Err(unexpected(tried, &other)),
            }
        };
        self.back_ends
            .get_or_try_init(find)
            .await
            .map(Vec::as_slice)
    }
}

fn on_the_host(tried: &str) -> RuntimeError {
    RuntimeError::Refused {
        tried: tried.into(),
        said: "it is on the host's network: its packets are the whole machine's".into(),
        hint: "give it a network of its own".into(),
    }
}

/// One with a network namespace of its own, in which there is nothing.
pub(super) async fn in_no_network(docker: &Docker) -> Result<(String, Wire)> {
    let tag = image::ensure(docker).await?;
    let body = rights(super::body(&docker.run, &tag, JOB), "none");
    Wire::start(docker, "starting an agent", body).await
}

fn body(run: &str, tag: &str, target: &str) -> ContainerCreateBody {
    let mut common = super::body(run, tag, JOB);
    let labels = common.labels.get_or_insert_default();
    labels.insert(TARGET_LABEL.into(), target.into());
    rights(common, &format!("container:{target}"))
}

/// The least that it needs: the network that it is in, packets as they are on the line, and the rules about them.
fn rights(common: ContainerCreateBody, network: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        host_config: Some(HostConfig {
            network_mode: Some(network.into()),
            cap_add: super::list(&["NET_ADMIN", "NET_RAW"]),
            // It answers every second, and nobody reads that again.
            log_config: Some(HostConfigLogConfig {
                typ: Some("none".into()),
                config: None,
            }),
            ..common.host_config.unwrap_or_default()
        }),
        ..common
    }
}

/// By the target's id.
#[derive(Default)]
pub(in crate::runtime::docker) struct Sidecars(Mutex<HashMap<String, Arc<Slot>>>);

/// One target's place for an agent.
#[derive(Default)]
pub(super) struct Slot {
    /// Held by whoever starts one.
    pub(super) starting: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sidecar: Option<Arc<Sidecar>>,
    /// Something was to be taken back, and nobody has seen yet that it is.
    doubtful: bool,
}

impl Sidecars {
    pub(super) fn slot(&self, target: &str) -> Arc<Slot> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(target.into()).or_default())
    }

    /// If there ever was an agent.
    pub(super) fn find(&self, target: &str) -> Option<Arc<Slot>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(target).cloned()
    }

    /// The engine has told something about this container, or, without an id, may have missed telling it about any.
    pub(in crate::runtime::docker) fn heard_of(&self, id: &str) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .filter(|(target, _)| id.is_empty() || *target == id)
            .filter_map(|(_, slot)| slot.sidecar())
            .for_each(|sidecar| sidecar.is_in_doubt());
    }

    pub(super) fn end_all(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .for_each(|slot| slot.end());
    }
}

impl Slot {
    /// The one that runs, as far as is known.
    pub(super) fn sidecar(&self) -> Option<Arc<Sidecar>> {
        let mut state = self.state();
        if state.sidecar.as_ref().is_some_and(|one| one.has_ended()) {
            state.sidecar = None;
        }
        state.sidecar.clone()
    }

    pub(super) fn put(&self, sidecar: Arc<Sidecar>) {
        self.state().sidecar = Some(sidecar);
    }

    /// Lets go of the agent, which ends it.
    pub(super) fn end(&self) {
        self.state().sidecar = None;
    }

    /// The same, unless another has taken its place.
    pub(super) fn end_this(&self, sidecar: &Arc<Sidecar>) {
        let mut state = self.state();
        if state
            .sidecar
            .as_ref()
            .is_some_and(|one| Arc::ptr_eq(one, sidecar))
        {
            state.sidecar = None;
        }
    }

    pub(super) fn is_doubtful(&self) -> bool {
        self.state().doubtful
    }

    pub(super) fn doubt(&self, doubtful: bool) {
        self.state().doubtful = doubtful;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step looks at its targets right before it hits them. One that stops and starts again in less time is told of by the engine; and
/// one that does so later is as one that does so right after a look.
const JUST_NOW: Micros = 250_000;

/// So long does a look at what an agent has in force take at most.
pub(super) const LOOK: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_has_these_rights_and_no_others() {
        let body = body("run-1", "tag", "target-id");
        let host = body.host_config.unwrap();
        assert_eq!(host.cap_drop.unwrap(), ["ALL"]);
        assert_eq!(host.cap_add.unwrap(), ["NET_ADMIN", "NET_RAW"]);
        assert_eq!(host.network_mode.unwrap(), "container:target-id");
        assert_eq!(host.readonly_rootfs, Some(true));
        assert_eq!(
            (host.pid_mode, host.binds, host.port_bindings),
            (None, None, None)
        );
        assert_eq!(body.labels.unwrap()["chaosrun.target"], "target-id");
    }
}
