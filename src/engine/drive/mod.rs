//! The loop that owns a run's state: baseline, steps, reverts, recovery. Slow work happens in tasks, which report back; nothing
//! but this loop decides what happens next.

mod act;
mod advance;
mod ahead;
mod follow;
mod foresee;
mod pace;
mod revert;
mod roles;
mod state;
mod steer;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::run::{Ready, Run};
use super::trip::Before;
use super::vitals::Vitals;
use crate::history::{Difference, Event, Impediment, Phase};
use crate::inventory::Inventory;
use crate::probe::{self, Prober, Reading};
use crate::runtime::{Notice, Scope};
use crate::units::Micros;
use pace::Pace;
use state::{Done, Next, Progress, State};

/// A loop without anything due looks around this often.
const IDLE: Duration = Duration::from_millis(200);

/// How long an interrupted run waits for requests that are under way.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How long an injection under way may hold up a run that is told to stop. After that its actions are undone as they are: an
/// intent without a receipt counts as applied.
const STOP_WAITS: Duration = Duration::from_secs(2);

pub(super) struct Drive<'a> {
    run: &'a mut Run,
    scope: Scope,
    world: watch::Sender<Arc<Inventory>>,
    notices: mpsc::Receiver<Notice>,
    /// No notice comes any more.
    deaf: bool,
    readings: mpsc::Receiver<Reading>,
    roles: roles::Roles,
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
    /// Everything is reverted and no further step begins, since a person wants it so; the run goes on with recovery.
    ending: Option<Micros>,
    pace: Pace,
    /// How many commands have been carried out.
    orders: usize,
    /// Containers to look at again, and whether that is being done.
    stale: BTreeSet<String>,
    looking: bool,
    differences: Vec<Difference>,
    /// Round trips with nothing in force.
    before: Before,
    /// How many times a step has begun to be injected or undone.
    stirs: Arc<AtomicUsize>,
    /// Changes of the world that this run has made or heard of.
    turns: usize,
}

impl<'a> Drive<'a> {
    pub(super) fn new(run: &'a mut Run, ready: Ready) -> Self {
        let (send, readings) = mpsc::channel(1024);
        let (world, seen) = watch::channel(Arc::new(ready.before));
        let roles = roles::Roles::watch(run, seen.clone());
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
        let steps = run
            .scenario
            .steps
            .iter()
            .map(|_| Progress::default())
            .collect();
        let held = run.orders.held;
        let since = run.recorder.note(Event::Phase {
            phase: Phase::Baseline,
        });
        let baseline_end = since + micros(run.scenario.timing.baseline);
        let mut drive = Self {
            run,
            scope: ready.scope,
            world,
            notices: ready.notices,
            deaf: false,
            readings,
            roles,
            probers,
            vitals,
            steps,
            tasks: JoinSet::new(),
            phase: Phase::Baseline,
            since,
            baseline_end,
            baseline_judged: false,
            halting: None,
            ending: None,
            pace: Pace::new(held),
            orders: 0,
            stale: BTreeSet::new(),
            looking: false,
            differences: Vec::new(),
            before: Before::new(),
            stirs: Arc::default(),
            turns: 0,
        };
        for why in broken {
            drive.halt_impeded(Impediment::Probe, why);
        }
        drive
    }

    /// Drives until everything is reverted and the probes have stopped.
    pub(super) async fn run_out(mut self) {
        self.measure_ahead();
        let mut stop = self.run.stop.clone();
        while let Next::WaitUntil(at) = self.advance() {
            self.tell_standing();
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
                // Before all that merely happens: whoever wants every fault reverted does not queue behind it.
                Some(order) = self.run.orders.next() => self.on_order(order),
                notice = self.notices.recv(), if !self.deaf => match notice {
                    Some(notice) => self.on_notice(&notice),
                    None => self.go_deaf(),
                },
                Some(reading) = self.readings.recv() => self.on_reading(reading),
                Some(change) = self.roles.next() => {
                    self.run.recorder.note(Event::Role(change));
                }
                () = sleep_until(next) => self.look_again(),
            }
        }
        self.run.orders.end();
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
        let under_way: Vec<_> = self.probers.iter().map(Prober::hurry).collect();
        for prober in self.probers.drain(..) {
            prober.cut(at);
            stopping.spawn(prober.stop());
        }
        let mut stop = self.run.stop.clone();
        let hurry = async {
            stop.reached(1).await;
            // What is under way may take as long as its timeout, and nobody waits for that any more.
            let _second = timeout(LAST_ANSWERS, stop.reached(2)).await;
            under_way.iter().for_each(CancellationToken::cancel);
            // They are counted as unanswered; the probers have so long to say so.
            sleep(LAST_ANSWERS).await;
        };
        tokio::pin!(hurry);
        loop {
            tokio::select! {
                biased;
                () = &mut hurry => break stopping.abort_all(),
                reading = self.readings.recv() => match reading {
                    Some(reading) => self.on_reading(reading),
                    None => break,
                }
            }
        }
        while let Some(stopped) = stopping.join_next().await {
            if let Err(error) = stopped
                && !error.is_cancelled()
            {
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
            Done::Foreseen { step, turn, answer } => self.on_foreseen(step, turn, answer),
            Done::Resolved { step, answer } => self.on_resolved(step, answer),
            Done::Applied { step, outcome } => self.on_applied(step, outcome),
            Done::Reverted {
                steps,
                lost,
                counted,
            } => {
                self.note_counted(&steps, counted);
                for (step, subject, seen) in lost {
                    let why = format!("at the end of its step it was found without it: {seen}");
                    self.note_lost(step, subject, why);
                }
                for (step, undone) in steps {
                    self.on_reverted(step, undone);
                }
            }
            Done::Reapplied {
                step,
                subject,
                effect,
            } => self.on_reapplied(step, subject, effect),
            Done::Measured { before, stirs } => self.on_measured(before, stirs),
            Done::Looked {
                seen,
                whole,
                unseen,
            } => {
                self.looking = false;
                self.on_looked(seen, whole);
                self.look_again();
                // Not at once: the engine has just not answered.
                self.stale.extend(unseen);
            }
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
