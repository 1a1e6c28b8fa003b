//! Do a measurement's own packets belong to a flow?

use std::net::IpAddr;

use crate::impairment::{Direction, Flow, Protocol};

/// The ports that a measuring socket gets by itself, in any system's usual settings.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=65_535;

pub(super) enum Belongs {
    Yes,
    No,
    Unsure(&'static str),
}

/// `direction`, `own` and `peer` are those of the end whose rule it is.
pub(super) fn belongs(
    flow: &Flow,
    direction: Direction,
    own: Option<IpAddr>,
    peer: Option<IpAddr>,
    port: Option<u16>,
) -> Belongs {
    if flow.direction != Direction::Both && flow.direction != direction {
        return Belongs::No;
    }
    let protocol = port.map_or(Protocol::Icmp, |_| Protocol::Tcp);
    if flow.protocol.is_some_and(|wanted| wanted != protocol) {
        return Belongs::No;
    }
    let mut unsure = None;
    match peer {
        _ if flow.peers.is_empty() => {}
        Some(peer) if flow.peers.iter().any(|net| net.contains(&peer)) => {}
        Some(_) => return Belongs::No,
        None => unsure = Some("it is not known which address the peer sees"),
    }
    match own {
        _ if flow.at.is_empty() => {}
        Some(own) if flow.at.contains(&own) => {}
        Some(_) => return Belongs::No,
        None => unsure = Some("it is not known which of its networks leads to the peer"),
    }
    match port {
        _ if flow.ports.is_empty() => {}
        None => return Belongs::No,
        Some(port) => {
            let holds =
                |ports: &&crate::impairment::Ports| (ports.first..=ports.last).contains(&port);
            let ephemeral = |ports: &&crate::impairment::Ports| ports.last >= *EPHEMERAL.start();
            if flow.ports.iter().find(holds).is_none() {
                if flow.ports.iter().find(ephemeral).is_none() {
                    return Belongs::No;
                }
                unsure = Some("the measuring end's own port may be one of the rule's");
            }
        }
    }
    unsure.map_or(Belongs::Yes, Belongs::Unsure)
}
