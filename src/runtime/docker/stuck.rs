//! A pause that meets the start of a command in the same container, such as its health check: the engine waits for the command,
//! which is frozen, and holds the container's lock meanwhile, so that it neither says anything about it nor thaws it. The agent
//! ends that start.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::{Docker, helper};

/// An engine that is free answers about one container in milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// The containers that this process has paused.
#[derive(Default)]
pub(super) struct Paused(Mutex<BTreeSet<String>>);

impl Paused {
    pub(super) fn add(&self, id: &str) {
        self.ids(|ids| ids.insert(id.into()));
    }

    pub(super) fn remove(&self, id: &str) {
        self.ids(|ids| ids.remove(id));
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.ids(|ids| ids.contains(id))
    }

    fn ids<T>(&self, work: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Waits for what the engine is to say about a paused container, and frees the engine where it hangs.
pub(super) async fn freeing<T>(docker: &Docker, id: &str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = sleep(PATIENCE) => {}
        }
        tokio::select! {
            biased;
            done = &mut work => return done,
            // Whatever comes of it, the engine's answer has its own time limit.
            _ = helper::release(docker, id) => {}
        }
    }
}
