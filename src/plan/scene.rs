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
    let target = scenario.target(fault.target());
    let undecided = target.is_some_and(|target| target.role.is_some());
    if undecided && !fault.is_shaped() {
        foresee(scenario, inventory, turn, std::slice::from_ref(one))
    } else {
        foresee(scenario, inventory, turn, candidates)
    }
}

/// Running containers that a target means where it is a peer: nothing is done to these, so a protected one counts as well.
pub fn meant(target: &Target, inventory: &Inventory) -> Vec<Instance> {
    let all = inventory.instances.iter();
    all.filter(|one| select::matches(target, one) && one.is_running())
        .cloned()
        .collect()
}
