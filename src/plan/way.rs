//! Along which way it can be measured whether an impairment does what it should.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::action::Subject;
use crate::impairment::{Effect, Flow, Impairment, Protocol, Rule};
use crate::inventory::{AGENT_LABEL, Instance, Inventory};

/// Of one impairment.
const MOST: usize = 4;
/// Where TCP is meant and no port is said: nobody listens there, and a refusal is an answer.
const DISCARD: u16 = 9;

/// From a target to one of its peers and back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    pub subject: Subject,
    /// The target's own address on this way.
    pub from: IpAddr,
    pub peer: IpAddr,
    /// Over TCP to this port; else by ICMP echo.
    pub port: Option<u16>,
    /// The peer's container, if it is one of the system's.
    pub whose: Option<Subject>,
}

/// Some ways that packets of its rules take, those to running containers of the system.
pub fn ways(impairment: &Impairment, instance: &Instance, world: &Inventory) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for rule in &impairment.rules {
        let Some(port) = measured_at(rule) else {
            continue;
        };
        for way in of_flow(&rule.flow, port, instance, world) {
            if ways.len() < MOST && !ways.iter().any(|known| known.peer == way.peer) {
                ways.push(way);
            }
        }
    }
    ways
}

/// Over which port, if any; `None`: no round trip would show it.
fn measured_at(rule: &Rule) -> Option<Option<u16>> {
    if !matches!(rule.effect, Effect::Line(_) | Effect::Drop) {
        return None;
    }
    let first = rule.flow.ports.first().map(|ports| ports.first);
    match rule.flow.protocol {
        Some(Protocol::Udp) => None,
        Some(Protocol::Icmp) => Some(None),
        Some(Protocol::Tcp) => Some(Some(first.unwrap_or(DISCARD))),
        None => Some(first),
    }
}

fn of_flow(flow: &Flow, port: Option<u16>, instance: &Instance, world: &Inventory) -> Vec<Way> {
    let mut found = BTreeSet::new();
    for (network, here) in &instance.networks {
        for from in here.addresses() {
            if !flow.at.is_empty() && !flow.at.contains(&from) {
                continue;
            }
            for other in &world.instances {
                let is_peer = other.id != instance.id
                    && other.is_running()
                    && !other.labels.contains_key(AGENT_LABEL);
                let there = other.networks.get(network).filter(|_| is_peer);
                let at = there.into_iter().flat_map(|there| there.addresses());
                found.extend(
                    at.filter(|at| at.is_ipv4() == from.is_ipv4() && is_meant(flow, *at))
                        .map(|peer| Way {
                            subject: Subject::of(instance),
                            from,
                            peer,
                            port,
                            whose: Some(Subject::of(other)),
                        }),
                );
            }
            found.extend(strangers(flow, from).filter_map(|peer| {
                let known = world.instances.iter().flat_map(|one| one.networks.values());
                let known = known.flat_map(|at| at.addresses()).any(|at| at == peer);
                (!known).then(|| Way {
                    subject: Subject::of(instance),
                    from,
                    peer,
                    port,
                    whose: None,
                })
            }));
        }
    }
    // Containers of the system first: what they are is known.
    let mut ways: Vec<Way> = found.into_iter().collect();
    ways.sort_by_key(|way| way.whose.is_none());
    ways
}

fn is_meant(flow: &Flow, peer: IpAddr) -> bool {
    flow.peers.is_empty() || flow.peers.iter().any(|net| net.contains(&peer))
}

/// Single addresses that are named, and can be reached without naming a link.
fn strangers(flow: &Flow, from: IpAddr) -> impl Iterator<Item = IpAddr> {
    let single = |net: &&IpNet| net.prefix_len() == net.max_prefix_len();
    let all = flow.peers.iter().filter(single).map(IpNet::addr);
    let on_link = |peer: &IpAddr| matches!(peer, IpAddr::V6(at) if at.is_unicast_link_local());
    all.filter(move |peer| peer.is_ipv4() == from.is_ipv4() && !on_link(peer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impairment::{Direction, Ports};
    use crate::inventory::Endpoint;
    use crate::plan::tests::inventory;

    fn world() -> Inventory {
        let mut world = inventory(&["node-1", "node-2", "node-3"]);
        for (number, one) in world.instances.iter_mut().enumerate() {
            let at = Endpoint {
                address: format!("10.0.0.{}", number + 1),
                ..Endpoint::default()
            };
            one.networks.insert("net".into(), at);
        }
        world
    }

    fn told(change: impl Fn(&mut Rule)) -> Vec<String> {
        let mut rule = Rule {
            flow: Flow {
                direction: Direction::Both,
                peers: Vec::new(),
                ports: Vec::new(),
                protocol: None,
                at: Vec::new(),
            },
            effect: Effect::Drop,
        };
        change(&mut rule);
        let world = world();
        let impairment = Impairment {
            rules: vec![rule],
            seed: 0,
        };
        ways(&impairment, &world.instances[0], &world)
            .into_iter()
            .map(|way| match way.port {
                None => way.peer.to_string(),
                Some(port) => format!("{} {port}", way.peer),
            })
            .collect()
    }

    #[test]
    fn ways_lead_to_whom_the_rule_is_about() {
        assert_eq!(told(|_| {}), ["10.0.0.2", "10.0.0.3"]);
        let net = |text: &str| vec![text.parse::<IpNet>().unwrap()];
        assert_eq!(
            told(|rule| rule.flow.peers = net("10.0.0.3/32")),
            ["10.0.0.3"]
        );
        assert_eq!(
            told(|rule| rule.flow.peers = net("10.0.0.0/30")),
            ["10.0.0.2", "10.0.0.3"]
        );
        assert_eq!(
            told(|rule| rule.flow.peers = net("9.9.9.9/32")),
            ["9.9.9.9"]
        );
        assert!(told(|rule| rule.flow.peers = net("9.9.9.0/24")).is_empty());
        assert!(told(|rule| rule.flow.at = vec!["10.9.0.1".parse().unwrap()]).is_empty());
    }

    #[test]
    fn an_address_on_the_link_is_followed_and_not_measured() {
        let flow = Flow {
            direction: Direction::Both,
            peers: ["fd99::9/128", "fe80::9/128"]
                .map(|net| net.parse().unwrap())
                .to_vec(),
            ports: Vec::new(),
            protocol: None,
            at: Vec::new(),
        };
        let found: Vec<IpAddr> = strangers(&flow, "fd00::1".parse().unwrap()).collect();
        assert_eq!(found, ["fd99::9".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn by_tcp_where_ports_are_meant_and_not_at_all_where_udp_is() {
        let port = |rule: &mut Rule| {
            rule.flow.ports = vec![Ports {
                first: 80,
                last: 90,
            }]
        };
        assert_eq!(told(port), ["10.0.0.2 80", "10.0.0.3 80"]);
        assert_eq!(
            told(|rule| rule.flow.protocol = Some(Protocol::Tcp))[0],
            "10.0.0.2 9"
        );
        assert_eq!(
            told(|rule| rule.flow.protocol = Some(Protocol::Icmp))[0],
            "10.0.0.2"
        );
        assert!(told(|rule| rule.flow.protocol = Some(Protocol::Udp)).is_empty());
        assert!(told(|rule| rule.effect = Effect::Reset).is_empty());
    }
}
