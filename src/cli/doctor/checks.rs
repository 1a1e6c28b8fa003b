//! From what was found to one line each: how it is, and what to do about it.

use std::time::Duration;

use crate::impairment::{BackEnd, Features};
use crate::runtime::docker::{About, Findings};
use crate::runtime::{Result, RuntimeError};
use crate::units::format_duration;

/// Clocks that differ by less are the same for every purpose here.
const SAME_CLOCK_MS: i64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Ok,
    /// Everything works, but not as well as it could.
    Limited,
    /// Some kind of scenario does not work.
    Missing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) standing: Standing,
    pub(super) found: String,
    /// May be empty.
    pub(super) todo: String,
}

/// What this machine is like without its engine.
pub(super) struct Local {
    pub(super) compose: Result<String>,
    /// Can journals be written? Else where, and the kernel's words.
    pub(super) state: std::result::Result<(), (String, String)>,
    pub(super) locks: std::result::Result<(), (String, String)>,
    /// Runs that have left something to undo.
    pub(super) journals: std::result::Result<Vec<String>, String>,
    /// Runs that are under way.
    pub(super) under_way: Vec<String>,
}

/// What was found out about the engine, or why nothing was.
pub(super) type Engine = Result<Box<Findings>>;

impl Standing {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Missing => "missing",
        }
    }
}

/// In the order in which one depends on the other.
pub(super) fn checks(engine: &Engine, local: &Local) -> Vec<Check> {
    let mut all = match engine {
        Err(error) => vec![failed("engine", error)],
        Ok(findings) => of_engine(findings),
    };
    all.push(match &local.compose {
        Ok(tool) => ok("compose tool", tool),
        Err(error) => failed("compose tool", error),
    });
    if let Ok(findings) = engine {
        all.push(clock(&findings.about));
    }
    all.push(folder(
        "journals",
        &local.state,
        "set CHAOSRUN_STATE to a folder that can be written to",
    ));
    all.push(folder(
        "locks",
        &local.locks,
        "let every user write there (`chmod 1777`): runs of all of them look there for each other",
    ));
    let agents = engine.as_ref().ok().map(|findings| &findings.agents_of);
    all.push(leftovers(local, agents));
    all
}

fn of_engine(findings: &Findings) -> Vec<Check> {
    let facts = &findings.facts;
    let mut all = vec![
        ok(
            "engine",
            &format!(
                "{} {}, API {}, at {}",
                facts.engine, facts.version, facts.api_version, facts.endpoint
            ),
        ),
        ok(
            "machine",
            &format!("{}, kernel {}, {}", facts.os, facts.kernel, facts.arch),
        ),
    ];
    all.push(if facts.rootless {
        Check {
            standing: Standing::Limited,
            todo:
                "where a line below says that something is missing, use an engine that runs as root"
                    .into(),
            ..ok(
                "privileges",
                "the engine is rootless: agents have no rights beyond its user's",
            )
        }
    } else {
        ok("privileges", "the engine runs as root")
    });
    all.push(cgroup(&facts.cgroup_version, &findings.about));
    all.push(match &findings.image {
        Ok(took) => ok(
            "agent image",
            &format!("made out of chaosrun itself in {}", rounded(*took)),
        ),
        Err(error) => failed("agent image", error),
    });
    all.push(match &findings.crash {
        Ok(()) => ok(
            "crashes",
            "an agent sees the host's processes and may signal them",
        ),
        Err(error) => failed("crashes", error),
    });
    match &findings.features {
        Ok(features) => all.extend(network(features)),
        Err(error) => all.push(failed("network faults", error)),
    }
    all
}

fn cgroup(version: &str, about: &Result<About>) -> Check {
    match about {
        Ok(about) if about.cgroup_driver == "none" => Check {
            standing: Standing::Limited,
            todo: "let systemd delegate control groups to the engine's user".into(),
            ..ok(
                "control groups",
                &format!("version {version}, but the engine has none to give"),
            )
        },
        Ok(about) => {
            let driver = &about.cgroup_driver;
            ok(
                "control groups",
                &format!("version {version}, driver {driver}"),
            )
        }
        Err(error) => failed("control groups", error),
    }
}

/// One back end suffices.
fn network(features: &Features) -> Vec<Check> {
    let mut all = Vec::new();
    let standing = if features.back_ends.is_empty() {
        Standing::Missing
    } else {
        Standing::Limited
    };
    for (back_end, what) in [
        (BackEnd::Netem, "by the kernel, through netem"),
        (BackEnd::Queue, "by a helper in user space, through nfqueue"),
    ] {
        if features.back_ends.contains(&back_end) {
            let name = format!("network: {}", back_end.name());
            all.push(ok(&name, &format!("delay, loss and the like, {what}")));
        }
    }
    for (what, why) in &features.missing {
        let (found, todo) = why.split_once("; ").unwrap_or((why, ""));
        all.push(Check {
            name: format!("network: {what}"),
            // Without it, one kind of fault does not work at all.
            standing: if what == "reset" {
                Standing::Missing
            } else {
                standing
            },
            found: found.into(),
            todo: todo.into(),
        });
    }
    if all.is_empty() {
        let said = "the agent names no back end that works, nor why";
        all.push(Check {
            standing: Standing::Missing,
            ..ok("network", said)
        });
    }
    all
}

fn clock(about: &Result<About>) -> Check {
    let about = match about {
        Ok(about) => about,
        Err(error) => return failed("clock", error),
    };
    let apart = Duration::from_millis(about.ahead_ms.unsigned_abs());
    if about.ahead_ms.abs() < SAME_CLOCK_MS + about.unsure_ms {
        return ok("clock", "the engine's clock is this machine's");
    }
    let side = if about.ahead_ms > 0 {
        "ahead of"
    } else {
        "behind"
    };
    Check {
        standing: Standing::Limited,
        todo: "let both follow the same time server (chrony, systemd-timesyncd)".into(),
        ..ok(
            "clock",
            &format!(
                "the engine's clock is {} {side} this machine's",
                rounded(apart)
            ),
        )
    }
}

fn folder(name: &str, tried: &std::result::Result<(), (String, String)>, todo: &str) -> Check {
    match tried {
        Ok(()) => ok(name, "can be written"),
        Err((dir, why)) => Check {
            standing: Standing::Missing,
            todo: todo.into(),
            ..ok(name, &format!("writing to {dir}: {why}"))
        },
    }
}

fn leftovers(local: &Local, agents: Option<&Result<Vec<String>>>) -> Check {
    let name = "leftovers";
    let journals = match &local.journals {
        Ok(runs) => runs,
        Err(why) => {
            let found = format!("reading the journals: {why}");
            let standing = Standing::Limited;
            return Check {
                standing,
                ..ok(name, &found)
            };
        }
    };
    if !journals.is_empty() {
        return Check {
            standing: Standing::Limited,
            todo: "`chaosrun recover` undoes it; so does the next run before it begins".into(),
            ..ok(
                name,
                &format!("not all is undone of {}", journals.join(", ")),
            )
        };
    }
    let strangers: Vec<&str> = match agents {
        Some(Ok(runs)) => runs
            .iter()
            .filter(|run| !local.under_way.contains(run))
            .map(String::as_str)
            .collect(),
        Some(Err(error)) => return failed(name, error),
        None => Vec::new(),
    };
    match strangers.as_slice() {
        [] => ok(name, "none"),
        [run, ..] => Check {
            standing: Standing::Limited,
            todo: format!(
                "unless another user's run is under way: `docker rm -f $(docker ps -aq --filter label=chaosrun={run})`"
            ),
            ..ok(
                name,
                &format!("there are agents of {}", strangers.join(", ")),
            )
        },
    }
}

fn ok(name: &str, found: &str) -> Check {
    Check {
        name: name.into(),
        standing: Standing::Ok,
        found: found.into(),
        todo: String::new(),
    }
}

fn failed(name: &str, error: &RuntimeError) -> Check {
    Check {
        name: name.into(),
        standing: Standing::Missing,
        found: error.to_string(),
        todo: error.hint().into(),
    }
}

/// To the millisecond.
fn rounded(time: Duration) -> String {
    format_duration(Duration::from_millis(time.as_millis() as u64))
}
