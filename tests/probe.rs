//! Whole probes, as the engine starts them, on real sockets and processes.

mod support;

use std::time::Duration;

use chaosrun::history::{Bucket, Tally};
use chaosrun::probe::{Context, Prober, Pulse, Reading, start};
use chaosrun::scenario::{ExecProbe, HttpExpect, HttpProbe, Probe, ProbeKind, TcpProbe, Template};
use chaosrun::units::Rate;
use support::context;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn probe(rate: f64, timeout: Duration, kind: ProbeKind) -> Probe {
    Probe {
        name: "p".into(),
        rate: Rate(rate),
        timeout,
        kind,
    }
}

fn http(url: &str) -> ProbeKind {
    ProbeKind::Http(HttpProbe {
        method: "GET".into(),
        url: Template::text(url),
        headers: vec![],
        body: None,
        expect: HttpExpect::default(),
    })
}

#[derive(Default)]
struct Seen {
    buckets: Vec<Bucket>,
    pulses: Vec<Pulse>,
    broken: Vec<String>,
    sum: Tally,
}

async fn collect(mut readings: mpsc::Receiver<Reading>) -> Seen {
    let mut seen = Seen::default();
    while let Some(reading) = readings.recv().await {
        match reading {
            Reading::Bucket { bucket, .. } => {
                seen.sum.merge(&bucket.tally);
                seen.buckets.push(bucket);
            }
            Reading::Pulse { pulse, .. } => seen.pulses.push(pulse),
            Reading::Broken { why, .. } => seen.broken.push(why),
        }
    }
    seen
}

/// Runs a probe for `period` and gives what it reported, and how long it took to stop.
async fn run(probe: &Probe, period: Duration) -> (Seen, Duration) {
    let (ctx, _worlds, readings) = context(vec![]);
    let clock = ctx.clock;
    let prober = start(0, probe, ctx).expect("a good probe");
    let work = async {
        tokio::time::sleep(period).await;
        let before = clock.now();
        prober.stop().await;
        Duration::from_micros(clock.now() - before)
    };
    tokio::join!(collect(readings), work)
}

/// Answers every connection's every request, each after this long.
async fn web(delay: Duration) -> (String, tokio::task::JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback works");
    let url = format!("http://{}/", listener.local_addr().expect("loopback works"));
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        let mut open = tokio::task::JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            open.spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer).await {
                    tokio::time::sleep(delay).await;
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, server)
}

#[tokio::test]
async fn a_probe_sends_what_it_planned_and_reports_all_of_it() {
    let (url, _server) = web(Duration::ZERO).await;
    let (seen, _) = run(&probe(200.0, ms(1_000), http(&url)), ms(1_500)).await;
    assert!(
        (295..=310).contains(&seen.sum.planned),
        "{}",
        seen.sum.planned
    );
    assert_eq!(
        (seen.sum.sent, seen.sum.good),
        (seen.sum.planned, seen.sum.planned)
    );
    let pulsed: u64 = seen.pulses.iter().map(|pulse| pulse.tally.planned).sum();
    assert_eq!(pulsed, seen.sum.planned);
    assert!(
        seen.buckets
            .windows(2)
            .all(|pair| pair[0].to == pair[1].from)
    );
}

#[tokio::test]
async fn a_slow_server_is_asked_as_often_as_a_quick_one() {
    let (url, _server) = web(ms(300)).await;
    let (seen, _) = run(&probe(20.0, ms(1_000), http(&url)), ms(1_000)).await;
    assert!(
        (20..=22).contains(&seen.sum.planned),
        "{}",
        seen.sum.planned
    );
    assert_eq!(seen.sum.good, seen.sum.planned);
    assert!(seen.sum.latency.quantile(0.01).unwrap() >= 299_000);
}

#[tokio::test]
async fn a_hung_server_times_out_and_stopping_waits_no_longer() {
    let (url, _server) = web(ms(60_000)).await;
    let (seen, stopping) = run(&probe(20.0, ms(300), http(&url)), ms(1_000)).await;
    assert_eq!(seen.sum.reasons["timed out"], seen.sum.planned);
    assert!(stopping < ms(600), "{stopping:?}");
    let slowest = seen.sum.latency.max().unwrap();
    assert!((300_000..500_000).contains(&slowest), "{slowest}");
}

#[tokio::test]
async fn dropping_a_prober_ends_hung_requests_at_once() {
    let (url, _server) = web(ms(60_000)).await;
    let (ctx, _worlds, readings) = context(vec![]);
    let clock = ctx.clock;
    let prober: Prober = start(0, &probe(50.0, ms(60_000), http(&url)), ctx).unwrap();
    tokio::time::sleep(ms(200)).await;
    let before = clock.now();
    drop(prober);
    collect(readings).await;
    assert!(clock.now() - before < 100_000);
}

#[tokio::test]
async fn an_exec_probe_times_out_too() {
    let exec = ExecProbe {
        command: ["sleep", "30"].map(Template::text).into(),
        within: None,
        exit: 0,
        stdout: None,
    };
    let (seen, _) = run(&probe(10.0, ms(200), ProbeKind::Exec(exec)), ms(300)).await;
    assert_eq!(seen.sum.reasons["timed out"], seen.sum.planned);
    assert!(seen.broken.is_empty());
}

#[tokio::test]
async fn a_missing_program_is_reported_as_broken() {
    let exec = ExecProbe {
        command: vec![Template::text("no-such-program")],
        within: None,
        exit: 0,
        stdout: None,
    };
    let (seen, _) = run(&probe(10.0, ms(200), ProbeKind::Exec(exec)), ms(250)).await;
    assert_eq!(seen.broken.len(), 1, "once is enough");
    assert!(seen.broken[0].contains("no-such-program"));
    assert_eq!(seen.sum.reasons["command not found"], seen.sum.planned);
}

#[tokio::test]
async fn an_unknown_host_is_bad_at_once_and_broken_after_a_while() {
    let tcp = TcpProbe {
        address: Template::text("no-such-host.invalid:80"),
        send: None,
        expect: None,
    };
    let (seen, _) = run(&probe(10.0, ms(500), ProbeKind::Tcp(tcp)), ms(2_600)).await;
    assert_eq!(seen.sum.reasons["name not found"], seen.sum.planned);
    assert!(seen.broken[0].contains("no-such-host.invalid"));
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_the_start() {
    let refuse = |kind| {
        let (ctx, _worlds, _readings): (Context, _, _) = context(vec![]);
        start(0, &probe(1.0, ms(100), kind), ctx).err().unwrap()
    };
    assert!(refuse(http("no url")).contains("not a URL"));
    let exec = ExecProbe {
        command: vec![Template::text("true")],
        within: Some("nobody".into()),
        exit: 0,
        stdout: None,
    };
    assert!(refuse(ProbeKind::Exec(exec)).contains("nobody"));
}
