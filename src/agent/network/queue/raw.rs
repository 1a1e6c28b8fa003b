//! Packets that the agent sends itself: doubles, and answers in a name server's place. The rules know them by their mark.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};

use super::super::ruleset::{MARK, SENT};
use crate::units::kernel_words;

/// `IPPROTO_RAW`: the packet comes with its own IP header.
const RAW: i32 = 255;

/// Where either is missing, packets of that version are not sent.
pub(super) struct Raw {
    v4: Option<Socket>,
    v6: Option<Socket>,
}

impl Raw {
    pub(super) fn open() -> Result<Self, String> {
        let v4 = socket(Domain::IPV4).map_err(|e| {
            let e = kernel_words(&e);
            format!("no raw socket: {e}; it needs NET_RAW and NET_ADMIN")
        })?;
        Ok(Self {
            v4: Some(v4),
            v6: socket(Domain::IPV6).ok(),
        })
    }

    /// A whole IP packet, to where its header says. One that goes to this namespace itself arrives there as from outside.
    pub(super) fn send(&self, packet: &[u8], interface: u32) -> bool {
        let (socket, to) = match packet.first().map(|byte| byte >> 4) {
            Some(4) => (&self.v4, v4_destination(packet)),
            Some(6) => (&self.v6, v6_destination(packet, interface)),
            _ => return false,
        };
        let (Some(socket), Some(to)) = (socket, to) else {
            return false;
        };
        socket.send_to(packet, &to.into()).is_ok()
    }
}

fn socket(domain: Domain) -> std::io::Result<Socket> {
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(RAW)))?;
    socket.set_nonblocking(true)?;
    socket.set_mark(MARK | SENT)?;
    Ok(socket)
}

fn v4_destination(packet: &[u8]) -> Option<SocketAddr> {
    let octets: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    Some(SocketAddrV4::new(Ipv4Addr::from(octets), 0).into())
}

fn v6_destination(packet: &[u8], interface: u32) -> Option<SocketAddr> {
    let octets: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
    let address = Ipv6Addr::from(octets);
    let scope = if address.is_unicast_link_local() {
        interface
    } else {
        0
    };
    Some(SocketAddrV6::new(address, 0, 0, scope).into())
}
