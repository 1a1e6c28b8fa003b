//! A game day in one process: a system in memory, a run on it by the clock on the wall, and its live page on a port of this
//! machine.

use std::future::Future;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use chaosrun::clock::Clock;
use chaosrun::engine::control;
use chaosrun::engine::signals::{Stop, Urgency};
use chaosrun::engine::{self, Observer, Setup};
use chaosrun::history::{Record, Steering};
use chaosrun::runtime::memory::{Memory, instance};
use chaosrun::scenario::{self, Inputs, Secrets};
use chaosrun::serve::{Keys, Server};
use chaosrun::verdict::{self, Report};
use tempfile::TempDir;
use tokio::sync::watch;

pub(crate) const TOKEN: &str = "5ca1ab1e0ddba11c0ffee00000000000";

/// A container to be harmed and one that is probed, and two steps with an hour between them. A name with markup in it.
pub(crate) const DAY: &str = r#"
title = "Frozen <b>& still</b> alive"
[timing]
baseline = "1s"
recovery = "3s"
steady   = "1s"
[targets.a]
container = "a"
[targets.b]
container = "b"
[probes.p]
rate    = "40/s"
timeout = "500ms"
exec    = { command = ["ok"], in = "b" }
[[slos]]
probe   = "p"
success = ">= 50%"
[[steps]]
name = "freeze"
at   = "1h"
for  = "2s"
fault.pause = { target = "a" }
[[steps]]
name = "cut"
at   = "2h"
for  = "1h"
fault.disconnect = { target = "b" }
"#;

pub(crate) struct Game {
    pub(crate) server: Server,
    pub(crate) engine: Arc<Memory>,
    dir: TempDir,
}

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) report: Report,
    pub(crate) record: Record,
}

impl Game {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let keys = Keys {
            token: TOKEN.into(),
            session: "5e55104e".repeat(8),
        };
        Self {
            server: Server::start(listener, &keys).unwrap(),
            engine: Arc::new(Memory::new(["a", "b"].map(instance))),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A run that the page follows, while the script happens.
    pub(crate) async fn play<T>(
        &self,
        text: &str,
        script: impl Future<Output = T>,
    ) -> (Outcome, T) {
        let (controls, orders) = control::channel(false);
        let clock = Clock::start();
        let spectator = self.server.follow(controls, clock);
        let run = self.run(text, clock, orders, Box::new(spectator));
        let play = async {
            let outcome = run.await;
            self.server.conclude(&outcome.record);
            outcome
        };
        tokio::join!(play, script)
    }

    pub(crate) async fn run(
        &self,
        text: &str,
        clock: Clock,
        orders: control::Orders,
        observer: Box<dyn Observer>,
    ) -> Outcome {
        let (_urgency, stop) = watch::channel(Urgency::default());
        let scenario = scenario::check(Path::new("day.toml"), text, &Inputs::default())
            .unwrap_or_else(|problems| panic!("{problems}"));
        let folder = |name: &str| self.dir.path().join(name);
        // A run's report is a folder of its own.
        let runs = std::fs::read_dir(self.dir.path()).unwrap().count();
        let finished = engine::run(Setup {
            scenario,
            seed: 7,
            run: "run-1".into(),
            runtime: Arc::clone(&self.engine) as Arc<_>,
            endpoint: "memory".into(),
            began: "2026-01-01T00:00:00.123456Z".into(),
            clock,
            secrets: Secrets::default(),
            state_dir: folder("state"),
            lock_dir: folder("locks"),
            report_dir: folder(&format!("report-{runs}")),
            executable: None,
            stop: Stop::on(stop),
            orders,
            observer,
        })
        .await
        .unwrap();
        assert_eq!(finished.journal, None);
        Outcome {
            report: verdict::judge(&finished.record),
            record: finished.record,
        }
    }

    /// What was done to the system, without the probes' commands.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = self.engine.log().into_iter();
        log.filter(|line| !line.starts_with("exec in") && !line.starts_with("sweep"))
            .collect()
    }
}

impl Outcome {
    /// What people did, all of it at the page.
    pub(crate) fn did(&self) -> Vec<Steering> {
        let told = self.record.steering.first.iter();
        told.map(|(_, (by, what))| {
            assert_eq!(by, "live page");
            what.clone()
        })
        .collect()
    }
}
