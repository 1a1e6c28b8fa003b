//! A run from beginning to end: get ready, drive, look at the world, clean up.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

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
    pub stop: Stop,
    pub lock_dir: PathBuf,
    pub locks: Vec<Lock>,
    /// A system that this run brought up and has to take down.
    pub project: Option<Project>,
    /// Ids of containers that it has changed.
    pub touched: BTreeSet<String>,
}

/// Runs a scenario. Whatever happens in it, what it did is undone when this returns, or the journal is named.
///
/// # Errors
/// Nothing was done at all: report or journal cannot be written.
pub async fn run(setup: Setup) -> Result<Finished, StartError> {
    let header = header(&setup);
    let dir = setup.report_dir.clone();
    let recorder = Recorder::create(&dir, setup.clock, setup.secrets.clone(), setup.observer)
        .map_err(|source| StartError::Report { dir, source })?;
    let dir = setup.state_dir;
    let journal = Journal::create(&dir, &setup.run, &setup.endpoint)
        .map_err(|source| StartError::Journal { dir, source })?;
    let reaper = match setup.executable {
        None => None,
        Some(executable) => Some(
            Reaper::start(&executable, journal.path())
                .map_err(|source| StartError::Reaper { executable, source })?,
        ),
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
        stop: setup.stop,
        lock_dir: setup.lock_dir,
        locks: Vec::new(),
        project: None,
        touched: BTreeSet::new(),
    };
    run.recorder.note_at(0, Event::Started(Box::new(header)));
    if let Ok(ready) = run.get_ready().await {
        let before = ready.before.clone();
        let scope = ready.scope.clone();
        Drive::new(&mut run, ready).run_out().await;
        run.look_at_the_world(&before, &scope).await;
    }
    Ok(run.finish(reaper).await)
}

impl Run {
    /// Whatever `work` brings, unless the run is told to stop first.
    pub(super) async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Go<T> {
        let mut stop = self.stop.clone();
        let urgency = tokio::select! {
            biased;
            urgency = stop.reached(1) => urgency,
            done = work => return Ok(done),
        };
        self.recorder.note(Event::Interrupted {
            by: urgency.first.unwrap_or("SIGINT").into(),
        });
        Err(Halt)
    }

    pub(super) fn impeded(&mut self, what: Impediment, why: impl Into<String>) -> Halt {
        self.recorder.note(Event::Impeded {
            what,
            why: why.into(),
        });
        Halt
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
            })
            .collect(),
    }
}
