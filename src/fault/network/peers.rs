//! Who the other end is: from names to addresses, as they are in the networks that both ends share.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Place;
use super::keys::Peer;
use crate::fault::Scene;
use crate::inventory::{Endpoint, Instance};

/// More than this and the agent's rules take longer than the fault.
const MOST: usize = 1000;

/// Who is meant, as one container sees it.
pub(in crate::fault) enum Meant {
    Everyone,
    /// The container that it is about, and nobody else.
    Itself,
    /// At these addresses, sorted; and in a sentence each, why others that are named are nowhere.
    These {
        nets: Vec<IpNet>,
        strangers: Vec<String>,
    },
}

/// The addresses of all these peers.
///
/// # Errors
/// A name that means nobody, or nothing is left of what was named.
pub(in crate::fault) fn resolve(
    to: &[Peer],
    place: &Place<'_>,
    scene: &Scene,
) -> Result<Meant, String> {
    if to.is_empty() {
        return Ok(Meant::Everyone);
    }
    let mut nets = Vec::new();
    let mut strangers = Vec::new();
    for peer in to {
        if let Peer::Net(net) = peer {
            nets.push(*net);
            continue;
        }
        let others = members(peer, place.instance, scene)?.into_iter();
        for one in others.filter(|one| one.id != place.instance.id) {
            match addresses(&one, place, scene) {
                Ok(found) => nets.extend(found.into_iter().map(IpNet::from)),
                Err(why) => strangers.push(why),
            }
        }
    }
    let own = own(place.instance, None);
    nets.retain(|net| !own.iter().any(|own| IpNet::from(*own) == *net));
    nets.sort_unstable();
    nets.dedup();
    match nets.len() {
        0 if strangers.is_empty() => Ok(Meant::Itself),
        0 => Err(strangers.join("; ")),
        n if n > MOST => Err(format!(
            "{n} addresses are meant by {}, and {MOST} are the most; name a network such as \"10.0.0.0/24\" instead",
            phrase(to)
        )),
        _ => Ok(Meant::These { nets, strangers }),
    }
}

fn phrase(to: &[Peer]) -> String {
    let words: Vec<String> = to.iter().map(Peer::phrase).collect();
    words.join(", ")
}

impl Peer {
    fn phrase(&self) -> String {
        match self {
            Self::Target(name) => format!("target {name}"),
            Self::Name(name) => name.clone(),
            Self::Net(net) if net.prefix_len() == net.max_prefix_len() => net.addr().to_string(),
            Self::Net(net) => net.to_string(),
        }
    }
}

/// Whom a name means; a network means nobody by name.
///
/// # Errors
/// Nobody at all.
pub(in crate::fault) fn members(
    peer: &Peer,
    instance: &Instance,
    scene: &Scene,
) -> Result<Vec<Instance>, String> {
    match peer {
        Peer::Net(_) => Ok(Vec::new()),
        Peer::Target(name) => match scene.named.get(name) {
            Some(all) if !all.is_empty() => Ok(all.clone()),
            _ => Err(format!(
                "target {name}, which it names as a peer, is nobody"
            )),
        },
        Peer::Name(name) => by_name(name, instance, scene),
    }
}

fn by_name(name: &str, instance: &Instance, scene: &Scene) -> Result<Vec<Instance>, String> {
    let is_meant = |one: &&Instance| {
        one.service.as_deref() == Some(name)
            || one.name == name
            || one.identity() == name
            || one
                .networks
                .values()
                .any(|at| at.aliases.iter().any(|alias| alias == name))
    };
    let fit = scene.world.instances.iter();
    let mut found: Vec<Instance> = fit
        .filter(|one| !one.labels.contains_key(crate::inventory::AGENT_LABEL))
        .filter(is_meant)
        .cloned()
        .collect();
    // The same word means another container in another project.
    let own = |one: &Instance| one.project == instance.project;
    if found.iter().any(own) {
        found.retain(own);
    }
    if found.is_empty() {
        let mut known: Vec<String> = scene.world.instances.iter().map(called).collect();
        known.sort();
        known.dedup();
        let known = crate::plan::list(known.into_iter());
        return Err(format!(
            "no service, container or alias is named {name} (there are: {known})"
        ));
    }
    Ok(found)
}

fn called(one: &Instance) -> String {
    one.service.clone().unwrap_or_else(|| one.name.clone())
}

/// Where a peer is for a container, also on the link that they share.
///
/// # Errors
/// It is nowhere.
pub(in crate::fault) fn addresses(
    peer: &Instance,
    place: &Place<'_>,
    scene: &Scene,
) -> Result<Vec<IpAddr>, String> {
    let name = peer.identity();
    if peer.network_mode == "host" {
        return Err(format!(
            "{name} is on the host's own network: name the host's address instead"
        ));
    }
    let owner = scene.world.owner_of_network(peer);
    let at = &owner.unwrap_or(peer).networks;
    let shared = place.instance.networks.iter().filter(|(network, here)| {
        place.network.is_none_or(|wanted| wanted == *network)
            && at
                .get(*network)
                .is_some_and(|there| there.network_id == here.network_id)
    });
    let shared: Vec<&Endpoint> = shared.filter_map(|(network, _)| at.get(network)).collect();
    let found: Vec<IpAddr> = shared.iter().flat_map(|at| at.addresses()).collect();
    let on_link = shared.iter().filter_map(|at| at.link_local());
    match (shared.len(), found.len(), place.network) {
        (0, _, None) => Err(format!("{name} is in no network with it")),
        (0, _, Some(network)) => Err(format!("{name} is not in network {network}")),
        (_, 0, _) => Err(format!("{name} has no address: it {}", peer.state.phrase())),
        _ => Ok(found.into_iter().chain(on_link).collect()),
    }
}

/// A container's own addresses, in all its networks or in one.
pub(in crate::fault) fn own(instance: &Instance, network: Option<&str>) -> Vec<IpAddr> {
    let mut own: Vec<IpAddr> = instance
        .networks
        .iter()
        .filter(|(name, _)| network.is_none_or(|wanted| wanted == name.as_str()))
        .flat_map(|(_, at)| at.addresses().chain(at.link_local()))
        .collect();
    own.sort_unstable();
    own
}
