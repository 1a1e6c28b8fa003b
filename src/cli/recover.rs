//! `chaosrun recover`: undo what an earlier run left behind.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{code, places, term};
use crate::engine::recover::{Connect, Recovered, leftovers, recover_all, recover_own};
use crate::runtime::{Result as RuntimeResult, Runtime, docker::Docker};

pub(super) async fn main(list: bool) -> u8 {
    if list {
        return show();
    }
    match recover_all(&places::state_dir(), &*connect()).await {
        Ok(all) if all.is_empty() => {
            term::say("nothing to recover");
            code::OK
        }
        Ok(all) => tell(&all),
        Err(error) => {
            term::error(
                &format!(
                    "reading the journals in {}: {error}",
                    places::state_dir().display()
                ),
                "",
            );
            code::DIRTY
        }
    }
}

/// What a run that panicked has left.
pub(super) async fn own() {
    if let Ok(all) = recover_own(&places::state_dir(), &*connect()).await {
        tell(&all);
    }
}

/// Tells what was undone and what was not.
pub(super) fn tell(all: &[Recovered]) -> u8 {
    let mut clean = true;
    for recovered in all {
        for sentence in &recovered.undone {
            term::say(&format!("recovered from run {}: {sentence}", recovered.run));
        }
        for sentence in &recovered.failed {
            term::error(
                &format!("run {} left something behind: {sentence}", recovered.run),
                "`chaosrun recover` tries again",
            );
            clean = false;
        }
    }
    if clean { code::OK } else { code::DIRTY }
}

/// Opens the engine that a journal names.
pub(super) fn connect() -> Box<Connect> {
    Box::new(
        |endpoint: String, run: String| -> BoxFuture<'static, RuntimeResult<Arc<dyn Runtime>>> {
            Box::pin(async move {
                let docker = Docker::connect_to(&endpoint).await?.with_run(&run);
                Ok(Arc::new(docker) as Arc<dyn Runtime>)
            })
        },
    )
}

fn show() -> u8 {
    let found = match leftovers(&places::state_dir()) {
        Ok(found) => found,
        Err(error) => {
            term::error(
                &format!(
                    "reading the journals in {}: {error}",
                    places::state_dir().display()
                ),
                "",
            );
            return code::DIRTY;
        }
    };
    if found.is_empty() {
        term::say("nothing to recover");
    }
    for (_, left) in found {
        for (_, step, action) in &left.actions {
            let undo = action.undo.phrase();
            term::data(&format!(
                "run {}, step {step}: {}: {undo}",
                left.run, action.subject.name
            ));
        }
        for project in &left.projects {
            term::data(&format!(
                "run {}: take down system {}",
                left.run, project.name
            ));
        }
    }
    code::OK
}
