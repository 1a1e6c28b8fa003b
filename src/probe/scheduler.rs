//! The open loop: request *k* is sent when it is due, whatever became of the ones before it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::collector::{Collector, Schedule};
use super::pacer::Pacer;
use super::shot::{Miss, Shot, TIMED_OUT, UNANSWERED, UNSENT};
use crate::clock::Clock;
use crate::scenario::Secrets;
use crate::units::Micros;

/// So many requests at most are under way, whatever rate and timeout say.
const MOST_IN_FLIGHT: usize = 20_000;
/// Between two wake-ups. At high rates several requests share one.
const SHORTEST_NAP: Micros = 200;
/// After a stall: so many are sent before others get a turn.
const BATCH: usize = 256;

/// Where results meet: scheduler and requests write, the reporter reads.
pub(super) struct Desk {
    collector: Mutex<Collector>,
    broken: Mutex<Broken>,
}

/// Why the probe cannot work. Once is enough, however many requests find out.
#[derive(Default)]
struct Broken {
    why: Option<String>,
    known: bool,
}

impl Desk {
    pub(super) fn new(schedule: Schedule) -> Self {
        Self {
            collector: Mutex::new(Collector::new(schedule)),
            broken: Mutex::default(),
        }
    }

    pub(super) fn collector(&self) -> MutexGuard<'_, Collector> {
        self.collector
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the probe cannot work, the first time that it is known.
    pub(super) fn take_broken(&self) -> Option<String> {
        self.broken().why.take()
    }

    fn breaks(&self, why: String) {
        let mut broken = self.broken();
        if !std::mem::replace(&mut broken.known, true) {
            broken.why = Some(why);
        }
    }

    fn broken(&self) -> MutexGuard<'_, Broken> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One probe's stream of requests.
pub(super) struct Scheduler<S> {
    pub(super) shot: S,
    pub(super) clock: Clock,
    pub(super) schedule: Schedule,
    pub(super) timeout: Duration,
    pub(super) desk: Arc<Desk>,
    pub(super) secrets: Arc<Secrets>,
    /// Ends what is under way: it counts as bad.
    pub(super) hurry: CancellationToken,
    /// Ends everything at once.
    pub(super) kill: CancellationToken,
}

impl<S: Shot> Scheduler<S> {
    /// Sends every request that is due before `until` says, then waits for those under way.
    pub(super) async fn run(self: Arc<Self>, mut until: watch::Receiver<Option<Micros>>) {
        let mut pacer = Pacer::new();
        let shots = TaskTracker::new();
        let limit = self.limit();
        let mut seq = 0;
        loop {
            let end = (*until.borrow_and_update()).unwrap_or(Micros::MAX);
            let now = self.clock.now();
            let mut batch = 0;
            while self.schedule.due(seq) <= now && self.schedule.due(seq) < end && batch < BATCH {
                self.send(seq, now, limit, &shots);
                seq += 1;
                batch += 1;
            }
            let due = self.schedule.due(seq);
            if due >= end {
                break;
            }
            if batch == BATCH {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = pacer.until(self.clock, due.max(now + SHORTEST_NAP)) => {}
                // An error: the prober was dropped, and everything ends.
                Ok(()) = until.changed() => {}
            }
        }
        shots.close();
        shots.wait().await;
    }

    /// As many as fit into a timeout, with some room for a late timer.
    fn limit(&self) -> usize {
        let seconds = self.timeout.as_secs_f64() + 0.25;
        ((self.schedule.rate * seconds).ceil() as usize + 16).min(MOST_IN_FLIGHT)
    }

    fn send(self: &Arc<Self>, seq: u64, now: Micros, limit: usize, shots: &TaskTracker) {
        {
            let mut collector = self.desk.collector();
            if collector.in_flight() >= limit {
                return collector.skip(now, self.timeout.as_micros() as Micros);
            }
            collector.issue();
        }
        shots.spawn(Arc::clone(self).fire(seq));
    }

    async fn fire(self: Arc<Self>, seq: u64) {
        let sent = self.clock.now();
        let mut ticket = Ticket {
            scheduler: &self,
            seq,
            sent: Some(sent),
            fault: Some(UNSENT.into()),
        };
        let shot = tokio::time::timeout(self.timeout, self.shot.shoot(seq));
        let shot = self.hurry.run_until_cancelled(shot);
        let Some(outcome) = self.kill.run_until_cancelled(shot).await else {
            return;
        };
        let outcome = match outcome {
            Some(in_time) => in_time.unwrap_or(Err(TIMED_OUT)),
            None => Err(Miss::bad(UNANSWERED)),
        };
        ticket.fault = match outcome {
            Ok(()) => None,
            Err(Miss::Bad(reason)) => Some(self.secrets.redact(&reason)),
            Err(Miss::Broken { reason, why }) => {
                self.desk.breaks(self.secrets.redact(&why));
                Some(reason.into())
            }
            Err(Miss::Unsent) => {
                ticket.sent = None;
                Some(UNSENT.into())
            }
        };
    }
}

/// Hands in a result when dropped: a request that panics still gets one.
struct Ticket<'a, S> {
    scheduler: &'a Scheduler<S>,
    seq: u64,
    sent: Option<Micros>,
    fault: Option<String>,
}

impl<S> Drop for Ticket<'_, S> {
    fn drop(&mut self) {
        let Scheduler {
            desk,
            clock,
            timeout,
            ..
        } = self.scheduler;
        let timeout = timeout.as_micros() as Micros;
        let fault = self.fault.take();
        desk.collector()
            .settle(self.seq, self.sent, clock.now(), timeout, fault);
    }
}
