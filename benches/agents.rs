//! What agents in many containers' networks cost: how soon they are ready, and how close to its time a fault takes effect.
//! `cargo bench --bench agents`; needs an engine, root and `busybox-static`.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its results are what it is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures time from outside of any run"
)]

#[path = "../tests/support/client.rs"]
mod client;
#[path = "agents/watch.rs"]
mod watch;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use chaosrun::action::{Capability, Change, Subject};
use chaosrun::impairment::{Direction, Effect, Flow, Impairment, Rule};
use chaosrun::runtime::Runtime as _;
use chaosrun::runtime::docker::Docker;
use comfy_table::Table;
use futures_util::future::join_all;
use serde_json::Value;

use client::Client;
use watch::Watch;

const NAME: &str = "chaosrun-bench-agents";
const FIRST: &str = "chaosrun-bench-agents-first";
const MANY: usize = 50;
const ROUNDS: usize = 20;
const RUNS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = Stage::set();
    let mut table = Table::new();
    table.set_header(["what", "chaosrun", "wanted"]);
    let (one, many) = runtime.block_on(measure(&stage, &mut table));
    whole_runs((&one, &many), &mut table);
    println!("{table}");
}

async fn measure(stage: &Stage, table: &mut Table) -> (Vec<Subject>, Vec<Subject>) {
    let engine = Docker::connect().await.unwrap().with_run(NAME);
    let engine = engine.with_executable_of(stage.chaosrun.id());
    let first = stage.targets(1);
    let began = Instant::now();
    prepare(&engine, &first).await;
    table.add_row([
        "image and first agent ready".into(),
        ms(began.elapsed()),
        String::new(),
    ]);
    let targets = stage.targets(MANY);
    let began = Instant::now();
    prepare(&engine, &targets).await;
    table.add_row([
        format!("{MANY} agents ready"),
        ms(began.elapsed()),
        "< 10 s".into(),
    ]);
    let (mut alone, mut first_of_many, mut spread) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let change = drop_all(round as u64);
        let began = Instant::now();
        engine.apply(&first[0], &change).await.unwrap();
        alone.push(began.elapsed());
        let began = Instant::now();
        let took = join_all(targets.iter().map(|target| async {
            engine.apply(target, &change).await.unwrap();
            began.elapsed()
        }));
        let took = took.await;
        let (one, last) = (took.iter().min().unwrap(), took.iter().max().unwrap());
        first_of_many.push(*one);
        spread.push(*last - *one);
        for target in targets.iter().chain(&first) {
            engine.apply(target, &Change::Relieve).await.unwrap();
        }
    }
    table.add_row([
        "fault through a prepared agent in force, median".into(),
        ms(median(&mut alone)),
        "< 5 ms".into(),
    ]);
    table.add_row([
        format!("first of {MANY} at once in force, median"),
        ms(median(&mut first_of_many)),
        String::new(),
    ]);
    table.add_row([
        format!("first to last of {MANY} faults in force, median"),
        ms(median(&mut spread)),
        "< 50 ms".into(),
    ]);
    let began = Instant::now();
    engine.sweep(NAME).await.unwrap();
    table.add_row([
        format!("{MANY} agents swept"),
        ms(began.elapsed()),
        String::new(),
    ]);
    (first, targets)
}

/// chaosrun itself, with one fault on all of them; when it took effect is what their kernels say.
fn whole_runs((one, many): (&[Subject], &[Subject]), table: &mut Table) {
    let alone: Vec<_> = (0..RUNS).map(|_| whole_run(FIRST, one).0).collect();
    let (late, spread): (Vec<_>, Vec<_>) = (0..RUNS).map(|_| whole_run(NAME, many)).unzip();
    for (what, mut times, wanted) in [
        (
            "a run's fault in force after it was due".into(),
            alone,
            "< 5 ms",
        ),
        (
            format!("a run's first of {MANY} in force after it was due"),
            late,
            "",
        ),
        (
            format!("first to last of {MANY} in force, in a run"),
            spread,
            "< 50 ms",
        ),
    ] {
        let median = ms(median(&mut times));
        table.add_row([format!("{what}, median"), median, wanted.into()]);
    }
}

/// How long after it was due its fault was in force in the first container, and how much later in the last.
fn whole_run(label: &str, targets: &[Subject]) -> (Duration, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("all.toml");
    let text = format!(
        "[system]\nproject = \"{label}\"\n[timing]\nbaseline = \"3s\"\nrecovery = \"2s\"\nsteady = \"500ms\"\n[targets.all]\nlabel = \"{label}\"\n\
         [probes.here]\nrate = \"10/s\"\nexec = {{ command = [\"true\"] }}\n\
         [[slos]]\nprobe = \"here\"\nsuccess = \">= 10%\"\n\
         [[steps]]\nfor = \"3s\"\nfault.blackhole = {{ target = \"all\", to = \"192.0.2.1\" }}\n"
    );
    std::fs::write(&scenario, text).unwrap();
    let reports = folder.path().join("reports");
    let watch = Watch::over(&pids(targets));
    let mut run = Command::new(assert_cmd::cargo::cargo_bin!("chaosrun"))
        .arg(&scenario)
        .arg("--report-dir")
        .arg(&reports)
        .env("CHAOSRUN_STATE", folder.path().join("state"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let due = baseline(&mut run, &reports) + Duration::from_secs(3);
    let effects = watch.seen();
    run.wait().unwrap();
    let (first, last) = (effects.iter().min().unwrap(), effects.iter().max().unwrap());
    (first.saturating_duration_since(due), *last - *first)
}

fn pids(targets: &[Subject]) -> Vec<String> {
    let mut words = vec!["inspect", "--format", "{{.State.Pid}}"];
    words.extend(targets.iter().map(|target| target.id.as_str()));
    let pids = Client::default().docker(words);
    pids.lines().map(str::to_owned).collect()
}

/// When the baseline began, from the record as it grows: no event is read before it happens, and some at once.
fn baseline(run: &mut Child, reports: &Path) -> Instant {
    let mut read = 0;
    let mut origin: Option<Instant> = None;
    loop {
        assert!(run.try_wait().unwrap().is_none(), "the run ended early");
        let text = history(reports).unwrap_or_default();
        let now = Instant::now();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines().skip(read) {
            read += 1;
            let event: Value = serde_json::from_str(line).unwrap();
            let at = Duration::from_micros(event["at"].as_u64().unwrap());
            let began = now.checked_sub(at).unwrap();
            let origin = *origin.insert(origin.map_or(began, |origin| origin.min(began)));
            if event["event"] == "phase" && event["phase"] == "baseline" {
                return origin + at;
            }
        }
        thread::sleep(Duration::from_micros(100));
    }
}

fn history(reports: &Path) -> Option<String> {
    let folder = |dir: &Path| {
        let entries = std::fs::read_dir(dir).ok()?.flatten();
        entries.map(|entry| entry.path()).find(|path| path.is_dir())
    };
    std::fs::read_to_string(folder(&folder(reports)?)?.join("history.jsonl")).ok()
}

async fn prepare(engine: &Docker, targets: &[Subject]) {
    let needs: Vec<_> = targets
        .iter()
        .map(|target| (target.clone(), Capability::Network))
        .collect();
    engine.prepare(&needs).await.unwrap();
}

/// Everything from a peer that is not there.
fn drop_all(seed: u64) -> Change {
    let flow = Flow {
        direction: Direction::Both,
        peers: vec!["192.0.2.1/32".parse().unwrap()],
        ports: Vec::new(),
        protocol: None,
        at: Vec::new(),
    };
    let effect = Effect::Drop;
    let rules = vec![Rule { flow, effect }];
    Change::Impair {
        impairment: Box::new(Impairment { rules, seed }),
    }
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn median(values: &mut [Duration]) -> Duration {
    values.sort_unstable();
    values[values.len() / 2]
}

/// An image, containers, and the process whose executable the agents are.
struct Stage {
    client: Client,
    chaosrun: Child,
}

impl Stage {
    fn set() -> Self {
        let chaosrun = Command::new(assert_cmd::cargo::cargo_bin!("chaosrun"))
            .args(["agent", "crash"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let client = Client::default();
        client.import(NAME);
        client.docker(["network", "create", "--label", NAME, NAME]);
        Self { client, chaosrun }
    }

    /// The one that is measured first has no part in whole runs.
    fn targets(&self, count: usize) -> Vec<Subject> {
        let label = if count == 1 { FIRST } else { NAME };
        // A run looks at all of its system, and what else there is in the engine has no part in it.
        let project = format!("com.docker.compose.project={label}");
        let script = format!(
            "for i in $(seq {count}); do echo $i; done | xargs -P 8 -n 1 sh -c \
             'docker run -d --network {NAME} --label {label} --label {project} {NAME} sleep 3600'"
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let ids = String::from_utf8(output.stdout).unwrap();
        let subjects: Vec<_> = ids
            .split_whitespace()
            .map(|id| Subject {
                id: id.into(),
                name: id[..12].into(),
            })
            .collect();
        assert_eq!(subjects.len(), count);
        subjects
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.chaosrun.kill().unwrap();
        self.chaosrun.wait().unwrap();
        self.client.clear(FIRST, false);
        self.client.clear(NAME, false);
        self.client.clear(&format!("chaosrun={NAME}"), true);
        self.client.docker(["rmi", "-f", NAME]);
    }
}
