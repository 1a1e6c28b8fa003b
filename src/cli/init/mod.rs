//! `chaosrun init`: a first scenario for what is running.

mod ask;
mod draft;
mod look;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use self::draft::{Subject, draft};
use super::{code, term};
use crate::inventory::{Instance, Inventory};
use crate::runtime::docker::Docker;
use crate::runtime::{Runtime as _, Scope};
use crate::scenario::{self, Inputs};

/// What went wrong, and what to do.
type Trouble = (String, String);

pub(super) async fn main(
    project: Option<String>,
    all: bool,
    output: Option<PathBuf>,
    force: bool,
) -> u8 {
    match write(project, all, output, force).await {
        Ok(()) => code::OK,
        Err((code, (what, hint))) => {
            term::error(&what, &hint);
            code
        }
    }
}

async fn write(
    project: Option<String>,
    all: bool,
    output: Option<PathBuf>,
    force: bool,
) -> Result<(), (u8, Trouble)> {
    let usage = |trouble| (code::USAGE, trouble);
    let engine = |error: crate::runtime::RuntimeError| {
        (
            code::INCONCLUSIVE,
            (error.to_string(), error.hint().to_owned()),
        )
    };
    let docker = Docker::connect().await.map_err(engine)?;
    let mut inventory = docker.inventory(&Scope::Engine).await.map_err(engine)?;
    inventory
        .instances
        .retain(|one| one.is_running() && one.is_fair_game() && can_be_written(one));
    let subject = choose(&inventory, project, all).map_err(usage)?;
    if let Subject::Project(name) = &subject {
        let belongs = |of: &Option<String>| of.as_ref() == Some(name);
        inventory
            .instances
            .retain(|instance| belongs(&instance.project));
    }
    let output = output.unwrap_or_else(|| default_file(&subject));
    let to_stdout = output == Path::new("-");
    if !to_stdout && output.exists() && !force {
        return Err(usage((
            format!("{} is there already", output.display()),
            "name another file with `-o`, or overwrite it with `--force`".into(),
        )));
    }
    let groups = look::at(&docker, &inventory, &subject)
        .await
        .map_err(engine)?;
    let shown = if to_stdout {
        "FILE".into()
    } else {
        output.display().to_string()
    };
    let text = draft(&subject, &groups, &crate::report::plain(&shown))
        .ok_or_else(|| usage(nothing_runs()))?;
    check(&text).map_err(|trouble| (code::BUG, trouble))?;
    if to_stdout {
        term::data(&text);
        return Ok(());
    }
    put(&output, &text, force).map_err(|error| {
        let what = format!("writing {}: {error}", output.display());
        usage((what, "name another file with `-o`".into()))
    })?;
    term::say(&format!(
        "{shown} is written; `chaosrun plan {shown}` shows what it would do"
    ));
    Ok(())
}

/// A scenario holds no control characters.
fn can_be_written(instance: &Instance) -> bool {
    let names = [&instance.project, &instance.service];
    let mut names = names.into_iter().flatten().chain([&instance.name]);
    names.all(|name| name.len() <= 200 && !name.chars().any(char::is_control))
}

/// The one project that runs, unless another one or everything is asked for.
fn choose(inventory: &Inventory, named: Option<String>, all: bool) -> Result<Subject, Trouble> {
    if all {
        return Ok(Subject::Everything);
    }
    let projects: BTreeSet<&String> = inventory
        .instances
        .iter()
        .filter_map(|instance| instance.project.as_ref())
        .collect();
    let listed = || {
        let names: Vec<_> = projects
            .iter()
            .map(|name| crate::report::plain(name))
            .collect();
        names.join(", ")
    };
    match (named, projects.len()) {
        (Some(name), _) if projects.contains(&name) => Ok(Subject::Project(name)),
        (Some(name), 0) => Err((
            format!("no Compose project named {name} is running"),
            "none is; `--all` looks at every container".into(),
        )),
        (Some(name), _) => Err((
            format!("no Compose project named {name} is running"),
            format!("these are: {}", listed()),
        )),
        (None, 0) if inventory.instances.is_empty() => Err(nothing_runs()),
        (None, 0) => Ok(Subject::Everything),
        (None, 1) => Ok(Subject::Project(
            projects
                .first()
                .map_or_else(String::new, |name| (*name).clone()),
        )),
        (None, n) => Err((
            format!("{n} Compose projects are running: {}", listed()),
            "name one of them, or say `--all`".into(),
        )),
    }
}

fn nothing_runs() -> Trouble {
    (
        "no container is running that could be hit".into(),
        "start your system first, e.g. with `docker compose up -d`".into(),
    )
}

fn default_file(subject: &Subject) -> PathBuf {
    let name = match subject {
        Subject::Project(name) => name.as_str(),
        Subject::Everything => "chaosrun",
    };
    let plain = |c: char| {
        if c.is_alphanumeric() || "-_".contains(c) {
            c
        } else {
            '_'
        }
    };
    PathBuf::from(format!(
        "{}.toml",
        name.chars().map(plain).collect::<String>()
    ))
}

/// What is written can be run.
fn check(text: &str) -> Result<(), Trouble> {
    match scenario::check(Path::new("init.toml"), text, &Inputs::default()) {
        Ok(_) => Ok(()),
        Err(problems) => Err((
            format!(
                "a scenario was drafted that is none:\n{}",
                problems.render(false, 100)
            ),
            "please report it with the message above".into(),
        )),
    }
}

fn put(path: &Path, text: &str, force: bool) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true);
    if force {
        options.truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path)?.write_all(text.as_bytes())
}
