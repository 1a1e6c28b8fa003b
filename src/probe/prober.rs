//! A probe at work: its scheduler, its requests and the reporter that tells the engine.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::collector::{GRACE, Schedule};
use super::container::Containers;
use super::exec::Exec;
use super::http::Http;
use super::scheduler::{Desk, Scheduler};
use super::shot::Shot;
use super::tcp::Tcp;
use super::{Context, Pulse, Reading};
use crate::clock::Clock;
use crate::scenario::{Probe, ProbeKind};
use crate::units::Micros;

const PULSE: Duration = Duration::from_millis(200);
/// Samples put into buckets before requests get a turn at the lock.
const SLICE: usize = 256;

/// A probe at work. Dropping it ends every request at once and reports nothing more.
pub struct Prober {
    clock: Clock,
    desk: Arc<Desk>,
    until: watch::Sender<Option<Micros>>,
    hurry: CancellationToken,
    crew: TaskTracker,
    _kill: DropGuard,
}

/// Starts probing: the first request is due now. Needs a Tokio runtime around it. `index` marks its readings.
///
/// # Errors
/// A sentence saying why this probe cannot work at all (its URL is none, its target does not exist).
pub fn start(index: usize, probe: &Probe, ctx: Context) -> Result<Prober, String> {
    raise_file_limit();
    match &probe.kind {
        ProbeKind::Http(http) => Ok(Prober::launch(index, probe, Http::new(http, &ctx)?, ctx)),
        ProbeKind::Tcp(tcp) => Ok(Prober::launch(index, probe, Tcp::new(tcp, &ctx), ctx)),
        ProbeKind::Exec(exec) => {
            let shot = Exec::new(exec, probe.timeout, &ctx)?;
            Ok(Prober::launch(index, probe, shot, ctx))
        }
        ProbeKind::Container(container) => {
            let shot = Containers::new(container, &ctx)?;
            Ok(Prober::launch(index, probe, shot, ctx))
        }
    }
}

impl Prober {
    pub(super) fn launch<S: Shot>(index: usize, probe: &Probe, shot: S, ctx: Context) -> Self {
        let schedule = Schedule {
            start: ctx.clock.now(),
            rate: probe.rate.0,
        };
        let desk = Arc::new(Desk::new(schedule));
        let (kill, hurry) = (CancellationToken::new(), CancellationToken::new());
        let scheduler = Arc::new(Scheduler {
            shot,
            clock: ctx.clock,
            schedule,
            timeout: probe.timeout,
            desk: Arc::clone(&desk),
            secrets: Arc::clone(&ctx.secrets),
            hurry: hurry.clone(),
            kill: kill.clone(),
        });
        let reporter = Reporter {
            index,
            clock: ctx.clock,
            desk: Arc::clone(&desk),
            readings: ctx.readings,
        };
        let (until, stop) = watch::channel(None);
        let crew = TaskTracker::new();
        let (over, finish) = (CancellationToken::new(), kill.clone());
        let (ending, results) = (over.clone(), Arc::clone(&desk));
        crew.spawn(async move {
            if finish
                .run_until_cancelled(scheduler.run(stop))
                .await
                .is_some()
            {
                results.collector().finish();
            }
            ending.cancel();
        });
        let killed = kill.clone();
        crew.spawn(async move {
            let gone = killed.run_until_cancelled(reporter.run(over)).await;
            if gone == Some(Err(Gone)) {
                // Nobody listens: nobody would notice either.
                killed.cancel();
            }
        });
        Self {
            clock: ctx.clock,
            desk,
            until,
            hurry,
            crew,
            _kill: kill.drop_guard(),
        }
    }

    /// Ends the current bucket at `at`: samples due before belong to it, later ones to the next. `at` may be in the future, or
    /// up to half a second ago; a later announcement cuts at the earliest moment that is still possible.
    pub fn cut(&self, at: Micros) {
        self.desk.collector().cut(at);
    }

    /// Cancelling it ends every request under way, now and from then on: each counts as bad, for it was due and has no answer.
    pub fn hurry(&self) -> CancellationToken {
        self.hurry.clone()
    }

    /// Schedules no more, waits for what is under way (a timeout at most) and reports the rest. Readings must be received
    /// meanwhile. Dropping the future ends everything at once.
    pub async fn stop(self) {
        let end = self.clock.now();
        self.desk.collector().end(end);
        self.until.send_replace(Some(end));
        self.crew.close();
        self.crew.wait().await;
    }
}

/// Nobody receives readings any more.
#[derive(Debug, PartialEq)]
struct Gone;

struct Reporter {
    index: usize,
    clock: Clock,
    desk: Arc<Desk>,
    readings: mpsc::Sender<Reading>,
}

impl Reporter {
    async fn run(self, over: CancellationToken) -> Result<(), Gone> {
        let mut tick = tokio::time::interval(PULSE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await;
        loop {
            let last = tokio::select! {
                () = over.cancelled() => true,
                _ = tick.tick() => false,
            };
            self.report().await?;
            if last {
                return Ok(());
            }
        }
    }

    async fn report(&self) -> Result<(), Gone> {
        let probe = self.index;
        if let Some(why) = self.desk.take_broken() {
            self.send(Reading::Broken { probe, why }).await?;
        }
        let horizon = self.clock.now().saturating_sub(GRACE);
        while self.desk.collector().fold(horizon, SLICE) {
            tokio::task::yield_now().await;
        }
        while let Some(bucket) = self.next_bucket() {
            self.send(Reading::Bucket { probe, bucket }).await?;
        }
        // Taken only once there is room for it: an engine that lags gets fewer and larger pulses.
        let room = self.readings.reserve().await.map_err(|_| Gone)?;
        let pulse = self.pulse();
        room.send(Reading::Pulse { probe, pulse });
        Ok(())
    }

    fn next_bucket(&self) -> Option<crate::history::Bucket> {
        self.desk.collector().next_bucket()
    }

    fn pulse(&self) -> Pulse {
        let mut collector = self.desk.collector();
        Pulse {
            at: self.clock.now(),
            tally: collector.take_fresh(),
            settled: collector.settled(),
            in_flight: collector.in_flight(),
            unanswered: collector.unanswered(),
        }
    }

    async fn send(&self, reading: Reading) -> Result<(), Gone> {
        self.readings.send(reading).await.map_err(|_| Gone)
    }
}

/// Enough for three probes at their limit; more would slow down programs that close every file they might have inherited.
const FILES: u64 = 65_536;

/// Every request under way holds a socket; shells start programs with room for 1 024.
pub(super) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let enough = now.maximum.map_or(FILES, |most| most.min(FILES));
    if now.current.is_some_and(|current| current < enough) {
        let more = Rlimit {
            current: Some(enough),
            maximum: now.maximum,
        };
        // Where it is refused, requests that find no socket count as unsent.
        setrlimit(Resource::Nofile, more).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests;
