//! Ahead of the steps to come: how long round trips take while nothing is in force. It costs no step its punctuality.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Done, Drive, Progress, State};
use crate::engine::trip::{self, Before, InForce, impairments};
use crate::inventory::{Instance, Inventory};
use crate::plan::lower;
use crate::plan::preview::candidates;
use crate::plan::scene;
use crate::plan::way::{Way, ways};

impl Drive<'_> {
    pub(super) fn measure_ahead(&mut self) {
        let ways = self.ways_ahead();
        if ways.is_empty() {
            return;
        }
        let runtime = Arc::clone(&self.run.runtime);
        let stirs = self.stirs.load(Ordering::Relaxed);
        self.tasks.spawn(async move {
            Done::Measured {
                before: trip::measure_all(&*runtime, ways).await,
                stirs,
            }
        });
    }

    /// What was measured into the beginning of a fault is not how it was before.
    pub(super) fn on_measured(&mut self, before: Before, stirs: usize) {
        if stirs == self.stirs.load(Ordering::Relaxed) {
            self.before.extend(before);
        }
    }

    /// From everyone whom a step to come may hit; those that a fault in force concerns are left as they were measured.
    fn ways_ahead(&self) -> Vec<Way> {
        let world = Arc::clone(&self.world.borrow());
        let waits = |step: &usize| {
            let fault = &self.run.scenario.steps[*step].fault;
            fault.is_of_network() && self.steps[*step].state == State::Waiting
        };
        let busy = self.concerned();
        let steps = (0..self.steps.len()).filter(waits);
        let all: BTreeSet<Way> = steps
            .flat_map(|step| self.ways_of(step, &world))
            .filter(|way| !busy.contains(&way.subject.id))
            .filter(|way| {
                way.whose
                    .as_ref()
                    .is_none_or(|peer| !busy.contains(&peer.id))
            })
            .collect();
        all.into_iter().collect()
    }

    fn ways_of(&self, step: usize, world: &Inventory) -> Vec<Way> {
        let scenario = &self.run.scenario;
        let spec = &scenario.steps[step];
        let turn = (self.run.seed, step);
        let Some(target) = scenario.target(spec.fault.target()) else {
            return Vec::new();
        };
        let found = candidates(target, world, &scenario.limits, &BTreeMap::new());
        let found: Vec<Instance> = found.unwrap_or_default();
        let of_one = |one: &Instance| {
            let scene = scene::foresee_one(scenario, world, turn, &found, one);
            let actions = lower::one(spec, one, &scene).unwrap_or_default();
            impairments(&actions)
                .flat_map(|(_, impairment)| ways(impairment, one, world))
                .collect::<Vec<Way>>()
        };
        found.iter().flat_map(of_one).collect()
    }

    /// Ids of containers with a fault that is not reverted yet.
    pub(super) fn concerned(&self) -> BTreeSet<String> {
        let under_way = |progress: &&Progress| progress.state != State::Over;
        self.steps
            .iter()
            .filter(under_way)
            .flat_map(|progress| &progress.actions)
            .map(|action| action.subject.id.clone())
            .collect()
    }

    /// What is in force in whose network.
    pub(super) fn impaired(&self) -> InForce {
        let under_way = self.steps.iter().filter(|step| step.state != State::Over);
        under_way
            .flat_map(|step| impairments(&step.actions))
            .map(|(subject, impairment)| (subject.id.clone(), impairment.clone()))
            .collect()
    }
}
