//! The expressions that rules are made of. They work on registers: something is loaded into one, compared there, and the rule
//! goes on to its next expression only if that held.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::netlink::wire::Attributes;

/// Sixteen bytes wide.
const REGISTER: u32 = 1;
const SECOND_REGISTER: u32 = 2;
const VERDICT_REGISTER: u32 = 0;

/// One step of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expression {
    pub(super) name: &'static str,
    pub(super) data: Attributes,
}

fn expression(name: &'static str, data: Attributes) -> Expression {
    Expression { name, data }
}

/// What a packet's companion data can be asked, as `NFT_META_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meta {
    /// Of the frame that it came in.
    FrameKind = 1,
    Priority = 2,
    Mark = 3,
    InterfaceIn = 4,
    InterfaceOut = 5,
    /// Of the layer above IP.
    Protocol = 16,
}

/// Where the offset of [`payload`] counts from, as `NFT_PAYLOAD_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    Network = 1,
    Transport = 2,
}

/// As `NFT_CMP_*`: byte by byte, so numbers must be as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Is {
    Equal = 0,
    NotEqual = 1,
    AtMost = 3,
    AtLeast = 5,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    Drop,
    /// Comes back to the next rule, if nothing there decides.
    Jump(String),
    Goto(String),
}

pub(crate) fn meta(key: Meta) -> Expression {
    load_meta(REGISTER, key)
}

fn load_meta(register: u32, key: Meta) -> Expression {
    let data = Attributes::new().be32(2, key as u32).be32(1, register);
    expression("meta", data)
}

/// Loads some bytes of the packet; a packet that has no such bytes fails the rule.
pub(crate) fn payload(from: Header, offset: u32, length: u32) -> Expression {
    let data = Attributes::new()
        .be32(1, REGISTER)
        .be32(2, from as u32)
        .be32(3, offset)
        .be32(4, length);
    expression("payload", data)
}

pub(crate) fn compare(how: Is, with: &[u8]) -> Expression {
    let data = Attributes::new()
        .be32(1, REGISTER)
        .be32(2, how as u32)
        .nest(3, &Attributes::new().bytes(1, with));
    expression("cmp", data)
}

/// Keeps the bits of the mask.
pub(crate) fn mask(mask: &[u8]) -> Expression {
    let zero = vec![0; mask.len()];
    let length = u32::try_from(mask.len()).unwrap_or_default();
    let data = Attributes::new()
        .be32(1, REGISTER)
        .be32(2, REGISTER)
        .be32(3, length)
        .nest(4, &Attributes::new().bytes(1, mask))
        .nest(5, &Attributes::new().bytes(1, &zero));
    expression("bitwise", data)
}

/// The bits of the connection tracker's entry for the packet (`IPS_*`); a packet without one fails the rule.
pub(crate) fn connection_status() -> Expression {
    expression("ct", Attributes::new().be32(2, 2).be32(1, REGISTER))
}

fn immediate(register: u32, data: &Attributes) -> Expression {
    expression(
        "immediate",
        Attributes::new().be32(1, register).nest(2, data),
    )
}

fn set_meta(key: Meta, value: u32) -> [Expression; 2] {
    let value = Attributes::new().bytes(1, &value.to_ne_bytes());
    let set = Attributes::new().be32(2, key as u32).be32(3, REGISTER);
    [immediate(REGISTER, &value), expression("meta", set)]
}

pub(crate) fn set_mark(mark: u32) -> [Expression; 2] {
    set_meta(Meta::Mark, mark)
}

/// Which class of a qdisc it goes to, as `major:minor`.
pub(crate) fn set_priority(class: u32) -> [Expression; 2] {
    set_meta(Meta::Priority, class)
}

pub(crate) fn counter() -> Expression {
    expression("counter", Attributes::new())
}

pub(crate) fn verdict(verdict: &Verdict) -> Expression {
    let (code, chain) = match verdict {
        Verdict::Drop => (0_i32, None),
        Verdict::Accept => (1, None),
        Verdict::Jump(chain) => (-3, Some(chain)),
        Verdict::Goto(chain) => (-4, Some(chain)),
    };
    let mut inner = Attributes::new().be32(1, code.cast_unsigned());
    if let Some(chain) = chain {
        inner = inner.text(2, chain);
    }
    immediate(VERDICT_REGISTER, &Attributes::new().nest(2, &inner))
}

/// Answers a TCP packet with a reset.
pub(crate) fn reject_with_reset() -> Expression {
    expression("reject", Attributes::new().be32(1, 1))
}

/// Hands the packet to user space; with `bypass` it passes where nobody listens, without it is lost there, which its sender does
/// not learn.
pub(crate) fn queue(number: u16, bypass: bool) -> Expression {
    let data = Attributes::new()
        .be16(1, number)
        .be16(2, 1)
        .be16(3, u16::from(bypass));
    expression("queue", data)
}

/// The same through the extension of the older filter (`NFQUEUE`, revision 3), for kernels that have only that.
pub(crate) fn compat_queue(number: u16, bypass: bool) -> Expression {
    let mut info = Vec::new();
    for value in [number, 1, u16::from(bypass), 0] {
        info.extend(value.to_ne_bytes());
    }
    let data = Attributes::new()
        .text(1, "NFQUEUE")
        .be32(2, 3)
        .bytes(3, &info);
    expression("target", data)
}

/// Sends a copy, that belongs to no socket, where the packet goes itself: to its destination, through its interface.
pub(crate) fn copy_to_destination(version: IpVersion) -> [Expression; 3] {
    let (offset, length) = version.destination();
    let data = Attributes::new().be32(1, REGISTER).be32(2, SECOND_REGISTER);
    [
        payload(Header::Network, offset, length),
        load_meta(SECOND_REGISTER, Meta::InterfaceOut),
        expression("dup", data),
    ]
}

/// Hands the packet to another interface, in an ingress chain.
pub(crate) fn forward_to(interface: u32) -> [Expression; 2] {
    let index = Attributes::new().bytes(1, &interface.to_ne_bytes());
    [
        immediate(REGISTER, &index),
        expression("fwd", Attributes::new().be32(1, REGISTER)),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum IpVersion {
    V4,
    V6,
}

impl IpVersion {
    pub(crate) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }

    /// Offset and length of the field in the header.
    pub(crate) fn source(self) -> (u32, u32) {
        match self {
            Self::V4 => (12, 4),
            Self::V6 => (8, 16),
        }
    }

    pub(crate) fn destination(self) -> (u32, u32) {
        match self {
            Self::V4 => (16, 4),
            Self::V6 => (24, 16),
        }
    }
}

/// The source address is in this network.
pub(crate) fn from_network(net: &IpNet) -> Vec<Expression> {
    in_network(IpVersion::of(net.addr()).source(), net)
}

/// The destination address is in this network.
pub(crate) fn to_network(net: &IpNet) -> Vec<Expression> {
    in_network(IpVersion::of(net.addr()).destination(), net)
}

fn in_network((offset, length): (u32, u32), net: &IpNet) -> Vec<Expression> {
    let octets = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    if net.prefix_len() == 0 {
        return Vec::new();
    }
    let mut all = vec![payload(Header::Network, offset, length)];
    if net.prefix_len() < net.max_prefix_len() {
        all.push(mask(&octets(net.netmask())));
    }
    all.push(compare(Is::Equal, &octets(net.network())));
    all
}
