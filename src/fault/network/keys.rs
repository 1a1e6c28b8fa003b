//! Which packets a network fault is about. All that is said must hold; without any of it, all of the target's traffic.
//!
//! | key | default | |
//! |---|---|---|
//! | `to` | everyone | the other end, one or a list: a target's name, a Compose service, a container's name or alias, an address, or a network such as `"10.0.0.0/24"`; IPv4 and IPv6, a container's link-local address among them |
//! | `ports` | all | of either end: `"6379"`, `"8000-8100"`, or a list of them |
//! | `protocol` | all | `"tcp"`, `"udp"` or `"icmp"`; `ports` alone mean TCP and UDP |
//! | `direction` | | `"egress"`: what the target sends; `"ingress"`: what it is sent; `"both"`: each way by itself, so that a delay counts twice in a round trip |
//! | `network` | all | one of the container's networks, by its name or its short name in the Compose project |
//!
//! Names are looked up when the step starts, and mean those addresses that they have in networks which they share with the target. One that
//! comes back at another address in the middle is followed. A target is no peer of its own, and one without another is left alone. Loopback and the engine's own name server are never touched.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::impairment::{Direction, Ports, Protocol};
use crate::scenario::cursor::Cursor;
use crate::scenario::entry::Entry;

/// So many entries at most; each is a rule's part in a kernel.
const MOST_PORTS: usize = 100;

/// The other end, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    Target(String),
    /// A service, a container, or an alias of one.
    Name(String),
    Net(IpNet),
}

/// Which packets, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    /// Empty: everyone.
    pub to: Vec<Peer>,
    pub ports: Vec<Ports>,
    pub protocol: Option<Protocol>,
    pub direction: Direction,
    pub network: Option<String>,
}

pub(in crate::fault) fn read_aim(table: &mut Cursor<'_>, direction: Direction) -> Aim {
    let to = read_peers(table, "to");
    let (ports, protocol) = read_ports(table);
    let written = table.get("direction").and_then(|entry| {
        entry.choice(&[
            ("both", Direction::Both),
            ("egress", Direction::Egress),
            ("ingress", Direction::Ingress),
        ])
    });
    Aim {
        to,
        ports,
        protocol,
        direction: written.unwrap_or(direction),
        network: table.word("network"),
    }
}

/// `ports` and `protocol`.
pub(in crate::fault) fn read_ports(table: &mut Cursor<'_>) -> (Vec<Ports>, Option<Protocol>) {
    let entry = table.get("ports");
    let protocol = table.get("protocol").and_then(|entry| {
        entry.choice(&[
            ("tcp", Protocol::Tcp),
            ("udp", Protocol::Udp),
            ("icmp", Protocol::Icmp),
        ])
    });
    let Some(entry) = entry else {
        return (Vec::new(), protocol);
    };
    if protocol == Some(Protocol::Icmp) {
        let problem = entry.key_problem("ICMP has no ports");
        entry.report(problem.hint("remove `ports`, or say `protocol = \"tcp\"`"));
    }
    let written = some_of(&entry);
    let mut ports: Vec<Ports> = written
        .iter()
        .filter_map(|entry| entry.parse(parse_ports))
        .collect();
    if ports.len() > MOST_PORTS {
        let problem = entry.problem(format!("{} ports", ports.len()));
        entry.report(problem.expected(format!("expected at most {MOST_PORTS}; a range is one")));
    }
    ports.sort_by_key(|ports| (ports.first, ports.last));
    ports.dedup();
    (ports, protocol)
}

/// A value or a list, and something in it.
fn some_of<'a>(entry: &Entry<'a>) -> Vec<Entry<'a>> {
    let all = entry.one_or_more();
    if all.is_empty() {
        let problem = entry.problem(format!("`{}` names nothing", entry.key));
        entry.report(problem.hint(format!("without `{}`, all are meant", entry.key)));
    }
    all
}

fn parse_ports(text: &str) -> Result<Ports, String> {
    const EXPECTED: &str = "expected a port from 1 to 65535, or a range such as \"8000-8100\"";
    let port = |text: &str| match text.trim().parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(EXPECTED.to_owned()),
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    if first > last {
        return Err(format!("expected the lower port first: \"{last}-{first}\""));
    }
    Ok(Ports { first, last })
}

pub(in crate::fault) fn read_peers(table: &mut Cursor<'_>, key: &'static str) -> Vec<Peer> {
    let Some(entry) = table.get(key) else {
        return Vec::new();
    };
    let mut peers = Vec::new();
    for one in some_of(&entry) {
        if let Some(peer) = read_peer(&one)
            && !peers.contains(&peer)
        {
            peers.push(peer);
        }
    }
    peers
}

fn read_peer(entry: &Entry<'_>) -> Option<Peer> {
    let word = entry.word()?;
    if entry.sheet.targets.contains(&word.as_str()) {
        return Some(Peer::Target(word));
    }
    match parse_net(&word) {
        None => Some(Peer::Name(word)),
        Some(Err(expected)) => {
            let problem = entry.problem(format!("`{}` cannot be `{word}`", entry.key));
            entry.report(problem.expected(expected));
            None
        }
        Some(Ok(net)) if net.addr().is_loopback() || net.network().is_loopback() => {
            entry.report(
                entry
                    .problem(format!("`{word}` is loopback, which is never touched"))
                    .hint("for what a container asks its name server use `fault.dns`"),
            );
            None
        }
        Some(Ok(net)) => Some(Peer::Net(net)),
    }
}

/// `None`: it does not look like an address at all.
fn parse_net(word: &str) -> Option<Result<IpNet, String>> {
    if let Ok(address) = word.parse::<IpAddr>() {
        return Some(Ok(IpNet::from(address)));
    }
    if let Ok(net) = word.parse::<IpNet>() {
        return Some(Ok(net.trunc()));
    }
    let numeric = word.starts_with(|c: char| c.is_ascii_digit())
        && word
            .chars()
            .all(|c| c.is_ascii_digit() || ".:/".contains(c))
        && word.contains('.');
    let meant = numeric || word.contains('/') || word.contains(':');
    meant.then(|| {
        Err("expected an address such as \"10.0.0.3\", a network such as \"10.0.0.0/24\", or a name".into())
    })
}
