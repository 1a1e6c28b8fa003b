//! Undoing what a run left that is no more: from its journal, whoever finds it first.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use tokio::time::{sleep, timeout};

use super::journal::{Journal, Leftover, Line, Project};
use super::undo::{undo, undo_all, wait_for};
use crate::action::{Action, Condition};
use crate::runtime::{Result as RuntimeResult, Runtime};

/// Opens the engine at an endpoint on behalf of a run.
pub type Connect =
    dyn Fn(String, String) -> BoxFuture<'static, RuntimeResult<Arc<dyn Runtime>>> + Send + Sync;

/// How long somebody else who is at it is waited for.
const PATIENCE: Duration = Duration::from_secs(40);

/// What the engine needs beyond a stop's grace, to kill and to say so.
const LANDING: Duration = Duration::from_secs(2);

/// What was found in one journal and what became of it.
#[derive(Debug, Default)]
pub struct Recovered {
    pub run: String,
    /// One sentence each.
    pub undone: Vec<String>,
    /// What could not be undone. The journal stays, for another try.
    pub failed: Vec<String>,
}

/// Journals in `dir` whose run has ended without undoing everything, oldest first.
///
/// # Errors
/// The file system's.
pub fn leftovers(dir: &Path) -> io::Result<Vec<(PathBuf, Leftover)>> {
    let mut found = Vec::new();
    for path in journals(dir)? {
        match Journal::adopt(&path) {
            Ok(journal) => found.push((path, journal.leftover()?)),
            // Its reaper is at it: until that is done, it is left over.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !owner_lives(&path) => {
                let left = Journal::peek(&path).unwrap_or_default();
                if !left.is_empty() {
                    found.push((path, left));
                }
            }
            Err(error) if busy_or_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Runs that are under way, as far as their journals in `dir` say.
pub fn under_way(dir: &Path) -> Vec<String> {
    let all = journals(dir).unwrap_or_default().into_iter();
    all.filter(|path| owner_lives(path))
        .filter_map(|path| Some(Journal::peek(&path).ok()?.run))
        .collect()
}

fn journals(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "journal")
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn busy_or_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::NotFound
    )
}

/// Recovers every run in `dir` that is no more. One that its reaper is busy with is waited for, unlike one that still runs.
///
/// # Errors
/// The file system's.
pub async fn recover_all(dir: &Path, connect: &Connect) -> io::Result<Vec<Recovered>> {
    let mut all = Vec::new();
    for path in journals(dir)? {
        let patience = if owner_lives(&path) {
            Duration::ZERO
        } else {
            PATIENCE
        };
        if let Some(recovered) = recover_file(&path, connect, patience).await? {
            all.push(recovered);
        }
    }
    Ok(all)
}

/// Is the run itself still there? If not, whoever holds its journal is its reaper.
fn owner_lives(path: &Path) -> bool {
    Journal::owner(path).is_some_and(|pid| Path::new("/proc").join(pid.to_string()).exists())
}

/// Recovers what this very process has left: it has panicked, and its reaper may be at it already.
///
/// # Errors
/// The file system's.
pub async fn recover_own(dir: &Path, connect: &Connect) -> io::Result<Vec<Recovered>> {
    let mut all = Vec::new();
    for path in journals(dir)? {
        if Journal::owner(&path) == Some(std::process::id()) {
            all.extend(recover_file(&path, connect, PATIENCE).await?);
        }
    }
    Ok(all)
}

/// Recovers one journal, waiting up to `patience` for its owner to let go of it; `None` if there is nothing left to do.
///
/// # Errors
/// The file system's.
pub async fn recover_file(
    path: &Path,
    connect: &Connect,
    patience: Duration,
) -> io::Result<Option<Recovered>> {
    let adopted = timeout(patience.max(Duration::from_millis(1)), async {
        loop {
            match Journal::adopt(path) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sleep(Duration::from_millis(20)).await
                }
                answer => return answer,
            }
        }
    });
    match adopted.await {
        Err(_) => Ok(None),
        Ok(Err(error)) if busy_or_gone(&error) => Ok(None),
        Ok(Err(error)) => Err(error),
        Ok(Ok(journal)) => Ok(Some(recover(journal, connect).await?)),
    }
}

/// Waits as long as a reaper may need.
///
/// # Errors
/// The file system's.
pub async fn reap(path: &Path, connect: &Connect) -> io::Result<Option<Recovered>> {
    recover_file(path, connect, PATIENCE).await
}

async fn recover(mut journal: Journal, connect: &Connect) -> io::Result<Recovered> {
    let left = journal.leftover()?;
    let mut report = Recovered {
        run: left.run.clone(),
        ..Recovered::default()
    };
    // It ended before its first line was on disk, so before it did anything.
    if left.run.is_empty() && left.is_empty() {
        journal.close()?;
        return Ok(report);
    }
    let path = journal.path().display().to_string();
    if left.unreadable > 0 {
        report.failed.push(format!(
            "{} of its journal {path} cannot be read; take the version of chaosrun that wrote it",
            if left.unreadable == 1 {
                "a line"
            } else {
                "some lines"
            }
        ));
    }
    match connect(left.endpoint.clone(), left.run.clone()).await {
        Err(error) => report.failed.push(format!(
            "{error}; if that engine is no more, remove the journal {path}"
        )),
        Ok(runtime) => {
            undo_actions(&mut journal, &*runtime, &left, &mut report).await?;
            take_down(&mut journal, &*runtime, &left, &mut report).await?;
            if let Err(error) = runtime.sweep(&left.run).await {
                report.failed.push(error.to_string());
            }
        }
    }
    if report.failed.is_empty() {
        journal.close()?;
    }
    Ok(report)
}

async fn undo_actions(
    journal: &mut Journal,
    runtime: &dyn Runtime,
    left: &Leftover,
    report: &mut Recovered,
) -> io::Result<()> {
    let actions: Vec<Action> = left
        .actions
        .iter()
        .map(|(_, _, action)| action.clone())
        .collect();
    let late = join_all(actions.iter().map(|action| may_land_late(runtime, action))).await;
    let mut results = undo_all(runtime, &actions, false).await;
    let landed = actions.iter().zip(&late).zip(&mut results);
    join_all(
        landed
            .filter(|((_, late), _)| **late)
            .map(|((action, _), undone)| async move {
                let within = action.change.lands_within() + LANDING;
                let down = wait_for(runtime, &action.subject, &Condition::Down, within).await;
                if down.is_ok() {
                    *undone = undo(runtime, action, false).await;
                }
            }),
    )
    .await;
    for ((id, step, action), undone) in left.actions.iter().zip(results) {
        let sentence = format!(
            "{}, step {step}: {}",
            action.subject.name, undone.proof.evidence
        );
        // Once the container itself is gone, nothing of the fault is left, nor ever to be undone.
        if undone.proof.holds || undone.gone {
            journal.append(&[Line::Undone { id: *id }])?;
            report.undone.push(sentence);
        } else {
            report.failed.push(sentence);
        }
    }
    Ok(())
}

/// Its run may have died while the engine was at it: what is as if nothing had been done can still come to pass.
async fn may_land_late(runtime: &dyn Runtime, action: &Action) -> bool {
    !action.change.lands_within().is_zero()
        && wait_for(
            runtime,
            &action.subject,
            &Condition::Running,
            Duration::ZERO,
        )
        .await
        .is_ok()
}

async fn take_down(
    journal: &mut Journal,
    runtime: &dyn Runtime,
    left: &Leftover,
    report: &mut Recovered,
) -> io::Result<()> {
    for project in &left.projects {
        match down(runtime, project).await {
            Err(error) => report.failed.push(error.to_string()),
            Ok(()) => {
                journal.append(&[Line::ProjectDown {
                    name: project.name.clone(),
                }])?;
                report
                    .undone
                    .push(format!("system {} taken down", project.name));
            }
        }
    }
    Ok(())
}

/// Takes a system down. What was still being made for one that is not up yet may appear a moment after its Compose tool has ended.
pub(super) async fn down(runtime: &dyn Runtime, project: &Project) -> RuntimeResult<()> {
    let rounds = if project.up { 1 } else { 4 };
    let mut outcome = Ok(());
    for round in 0..rounds {
        if round > 0 {
            sleep(Duration::from_millis(500)).await;
        }
        outcome = runtime.down(&project.name).await;
    }
    outcome
}
