//! How fast can the prober be?

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::Context;
use super::http::Http;
use super::prober::raise_file_limit;
use super::shot::Shot;
use crate::history::{Sample, Tally};
use crate::scenario::{HttpProbe, Probe, ProbeKind};
use crate::units::Micros;

/// A closed loop for `period`: `at_once` requests of an `http` probe are always under way, on one thread a core, as load
/// generators do it. Blocks. It hides stalls, so no verdict comes from it; it tells how fast the prober's client can be.
///
/// # Errors
/// As [`super::start`], and for other kinds of probe.
pub fn saturate(
    probe: &Probe,
    ctx: &Context,
    at_once: usize,
    period: Duration,
) -> Result<Tally, String> {
    let ProbeKind::Http(http) = &probe.kind else {
        return Err("only an http probe can be run in a closed loop".into());
    };
    raise_file_limit();
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get().min(at_once));
    let end = ctx.clock.now() + period.as_micros() as Micros;
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..cores)
            .map(|lane| (at_once + lane) / cores)
            .map(|loops| scope.spawn(move || lane(http, ctx, loops, end)))
            .collect();
        let mut sum = Tally::default();
        for lane in lanes {
            sum.merge(&lane.join().map_err(|_| "a thread panicked")??);
        }
        Ok(sum)
    })
}

fn lane(probe: &HttpProbe, ctx: &Context, loops: usize, end: Micros) -> Result<Tally, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting a runtime: {error}"))?;
    runtime.block_on(async {
        let shot = Arc::new(Http::new(probe, ctx)?);
        let sum = Arc::new(Mutex::new(Tally::default()));
        let mut requests = JoinSet::new();
        for _ in 0..loops {
            let (shot, sum, clock) = (Arc::clone(&shot), Arc::clone(&sum), ctx.clock);
            requests.spawn(async move {
                let mut due = clock.now();
                while due < end {
                    let fault = shot.shoot(0).await.err();
                    let done = clock.now();
                    let sample = Sample {
                        due,
                        sent: Some(due),
                        done,
                        fault: fault.map(|miss| format!("{miss:?}")),
                    };
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.record(&sample);
                    due = done;
                }
            });
        }
        requests.join_all().await;
        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *sum))
    })
}
