//! What impairments do to packets that nobody sends: what an agent would have counted and measured is worked out, a hundred packets a
//! second to everyone's peers.

use std::net::IpAddr;
use std::time::Duration;

use super::world::World;
use crate::clock::Clock;
use crate::impairment::{
    BackEnd, Counts, Direction, Effect, Flow, Impaired, Impairment, Line, Loss, Rule,
};
use crate::inventory::Instance;

/// As in a network of containers.
pub const ROUND_TRIP: Duration = Duration::from_micros(100);
/// Between two packets of the system.
const EVERY: Duration = Duration::from_millis(10);

/// What is in force in a container's network.
pub(super) struct Held {
    impairment: Impairment,
    since: Clock,
    /// Packets that were sent to measure.
    measured: u64,
}

impl super::Memory {
    /// From now on the system sends no packets by itself.
    pub fn silence(&self) {
        self.world().silent = true;
    }
}

impl World {
    pub(super) fn impair(&mut self, id: &str, impairment: &Impairment) {
        let held = Held {
            impairment: impairment.clone(),
            since: Clock::start(),
            measured: 0,
        };
        self.held.insert(id.into(), held);
        self.alter(id, "impair", |one| {
            one.impaired = Some(Box::new(Impaired {
                digest: impairment.digest(),
                back_end: BackEnd::Queue,
                counts: vec![Counts::default(); impairment.rules.len()],
            }));
        });
    }

    /// A container as it is now, with what has been counted until now.
    pub(super) fn seen(&self, id: &str) -> Option<Instance> {
        let mut one = self.instances.get(id).cloned()?;
        if let (Some(impaired), Some(held)) = (&mut one.impaired, self.held.get(id)) {
            let of_system = match self.silent {
                true => 0,
                false => held.since.now() / EVERY.as_micros() as u64,
            };
            let packets = of_system + held.measured;
            let rules = held.impairment.rules.iter();
            impaired.counts = rules.map(|rule| counts(rule, packets)).collect();
        }
        Some(one)
    }

    /// How long a packet takes to a peer and back, through what is in force at both ends.
    pub(super) fn round_trip(
        &mut self,
        id: &str,
        peer: IpAddr,
        (port, times): (Option<u16>, u32),
    ) -> Option<Duration> {
        let one = self.instances.get(id)?;
        if let Some(round_trip) = &self.round_trips {
            let trip = round_trip(one, peer);
            if let Some(held) = self.held.get_mut(id) {
                held.measured += u64::from(times);
            }
            return trip;
        }
        let has = |other: &&Instance| addresses(other).any(|at| at == peer);
        let far = self.instances.values().find(has);
        let own = addresses(one).next();
        let mut took = ROUND_TRIP;
        let (near, far) = (
            Some((id.to_owned(), Some(peer))),
            far.map(|far| (far.id.clone(), own)),
        );
        for (end, other) in near.into_iter().chain(far) {
            let in_force = self
                .instances
                .get(&end)
                .is_some_and(|one| one.impaired.is_some());
            let Some(held) = self.held.get_mut(&end).filter(|_| in_force) else {
                continue;
            };
            let rule = held
                .impairment
                .rules
                .iter()
                .find(|rule| is_of(&rule.flow, other, port));
            let Some(rule) = rule else { continue };
            held.measured += u64::from(times);
            match &rule.effect {
                Effect::Drop => return None,
                Effect::Line(line) => took += late(line, rule.flow.direction),
                Effect::Reset | Effect::Dns { .. } => {}
            }
        }
        Some(took)
    }
}

fn addresses(one: &Instance) -> impl Iterator<Item = IpAddr> {
    one.networks.values().flat_map(|at| at.addresses())
}

fn is_of(flow: &Flow, other: Option<IpAddr>, port: Option<u16>) -> bool {
    let peer = other.is_some_and(|other| flow.peers.iter().any(|net| net.contains(&other)));
    let within = |port: u16| {
        flow.ports
            .iter()
            .any(|p| (p.first..=p.last).contains(&port))
    };
    (flow.peers.is_empty() || peer) && (flow.ports.is_empty() || port.is_some_and(within))
}

fn late(line: &Line, direction: Direction) -> Duration {
    let latency = line.delay.as_ref().map(|delay| delay.latency);
    let latency = latency.unwrap_or_default();
    match direction {
        Direction::Both => latency * 2,
        Direction::Egress | Direction::Ingress => latency,
    }
}

fn counts(rule: &Rule, packets: u64) -> Counts {
    let share = |probability: f64| (packets as f64 * probability) as u64;
    let mut counts = Counts {
        packets,
        bytes: packets * 100,
        ..Counts::default()
    };
    match &rule.effect {
        Effect::Drop => counts.dropped = packets,
        Effect::Reset => counts.reset = packets,
        Effect::Dns { .. } => counts.answered = packets,
        Effect::Line(line) => {
            counts.delayed = if line.delay.is_some() || line.rate.is_some() {
                packets
            } else {
                0
            };
            counts.dropped = match &line.loss {
                Some(Loss::Random(chance)) => share(chance.probability),
                Some(_) => packets / 10,
                None => 0,
            };
            let chance = |chance: Option<crate::impairment::Chance>| {
                chance.map_or(0, |chance| share(chance.probability))
            };
            counts.corrupted = chance(line.corrupt);
            counts.duplicated = chance(line.duplicate);
            counts.reordered = chance(line.reorder.map(|reorder| reorder.chance));
        }
    }
    counts
}
