//! What a fault is lowered on, before its step has started.

use std::collections::BTreeMap;

use super::{pick, select};
use crate::fault::Scene;
use crate::inventory::{Instance, Inventory};
use crate::scenario::{Scenario, Target};

/// These are hit, as far as that is known now. Of a target with a role that is named as a peer, everyone may have it.
pub fn foresee(
    scenario: &Scenario,
    inventory: &Inventory,
    (seed, step): (u64, usize),
    hit: &[Instance],
) -> Scene {
    let named = |target: &Target| match &target.role {
        Some(_) => meant(target, inventory),
        None => pick::pick(meant(target, inventory), target.pick, seed, step),
    };
    let peers = scenario.steps[step].fault.peers().into_iter();
    let named: BTreeMap<_, _> = peers
        .filter_map(|name| Some((name.to_owned(), named(scenario.target(name)?))))
        .collect();
    Scene {
        world: inventory.clone(),
        hit: hit.to_vec(),
        named,
        seed,
        step,
    }
}

/// The same, for one of those whom a step may hit. Who has a role is known later; until then it may be this one alone, unless a
/// shape says that there are several.
pub fn foresee_one(
    scenario: &Scenario,
    inventory: &Inventory,
    turn: (u64, usize),
    candidates: &[Instance],
    one: &Instance,
) -> Scene {
    let fault = &scenario.steps[turn.1].fault;
    let Some(target) = scenario.target(fault.target()) else {
        return foresee(scenario, inventory, turn, candidates);
    };
    if target.role.is_some() && fault.is_shaped() {
        return foresee(scenario, inventory, turn, candidates);
    }
    let mut hit = vec![one.clone()];
    if target.role.is_none() {
        let picked = pick::pick(candidates.to_vec(), target.pick, turn.0, turn.1);
        if picked.iter().any(|other| other.id == one.id) {
            hit = picked;
        }
    }
    foresee(scenario, inventory, turn, &hit)
}

/// Running containers that a target means where it is a peer: nothing is done to these, so a protected one counts as well.
pub fn meant(target: &Target, inventory: &Inventory) -> Vec<Instance> {
    let all = inventory.instances.iter();
    all.filter(|one| select::matches(target, one) && one.is_running())
        .cloned()
        .collect()
}
