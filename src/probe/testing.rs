//! What this module's tests share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};

use super::{Context, Reading};
use crate::action::{Capability, Change, Subject};
use crate::clock::Clock;
use crate::impairment::expect::Series;
use crate::inventory::{Endpoint, Instance, Inventory};
use crate::runtime::{Made, Notice, Output, Result, Runtime, RuntimeError, Scope};
use crate::scenario::{Probe, ProbeKind, Secrets, Selector, Target};
use crate::units::Rate;

/// A running container of a Compose service, at this address in its only network.
pub(super) fn instance_at(identity: &str, address: &str) -> Instance {
    let endpoint = Endpoint {
        address: address.into(),
        ..Endpoint::default()
    };
    Instance {
        networks: BTreeMap::from([("shop_default".into(), endpoint)]),
        ..crate::plan::tests::instance(identity)
    }
}

type Worlds = watch::Sender<Arc<Inventory>>;

/// A context over a world that is nothing but these; its target `nodes` is the service `node`.
pub(super) fn context(instances: Vec<Instance>) -> (Context, Worlds, mpsc::Receiver<Reading>) {
    let inventory = Inventory {
        instances,
        ..Inventory::default()
    };
    let (worlds, world) = watch::channel(Arc::new(inventory));
    let (sender, readings) = mpsc::channel(64);
    let target = Target {
        name: "nodes".into(),
        select: vec![Selector::Service("node".into())],
        role: None,
        pick: crate::scenario::Pick::All,
        on_empty: crate::scenario::OnEmpty::Error,
    };
    let ctx = Context {
        clock: Clock::start(),
        runtime: Arc::new(Observed(world.clone())),
        world,
        targets: [target].into(),
        secrets: Arc::new(Secrets(BTreeMap::from([("token".into(), "s3cr3t".into())]))),
        readings: sender,
    };
    (ctx, worlds, readings)
}

pub(super) fn probe(rate: f64, timeout: Duration, kind: ProbeKind) -> Probe {
    Probe {
        name: "p".into(),
        rate: Rate(rate),
        timeout,
        kind,
    }
}

/// An engine whose containers are those of a watched world. Commands run in them do what their first word says.
struct Observed(watch::Receiver<Arc<Inventory>>);

fn refused<T>(said: &str) -> Result<T> {
    Err(RuntimeError::Refused {
        tried: "test".into(),
        said: said.into(),
        hint: String::new(),
    })
}

impl Runtime for Observed {
    fn inventory<'a>(&'a self, _: &'a Scope) -> BoxFuture<'a, Result<Inventory>> {
        async { Ok(Inventory::clone(&self.0.borrow())) }.boxed()
    }

    fn observe<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Instance>>> {
        async move { Ok(self.0.borrow().by_id(id).cloned()) }.boxed()
    }

    fn exec<'a>(
        &'a self,
        id: &'a str,
        command: &'a [String],
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Output>> {
        async move {
            let output = |exit, stdout: String| {
                Ok(Output {
                    exit,
                    stdout,
                    stderr: String::new(),
                })
            };
            match command[0].as_str() {
                "where" => output(0, id.into()),
                "exit" => output(command[1].parse().unwrap_or(-1), String::new()),
                "hang" => {
                    tokio::time::sleep(timeout * 2).await;
                    refused("too late")
                }
                other => refused(&format!(
                    "exec: \"{other}\": executable file not found in $PATH"
                )),
            }
        }
        .boxed()
    }

    fn apply<'a>(&'a self, _: &'a Subject, _: &'a Change) -> BoxFuture<'a, Result<Made>> {
        async { refused("a probe changes nothing") }.boxed()
    }

    fn measure<'a>(
        &'a self,
        _: &'a Subject,
        _: (std::net::IpAddr, Option<u16>),
        _: Series,
    ) -> BoxFuture<'a, Result<Vec<Option<Duration>>>> {
        async { refused("a probe measures nothing") }.boxed()
    }

    fn watch(&self) -> BoxFuture<'_, Result<mpsc::Receiver<Notice>>> {
        async { refused("a probe is told by its world") }.boxed()
    }

    fn prepare<'a>(&'a self, _: &'a [(Subject, Capability)]) -> BoxFuture<'a, Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn up<'a>(
        &'a self,
        _: &'a str,
        _: &'a std::path::Path,
        _: Duration,
    ) -> BoxFuture<'a, Result<()>> {
        async { refused("a probe starts nothing") }.boxed()
    }

    fn down<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<()>> {
        async { refused("a probe stops nothing") }.boxed()
    }

    fn sweep<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<()>> {
        async { refused("a probe removes nothing") }.boxed()
    }
}
