//! How fast can the prober be?

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Context;
use super::http::Http;
use super::prober::raise_file_limit;
use super::shot::Shot;
use crate::history::{Sample, Tally};
use crate::scenario::{Probe, ProbeKind};
use crate::units::Micros;

/// A closed loop for `period`: `at_once` requests of an `http` probe are always under way. Hides stalls, so no verdict comes
/// from it; it tells how fast the prober can be.
///
/// # Errors
/// As [`super::start`], and for other kinds of probe.
pub async fn saturate(
    probe: &Probe,
    ctx: Context,
    at_once: usize,
    period: Duration,
) -> Result<Tally, String> {
    let ProbeKind::Http(http) = &probe.kind else {
        return Err("only an http probe can be run in a closed loop".into());
    };
    raise_file_limit();
    let shot = Arc::new(Http::new(http, &ctx)?);
    let end = ctx.clock.now() + period.as_micros() as Micros;
    let mut loops = JoinSet::new();
    for _ in 0..at_once {
        let (shot, clock) = (Arc::clone(&shot), ctx.clock);
        loops.spawn(async move {
            let mut tally = Tally::default();
            loop {
                let due = clock.now();
                if due >= end {
                    return tally;
                }
                let fault = shot.shoot(tally.planned).await.err();
                tally.record(&Sample {
                    due,
                    sent: Some(due),
                    done: clock.now(),
                    fault: fault.map(|miss| format!("{miss:?}")),
                });
            }
        });
    }
    let mut sum = Tally::default();
    while let Some(part) = loops.join_next().await {
        sum.merge(&part.map_err(|error| error.to_string())?);
    }
    Ok(sum)
}
