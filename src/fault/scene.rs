//! All that a fault may look at beside the container that it is lowered to.

use std::collections::BTreeMap;

use crate::inventory::{Instance, Inventory};

/// What is known when a step is planned, starts, or has to be given to a target again.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    pub world: Inventory,
    /// Everyone whom the step hits.
    pub hit: Vec<Instance>,
    /// Who each target is that the fault names as a peer, by the target's name.
    pub named: BTreeMap<String, Vec<Instance>>,
    pub seed: u64,
    /// The step's place in the scenario.
    pub step: usize,
}

impl Scene {
    /// Where containers are now. One that does not run has no address, and is thought to be where it was: it may come back there.
    pub fn move_on(&mut self, now: &Inventory) {
        let mut world = now.clone();
        for instance in &mut world.instances {
            let was = self.world.by_id(&instance.id);
            if let Some(was) = was.filter(|_| !has_address(instance)) {
                instance.networks.clone_from(&was.networks);
            }
        }
        let everyone = self.named.values_mut().flatten();
        for one in everyone.chain(&mut self.hit) {
            let same = world.by_id(&one.id).or_else(|| {
                let replaces = |other: &&Instance| {
                    other.identity() == one.identity() && other.project == one.project
                };
                world.instances.iter().find(replaces)
            });
            if let Some(same) = same {
                one.clone_from(same);
            }
        }
        self.world = world;
    }
}

fn has_address(instance: &Instance) -> bool {
    let mut endpoints = instance.networks.values();
    endpoints.any(|at| !at.address.is_empty() || !at.address_v6.is_empty())
}
