//! The TCP connections of this network, and their end: the kernel resets each towards both of its ends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::flow::has_connection;
use super::netlink::wire::{Attributes, Message};
use super::netlink::{ACK, Failure, Netlink, SOCK_DIAG};
use crate::impairment::Flow;

const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;
const TCP: u8 = 6;
const INET: u8 = 2;
const INET6: u8 = 10;
/// All but listening, closed, and waiting to be forgotten.
const CONNECTED: u32 = !(1 << 10 | 1 << 7 | 1 << 6);
/// Ports, addresses, interface and cookie, as they stand in questions and answers.
const IDENTITY: usize = 48;

struct Connection {
    family: u8,
    own: (IpAddr, u16),
    peer: (IpAddr, u16),
    identity: Vec<u8>,
}

/// Ends those that belong to one of these flows, and says for each flow how many.
pub(crate) fn reset(flows: &[(usize, &Flow)]) -> Result<Vec<(usize, u64)>, Failure> {
    let mut ended: Vec<(usize, u64)> = flows.iter().map(|(rule, _)| (*rule, 0)).collect();
    if flows.is_empty() {
        return Ok(ended);
    }
    let mut netlink = Netlink::open(SOCK_DIAG)?;
    for family in [INET, INET6] {
        let question = request(BY_FAMILY, 0, family, &[0; IDENTITY]);
        for reply in netlink.list(&question)? {
            let Some(connection) = Connection::of(&reply.body) else {
                continue;
            };
            let belongs = flows
                .iter()
                .position(|(_, flow)| has_connection(flow, connection.own, connection.peer));
            let Some((_, count)) = belongs.and_then(|at| ended.get_mut(at)) else {
                continue;
            };
            match netlink.tell(&[request(
                DESTROY,
                ACK,
                connection.family,
                &connection.identity,
            )]) {
                Ok(()) => *count += 1,
                // It ended by itself meanwhile.
                Err(e) if e.is(rustix::io::Errno::NOENT) => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(ended)
}

fn request(kind: u16, flags: u16, family: u8, identity: &[u8]) -> Message {
    let mut header = vec![family, TCP, 0, 0];
    header.extend(CONNECTED.to_ne_bytes());
    header.extend(identity);
    Message::new(kind, flags, &header, &Attributes::new())
}

impl Connection {
    fn of(body: &[u8]) -> Option<Self> {
        let family = *body.first()?;
        let identity = body.get(4..4 + IDENTITY)?;
        let port = |at: usize| {
            Some(u16::from_be_bytes(
                identity.get(at..at + 2)?.try_into().ok()?,
            ))
        };
        Some(Self {
            family,
            own: (address(family, identity.get(4..20)?)?, port(0)?),
            peer: (address(family, identity.get(20..36)?)?, port(2)?),
            identity: identity.to_vec(),
        })
    }
}

/// An IPv4 connection of an IPv6 socket is one of IPv4.
fn address(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    if family == INET {
        let octets: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
        return Some(Ipv4Addr::from(octets).into());
    }
    let octets: [u8; 16] = bytes.try_into().ok()?;
    Some(Ipv6Addr::from(octets).to_canonical())
}
