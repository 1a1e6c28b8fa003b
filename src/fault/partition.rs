//! `partition`: members of a cluster cannot reach one another.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | the members that are hit, all of them at once |
//! | `shape` | | how they fall apart: `"halves"`, `"one"`, `"majority"`, `"ring"` or `"bridge"`; or two groups, below |
//! | `from` | the others of the target | the first group: as `to` |
//! | `to` | the others of the target | the second group, one or a list: targets, services, containers, addresses, networks; also such as are no members |
//! | `one_way` | `false` | only what the first group sends is lost; the second one's packets still arrive |
//! | `ports` | all | `"6379"`, `"8000-8100"`, or a list of them |
//! | `protocol` | all | `"tcp"`, `"udp"` or `"icmp"` |
//! | `network` | all | one of the networks, by its name or its short name in the Compose project |
//!
//! The shapes are those that Jepsen made known; who stands where is chosen with the seed among the members that are hit. `one`: one member
//! against all others. `halves`: two halves. `majority`: the smallest majority against the rest, which is the first group here. `ring`: each
//! member hears its neighbours in a ring, so that everyone sees a majority and no two see the same one (at least 4 members; it is never one-way). `bridge`: two
//! halves, joined by one member whom both hear (at least 3).
//!
//! Packets are dropped at both ends where both are members, so that a member that restarts does not join the others again for a
//! moment; what is lost one way is dropped where it arrives. Nobody is on both sides: a group that is left out is whoever is not in the other one.
//!
//! *Effect*: the agents have it in force, and a peer that answered before answers no longer. *Undo*: everything is taken out of the
//! containers' networks. *Lasts* for the step's `for`, 5 s without one.
//!
//! ```toml
//! fault.partition = { target = "nodes", shape = "halves" }
//! fault.partition = { target = "primary", to = "replicas", one_way = true }
//! ```

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::network::cut::{Lost, Shape, sides};
use super::network::keys::{Peer, read_peers, read_ports};
use super::network::peers::{addresses, members, own};
use super::network::{Place, flow_with, passed_over};
use super::{Fault, Kind, Scene, read_target};
use crate::action::Action;
use crate::impairment::{Direction, Effect, Flow, Ports, Protocol, Rule};
use crate::inventory::Instance;
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "partition",
    summary: "members of a cluster cannot reach one another",
    aimed: false,
    read,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    pub target: String,
    pub sides: Sides,
    /// Only what the first side sends is lost.
    pub one_way: bool,
    pub ports: Vec<Ports>,
    pub protocol: Option<Protocol>,
    pub network: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sides {
    Shape(Shape),
    /// One of them may be empty: whoever is not in the other.
    Groups {
        from: Vec<Peer>,
        to: Vec<Peer>,
    },
}

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    let target = read_target(table);
    let shape_entry = table.get("shape");
    let shape = shape_entry
        .as_ref()
        .map(|shape| shape.choice(&Shape::WORDS));
    let (from, to) = (read_peers(table, "from"), read_peers(table, "to"));
    let one_way_entry = table.get("one_way");
    let one_way = one_way_entry.as_ref().and_then(|entry| entry.boolean());
    let one_way = one_way.unwrap_or(false);
    let (ports, protocol) = read_ports(table);
    let network = table.word("network");
    let groups = ["from", "to"].into_iter().find_map(|key| table.get(key));
    if let (Some(shape), Some(group)) = (&shape_entry, &groups) {
        group.report(
            group
                .key_problem("a partition has either a `shape` or groups")
                .also(shape.key_span.clone(), "the shape")
                .hint("keep one of them"),
        );
    }
    if shape_entry.is_none() && groups.is_none() && !table.has_misspelt(&["shape", "from", "to"]) {
        let problem = table.problem("fault `partition` does not say who cannot reach whom");
        table.report(
            problem
                .hint("add `shape = \"halves\"`, or `to = \"NAME\"`")
                .absence(),
        );
    }
    if let Some(entry) = one_way_entry.filter(|_| one_way)
        && shape == Some(Some(Shape::Ring))
    {
        let problem = entry.key_problem("a ring has no sides, one of which could go unheard");
        entry.report(problem.hint("remove `one_way`, or take another `shape`"));
    }
    let itself = |group: &[Peer], other: &[Peer]| match (group, &target) {
        ([], Some(target)) => other.len() == 1 && other[0] == Peer::Target(target.clone()),
        (group, _) => group.iter().any(|peer| other.contains(peer)),
    };
    if let Some(entry) = &groups
        && (itself(&from, &to) || itself(&to, &from))
    {
        let problem = entry.key_problem("a group cannot be cut off from itself");
        entry.report(problem.hint("name two groups, or say `shape = \"halves\"`"));
    }
    let sides = match shape {
        Some(shape) => Sides::Shape(shape?),
        None if from.is_empty() && to.is_empty() => return None,
        None => Sides::Groups { from, to },
    };
    Some(Fault::Partition(Partition {
        target: target?,
        sides,
        one_way,
        ports,
        protocol,
        network,
    }))
}

/// Everyone a partition is about: members that are hit come first, then others, then mere networks.
struct Cluster {
    hit: usize,
    instances: Vec<Instance>,
    nets: Vec<IpNet>,
    lost: Lost,
}

/// One member's.
#[derive(Default)]
struct Part {
    rules: Vec<Rule>,
    /// Why others are nowhere for it.
    strangers: BTreeSet<String>,
    /// Where it has no rules.
    why_idle: &'static str,
}

impl Partition {
    pub(super) fn lower(&self, instance: &Instance, scene: &Scene) -> Result<Vec<Action>, String> {
        let name = instance.identity();
        let refuse = |why: String| format!("cannot partition {name}: {why}");
        let place = Place::of(instance, self.network.as_deref()).map_err(refuse)?;
        let part = self.part(&place, scene).map_err(refuse)?;
        match (part.rules.is_empty(), part.strangers.is_empty()) {
            (true, true) => Ok(Vec::new()),
            (true, false) => {
                let strangers = part.strangers.into_iter().collect::<Vec<_>>();
                Err(refuse(strangers.join("; ")))
            }
            (false, _) => Ok(vec![place.impair(part.rules, scene)]),
        }
    }

    /// See [`Fault::left_out`].
    pub(super) fn left_out(&self, instance: &Instance, scene: &Scene) -> Vec<String> {
        let place = Place::of(instance, self.network.as_deref());
        match place.and_then(|place| self.part(&place, scene)) {
            Ok(part) if part.rules.is_empty() && part.strangers.is_empty() => {
                vec![part.why_idle.into()]
            }
            Ok(part) => part.strangers.iter().map(|why| passed_over(why)).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// What is done to one of the members.
    ///
    /// # Errors
    /// There is no such partition.
    fn part(&self, place: &Place<'_>, scene: &Scene) -> Result<Part, String> {
        let instance = place.instance;
        let cluster = self.cluster(instance, scene)?;
        if cluster.lost.is_empty() {
            return Err("nobody would be cut off from anybody".into());
        }
        let Some(me) = cluster
            .instances
            .iter()
            .position(|one| one.id == instance.id)
        else {
            return Ok(Part::default());
        };
        let unheard = |other: &usize| cluster.lost.contains(&(*other, me));
        let unreached = |other: &usize| cluster.lost.contains(&(me, *other));
        let others = 0..cluster.instances.len() + cluster.nets.len();
        let (mut both, mut ingress, mut egress) = (Vec::new(), Vec::new(), Vec::new());
        for other in others {
            match (unheard(&other), unreached(&other)) {
                (true, true) => both.push(other),
                (true, false) => ingress.push(other),
                // Where both are members, what is lost one way is dropped where it arrives.
                (false, true) if other >= cluster.hit => egress.push(other),
                _ => {}
            }
        }
        let why_idle = match cluster.lost.iter().any(|(from, _)| *from == me) {
            true => "nothing is done to it: what it sends is lost where it arrives",
            false => "nothing is done to it: it is cut off from nobody",
        };
        let mut part = Part {
            why_idle,
            ..Part::default()
        };
        for (direction, others) in [
            (Direction::Both, both),
            (Direction::Ingress, ingress),
            (Direction::Egress, egress),
        ] {
            let peers = cluster.at(&others, place, scene, &mut part.strangers);
            if !peers.is_empty() {
                part.rules.push(self.rule(direction, peers, place));
            }
        }
        Ok(part)
    }

    fn rule(&self, direction: Direction, peers: Vec<IpNet>, place: &Place<'_>) -> Rule {
        let like = Flow {
            direction,
            peers: Vec::new(),
            ports: self.ports.clone(),
            protocol: self.protocol,
            at: place.at(),
        };
        Rule {
            flow: flow_with(direction, peers, &like),
            effect: Effect::Drop,
        }
    }

    fn cluster(&self, instance: &Instance, scene: &Scene) -> Result<Cluster, String> {
        let mut hit = scene.hit.clone();
        hit.sort_by_key(|one| (one.identity(), one.id.clone()));
        match &self.sides {
            Sides::Shape(shape) => self.shaped(*shape, hit, scene),
            Sides::Groups { from, to } => self.grouped(from, to, hit, (instance, scene)),
        }
    }

    fn shaped(&self, shape: Shape, hit: Vec<Instance>, scene: &Scene) -> Result<Cluster, String> {
        let (n, least) = (hit.len(), shape.least());
        if n < least {
            return Err(format!(
                "`{}` needs at least {least} members, and target {} has {n} here",
                shape.word(),
                self.target
            ));
        }
        Ok(Cluster {
            hit: n,
            lost: shape.cut(n, self.one_way, (scene.seed, scene.step)),
            instances: hit,
            nets: Vec::new(),
        })
    }

    fn grouped(
        &self,
        from: &[Peer],
        to: &[Peer],
        hit: Vec<Instance>,
        (instance, scene): (&Instance, &Scene),
    ) -> Result<Cluster, String> {
        let named = |group: &[Peer]| -> Result<BTreeSet<String>, String> {
            let mut ids = BTreeSet::new();
            for peer in group {
                ids.extend(
                    members(peer, instance, scene)?
                        .into_iter()
                        .map(|one| one.id),
                );
            }
            let within = |one: &&Instance| own(one, None).iter().any(|at| contains(group, at));
            ids.extend(hit.iter().filter(within).map(|one| one.id.clone()));
            Ok(ids)
        };
        let all: BTreeSet<String> = hit.iter().map(|one| one.id.clone()).collect();
        let (mut first, mut second) = (named(from)?, named(to)?);
        if from.is_empty() {
            first = rest(&all, &mut second);
        } else if to.is_empty() {
            second = rest(&all, &mut first);
        }
        let others = scene.named.values().flatten().chain(&scene.world.instances);
        let mut instances = hit;
        let members = instances.len();
        for one in others {
            let known = instances.iter().any(|known| known.id == one.id);
            if !known && (first.contains(&one.id) || second.contains(&one.id)) {
                instances.push(one.clone());
            }
        }
        if let Some(torn) = instances
            .iter()
            .find(|one| first.contains(&one.id) && second.contains(&one.id))
        {
            return Err(format!("{} would be on both sides", torn.identity()));
        }
        let nets = |group: &[Peer]| -> Vec<IpNet> { group.iter().filter_map(Peer::net).collect() };
        let (from_nets, to_nets) = (nets(from), nets(to));
        let places = |ids: &BTreeSet<String>, start: usize, nets: usize| -> Vec<usize> {
            let of_group =
                |(place, one): (usize, &Instance)| ids.contains(&one.id).then_some(place);
            let start = instances.len() + start;
            let found = instances.iter().enumerate().filter_map(of_group);
            found.chain(start..start + nets).collect()
        };
        let lost = sides(
            &places(&first, 0, from_nets.len()),
            &places(&second, from_nets.len(), to_nets.len()),
            self.one_way,
        );
        Ok(Cluster {
            hit: members,
            lost,
            nets: from_nets.into_iter().chain(to_nets).collect(),
            instances,
        })
    }
}

/// Those of all that are not in the group. Where it is all of them, they are cut off from the others in it.
fn rest(all: &BTreeSet<String>, group: &mut BTreeSet<String>) -> BTreeSet<String> {
    let left: BTreeSet<String> = all.difference(group).cloned().collect();
    if !left.is_empty() {
        return left;
    }
    group.retain(|id| !all.contains(id));
    all.clone()
}

fn contains(group: &[Peer], at: &std::net::IpAddr) -> bool {
    group
        .iter()
        .filter_map(Peer::net)
        .any(|net| net.contains(at))
}

impl Peer {
    fn net(&self) -> Option<IpNet> {
        match self {
            Self::Net(net) => Some(*net),
            _ => None,
        }
    }
}

impl Cluster {
    /// Where these are for one of the members; why somebody is nowhere goes into `strangers`.
    fn at(
        &self,
        others: &[usize],
        place: &Place<'_>,
        scene: &Scene,
        strangers: &mut BTreeSet<String>,
    ) -> Vec<IpNet> {
        let own = own(place.instance, None);
        let mut peers = Vec::new();
        for other in others {
            match self.instances.get(*other) {
                None => peers.extend(self.nets.get(*other - self.instances.len())),
                Some(one) => match addresses(one, place, scene) {
                    Ok(found) => peers.extend(found.into_iter().map(IpNet::from)),
                    Err(why) => {
                        strangers.insert(why);
                    }
                },
            }
        }
        peers.retain(|net| !own.iter().any(|at| IpNet::from(*at) == *net));
        peers.sort_unstable();
        peers.dedup();
        peers
    }
}
