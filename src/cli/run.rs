//! `chaosrun run FILE|DIR…`: run scenarios and give a verdict.

use std::collections::BTreeMap;
use std::io::stderr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compare::Baseline;
use super::live::Live;
use super::wheel::Wheel;
use super::{RunArgs, ci, code, files, places, recover, report, series, term};
use crate::clock::{self, Clock};
use crate::engine::recover::recover_all;
use crate::engine::signals::Stop;
use crate::engine::{self, Finished, Setup, lock};
use crate::history::Record;
use crate::runtime::docker::Docker;
use crate::scenario::{Scenario, SecretSource, Secrets};
use crate::units::Signal;
use crate::verdict::{self, compare::Played};

/// A scenario whose turn it is.
pub(super) struct Turn<'a> {
    pub(super) args: &'a RunArgs,
    pub(super) wheel: &'a Wheel,
    pub(super) scenario: Scenario,
    pub(super) secrets: Secrets,
    pub(super) stop: Stop,
}

/// What is left of one run.
pub(super) struct Outcome {
    pub(super) code: u8,
    /// `None`: it could not even begin.
    pub(super) played: Option<(Record, Played)>,
}

impl Outcome {
    fn not_begun() -> Self {
        Self {
            code: code::INCONCLUSIVE,
            played: None,
        }
    }
}

pub(super) async fn main(args: RunArgs) -> u8 {
    let clock = Clock::start();
    let vars = args.vars.to_map();
    let Some(scenarios) = files::load(&args.files, &vars) else {
        return code::USAGE;
    };
    let mut secrets = Vec::new();
    for scenario in &scenarios {
        match read_secrets(scenario) {
            Ok(read) => secrets.push(read),
            Err(why) => {
                term::error(&format!("{}: {why}", scenario.path.display()), "");
                return code::USAGE;
            }
        }
    }
    let baseline = match &args.baseline {
        None => None,
        Some(dir) => match Baseline::read(dir, &args.margin, &scenarios) {
            Some(baseline) => Some(baseline),
            None => return code::USAGE,
        },
    };
    let wheel = match Wheel::take(&args) {
        Ok(wheel) => wheel,
        Err(code) => return code,
    };
    let code = all(&args, &wheel, clock, scenarios, secrets, baseline).await;
    wheel.let_go().await;
    code
}

async fn all(
    args: &RunArgs,
    wheel: &Wheel,
    clock: Clock,
    scenarios: Vec<Scenario>,
    secrets: Vec<Secrets>,
    baseline: Option<Baseline>,
) -> u8 {
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => {
            term::error(&format!("listening to signals: {error}"), "");
            return code::BUG;
        }
    };
    // What the first run starts with was had while everything else was made ready.
    let mut ready = match Docker::connect().await {
        Ok(docker) => Some((docker, clock)),
        Err(error) => {
            term::error(&error.to_string(), error.hint());
            return code::INCONCLUSIVE;
        }
    };
    match recover_leftovers().await {
        code::OK => {}
        code => return code,
    }
    let mut codes = Vec::new();
    let mut runs = Vec::new();
    for (scenario, secrets) in scenarios.into_iter().zip(secrets) {
        if let Some(code) = stopped(&stop) {
            codes.push(code);
            break;
        }
        let turn = Turn {
            args,
            wheel,
            scenario,
            secrets,
            stop: stop.clone(),
        };
        codes.push(series::play(&turn, &mut ready, baseline.as_ref(), &mut runs).await);
    }
    if let Err(why) = ci::index(&args.report_dir, &runs) {
        term::error(&why, "each run's own report is written");
    }
    verdict::worst(&codes)
}

/// Nothing more is begun after a signal; what it makes of the exit code.
pub(super) fn stopped(stop: &Stop) -> Option<u8> {
    let urgency = stop.now();
    let signal = urgency.first.and_then(|name| name.parse::<Signal>().ok());
    (urgency.signals > 0).then(|| 128 + signal.unwrap_or(Signal::INT).number() as u8)
}

/// The next run cleans up after the one before, by itself.
async fn recover_leftovers() -> u8 {
    let dir = places::state_dir();
    match recover_all(&dir, &*recover::connect()).await {
        Ok(all) => recover::tell(&all),
        Err(error) => {
            term::error(
                &format!("reading the journals in {}: {error}", dir.display()),
                "nothing was done to the system; set CHAOSRUN_STATE to a folder of yours",
            );
            code::INCONCLUSIVE
        }
    }
}

/// One run. Each has a connection of its own: what it makes carries its label.
pub(super) async fn one(
    turn: &Turn<'_>,
    seed: u64,
    report_dir: &Path,
    ready: &mut Option<(Docker, Clock)>,
) -> Outcome {
    let (docker, clock) = match ready.take() {
        Some(ready) => ready,
        None => match Docker::connect().await {
            Ok(docker) => (docker, Clock::start()),
            Err(error) => {
                term::error(&error.to_string(), error.hint());
                return Outcome::not_begun();
            }
        },
    };
    let run = places::run_id();
    let live = Live::new(
        term::color(&stderr()),
        turn.args.volume(),
        term::width_of(&stderr()),
    );
    let hands = turn.wheel.follow(live, clock);
    let setup = Setup {
        seed,
        endpoint: docker.endpoint(),
        runtime: Arc::new(docker.with_run(&run)),
        run,
        began: clock::wall().to_string(),
        clock,
        secrets: turn.secrets.clone(),
        state_dir: places::state_dir(),
        lock_dir: lock::directory(),
        report_dir: report_dir.into(),
        executable: Some(places::executable()),
        stop: turn.stop.clone(),
        orders: hands.orders,
        observer: hands.observer,
        scenario: turn.scenario.clone(),
    };
    let ran = engine::run(setup).await;
    drop(hands.typing);
    match ran {
        Ok(finished) => {
            turn.wheel.conclude(&finished.record);
            let (code, played) = conclude(&finished, report_dir);
            if turn.args.github {
                ci::github(&played.report, &turn.scenario.path, report_dir);
            }
            let record = finished.record;
            Outcome {
                code,
                played: Some((record, played)),
            }
        }
        Err(error) => {
            turn.wheel.give_up(&error.to_string());
            term::error(&error.to_string(), "nothing was done to the system");
            Outcome::not_begun()
        }
    }
}

fn conclude(finished: &Finished, dir: &Path) -> (u8, Played) {
    let played = report::played(&finished.record);
    let judged = played.report.exit_code;
    if let Some(journal) = &finished.journal {
        term::error(
            &format!(
                "something may have been left behind; a second process, the reaper, goes on undoing what the journal {} says",
                journal.display()
            ),
            "`chaosrun recover --list` shows what is left, and nothing once the reaper is done; `chaosrun recover` tries again",
        );
    }
    let written = report::write(&finished.record, &played.report, dir);
    let code = match (written, finished.journal.is_some()) {
        (_, true) => verdict::worst(&[judged, code::DIRTY]),
        (Ok(()), false) => judged,
        (Err(why), false) => {
            term::error(&why, "without its report a run proves nothing");
            verdict::worst(&[judged, code::INCONCLUSIVE])
        }
    };
    (code, played)
}

/// `reports/<scenario>/<stem>`; a second one within the same second gets a number.
pub(super) fn report_dir(root: &Path, scenario: &Scenario, stem: &str) -> PathBuf {
    let folder = root.join(&scenario.name);
    let first = folder.join(stem);
    std::iter::once(first)
        .chain((2..).map(|n| folder.join(format!("{stem}-{n}"))))
        .find(|dir| !dir.exists())
        .unwrap_or_else(|| folder.join(stem))
}

fn read_secrets(scenario: &Scenario) -> Result<Secrets, String> {
    let mut values = BTreeMap::new();
    for (name, source) in &scenario.secrets {
        let value = match source {
            SecretSource::Env(variable) => std::env::var(variable).map_err(|_| {
                format!("secret {name}: the environment variable {variable} is not set")
            })?,
            SecretSource::File(file) => {
                let path = scenario.beside(file);
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    format!("secret {name}: reading {}: {error}", path.display())
                })?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
        };
        values.insert(name.clone(), value);
    }
    Ok(Secrets(values))
}
