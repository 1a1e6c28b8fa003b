//! What probes need around them when nothing but probes is tested.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chaosrun::action::{Capability, Change, Subject};
use chaosrun::clock::Clock;
use chaosrun::impairment::expect::Series;
use chaosrun::inventory::{Instance, Inventory};
use chaosrun::probe::{Context, Reading};
use chaosrun::runtime::{Made, Notice, Output, Result, Runtime, RuntimeError, Scope};
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::{mpsc, watch};

/// An engine whose containers are those of a watched world; it can do nothing else.
struct Observed(watch::Receiver<Arc<Inventory>>);

fn refused<T: Send + 'static>() -> BoxFuture<'static, Result<T>> {
    let error = RuntimeError::Refused {
        tried: "asking an engine that only observes".into(),
        said: "no".into(),
        hint: String::new(),
    };
    std::future::ready(Err(error)).boxed()
}

impl Runtime for Observed {
    fn inventory<'a>(&'a self, _: &'a Scope) -> BoxFuture<'a, Result<Inventory>> {
        std::future::ready(Ok(Inventory::clone(&self.0.borrow()))).boxed()
    }

    fn observe<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Instance>>> {
        std::future::ready(Ok(self.0.borrow().by_id(id).cloned())).boxed()
    }

    fn exec<'a>(
        &'a self,
        _: &'a str,
        _: &'a [String],
        _: Duration,
    ) -> BoxFuture<'a, Result<Output>> {
        refused()
    }

    fn apply<'a>(&'a self, _: &'a Subject, _: &'a Change) -> BoxFuture<'a, Result<Made>> {
        refused()
    }

    fn measure<'a>(
        &'a self,
        _: &'a Subject,
        _: (std::net::IpAddr, Option<u16>),
        _: Series,
    ) -> BoxFuture<'a, Result<Vec<Option<Duration>>>> {
        refused()
    }

    fn watch(&self) -> BoxFuture<'_, Result<mpsc::Receiver<Notice>>> {
        refused()
    }

    fn prepare<'a>(&'a self, _: &'a [(Subject, Capability)]) -> BoxFuture<'a, Result<()>> {
        refused()
    }

    fn up<'a>(&'a self, _: &'a str, _: &'a Path, _: Duration) -> BoxFuture<'a, Result<()>> {
        refused()
    }

    fn down<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<()>> {
        refused()
    }

    fn sweep<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<()>> {
        refused()
    }
}

/// A context over these containers, the way to change them, and what probes report.
pub(crate) fn context(
    instances: Vec<Instance>,
) -> (
    Context,
    watch::Sender<Arc<Inventory>>,
    mpsc::Receiver<Reading>,
) {
    let inventory = Inventory {
        instances,
        ..Inventory::default()
    };
    let (worlds, world) = watch::channel(Arc::new(inventory));
    let (sender, readings) = mpsc::channel(64);
    let ctx = Context {
        clock: Clock::start(),
        runtime: Arc::new(Observed(world.clone())),
        world,
        targets: Arc::new([]),
        secrets: Arc::default(),
        readings: sender,
    };
    (ctx, worlds, readings)
}
