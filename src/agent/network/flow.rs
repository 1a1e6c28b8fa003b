//! Which packets a rule is about, as expressions: a flow is an AND of conditions, each an OR of alternatives.

use std::net::IpAddr;

use ipnet::IpNet;

use super::nft::expr::{
    Expression, Header, IpVersion, Is, Meta, compare, from_network, meta, payload, to_network,
};
use crate::impairment::{Direction, Flow, Ports, Protocol};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Every network namespace's loopback interface.
const LOOPBACK: u32 = 1;

/// One of a flow's two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Way {
    Out,
    In,
}

impl Way {
    pub(crate) const BOTH: [Self; 2] = [Self::Out, Self::In];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
        }
    }

    pub(crate) fn is_of(self, direction: Direction) -> bool {
        match direction {
            Direction::Both => true,
            Direction::Egress => self == Self::Out,
            Direction::Ingress => self == Self::In,
        }
    }

    pub(crate) fn direction(self) -> Direction {
        match self {
            Self::Out => Direction::Egress,
            Self::In => Direction::Ingress,
        }
    }
}

/// One of these must hold.
pub(crate) type Alternatives = Vec<Vec<Expression>>;

/// All of these must hold; `None`: no packet of this version and way can belong to the flow.
pub(crate) fn conditions(flow: &Flow, way: Way, version: IpVersion) -> Option<Vec<Alternatives>> {
    if !way.is_of(flow.direction) {
        return None;
    }
    let mut all = Vec::new();
    if !flow.peers.is_empty() {
        all.push(networks(&flow.peers, way == Way::In, version));
    }
    if !flow.at.is_empty() {
        let own: Vec<IpNet> = flow.at.iter().copied().map(IpNet::from).collect();
        all.push(networks(&own, way == Way::Out, version));
    }
    all.extend(protocols(flow, version));
    if !flow.ports.is_empty() {
        all.push(flow.ports.iter().flat_map(either_port).collect());
    }
    if all.iter().any(Vec::is_empty) {
        return None;
    }
    Some(all)
}

/// Questions to a name server.
pub(crate) fn is_question() -> [Alternatives; 2] {
    let dns = Ports {
        first: 53,
        last: 53,
    };
    [vec![protocol(UDP), protocol(TCP)], vec![port(2, &dns)]]
}

fn networks(nets: &[IpNet], are_sources: bool, version: IpVersion) -> Alternatives {
    nets.iter()
        .filter(|net| IpVersion::of(net.addr()) == version)
        .map(|net| {
            if are_sources {
                from_network(net)
            } else {
                to_network(net)
            }
        })
        .collect()
}

fn protocols(flow: &Flow, version: IpVersion) -> Option<Alternatives> {
    let icmp = match version {
        IpVersion::V4 => 1,
        IpVersion::V6 => 58,
    };
    let has_ports = !flow.ports.is_empty();
    match flow.protocol {
        Some(Protocol::Tcp) => Some(vec![protocol(TCP)]),
        Some(Protocol::Udp) => Some(vec![protocol(UDP)]),
        Some(Protocol::Icmp) if has_ports => Some(Vec::new()),
        Some(Protocol::Icmp) => Some(vec![protocol(icmp)]),
        None if has_ports => Some(vec![protocol(TCP), protocol(UDP)]),
        None => None,
    }
}

pub(crate) fn protocol(number: u8) -> Vec<Expression> {
    vec![meta(Meta::Protocol), compare(Is::Equal, &[number])]
}

pub(crate) fn is_tcp() -> Vec<Expression> {
    protocol(TCP)
}

/// A packet of this version that is longer than this. TCP's are not meant: those are cut where they are handed to an interface.
pub(crate) fn in_pieces(version: IpVersion, mtu: u32) -> Vec<Expression> {
    // IPv4 counts its header, IPv6 does not.
    let (offset, header) = match version {
        IpVersion::V4 => (2, 0),
        IpVersion::V6 => (4, 40),
    };
    let longer = mtu.saturating_sub(header).saturating_add(1);
    let longer = u16::try_from(longer).unwrap_or(u16::MAX);
    vec![
        meta(Meta::Protocol),
        compare(Is::NotEqual, &[TCP]),
        payload(Header::Network, offset, 2),
        compare(Is::AtLeast, &longer.to_be_bytes()),
    ]
}

/// A reset does not answer a reset, and must itself pass.
pub(crate) fn is_no_reset() -> Vec<Expression> {
    const FLAGS: u32 = 13;
    const RESET: u8 = 4;
    vec![
        payload(Header::Transport, FLAGS, 1),
        super::nft::expr::mask(&[RESET]),
        compare(Is::Equal, &[0]),
    ]
}

fn either_port(ports: &Ports) -> [Vec<Expression>; 2] {
    [port(0, ports), port(2, ports)]
}

/// TCP and UDP have their ports at the same places.
fn port(offset: u32, ports: &Ports) -> Vec<Expression> {
    let mut all = vec![payload(Header::Transport, offset, 2)];
    if ports.first == ports.last {
        all.push(compare(Is::Equal, &ports.first.to_be_bytes()));
    } else {
        all.push(compare(Is::AtLeast, &ports.first.to_be_bytes()));
        all.push(compare(Is::AtMost, &ports.last.to_be_bytes()));
    }
    all
}

pub(crate) fn is_not_loopback(way: Way) -> Vec<Expression> {
    let interface = match way {
        Way::Out => Meta::InterfaceOut,
        Way::In => Meta::InterfaceIn,
    };
    vec![
        meta(interface),
        compare(Is::NotEqual, &LOOPBACK.to_ne_bytes()),
    ]
}

/// Without these IPv6 itself stops working: who is where, and who listens to which groups.
pub(crate) fn is_neighbour_discovery() -> Vec<Expression> {
    let mut all = protocol(58);
    all.push(payload(Header::Transport, 0, 1));
    all.push(compare(Is::AtLeast, &[130]));
    all.push(compare(Is::AtMost, &[143]));
    all
}

/// The same selection, for a connection seen from its own end.
pub(crate) fn has_connection(flow: &Flow, own: (IpAddr, u16), peer: (IpAddr, u16)) -> bool {
    let any_port = |port: u16| {
        flow.ports
            .iter()
            .any(|ports| (ports.first..=ports.last).contains(&port))
    };
    !own.0.is_loopback()
        && flow
            .protocol
            .is_none_or(|protocol| protocol == Protocol::Tcp)
        && (flow.peers.is_empty() || flow.peers.iter().any(|net| net.contains(&peer.0)))
        && (flow.at.is_empty() || flow.at.contains(&own.0))
        && (flow.ports.is_empty() || any_port(own.1) || any_port(peer.1))
}
