//! What agents in many containers' networks cost: how soon they are ready, and how close to its time a fault takes effect.
//! `cargo bench --bench agents`; needs an engine, root, `busybox-static`, `nft` and
//! `nsenter`.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its results are what it is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures time from outside of any run"
)]

#[path = "../tests/support/client.rs"]
mod client;

use std::io::{BufRead as _, BufReader};
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
    let targets = runtime.block_on(measure(&stage, &mut table));
    whole_runs(&targets, &mut table);
    println!("{table}");
}

async fn measure(stage: &Stage, table: &mut Table) -> Vec<Subject> {
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
    let mut alone = Vec::new();
    let mut spread = Vec::new();
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
        spread.push(*took.iter().max().unwrap() - *took.iter().min().unwrap());
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
    targets
}

/// chaosrun itself, with one fault on all of them; when it took effect is what their kernels say.
fn whole_runs(targets: &[Subject], table: &mut Table) {
    let (mut late, mut spread) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (due, effects) = whole_run(targets);
        let (first, last) = (effects.iter().min().unwrap(), effects.iter().max().unwrap());
        late.push(first.saturating_duration_since(due));
        spread.push(*last - *first);
    }
    table.add_row([
        "a run's first fault in force after it was due, median".into(),
        ms(median(&mut late)),
        "< 5 ms".into(),
    ]);
    table.add_row([
        format!("first to last of {MANY} in force, in a run, median"),
        ms(median(&mut spread)),
        "< 50 ms".into(),
    ]);
}

/// When its fault was due, and when it was in force in each container.
fn whole_run(targets: &[Subject]) -> (Instant, Vec<Instant>) {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("all.toml");
    let text = format!(
        "[timing]\nbaseline = \"3s\"\nrecovery = \"2s\"\nsteady = \"500ms\"\n[targets.all]\nlabel = \"{NAME}\"\n\
         [probes.here]\nrate = \"10/s\"\nexec = {{ command = [\"true\"] }}\n\
         [[slos]]\nprobe = \"here\"\nsuccess = \">= 10%\"\n\
         [[steps]]\nfor = \"3s\"\nfault.blackhole = {{ target = \"all\", to = \"192.0.2.1\" }}\n"
    );
    std::fs::write(&scenario, text).unwrap();
    let reports = folder.path().join("reports");
    let mut run = Command::new(assert_cmd::cargo::cargo_bin!("chaosrun"))
        .arg(&scenario)
        .arg("--report-dir")
        .arg(&reports)
        .env("CHAOSRUN_STATE", folder.path().join("state"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // What the agents try out beforehand has another name.
    let watchers: Vec<_> = targets.iter().map(|target| watch(&target.id)).collect();
    let (origin, events) = follow(&mut run, &reports);
    let baseline = events
        .iter()
        .find(|event| event["event"] == "phase" && event["phase"] == "baseline");
    let due = baseline.unwrap()["at"].as_u64().unwrap() + 3_000_000;
    let effects = watchers.into_iter().map(|(mut monitor, effect)| {
        monitor.kill().unwrap();
        monitor.wait().unwrap();
        effect.join().unwrap().expect("the fault took effect")
    });
    (origin + Duration::from_micros(due), effects.collect())
}

/// When the kernel first tells of a table of chaosrun's in this container's network.
fn watch(container: &str) -> (Child, thread::JoinHandle<Option<Instant>>) {
    let format = "{{.State.Pid}}";
    let pid = Client::default().docker(["inspect", "--format", format, container]);
    let mut monitor = Command::new("nsenter")
        .args(["-t", &pid, "-n", "nft", "monitor", "new", "tables"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(monitor.stdout.take().unwrap());
    let effect = thread::spawn(move || {
        let is_ours = |line: &String| {
            let mut words = line.split_whitespace().skip(1);
            words.next() == Some("table") && words.any(|word| word == "chaosrun")
        };
        let mut lines = told.lines().map_while(Result::ok);
        lines.find(is_ours).map(|_| Instant::now())
    });
    (monitor, effect)
}

/// Reads the record as it grows, to its end. With the origin of its clock: no event is read before it happens, and some at once.
fn follow(run: &mut Child, reports: &Path) -> (Instant, Vec<Value>) {
    let mut origin: Option<Instant> = None;
    let mut events: Vec<Value> = Vec::new();
    loop {
        let ended = run.try_wait().unwrap().is_some();
        let text = history(reports).unwrap_or_default();
        let now = Instant::now();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines().skip(events.len()) {
            let event: Value = serde_json::from_str(line).unwrap();
            let at = Duration::from_micros(event["at"].as_u64().unwrap());
            let began = now.checked_sub(at).unwrap();
            origin = Some(origin.map_or(began, |origin| origin.min(began)));
            events.push(event);
        }
        if ended {
            return (origin.unwrap(), events);
        }
        thread::sleep(Duration::from_micros(500));
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
        let script = format!(
            "for i in $(seq {count}); do echo $i; done | xargs -P 8 -n 1 sh -c \
             'docker run -d --network {NAME} --label {label} {NAME} sleep 3600'"
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
