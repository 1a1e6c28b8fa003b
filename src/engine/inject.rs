//! What happens when a step's time has come, apart from writing it down: whom it hits, doing it, proving it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::timeout;

use super::role;
use super::run::told;
use super::tally::{self, Counted};
use super::trip::{self, Check};
use super::undo::{AT_ONCE, LOOK_WITHIN, wait_for};
use crate::action::{Action, Capability, Change, Subject};
use crate::clock::Clock;
use crate::fault::Scene;
use crate::history::{Impediment, Proof};
use crate::inventory::{Instance, Inventory};
use crate::plan::preview::{candidates, enough};
use crate::plan::{list, pick, scene, select};
use crate::runtime::Runtime;
use crate::scenario::{Limits, OnEmpty, Pick, Secrets, Target};
use crate::units::{Micros, format_duration};

/// A change that was accepted must show its effect within this time.
const EFFECT_WITHIN: Duration = Duration::from_secs(10);

/// A runtime has its own limits; this one holds if they do not.
const APPLIED_WITHIN: Duration = Duration::from_secs(60);

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
    /// Targets that the fault names as peers.
    pub peers: Vec<Target>,
    pub limits: Limits,
    /// What this run has done to containers and not undone, by id: `is paused by step s`.
    pub held: BTreeMap<String, String>,
    pub seed: u64,
    /// The step's place in the scenario.
    pub step: usize,
}

/// Whom the step hits, each observed just now, and who its peers are.
pub(super) async fn resolve(question: Question) -> Result<Scene, Miss> {
    let Question {
        runtime, target, ..
    } = &question;
    let empty = |why: String| match target.on_empty {
        OnEmpty::Skip => Miss::ByChoice(why),
        OnEmpty::Error => Miss::Impeded(Impediment::Target, why),
    };
    let (inventory, looked_at) = refreshed(&**runtime, &question.inventory, target).await;
    let mut matches =
        candidates(target, &inventory, &question.limits, &question.held).map_err(empty)?;
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
    enough(target, of).map_err(empty)?;
    let picked = pick::pick(matches, target.pick, question.seed, question.step);
    if picked.is_empty() {
        return Err(empty(format!(
            "target {}: its pick takes none of {of}",
            target.name
        )));
    }
    let impeded = |why| Miss::Impeded(Impediment::Target, why);
    // Asking for a role takes its time; and one that the engine said nothing of is not what it was.
    let is_fresh = |one: &Instance| target.role.is_none() && looked_at.contains(&one.id);
    let hit = if picked.iter().all(is_fresh) {
        picked
    } else {
        observe_all(&**runtime, picked).await.map_err(impeded)?
    };
    let mut named = BTreeMap::new();
    for peer in &question.peers {
        let found = resolve_peer(&question, &inventory, peer).await;
        named.insert(peer.name.clone(), found.map_err(impeded)?);
    }
    Ok(Scene {
        world: inventory,
        hit,
        named,
        seed: question.seed,
        step: question.step,
    })
}

/// Who a target is that the fault names as a peer.
///
/// # Errors
/// Nobody, or nobody has the role.
async fn resolve_peer(
    question: &Question,
    inventory: &Inventory,
    peer: &Target,
) -> Result<Vec<Instance>, String> {
    let meant = scene::meant(peer, inventory);
    let named = |why: String| format!("target {}, which it names as a peer: {why}", peer.name);
    if meant.is_empty() {
        return Err(named("it matches nobody who runs".into()));
    }
    let meant = match &peer.role {
        None => meant,
        Some(asked) => role::filter(&*question.runtime, asked, meant, &question.secrets)
            .await
            .map_err(named)?,
    };
    Ok(pick::pick(meant, peer.pick, question.seed, question.step))
}

/// What events have told of the system may lag behind what this run has just done to it: whom the target means is looked at. With the
/// ids of those of which the engine said how they are.
async fn refreshed(
    runtime: &dyn Runtime,
    inventory: &Inventory,
    target: &Target,
) -> (Inventory, BTreeSet<String>) {
    let mut now = inventory.clone();
    let ids = now.instances.iter().filter(|i| select::matches(target, i));
    let ids: Vec<String> = ids.map(|instance| instance.id.clone()).collect();
    let seen = look_at(runtime, ids).await;
    let looked_at = seen.iter().map(|(id, _)| id.clone()).collect();
    now.take_in(seen);
    (now, looked_at)
}

/// These containers as they are now; one of which the engine does not say anything is left out.
pub(super) async fn look_at(
    runtime: &dyn Runtime,
    ids: Vec<String>,
) -> Vec<(String, Option<Instance>)> {
    stream::iter(ids)
        .map(|id| async move {
            let seen = timeout(LOOK_WITHIN, runtime.observe(&id)).await;
            Some((id, seen.ok()?.ok()?))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
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

/// What must be made ready for these actions.
pub(super) fn needs(actions: &[Action]) -> Vec<(Subject, Capability)> {
    actions
        .iter()
        .filter_map(|action| Some((action.subject.clone(), action.change.needs()?)))
        .collect()
}

/// What has become of a step's actions.
pub(super) struct Effect {
    pub proof: Proof,
    /// By the agents, up to where what counts begins.
    pub counted: Counted,
    /// When it was seen to be in force, before round trips showed the same.
    pub in_force: Micros,
}

/// Applies the actions, different containers at the same time, and proves their effect.
///
/// # Errors
/// The engine refused one: its own words. Others may have been applied.
pub(super) async fn apply(
    runtime: &dyn Runtime,
    clock: Clock,
    actions: &[Action],
    checks: &[Check],
    disturbed: impl Fn() -> bool,
) -> Result<Effect, String> {
    // What agents are asked for costs the engine nothing.
    let by_agents = |action: &Action| action.change.needs() == Some(Capability::Network);
    let at_once = if actions.iter().all(by_agents) {
        actions.len().max(1)
    } else {
        AT_ONCE
    };
    let applied: Vec<Result<(), String>> = stream::iter(actions.to_vec())
        .map(|action| async move { apply_one(runtime, &action).await })
        .buffer_unordered(at_once)
        .collect()
        .await;
    applied.into_iter().collect::<Result<(), String>>()?;
    let mut seen = prove(runtime, actions).await;
    let in_force = clock.now();
    let mut counted = Counted::new();
    if !checks.is_empty() && seen.iter().all(|(holds, _)| *holds) {
        counted = tally::count(runtime, actions, LOOK_WITHIN).await;
        seen.extend(trip::prove_all(runtime, checks, disturbed).await);
    }
    // What the measuring itself has sent is not the system's.
    let then = tally::count(runtime, actions, LOOK_WITHIN).await;
    let sent = |id: &str| checks.iter().map(|check| check.sends(id)).sum();
    Ok(Effect {
        proof: summary(seen),
        counted: tally::without(counted, then, sent),
        in_force,
    })
}

/// Makes the change; however the engine hangs, this comes to an end.
///
/// # Errors
/// What was tried, and the engine's own words or for how long it said nothing.
pub(super) async fn apply_one(runtime: &dyn Runtime, action: &Action) -> Result<(), String> {
    let grace = match &action.change {
        Change::Stop { grace } => *grace,
        _ => Duration::ZERO,
    };
    let within = APPLIED_WITHIN + grace;
    match timeout(within, runtime.apply(&action.subject, &action.change)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(told(&error)),
        Err(_) => Err(format!(
            "{}: no answer within {}",
            action.subject.could_not(&action.change),
            format_duration(within)
        )),
    }
}

async fn prove(runtime: &dyn Runtime, actions: &[Action]) -> Vec<(bool, String)> {
    stream::iter(actions.to_vec())
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
        .await
}

/// One proof out of many; what stands against it comes first.
pub(super) fn summary(mut seen: Vec<(bool, String)>) -> Proof {
    seen.sort_by_key(|(holds, _)| *holds);
    Proof {
        holds: seen.iter().all(|(holds, _)| *holds),
        evidence: list(seen.into_iter().map(|(_, text)| text)),
    }
}
