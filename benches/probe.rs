//! `cargo bench --bench probe`: is the schedule kept, how fast is an `http` probe at most, and does a day of it fit in memory?
//!
//! With `-- schedule`, `-- speed` or `-- day` only that part. Needs `nginx`, and `oha` for the comparison; without them it says so and measures the rest.

#![expect(clippy::print_stdout, reason = "a bench prints its results")]

#[path = "../tests/support/day.rs"]
mod day;
#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chaosrun::history::Tally;
use chaosrun::probe::{Reading, saturate, start};
use chaosrun::scenario::{HttpExpect, HttpProbe, Probe, ProbeKind, Template};
use chaosrun::units::Rate;
use comfy_table::Table;
use rustix::process::{Pid, Signal, kill_process};
use support::context;

const PORT: u16 = 18_089;
const AT_ONCE: usize = 50;
const ROUNDS: usize = 3;

fn main() {
    let only = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let wanted = |part: &str| only.as_ref().is_none_or(|only| only == part);
    let mut table = Table::new();
    table.set_header(["what", "measured", "wanted"]);
    match Nginx::start() {
        Err(why) => println!("no nginx to probe: {why}; install it (Debian: nginx-light)"),
        Ok(_nginx) => {
            if wanted("schedule") {
                held(&mut table, 2_000.0, Duration::from_secs(5));
                held(&mut table, 10_000.0, Duration::from_secs(8));
            }
            if wanted("speed") {
                full_speed(&mut table);
            }
        }
    }
    if wanted("day") {
        a_day(&mut table);
    }
    println!("{table}");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn probe(rate: f64) -> Probe {
    Probe {
        name: "bench".into(),
        rate: Rate(rate),
        timeout: Duration::from_secs(1),
        kind: ProbeKind::Http(HttpProbe {
            method: "GET".into(),
            url: Template::text(url()),
            headers: vec![],
            body: None,
            expect: HttpExpect::default(),
        }),
    }
}

fn url() -> String {
    format!("http://127.0.0.1:{PORT}/")
}

/// Open loop at this rate: everything sent, and sent on time?
fn held(table: &mut Table, rate: f64, period: Duration) {
    let sum = runtime().block_on(async {
        let (ctx, _worlds, mut readings) = context(vec![]);
        let prober = start(0, &probe(rate), ctx).expect("a good probe");
        let stopping = async {
            tokio::time::sleep(period).await;
            prober.stop().await;
        };
        let summing = async {
            let mut sum = Tally::default();
            while let Some(reading) = readings.recv().await {
                if let Reading::Bucket { bucket, .. } = reading {
                    sum.merge(&bucket.tally);
                }
            }
            sum
        };
        tokio::join!(summing, stopping).0
    });
    let quantile = |of: &chaosrun::history::Latencies, q| of.quantile(q).unwrap_or_default();
    let row = |what: &str| format!("{rate}/s open loop: {what}");
    table.add_row([
        row("sent and good of planned"),
        format!("{} and {} of {}", sum.sent, sum.good, sum.planned),
        "all".into(),
    ]);
    let late = &sum.lateness;
    table.add_row([
        row("late starts p50, p99, p99.9, max"),
        format!(
            "{}, {}, {}, {} µs",
            quantile(late, 0.5),
            quantile(late, 0.99),
            quantile(late, 0.999),
            quantile(late, 1.0)
        ),
        if rate > 2_000.0 {
            String::new()
        } else {
            "p99 < 1000 µs".into()
        },
    ]);
    table.add_row([
        row("latency p50, p99"),
        format!(
            "{}, {} µs",
            quantile(&sum.latency, 0.5),
            quantile(&sum.latency, 0.99)
        ),
        String::new(),
    ]);
}

/// Closed loop, by turns with oha.
fn full_speed(table: &mut Table) {
    let seconds = 4;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (ctx, _worlds, _readings) = context(vec![]);
        let sum = saturate(&probe(1.0), &ctx, AT_ONCE, Duration::from_secs(seconds));
        ours.push(sum.map_or(0.0, |sum| sum.good as f64 / seconds as f64));
        theirs.extend(oha(seconds));
    }
    let wanted = match median(&mut theirs) {
        Some(rate) => format!("oha: {rate:.0}/s"),
        None => {
            println!("no oha to compare with; install it: cargo install oha");
            "oha is not installed".into()
        }
    };
    let measured = median(&mut ours).unwrap_or_default();
    table.add_row([
        format!("full speed, {AT_ONCE} connections"),
        format!("{measured:.0}/s"),
        wanted,
    ]);
}

fn median(rates: &mut [f64]) -> Option<f64> {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied()
}

fn oha(seconds: u64) -> Option<f64> {
    let output = Command::new("oha")
        .args(["--no-tui", "--output-format", "json", "-c"])
        .arg(AT_ONCE.to_string())
        .args(["-z", &format!("{seconds}s"), &url()])
        .output()
        .ok()?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    report.pointer("/summary/requestsPerSec")?.as_f64()
}

fn a_day(table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let outcome = runtime.block_on(day::probe_for(86_400));
    table.add_row([
        "a day at 100/s: samples in buckets, memory grew by".into(),
        format!(
            "{} in {}, {} KiB",
            outcome.sum.planned, outcome.buckets, outcome.grown_kib
        ),
        "constant".to_owned(),
    ]);
}

/// Answers `ok` on [`PORT`] until dropped.
struct Nginx {
    process: Child,
    _folder: tempfile::TempDir,
}

impl Nginx {
    fn start() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, configuration(folder.path())).map_err(|error| error.to_string())?;
        let process = ["nginx", "/usr/sbin/nginx"]
            .iter()
            .find_map(|program| {
                Command::new(program)
                    .arg("-p")
                    .arg(folder.path())
                    .arg("-c")
                    .arg(&file)
                    .stderr(Stdio::null())
                    .spawn()
                    .ok()
            })
            .ok_or("it is not installed")?;
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", PORT)).is_ok() {
                return Ok(Self {
                    process,
                    _folder: folder,
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("it does not listen on port {PORT}"))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw)
        {
            kill_process(pid, Signal::TERM).unwrap_or_default();
        }
        self.process.wait().map(drop).unwrap_or_default();
    }
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "daemon off; worker_processes auto; pid {folder}/pid; error_log stderr crit;
         events {{ worker_connections 4096; }}
         http {{
           access_log off;
           client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
           fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
           server {{ listen 127.0.0.1:{PORT} backlog=4096; location / {{ return 200 \"ok\"; }} }}
         }}"
    )
}
