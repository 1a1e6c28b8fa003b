//! A run from beginning to end: get ready, drive, look at the world, clean up.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::control::Orders;
use super::drive::Drive;
use super::journal::{Journal, Line, Project};
use super::lock::Lock;
use super::reaper::Reaper;
use super::recorder::{Observer, Recorder};
use super::signals::Stop;
use crate::clock::Clock;
use crate::history::{
    Event, Header, Impediment, Record, RecordedProbe, RecordedStep, RecordedTiming, VERSION,
};
use crate::inventory::Inventory;
use crate::runtime::{Notice, Runtime, RuntimeError, Scope};
use crate::scenario::{Scenario, Secrets};

/// What a run is made of.
pub struct Setup {
    pub scenario: Scenario,
    pub seed: u64,
    /// Its id; also the label of everything that it makes.
    pub run: String,
    pub runtime: Arc<dyn Runtime>,
    /// Of the engine, for the journal.
    pub endpoint: String,
    /// RFC 3339.
    pub began: String,
    pub clock: Clock,
    pub secrets: Secrets,
    /// Where journals are.
    pub state_dir: PathBuf,
    /// Where locks are.
    pub lock_dir: PathBuf,
    /// Where this run's report goes.
    pub report_dir: PathBuf,
    /// The program that can be its reaper; without it there is none.
    pub executable: Option<PathBuf>,
    pub stop: Stop,
    /// What people tell it while it runs.
    pub orders: Orders,
    pub observer: Box<dyn Observer>,
}

/// What is left of a run.
pub struct Finished {
    pub record: Record,
    /// Something may still have to be undone: the journal that says what.
    pub journal: Option<PathBuf>,
}

/// A run that could not even begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot write the report to {}: {source}", dir.display())]
    Report {
        dir: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write the journal to {}: {source}", dir.display())]
    Journal {
        dir: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot start the reaper {}: {source}", executable.display())]
    Reaper {
        executable: PathBuf,
        source: std::io::Error,
    },
}

/// The run ends before its time; what happened is on record.
#[derive(Debug)]
pub(super) struct Halt;

pub(super) type Go<T> = Result<T, Halt>;

/// What getting ready has got.
pub(super) struct Ready {
    pub scope: Scope,
    pub before: Inventory,
    pub notices: mpsc::Receiver<Notice>,
}

/// The run's own state, beside what the loop keeps.
pub(super) struct Run {
    pub scenario: Scenario,
    pub seed: u64,
    pub id: String,
    pub runtime: Arc<dyn Runtime>,
    pub clock: Clock,
    pub secrets: Arc<Secrets>,
    pub recorder: Recorder,
    pub journal: Journal,
    pub reaper: Option<Reaper>,
    pub stop: Stop,
    pub orders: Orders,
    pub lock_dir: PathBuf,
    /// By the container's id.
    pub locks: BTreeMap<String, Lock>,
    /// A system that this run brought up and has to take down.
    pub project: Option<Project>,
    /// It may have made something that carries its label: agents, their image.
    pub made: bool,
    /// Ids of containers that it has changed.
    pub touched: BTreeSet<String>,
    /// Those among them that the scenario wants to be left as they are then.
    pub left: BTreeSet<String>,
}

/// Runs a scenario. Whatever happens in it, what it did is undone when this returns, or the journal is named.
///
/// # Errors
/// Nothing was done at all: report or journal cannot be written.
pub async fn run(setup: Setup) -> Result<Finished, StartError> {
    let dir = setup.report_dir.clone();
    let history = Recorder::file(&dir).map_err(|source| StartError::Report { dir, source })?;
    run_into(history, setup).await
}

async fn run_into(history: File, setup: Setup) -> Result<Finished, StartError> {
    let header = header(&setup);
    let recorder = Recorder::new(history, setup.clock, setup.secrets.clone(), setup.observer);
    let dir = setup.state_dir;
    let journal = Journal::create(&dir, &setup.run, &setup.endpoint)
        .map_err(|source| StartError::Journal { dir, source })?;
    let reaper = match setup.executable {
        None => None,
        Some(executable) => match Reaper::start(&executable, journal.path()) {
            Ok(reaper) => Some(reaper),
            Err(source) => {
                // Nothing is in it. If it stays, the next run removes it.
                let _stays = journal.close();
                return Err(StartError::Reaper { executable, source });
            }
        },
    };
    let mut run = Run {
        scenario: setup.scenario,
        seed: setup.seed,
        id: setup.run,
        runtime: setup.runtime,
        clock: setup.clock,
        secrets: Arc::new(setup.secrets),
        recorder,
        journal,
        reaper,
        stop: setup.stop,
        orders: setup.orders,
        lock_dir: setup.lock_dir,
        locks: BTreeMap::new(),
        project: None,
        made: false,
        touched: BTreeSet::new(),
        left: BTreeSet::new(),
    };
    run.recorder.note_at(0, Event::Started(Box::new(header)));
    if let Ok(ready) = run.get_ready().await {
        let before = ready.before.clone();
        let scope = ready.scope.clone();
        Drive::new(&mut run, ready).run_out().await;
        run.look_at_the_world(&before, &scope).await;
    }
    Ok(run.finish().await)
}

impl Run {
    /// Whatever `work` brings, unless the run is told to stop first.
    pub(super) async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Go<T> {
        let mut stop = self.stop.clone();
        tokio::pin!(work);
        loop {
            let urgency = tokio::select! {
                biased;
                urgency = stop.reached(1) => urgency,
                Some(order) = self.orders.next() => match self.obey_early(order) {
                    Ok(()) => continue,
                    Err(halt) => return Err(halt),
                },
                done = &mut work => return Ok(done),
            };
            self.recorder.note(Event::Interrupted {
                by: urgency.first.unwrap_or("SIGINT").into(),
            });
            return Err(Halt);
        }
    }

    pub(super) fn impeded(&mut self, what: Impediment, why: impl Into<String>) -> Halt {
        self.recorder.note(Event::Impeded {
            what,
            why: why.into(),
        });
        Halt
    }

    /// A reaper that has ended is replaced.
    ///
    /// # Errors
    /// It cannot be: what follows must not happen without one.
    pub(super) fn mind_reaper(&mut self) -> Result<(), String> {
        let Some((reaper, how)) = self
            .reaper
            .as_mut()
            .and_then(|reaper| reaper.has_ended().map(|how| (reaper, how)))
        else {
            return Ok(());
        };
        reaper.replace().map_err(|error| {
            format!("the reaper has ended ({how}), and another cannot be started: {error}")
        })?;
        let text = format!("the reaper had ended ({how}): another was started");
        self.recorder.note(Event::Note { by: None, text });
        Ok(())
    }

    /// Puts lines into the journal; without it nothing may be done.
    pub(super) fn write_down(&mut self, lines: &[Line]) -> Go<()> {
        self.journal.append(lines).map_err(|error| {
            let why = format!(
                "writing the journal {}: {error}",
                self.journal.path().display()
            );
            self.impeded(Impediment::Storage, why)
        })
    }
}

/// An engine's error with what to do about it.
pub(super) fn told(error: &RuntimeError) -> String {
    match error.hint() {
        "" => error.to_string(),
        hint => format!("{error} (hint: {hint})"),
    }
}

fn header(setup: &Setup) -> Header {
    let scenario = &setup.scenario;
    Header {
        version: VERSION,
        run: setup.run.clone(),
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        source: scenario.source.clone(),
        seed: setup.seed,
        chaosrun: env!("CARGO_PKG_VERSION").into(),
        began: setup.began.clone(),
        vars: scenario.vars.clone(),
        timing: RecordedTiming {
            baseline: scenario.timing.baseline,
            recovery: scenario.timing.recovery,
            steady: scenario.timing.steady,
        },
        probes: scenario
            .probes
            .iter()
            .map(|probe| RecordedProbe {
                name: probe.name.clone(),
                kind: probe.kind.name().into(),
                rate: probe.rate.0,
                timeout: probe.timeout,
            })
            .collect(),
        slos: scenario.slos.clone(),
        guards: scenario.guards.clone(),
        steps: scenario
            .steps
            .iter()
            .map(|step| RecordedStep {
                name: step.name.clone(),
                fault: step.fault.kind().into(),
                target: step.fault.target().into(),
                hold: step.hold.unwrap_or_else(|| step.fault.default_hold()),
                line: step.line,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::sync::watch;

    use super::*;
    use crate::engine::signals::Urgency;
    use crate::history::Entry;
    use crate::probe::Pulse;
    use crate::runtime::memory::{Memory, instance};
    use crate::scenario::Inputs;
    use crate::verdict;

    struct Nobody;

    impl Observer for Nobody {
        fn entry(&mut self, _entry: &Entry) {}
        fn pulse(&mut self, _probe: &str, _pulse: &Pulse) {}
    }

    const TEXT: &str = "[timing]\nbaseline = \"4s\"\nrecovery = \"2s\"\nsteady = \"1s\"\n[targets.a]\ncontainer = \"a\"\n\
        [probes.p]\nrate = \"20/s\"\nexec = { command = [\"ok\"], in = \"a\" }\n[[slos]]\nprobe = \"p\"\nsuccess = \">= 10%\"\n\
        [[steps]]\nfor = \"1s\"\nfault.pause = { target = \"a\" }\n";

    fn setup(dir: &Path, engine: &Arc<Memory>) -> Setup {
        let (_, urgency) = watch::channel(Urgency::default());
        Setup {
            scenario: crate::scenario::check(Path::new("t.toml"), TEXT, &Inputs::default())
                .unwrap(),
            seed: 1,
            run: "run-1".into(),
            runtime: Arc::clone(engine) as Arc<dyn Runtime>,
            endpoint: "memory".into(),
            began: String::new(),
            clock: Clock::start(),
            secrets: Secrets::default(),
            state_dir: dir.join("state"),
            lock_dir: dir.join("locks"),
            report_dir: dir.join("report"),
            executable: None,
            stop: Stop::on(urgency),
            orders: Orders::none(),
            observer: Box::new(Nobody),
        }
    }

    /// A disk that is full is `/dev/full`: opened like any file, and nothing fits on it.
    #[tokio::test(start_paused = true)]
    async fn a_full_disk_stops_the_run_before_it_does_harm() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Arc::new(Memory::new([instance("a")]));
        let full = File::options().write(true).open("/dev/full").unwrap();
        let finished = run_into(full, setup(dir.path(), &engine)).await.unwrap();
        let report = verdict::judge(&finished.record);
        assert_eq!(report.exit_code, 3, "{:?}", report.reasons);
        let why = "writing the history: No space left on device";
        assert!(report.reasons[0].starts_with(why), "{:?}", report.reasons);
        let changes = engine
            .log()
            .into_iter()
            .filter(|line| line.contains("pause"));
        assert_eq!((changes.count(), finished.journal), (0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_run_on_a_disk_with_room_passes() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Arc::new(Memory::new([instance("a")]));
        let finished = run(setup(dir.path(), &engine)).await.unwrap();
        let report = verdict::judge(&finished.record);
        assert_eq!(report.exit_code, 0, "{:?}", report.reasons);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_reaper_nothing_is_begun_and_no_journal_left() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Arc::new(Memory::new([instance("a")]));
        let mut setup = setup(dir.path(), &engine);
        setup.executable = Some(dir.path().join("missing"));
        let error = run(setup).await.err().unwrap().to_string();
        assert!(error.starts_with("cannot start the reaper "), "{error}");
        assert_eq!(
            std::fs::read_dir(dir.path().join("state")).unwrap().count(),
            0
        );
        assert!(engine.log().is_empty());
    }
}
