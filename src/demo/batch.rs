//! [`super::Sabotage::AckEarly`]: writes that were acknowledged before any other node has them. Whoever dies with a full batch
//! takes acknowledged writes along.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::types::{Command, Raft};

const EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(super) struct Batch {
    pending: Mutex<Vec<(String, String)>>,
}

impl Batch {
    pub(super) fn add(&self, pair: (String, String)) {
        self.lock().push(pair);
    }

    /// Proposes what has gathered, twice a second; never ends. What fails is lost, as befits the defect.
    pub(super) async fn drain(&self, raft: &Raft) {
        loop {
            tokio::time::sleep(EVERY).await;
            let set = std::mem::take(&mut *self.lock());
            if !set.is_empty() {
                drop(raft.client_write(Command { set }).await);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, String)>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
