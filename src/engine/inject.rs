//! What happens when a step's time has come, apart from writing it down: whom it hits, doing it, proving it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::role;
use super::undo::{AT_ONCE, wait_for};
use crate::action::{Action, Capability, Subject};
use crate::history::{Impediment, Proof};
use crate::inventory::{Instance, Inventory};
use crate::plan::preview::candidates;
use crate::plan::{list, pick};
use crate::runtime::Runtime;
use crate::scenario::{Limits, OnEmpty, Pick, Secrets, Step, Target};

/// A change that was accepted must show its effect within this time.
const EFFECT_WITHIN: Duration = Duration::from_secs(10);

/// Why a step was not injected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Miss {
    /// `on_empty = "skip"`: fine.
    ByChoice(String),
    Impeded(Impediment, String),
}

/// Everything that resolving a step needs, owned, so that it can happen beside the loop.
pub(super) struct Question {
    pub runtime: Arc<dyn Runtime>,
    pub inventory: Arc<Inventory>,
    pub secrets: Arc<Secrets>,
    pub target: Target,
    pub limits: Limits,
    pub seed: u64,
    /// The step's place in the scenario.
    pub step: usize,
}

/// Whom the step hits, each observed just now.
pub(super) async fn resolve(question: Question) -> Result<Vec<Instance>, Miss> {
    let Question {
        runtime, target, ..
    } = &question;
    let empty = |why: String| match target.on_empty {
        OnEmpty::Skip => Miss::ByChoice(why),
        OnEmpty::Error => Miss::Impeded(Impediment::Target, why),
    };
    let mut matches = candidates(target, &question.inventory, &question.limits).map_err(empty)?;
    if let Some(asked) = &target.role {
        matches = role::filter(&**runtime, asked, matches, &question.secrets)
            .await
            .map_err(|why| empty(format!("target {}: {why}", target.name)))?;
        if target.pick == Pick::One && matches.len() > 1 {
            let why = format!(
                "target {} asks for one, and {} say that they are {:?}",
                target.name,
                list(matches.iter().map(Instance::identity)),
                asked.equals
            );
            return Err(Miss::Impeded(Impediment::Target, why));
        }
    }
    let of = matches.len();
    let picked = pick::pick(matches, target.pick, question.seed, question.step);
    if picked.is_empty() {
        return Err(empty(format!(
            "target {}: its pick takes none of {of}",
            target.name
        )));
    }
    observe_all(&**runtime, picked)
        .await
        .map_err(|why| Miss::Impeded(Impediment::Target, why))
}

async fn observe_all(
    runtime: &dyn Runtime,
    picked: Vec<Instance>,
) -> Result<Vec<Instance>, String> {
    stream::iter(picked)
        .map(|instance| async move {
            match runtime.observe(&instance.id).await {
                Ok(Some(now)) => Ok(now),
                Ok(None) => Err(format!("{} is gone", instance.identity())),
                Err(error) => Err(error.to_string()),
            }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// The actions of a step on these instances.
///
/// # Errors
/// Why one of them cannot be hit in this way.
pub(super) fn lower(step: &Step, instances: &[Instance]) -> Result<Vec<Action>, String> {
    let mut actions = Vec::new();
    for instance in instances {
        let lowered = step.fault.lower(instance);
        actions.extend(lowered.map_err(|why| format!("{}: {why}", instance.identity()))?);
    }
    Ok(actions)
}

/// What must be made ready for these actions.
pub(super) fn needs(actions: &[Action]) -> Vec<(Subject, Capability)> {
    actions
        .iter()
        .filter_map(|action| Some((action.subject.clone(), action.change.needs()?)))
        .collect()
}

/// Applies the actions, different containers at the same time, and proves their effect.
///
/// # Errors
/// The engine refused one: its own words. Others may have been applied.
pub(super) async fn apply(runtime: &dyn Runtime, actions: &[Action]) -> Result<Proof, String> {
    let applied: Vec<Result<(), String>> = stream::iter(actions.to_vec())
        .map(|action| async move {
            let tried = format!(
                "{}: could not {}",
                action.subject.name,
                action.change.phrase()
            );
            runtime
                .apply(&action.subject, &action.change)
                .await
                .map_err(|error| format!("{tried}: {error}"))
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    applied.into_iter().collect::<Result<(), String>>()?;
    Ok(prove(runtime, actions).await)
}

async fn prove(runtime: &dyn Runtime, actions: &[Action]) -> Proof {
    let seen: Vec<(bool, String)> = stream::iter(actions.to_vec())
        .map(|action| async move {
            let name = &action.subject.name;
            match wait_for(runtime, &action.subject, &action.effect, EFFECT_WITHIN).await {
                Ok(evidence) => (true, format!("{name}: {evidence}")),
                Err(seen) => (
                    false,
                    format!(
                        "{name}: expected that {}, saw: {seen}",
                        action.effect.phrase()
                    ),
                ),
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    summary(seen)
}

/// One proof out of many; what stands against it comes first.
pub(super) fn summary(mut seen: Vec<(bool, String)>) -> Proof {
    seen.sort_by_key(|(holds, _)| *holds);
    Proof {
        holds: seen.iter().all(|(holds, _)| *holds),
        evidence: list(seen.into_iter().map(|(_, text)| text)),
    }
}
