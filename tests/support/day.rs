//! A long stretch of probing under a clock that jumps.

use std::sync::Arc;
use std::time::Duration;

use chaosrun::history::Tally;
use chaosrun::probe::{Reading, start};
use chaosrun::scenario::{ContainerProbe, OnEmpty, Pick, Probe, ProbeKind, Target};
use chaosrun::units::Rate;

use crate::support::context;

pub(crate) struct Outcome {
    pub(crate) sum: Tally,
    pub(crate) buckets: u64,
    /// Between the first minute and the end.
    pub(crate) grown_kib: u64,
}

/// Probes a hundred times a second for so many seconds. The clock must be paused.
pub(crate) async fn probe_for(seconds: u64) -> Outcome {
    let (mut ctx, _worlds, mut readings) = context(vec![]);
    let target = Target {
        name: "any".into(),
        select: vec![],
        role: None,
        pick: Pick::All,
        on_empty: OnEmpty::Error,
    };
    ctx.targets = Arc::new([target]);
    let clock = ctx.clock;
    let container = ContainerProbe {
        target: "any".into(),
        state: None,
        health: None,
        replicas: Some(0),
    };
    let probe = Probe {
        name: "p".into(),
        rate: Rate(100.0),
        timeout: Duration::from_secs(1),
        kind: ProbeKind::Container(container),
    };
    let prober = start(0, &probe, ctx).expect("the target exists");
    let stopping = async {
        tokio::time::sleep_until(clock.instant(seconds * 1_000_000)).await;
        prober.stop().await;
    };
    let watching = async {
        let (mut sum, mut buckets, mut settled) = (Tally::default(), 0_u64, 0);
        while let Some(reading) = readings.recv().await {
            if let Reading::Bucket { bucket, .. } = reading {
                sum.merge(&bucket.tally);
                buckets += 1;
                if buckets == 60 {
                    settled = resident_kib();
                }
            }
        }
        Outcome {
            sum,
            buckets,
            grown_kib: resident_kib().saturating_sub(settled),
        }
    };
    tokio::join!(watching, stopping).0
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}
