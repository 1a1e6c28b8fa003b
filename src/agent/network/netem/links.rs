//! Network interfaces: which there are, and the ones that are made for what comes in.

use super::super::netlink::wire::{Attributes, Message, attribute, number32, text};
use super::super::netlink::{ACK, CREATE, EXCLUSIVE, Failure, Netlink, Reply};
use super::options::Framing;

const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;

const NAME: u16 = 3;
const QUEUE_LENGTH: u16 = 13;
const LINK_INFO: u16 = 18;
const KIND: u16 = 1;

const UP: u32 = 1;
const LOOPBACK: u32 = 8;
/// `ARPHRD_ETHER`, and the length of its header.
const ETHERNET: (u16, u32) = (1, 14);

/// How the name of every interface of chaosrun's begins.
const OURS: &str = "chaosrun-";
/// How many packets an interface of ours may have in hand.
const IN_HAND: u32 = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) framing: Framing,
    /// How many packets its queue holds; 0 where it has none.
    pub(super) queue_length: u32,
    flags: u32,
}

impl Link {
    /// Whatever leads out, and is in use.
    pub(super) fn is_outward(&self) -> bool {
        self.flags & UP != 0 && self.flags & LOOPBACK == 0 && !self.is_ours()
    }

    pub(super) fn is_ours(&self) -> bool {
        self.name.starts_with(OURS)
    }
}

pub(super) fn list(netlink: &mut Netlink) -> Result<Vec<Link>, Failure> {
    let question = message(GET_LINK, 0, 0, 0, &Attributes::new());
    Ok(netlink.list(&question)?.iter().filter_map(link).collect())
}

/// Makes an interface that hands back what it is given, and gives its index.
pub(super) fn create(netlink: &mut Netlink, name: &str, kind: &str) -> Result<u32, Failure> {
    let attributes = Attributes::new()
        .text(NAME, name)
        .bytes(QUEUE_LENGTH, &IN_HAND.to_ne_bytes())
        .nest(LINK_INFO, &Attributes::new().text(KIND, kind));
    let flags = CREATE | EXCLUSIVE | ACK;
    netlink.tell(&[message(NEW_LINK, flags, 0, 0, &attributes)])?;
    let all = list(netlink)?;
    let made = all.iter().find(|link| link.name == name);
    Ok(made.map(|link| link.index).unwrap_or_default())
}

/// Without an address of its own: nobody is to see more of it than must be.
pub(super) fn raise(netlink: &mut Netlink, index: u32) -> Result<(), Failure> {
    const FAMILIES: u16 = 26;
    const IPV6: u16 = 10;
    const ADDRESSES: u16 = 8;
    const NONE: u8 = 1;
    let quiet = Attributes::new().bytes(ADDRESSES, &[NONE]);
    let quiet = Attributes::new().nest(IPV6, &quiet);
    let quiet = Attributes::new().nest(FAMILIES, &quiet);
    // A kernel without IPv6 refuses that, and gives no address either.
    let asked = netlink.tell(&[message(NEW_LINK, ACK, index, 0, &quiet)]);
    asked.unwrap_or_default();
    netlink.tell(&[message(NEW_LINK, ACK, index, UP, &Attributes::new())])
}

pub(super) fn delete(netlink: &mut Netlink, index: u32) -> Result<(), Failure> {
    netlink.tell(&[message(DELETE_LINK, ACK, index, 0, &Attributes::new())])
}

pub(super) fn set_queue_length(
    netlink: &mut Netlink,
    index: u32,
    length: u32,
) -> Result<(), Failure> {
    let attributes = Attributes::new().bytes(QUEUE_LENGTH, &length.to_ne_bytes());
    netlink.tell(&[message(NEW_LINK, ACK, index, 0, &attributes)])
}

fn message(kind: u16, flags: u16, index: u32, set: u32, attributes: &Attributes) -> Message {
    let mut header = vec![0; 4];
    header.extend(index.to_ne_bytes());
    header.extend(set.to_ne_bytes());
    header.extend(set.to_ne_bytes());
    Message::new(kind, flags, &header, attributes)
}

fn link(reply: &Reply) -> Option<Link> {
    let (header, rest) = reply.body.split_at_checked(16)?;
    let kind = u16::from_ne_bytes(header.get(2..4)?.try_into().ok()?);
    let framed = if kind == ETHERNET.0 { ETHERNET.1 } else { 0 };
    Some(Link {
        index: number32(header, 4)?,
        name: text(attribute(rest, NAME)?),
        framing: Framing(framed),
        queue_length: attribute(rest, QUEUE_LENGTH).and_then(|value| number32(value, 0))?,
        flags: number32(header, 8)?,
    })
}

#[cfg(test)]
impl Link {
    pub(super) fn any() -> Self {
        Self {
            index: 2,
            name: "eth0".into(),
            framing: Framing(14),
            queue_length: 1000,
            flags: UP,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_has_a_loopback_interface_that_does_not_lead_out() {
        let mut netlink = Netlink::open(super::super::super::netlink::ROUTE).unwrap();
        let all = list(&mut netlink).unwrap();
        let lo = all.iter().find(|link| link.name == "lo").unwrap();
        assert!(!lo.is_outward());
        assert!(lo.index > 0);
    }

    #[test]
    fn what_is_up_and_not_ours_leads_out() {
        let link = Link::any();
        assert!(link.is_outward());
        let down = Link {
            flags: 0,
            ..link.clone()
        };
        assert!(!down.is_outward());
        let ours = Link {
            name: "chaosrun-in".into(),
            ..link
        };
        assert!(!ours.is_outward() && ours.is_ours());
    }
}
