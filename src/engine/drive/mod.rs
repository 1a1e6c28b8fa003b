//! The loop that owns a run's state: baseline, steps, reverts, recovery. Slow work happens in tasks, which report back; nothing
//! but this loop decides what happens next.

mod act;
mod advance;
mod follow;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::inject::Miss;
use super::run::{Ready, Run};
use super::undo::Undone;
use super::vitals::Vitals;
use crate::action::{Action, Subject};
use crate::history::{Difference, Event, Impediment, Phase, Proof};
use crate::inventory::{Instance, Inventory};
use crate::probe::{self, Prober, Reading};
use crate::runtime::{Notice, Scope};
use crate::units::Micros;

/// A loop without anything due looks around this often.
const IDLE: Duration = Duration::from_millis(200);

/// How long an injection under way may hold up a run that is told to stop. After that its actions are undone as they are: an
/// intent without a receipt counts as applied.
const STOP_WAITS: Duration = Duration::from_secs(2);

pub(super) struct Drive<'a> {
    run: &'a mut Run,
    scope: Scope,
    world: watch::Sender<Arc<Inventory>>,
    notices: mpsc::Receiver<Notice>,
    readings: mpsc::Receiver<Reading>,
    probers: Vec<Prober>,
    vitals: Vitals,
    steps: Vec<Progress>,
    tasks: JoinSet<Done>,
    phase: Phase,
    /// When the current phase began.
    since: Micros,
    baseline_end: Micros,
    baseline_judged: bool,
    /// The run ends as soon as everything is reverted, and since when it is to.
    halting: Option<Micros>,
    /// Containers to look at again, and whether that is being done.
    stale: BTreeSet<String>,
    looking: bool,
    differences: Vec<Difference>,
}

/// How far a step has come.
struct Progress {
    state: State,
    actions: Vec<Action>,
    ids: Vec<u64>,
    /// When it was reverted or skipped.
    over: Option<Micros>,
    /// Fault being given back to targets that lost it.
    reapplying: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Resolving,
    Injecting,
    Active { until: Micros },
    Reverting,
    Over,
}

/// What a task reports back.
enum Done {
    Resolved {
        step: usize,
        answer: Result<Vec<Instance>, Miss>,
    },
    Applied {
        step: usize,
        outcome: Result<Proof, String>,
    },
    Reverted {
        steps: Vec<(usize, Vec<Undone>)>,
    },
    Reapplied {
        step: usize,
        subject: Subject,
        effect: Proof,
    },
    Looked {
        seen: Vec<(String, Option<Instance>)>,
        whole: Option<Inventory>,
    },
}

/// What the loop does next.
enum Next {
    WaitUntil(Micros),
    End,
}

impl<'a> Drive<'a> {
    pub(super) fn new(run: &'a mut Run, ready: Ready) -> Self {
        let (send, readings) = mpsc::channel(1024);
        let (world, seen) = watch::channel(Arc::new(ready.before));
        let context = probe::Context {
            clock: run.clock,
            runtime: Arc::clone(&run.runtime),
            world: seen,
            targets: run.scenario.targets.clone().into(),
            secrets: Arc::clone(&run.secrets),
            readings: send,
        };
        let mut probers = Vec::new();
        let mut broken = Vec::new();
        for (index, spec) in run.scenario.probes.iter().enumerate() {
            match probe::start(index, spec, context.clone()) {
                Ok(prober) => probers.push(prober),
                Err(why) => broken.push(format!("probe {}: {why}", spec.name)),
            }
        }
        let vitals = Vitals::new(&run.scenario.probes, &run.scenario.guards);
        let progress = || Progress {
            state: State::Waiting,
            actions: Vec::new(),
            ids: Vec::new(),
            over: None,
            reapplying: 0,
        };
        let steps = run.scenario.steps.iter().map(|_| progress()).collect();
        let since = run.recorder.note(Event::Phase {
            phase: Phase::Baseline,
        });
        let baseline_end = since + micros(run.scenario.timing.baseline);
        let mut drive = Self {
            run,
            scope: ready.scope,
            world,
            notices: ready.notices,
            readings,
            probers,
            vitals,
            steps,
            tasks: JoinSet::new(),
            phase: Phase::Baseline,
            since,
            baseline_end,
            baseline_judged: false,
            halting: None,
            stale: BTreeSet::new(),
            looking: false,
            differences: Vec::new(),
        };
        for why in broken {
            drive.halt_impeded(Impediment::Probe, why);
        }
        drive
    }

    /// Drives until everything is reverted and the probes have stopped.
    pub(super) async fn run_out(mut self) {
        let mut stop = self.run.stop.clone();
        while let Next::WaitUntil(at) = self.advance() {
            let next = self.run.clock.instant(at);
            tokio::select! {
                biased;
                urgency = stop.reached(1), if self.halting.is_none() => {
                    let by = urgency.first.unwrap_or("SIGINT").into();
                    self.halt(Event::Interrupted { by });
                }
                Some(done) = self.tasks.join_next() => match done {
                    Ok(done) => self.on_done(done),
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => {}
                },
                Some(notice) = self.notices.recv() => self.on_notice(&notice),
                Some(reading) = self.readings.recv() => self.on_reading(reading),
                () = sleep_until(next) => {}
            }
        }
        self.stop_probing().await;
        if !self.differences.is_empty() {
            let differences = std::mem::take(&mut self.differences);
            self.run.recorder.note(Event::World { differences });
        }
    }

    async fn stop_probing(&mut self) {
        let at = self.run.recorder.note(Event::Phase {
            phase: Phase::Teardown,
        });
        let mut stopping = JoinSet::new();
        for prober in self.probers.drain(..) {
            prober.cut(at);
            stopping.spawn(prober.stop());
        }
        while let Some(reading) = self.readings.recv().await {
            self.on_reading(reading);
        }
        while let Some(stopped) = stopping.join_next().await {
            if let Err(error) = stopped {
                let why = format!("a probe ended badly: {error}");
                self.run.impeded(Impediment::Probe, why);
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = self.run.recorder.note(Event::Phase { phase });
        self.cut(self.since);
    }

    /// Every boundary of the run is one of the probes' buckets, too.
    fn cut(&self, at: Micros) {
        self.probers.iter().for_each(|prober| prober.cut(at));
    }

    fn halt(&mut self, event: Event) {
        let at = self.run.recorder.note(event);
        self.halting.get_or_insert(at);
    }

    fn halt_impeded(&mut self, what: Impediment, why: String) {
        self.halt(Event::Impeded { what, why });
    }

    fn skip(&mut self, step: usize, why: String, by_choice: bool) {
        let name = self.name(step);
        let at = self.run.recorder.note(Event::Skipped {
            step: name,
            why,
            by_choice,
        });
        self.steps[step].state = State::Over;
        self.steps[step].over = Some(at);
    }

    fn name(&self, step: usize) -> String {
        self.run.scenario.steps[step].name.clone()
    }

    fn on_done(&mut self, done: Done) {
        match done {
            Done::Resolved { step, answer } => self.on_resolved(step, answer),
            Done::Applied { step, outcome } => self.on_applied(step, outcome),
            Done::Reverted { steps } => steps
                .into_iter()
                .for_each(|(step, undone)| self.on_reverted(step, undone)),
            Done::Reapplied {
                step,
                subject,
                effect,
            } => {
                self.steps[step].reapplying -= 1;
                let step = self.name(step);
                self.run.recorder.note(Event::Reapplied {
                    step,
                    subject,
                    effect,
                });
            }
            Done::Looked { seen, whole } => self.on_looked(seen, whole),
        }
    }

    fn on_reading(&mut self, reading: Reading) {
        match reading {
            Reading::Bucket { probe, bucket } => {
                let probe = self.run.scenario.probes[probe].name.clone();
                self.run.recorder.note(Event::Bucket { probe, bucket });
            }
            Reading::Pulse { probe, pulse } => {
                self.vitals.pulse(probe, &pulse);
                self.run
                    .recorder
                    .pulse(&self.run.scenario.probes[probe].name, &pulse);
            }
            Reading::Broken { probe, why } => {
                let why = format!("probe {}: {why}", self.run.scenario.probes[probe].name);
                self.halt_impeded(Impediment::Probe, why);
            }
        }
    }
}

fn micros(duration: Duration) -> Micros {
    duration.as_micros() as Micros
}
