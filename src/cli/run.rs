//! `chaosrun run FILE|DIR…`: run scenarios and give a verdict.

use std::collections::BTreeMap;
use std::io::stderr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::live::Live;
use super::wheel::Wheel;
use super::{RunArgs, ci, code, files, places, recover, report, term};
use crate::clock::{self, Clock};
use crate::engine::recover::recover_all;
use crate::engine::signals::Stop;
use crate::engine::{self, Finished, Setup, lock};
use crate::runtime::docker::Docker;
use crate::scenario::{Scenario, SecretSource, Secrets};
use crate::verdict::{self, Report};

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
    let wheel = match Wheel::take(&args) {
        Ok(wheel) => wheel,
        Err(code) => return code,
    };
    let code = all(&args, &wheel, clock, scenarios, secrets).await;
    wheel.let_go().await;
    code
}

async fn all(
    args: &RunArgs,
    wheel: &Wheel,
    clock: Clock,
    scenarios: Vec<Scenario>,
    secrets: Vec<Secrets>,
) -> u8 {
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => {
            term::error(&format!("listening to signals: {error}"), "");
            return code::BUG;
        }
    };
    let mut connected = match Docker::connect().await {
        Ok(docker) => Some(docker),
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
    for (turn, (scenario, secrets)) in scenarios.into_iter().zip(secrets).enumerate() {
        if stop.now().signals > 0 {
            break;
        }
        let clock = if turn == 0 { clock } else { Clock::start() };
        // Each run has a connection of its own: what it makes carries its label.
        let docker = match connected.take() {
            Some(docker) => Ok(docker),
            None => Docker::connect().await,
        };
        codes.push(match docker {
            Ok(docker) => {
                let (code, run) =
                    one(args, wheel, scenario, secrets, docker, clock, stop.clone()).await;
                runs.extend(run);
                code
            }
            Err(error) => {
                term::error(&error.to_string(), error.hint());
                code::INCONCLUSIVE
            }
        });
    }
    if let Err(why) = ci::index(&args.report_dir, &runs) {
        term::error(&why, "each run's own report is written");
    }
    verdict::worst(&codes)
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

async fn one(
    args: &RunArgs,
    wheel: &Wheel,
    scenario: Scenario,
    secrets: Secrets,
    docker: Docker,
    clock: Clock,
    stop: Stop,
) -> (u8, Option<(PathBuf, Report)>) {
    let seed = args.seed.or(scenario.seed).unwrap_or_else(places::seed);
    let run = places::run_id();
    let report_dir = report_dir(&args.report_dir, &scenario, seed);
    let path = scenario.path.clone();
    let live = Live::new(term::color(&stderr()), args.quiet, term::width());
    let hands = wheel.follow(live, clock);
    let setup = Setup {
        seed,
        endpoint: docker.endpoint(),
        runtime: Arc::new(docker.with_run(&run)),
        run,
        began: clock::wall().to_string(),
        clock,
        secrets,
        state_dir: places::state_dir(),
        lock_dir: lock::directory(),
        report_dir: report_dir.clone(),
        executable: Some(places::executable()),
        stop,
        orders: hands.orders,
        observer: hands.observer,
        scenario,
    };
    let ran = engine::run(setup).await;
    drop(hands.typing);
    match ran {
        Ok(finished) => {
            wheel.conclude(&finished.record);
            let judged = verdict::judge(&finished.record);
            let code = conclude(args, &finished, &judged, &report_dir);
            if args.github {
                ci::github(&judged, &path, &report_dir);
            }
            (code, Some((report_dir, judged)))
        }
        Err(error) => {
            wheel.give_up(&error.to_string());
            term::error(&error.to_string(), "nothing was done to the system");
            (code::INCONCLUSIVE, None)
        }
    }
}

fn conclude(args: &RunArgs, finished: &Finished, judged: &Report, dir: &Path) -> u8 {
    let written = report::write(&finished.record, judged, dir);
    report::print(judged, args.format);
    term::say(&format!("report: {}", dir.display()));
    if let Some(journal) = &finished.journal {
        term::error(
            &format!(
                "something may have been left behind; the journal {} says what",
                journal.display()
            ),
            "`chaosrun recover --list` shows it, `chaosrun recover` undoes it",
        );
    }
    match (written, finished.journal.is_some()) {
        (_, true) => verdict::worst(&[judged.exit_code, code::DIRTY]),
        (Ok(()), false) => judged.exit_code,
        (Err(why), false) => {
            term::error(&why, "without its report a run proves nothing");
            verdict::worst(&[judged.exit_code, code::INCONCLUSIVE])
        }
    }
}

/// `reports/<scenario>/<time>-<seed>`; a second run within the same second gets a number.
fn report_dir(root: &Path, scenario: &Scenario, seed: u64) -> PathBuf {
    let stem = format!("{}-{seed}", clock::wall().strftime("%Y%m%dT%H%M%SZ"));
    let folder = root.join(&scenario.name);
    let first = folder.join(&stem);
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
