//! The open loop as the engine sees it, under a clock that jumps.

use tokio::time::sleep;

use crate::history::{Bucket, Tally};

use super::*;
use crate::probe::shot::Miss;
use crate::probe::testing::{context, probe};
use crate::scenario::{TcpProbe, Template};

/// A requester that takes as long and answers as it is told.
struct Fake<F>(F);

impl<F, A> Shot for Fake<F>
where
    F: Fn(u64) -> A + Send + Sync + 'static,
    A: Future<Output = Result<(), Miss>> + Send,
{
    fn shoot(&self, seq: u64) -> impl Future<Output = Result<(), Miss>> + Send {
        self.0(seq)
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[derive(Default)]
struct Seen {
    buckets: Vec<Bucket>,
    pulses: Vec<Pulse>,
    broken: Vec<String>,
}

impl Seen {
    async fn collect(mut readings: mpsc::Receiver<Reading>) -> Self {
        let mut seen = Self::default();
        while let Some(reading) = readings.recv().await {
            match reading {
                Reading::Bucket { bucket, .. } => seen.buckets.push(bucket),
                Reading::Pulse { pulse, .. } => seen.pulses.push(pulse),
                Reading::Broken { why, .. } => seen.broken.push(why),
            }
        }
        seen
    }

    fn sum(&self) -> Tally {
        let mut sum = Tally::default();
        self.buckets
            .iter()
            .for_each(|bucket| sum.merge(&bucket.tally));
        sum
    }
}

/// Probes for a while with a fake; `meanwhile` gets hold of the prober.
async fn run<S: Shot>(
    rate: f64,
    timeout: Duration,
    period: Duration,
    shot: impl FnOnce(Clock) -> S,
    meanwhile: impl AsyncFnOnce(&Prober),
) -> Seen {
    let (ctx, _world, readings) = context(vec![]);
    let probe = probe(rate, timeout, unused());
    let shot = shot(ctx.clock);
    let prober = Prober::launch(3, &probe, shot, ctx);
    let work = async {
        meanwhile(&prober).await;
        sleep(period.saturating_sub(ms(prober.clock.now() / 1_000))).await;
        prober.stop().await;
    };
    tokio::join!(Seen::collect(readings), work).0
}

#[tokio::test(start_paused = true)]
async fn a_stall_shows_at_its_full_size() {
    let seen = run(
        10.0,
        ms(10_000),
        ms(12_000),
        |clock| {
            Fake(move |_| async move {
                if (3_000_000..9_000_000).contains(&clock.now()) {
                    tokio::time::sleep_until(clock.instant(9_000_000)).await;
                }
                Ok(())
            })
        },
        async |_| {},
    )
    .await;
    let sum = seen.sum();
    assert_eq!((sum.planned, sum.sent, sum.good), (120, 120, 120));
    let p95 = sum.latency.quantile(0.95).unwrap();
    assert!((5_350_000..5_500_000).contains(&p95), "{p95}");
    assert!(sum.latency.max().unwrap() >= 5_990_000);
}

#[tokio::test(start_paused = true)]
async fn slow_requests_do_not_thin_out_the_stream() {
    let seen = run(
        10.0,
        ms(1_000),
        ms(12_000),
        |_| {
            Fake(async |_| {
                sleep(ms(300)).await;
                Ok(())
            })
        },
        async |_| {},
    )
    .await;
    let sum = seen.sum();
    assert_eq!((sum.planned, sum.sent, sum.good), (120, 120, 120));
    let most = seen.pulses.iter().map(|pulse| pulse.in_flight).max();
    assert!(matches!(most, Some(2 | 3)), "{most:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_prober_sends_everything_late_and_says_so() {
    let (ctx, _world, readings) = context(vec![]);
    let clock = ctx.clock;
    let probe = probe(100.0, ms(1_000), unused());
    let prober = Prober::launch(0, &probe, Fake(async |_| Ok(())), ctx);
    let work = async {
        sleep(ms(1_000)).await;
        // The clock goes on and nobody gets to run.
        tokio::time::advance(ms(700)).await;
        tokio::time::sleep_until(clock.instant(3_000_000)).await;
        prober.stop().await;
    };
    let sum = tokio::join!(Seen::collect(readings), work).0.sum();
    assert_eq!((sum.planned, sum.sent, sum.good), (300, 300, 300));
    assert!(sum.lateness.max().unwrap() >= 600_000);
    let late = 300 - sum.lateness.count_at_most(10_000);
    assert!((65..=75).contains(&late), "{late}");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_in_flight_is_unsent_and_bad() {
    let seen = run(
        10_000.0,
        ms(4_000),
        ms(3_000),
        |_| Fake(async |_| std::future::pending().await),
        async |_| {},
    )
    .await;
    let sum = seen.sum();
    assert_eq!((sum.planned, sum.sent, sum.good), (30_000, 20_000, 0));
    assert_eq!(sum.reasons["unsent"], 10_000);
    assert_eq!(sum.reasons["timed out"], 20_000);
    assert!(sum.latency.quantile(0.001).unwrap() >= 3_990_000);
}

#[tokio::test(start_paused = true)]
async fn stop_waits_for_one_timeout_and_dropping_for_nothing() {
    let hang = |_: Clock| Fake(async |_| std::future::pending().await);
    let (ctx, _world, readings) = context(vec![]);
    let clock = ctx.clock;
    drop((ctx, readings));
    let seen = run(10.0, ms(2_000), ms(1_000), hang, async |_| {}).await;
    let took = clock.now();
    assert!((2_900_000..=2_905_000).contains(&took), "{took}");
    let edges: Vec<_> = seen.buckets.iter().map(|b| (b.from, b.to)).collect();
    assert_eq!(edges, [(0, 1_000_000)], "nothing after the end");
    assert_eq!(seen.sum().planned, 10);

    let (ctx, _world, readings) = context(vec![]);
    let probe = probe(10.0, ms(60_000), unused());
    let prober = Prober::launch(0, &probe, hang(clock), ctx);
    sleep(ms(500)).await;
    let before = clock.now();
    drop(prober);
    // The channel closes once every task has let go of it.
    Seen::collect(readings).await;
    assert!(clock.now() < before + 100_000);
}

fn unused() -> ProbeKind {
    ProbeKind::Tcp(TcpProbe {
        address: Template::text("unused:1"),
        send: None,
        expect: None,
    })
}

#[tokio::test(start_paused = true)]
async fn buckets_are_whole_seconds_cut_at_boundaries_without_gaps() {
    let seen = run(
        100.0,
        ms(1_000),
        ms(4_000),
        |_| Fake(async |_| Ok(())),
        async |prober: &Prober| {
            prober.cut(500_000);
            sleep(ms(1_500)).await;
            prober.cut(1_400_000);
        },
    )
    .await;
    let edges: Vec<_> = seen
        .buckets
        .iter()
        .map(|b| (b.from / 1_000, b.to / 1_000, b.tally.planned))
        .collect();
    assert_eq!(
        edges[..4],
        [
            (0, 500, 50),
            (500, 1000, 50),
            (1000, 1400, 40),
            (1400, 2000, 60)
        ]
    );
    assert!(
        seen.buckets
            .windows(2)
            .all(|pair| pair[0].to == pair[1].from)
    );
    assert_eq!(seen.buckets.last().unwrap().to / 1_000, 4_000);
}

#[tokio::test(start_paused = true)]
async fn pulses_come_five_times_a_second_and_sum_to_everything() {
    let seen = run(
        50.0,
        ms(1_000),
        ms(10_000),
        |_| {
            Fake(async |seq| {
                if seq % 5 == 0 {
                    Err(Miss::bad("status 503"))
                } else {
                    Ok(())
                }
            })
        },
        async |_| {},
    )
    .await;
    assert!(
        (49..=52).contains(&seen.pulses.len()),
        "{}",
        seen.pulses.len()
    );
    let pulsed: u64 = seen.pulses.iter().map(|pulse| pulse.tally.planned).sum();
    assert_eq!(pulsed, 500);
    let sum = seen.sum();
    assert_eq!((sum.good, sum.reasons["status 503"]), (400, 100));
    assert!(
        seen.pulses
            .windows(2)
            .all(|pair| pair[0].settled <= pair[1].settled)
    );
}

#[tokio::test(start_paused = true)]
async fn reasons_are_redacted_and_a_broken_probe_says_why() {
    let seen = run(
        10.0,
        ms(1_000),
        ms(1_000),
        |_| {
            Fake(async |seq| match seq {
                0 => Err(Miss::bad("said s3cr3t")),
                1 => Err(Miss::Broken {
                    reason: "command not found",
                    why: "running \"s3cr3t\": no".into(),
                }),
                _ => Ok(()),
            })
        },
        async |_| {},
    )
    .await;
    let reasons = seen.sum().reasons;
    assert!(reasons.contains_key("said ***token***"), "{reasons:?}");
    assert_eq!(reasons["command not found"], 1);
    assert_eq!(seen.broken, ["running \"***token***\": no"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_panics_is_bad_and_holds_up_nothing() {
    let seen = run(
        10.0,
        ms(1_000),
        ms(1_000),
        |_| {
            Fake(async |seq| {
                if seq == 3 {
                    panic!("on purpose")
                } else {
                    Ok(())
                }
            })
        },
        async |_| {},
    )
    .await;
    assert_eq!((seen.sum().planned, seen.sum().good), (10, 9));
}
