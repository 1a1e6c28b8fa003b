//! What agents in many containers' networks cost: how soon they are ready, and how close to its time a fault takes effect.
//! `cargo bench --bench agents`; needs an engine and `busybox-static`.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its results are what it is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures time from outside of any run"
)]

#[path = "../tests/support/client.rs"]
mod client;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chaosrun::action::{Capability, Change, Subject};
use chaosrun::impairment::{Direction, Effect, Flow, Impairment, Rule};
use chaosrun::runtime::Runtime as _;
use chaosrun::runtime::docker::Docker;
use comfy_table::Table;
use futures_util::future::join_all;

use client::Client;

const NAME: &str = "chaosrun-bench-agents";
const MANY: usize = 50;
const ROUNDS: usize = 20;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = Stage::set();
    let mut table = Table::new();
    table.set_header(["what", "chaosrun", "wanted"]);
    runtime.block_on(measure(&stage, &mut table));
    println!("{table}");
}

async fn measure(stage: &Stage, table: &mut Table) {
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
        Self { client, chaosrun }
    }

    fn targets(&self, count: usize) -> Vec<Subject> {
        let script = format!(
            "for i in $(seq {count}); do echo $i; done | xargs -P 8 -n 1 sh -c \
             'docker run -d --network none --label {NAME} {NAME} sleep 3600'"
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
        self.client.clear(NAME, false);
        self.client.clear(&format!("chaosrun={NAME}"), true);
        self.client.docker(["rmi", "-f", NAME]);
    }
}
