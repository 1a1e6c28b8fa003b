//! A system in memory, a scenario on it, and what came of that.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chaosrun::clock::Clock;
use chaosrun::engine::control::{self, Controls, Orders};
use chaosrun::engine::recover::{Recovered, recover_all};
use chaosrun::engine::signals::{Stop, Urgency};
use chaosrun::engine::{self, Observer, Setup};
use chaosrun::history::{Entry, Event, Record};
use chaosrun::inventory::{Instance, State};
use chaosrun::probe::Pulse;
use chaosrun::runtime::memory::{Failure, Memory, instance};
use chaosrun::runtime::{Output, Runtime};
use chaosrun::scenario::{self, Inputs, Scenario, Secrets};
use chaosrun::verdict::{self, Report};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::sleep;

/// Twenty requests a second into `b`, which nothing is done to, and one promise about them.
pub(crate) const BASE: &str = r#"
[timing]
baseline = "4s"
recovery = "6s"
steady   = "1s"
[targets.a]
container = "a"
[targets.b]
container = "b"
[targets.both]
name = "^[ab]$"
[probes.p]
rate    = "20/s"
timeout = "500ms"
exec    = { command = ["ok"], in = "b" }
[[slos]]
probe   = "p"
success = ">= 50%"
"#;

/// Does `a` run? With a promise for the time of the fault or another.
pub(crate) fn watch_a(during: &str, promise: &str) -> String {
    format!(
        "[probes.a]\nrate = \"20/s\"\ncontainer = {{ target = \"a\" }}\n[[slos]]\nprobe = \"a\"\nduring = \"{during}\"\n{promise}\n"
    )
}

/// A step named `s` from the end of the baseline on.
pub(crate) fn step(fault: &str) -> String {
    format!("[[steps]]\nname = \"s\"\nfault.{fault}\n")
}

/// Four seconds of baseline, then a pause of `a` for so long.
pub(crate) fn pause_a(long: &str) -> String {
    format!("{}for = \"{long}\"\n", step("pause = { target = \"a\" }"))
}

pub(crate) struct Stage {
    pub(crate) engine: Arc<Memory>,
    pub(crate) dir: TempDir,
    stop: watch::Sender<Urgency>,
    pub(crate) secrets: Secrets,
    pub(crate) panic_at: Option<fn(&Event) -> bool>,
    orders: Mutex<Option<Orders>>,
    entries: Arc<Mutex<Vec<Entry>>>,
}

pub(crate) struct Outcome {
    pub(crate) report: Report,
    pub(crate) record: Record,
    pub(crate) journal: Option<PathBuf>,
    pub(crate) history: String,
}

pub(crate) fn stage() -> Stage {
    stage_of(["a", "b"].map(instance))
}

pub(crate) fn stage_of(instances: impl IntoIterator<Item = Instance>) -> Stage {
    Stage {
        engine: Arc::new(Memory::new(instances)),
        dir: tempfile::tempdir().unwrap(),
        stop: watch::Sender::new(Urgency::default()),
        secrets: Secrets::default(),
        panic_at: None,
        orders: Mutex::default(),
        entries: Arc::default(),
    }
}

impl Stage {
    pub(crate) fn run(&self, steps: &str) -> LocalBoxFuture<'_, Outcome> {
        self.run_as("run-1", &format!("{BASE}{steps}"))
    }

    /// A run while something else happens.
    pub(crate) fn run_while<'a>(
        &'a self,
        steps: &str,
        script: impl Future<Output = ()> + 'a,
    ) -> LocalBoxFuture<'a, Outcome> {
        let run = self.run(steps);
        async { tokio::join!(run, script).0 }.boxed_local()
    }

    pub(crate) fn run_as(&self, run: &'static str, text: &str) -> LocalBoxFuture<'_, Outcome> {
        let text = text.to_owned();
        let run = async move {
            let setup = self.setup(run, &text);
            let history = setup.report_dir.join("history.jsonl");
            let finished = engine::run(setup).await.unwrap();
            Outcome {
                report: verdict::judge(&finished.record),
                record: finished.record,
                journal: finished.journal,
                history: std::fs::read_to_string(history).unwrap(),
            }
        };
        run.boxed_local()
    }

    pub(crate) fn setup(&self, run: &str, text: &str) -> Setup {
        let scenario = checked(text);
        Setup {
            seed: scenario.seed.unwrap_or(1),
            scenario,
            run: run.into(),
            runtime: Arc::clone(&self.engine) as Arc<dyn Runtime>,
            endpoint: "memory".into(),
            began: "2026-01-01T00:00:00Z".into(),
            clock: Clock::start(),
            secrets: self.secrets.clone(),
            state_dir: self.state_dir(),
            lock_dir: self.dir.path().join("locks"),
            report_dir: self.dir.path().join(run),
            executable: None,
            stop: Stop::on(self.stop.subscribe()),
            orders: self
                .orders
                .lock()
                .unwrap()
                .take()
                .unwrap_or_else(Orders::none),
            observer: Box::new(Looker {
                entries: Arc::clone(&self.entries),
                panic_at: self.panic_at,
            }),
        }
    }

    /// Steers the next run, whose timeline may be held from the start.
    pub(crate) fn steer(&self, held: bool) -> Controls {
        let (controls, orders) = control::channel(held);
        *self.orders.lock().unwrap() = Some(orders);
        controls
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn journal(&self) -> String {
        std::fs::read_to_string(self.state_dir().join("run-1.journal")).unwrap()
    }

    pub(crate) fn journals(&self) -> usize {
        std::fs::read_dir(self.state_dir()).unwrap().count()
    }

    pub(crate) fn signal(&self, name: &'static str) {
        self.stop.send_modify(|urgency| urgency.add(name));
    }

    /// What was done to the system, in order: without the probes' commands.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = self.engine.log().into_iter();
        log.filter(|line| !line.starts_with("exec in") && !line.starts_with("sweep"))
            .collect()
    }

    pub(crate) async fn state(&self, name: &str) -> State {
        let seen = self.engine.observe(&format!("{name}-id")).await.unwrap();
        seen.unwrap().state
    }

    pub(crate) fn refuse(&self, line: &str, times: usize) {
        for _ in 0..times {
            self.engine.fail(line, Failure::Refuse("no way".into()));
        }
    }

    /// How the probes' commands exit from now on.
    pub(crate) fn exit(&self, exit: i64) {
        self.engine.answer(move |_, _| {
            Ok(Output {
                exit,
                stdout: String::new(),
                stderr: String::new(),
            })
        });
    }

    pub(crate) async fn recover(&self) -> Vec<Recovered> {
        let engine = Arc::clone(&self.engine);
        let connect = move |endpoint: String, _run: String| {
            assert_eq!(endpoint, "memory");
            let engine = Arc::clone(&engine) as Arc<dyn Runtime>;
            Box::pin(std::future::ready(Ok(engine))) as BoxFuture<'static, _>
        };
        recover_all(&self.state_dir(), &connect).await.unwrap()
    }
}

impl Outcome {
    /// Exit code and the first reason.
    pub(crate) fn is(&self, code: u8, reason: &str) {
        let Report {
            exit_code, reasons, ..
        } = &self.report;
        assert_eq!(*exit_code, code, "{reasons:#?}");
        let first = reasons.first().map_or("", String::as_str);
        assert!(first.contains(reason), "{reasons:#?}");
    }

    pub(crate) fn passes(&self) {
        let reasons = &self.report.reasons;
        assert_eq!(
            (self.report.exit_code, self.journal.is_none()),
            (0, true),
            "{reasons:#?}"
        );
    }

    pub(crate) fn says(&self, reason: &str) {
        let reasons = &self.report.reasons;
        assert!(
            reasons.iter().any(|text| text.contains(reason)),
            "{reasons:#?}"
        );
    }

    /// Those of a kind, as they are on record.
    pub(crate) fn events(&self, kind: &str) -> Vec<serde_json::Value> {
        let all = self.history.lines().map(serde_json::from_str);
        let all = all.map(Result::<serde_json::Value, _>::unwrap);
        all.filter(|entry| entry["event"] == kind).collect()
    }

    /// Milliseconds from the injection of this step to the end of its revert.
    pub(crate) fn lasted(&self, step: &str) -> f64 {
        let found = self.report.steps.iter().find(|row| row.name == step);
        let row = found.unwrap();
        row.reverted_ms.unwrap() - row.injecting_ms.unwrap()
    }
}

pub(crate) fn checked(text: &str) -> Scenario {
    scenario::check(Path::new("test.toml"), text, &Inputs::default())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

pub(crate) async fn after(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}

struct Looker {
    entries: Arc<Mutex<Vec<Entry>>>,
    panic_at: Option<fn(&Event) -> bool>,
}

impl Observer for Looker {
    fn entry(&mut self, entry: &Entry) {
        self.entries.lock().unwrap().push(entry.clone());
        if self.panic_at.is_some_and(|at| at(&entry.event)) {
            panic!("an observer panics");
        }
    }

    fn pulse(&mut self, _probe: &str, _pulse: &Pulse) {}
}
