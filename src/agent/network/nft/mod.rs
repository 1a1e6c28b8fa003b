//! nftables over netlink: whole tables, put in force and taken back in one transaction each, that vanish with the socket that made them.

pub(crate) mod expr;

use self::expr::{Expression, IpVersion};
use super::netlink::wire::{Attributes, Message, attribute, attributes, be32, be64, text};
use super::netlink::{ACK, APPEND, CREATE, EXCLUSIVE, Failure, NETFILTER, Netlink, Reply};

/// Every table of chaosrun's has this name.
pub(crate) const NAME: &str = "chaosrun";

const SUBSYSTEM: u16 = 10;
const NEW_TABLE: u16 = 0;
const GET_TABLE: u16 = 1;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const GET_RULE: u16 = 7;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
/// `NFT_TABLE_F_OWNER`.
const OWNED: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    Ip,
    Ip6,
    Netdev,
    /// Whatever else there is.
    Other(u8),
}

impl Family {
    fn number(self) -> u8 {
        match self {
            Self::Ip => 2,
            Self::Netdev => 5,
            Self::Ip6 => 10,
            Self::Other(number) => number,
        }
    }

    fn of(number: u8) -> Self {
        match number {
            2 => Self::Ip,
            5 => Self::Netdev,
            10 => Self::Ip6,
            other => Self::Other(other),
        }
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Ip => "ip".into(),
            Self::Ip6 => "ip6".into(),
            Self::Netdev => "netdev".into(),
            Self::Other(1) => "inet".into(),
            Self::Other(3) => "arp".into(),
            Self::Other(7) => "bridge".into(),
            Self::Other(number) => format!("family {number}"),
        }
    }
}

impl From<IpVersion> for Family {
    fn from(version: IpVersion) -> Self {
        match version {
            IpVersion::V4 => Self::Ip,
            IpVersion::V6 => Self::Ip6,
        }
    }
}

/// Where packets come by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hook {
    Prerouting,
    Input,
    Output,
    Postrouting,
    /// Of one interface, in a table of family `netdev`.
    Ingress(String),
}

impl Hook {
    fn number(&self) -> u32 {
        match self {
            Self::Prerouting | Self::Ingress(_) => 0,
            Self::Input => 1,
            Self::Output => 3,
            Self::Postrouting => 4,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) name: String,
    /// With its priority; without, others jump here.
    pub(crate) hook: Option<(Hook, i32)>,
    pub(crate) rules: Vec<Vec<Expression>>,
}

/// All that is in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) family: Family,
    pub(crate) name: &'static str,
    pub(crate) chains: Vec<Chain>,
}

/// What a rule with a counter has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) family: Family,
    pub(crate) chain: String,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// A table that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Present {
    pub(crate) family: Family,
    pub(crate) name: String,
    /// The socket that it goes away with.
    pub(crate) owner: Option<u32>,
}

/// The socket that owns what it puts in force.
pub(crate) struct Nft {
    netlink: Netlink,
    /// The tables that are in force.
    held: Vec<(Family, &'static str)>,
}

impl Nft {
    pub(crate) fn open() -> Result<Self, Failure> {
        Ok(Self {
            netlink: Netlink::open(NETFILTER)?,
            held: Vec::new(),
        })
    }

    /// Puts these tables in force in place of those that were, all or none.
    pub(crate) fn replace(&mut self, tables: &[Table]) -> Result<(), Failure> {
        let mut messages = self.transaction(tables);
        messages.push(batch(BATCH_END));
        if messages.len() > 2 {
            self.netlink.tell(&messages)?;
        }
        self.held = tables
            .iter()
            .map(|table| (table.family, table.name))
            .collect();
        Ok(())
    }

    /// Would the kernel take them? What does not end is checked as a whole, and then undone.
    pub(crate) fn would_replace(&mut self, tables: &[Table]) -> Result<(), Failure> {
        let messages = self.transaction(tables);
        self.netlink.tell(&messages)
    }

    fn transaction(&self, tables: &[Table]) -> Vec<Message> {
        let mut messages = vec![batch(BATCH_BEGIN)];
        messages.extend(self.held.iter().map(|(family, name)| delete(*family, name)));
        messages.extend(tables.iter().flat_map(creation));
        messages
    }

    pub(crate) fn tables(&mut self) -> Result<Vec<Present>, Failure> {
        let question = message(GET_TABLE, 0, Family::Other(0), &Attributes::new());
        let found = self.netlink.list(&question)?;
        Ok(found.iter().filter_map(present).collect())
    }

    /// Of every counter in the tables that are in force, by the chain that it is in.
    pub(crate) fn counters(&mut self) -> Result<Vec<Counted>, Failure> {
        let mut all = Vec::new();
        for (family, name) in self.held.clone() {
            let table = Attributes::new().text(1, name);
            let rules = self.netlink.list(&message(GET_RULE, 0, family, &table))?;
            all.extend(rules.iter().flat_map(|rule| counted(family, rule)));
        }
        Ok(all)
    }
}

fn message(kind: u16, flags: u16, family: Family, attributes: &Attributes) -> Message {
    let header = [family.number(), 0, 0, 0];
    Message::new(SUBSYSTEM << 8 | kind, flags, &header, attributes)
}

fn batch(kind: u16) -> Message {
    let [high, low] = SUBSYSTEM.to_be_bytes();
    Message::new(kind, 0, &[0, 0, high, low], &Attributes::new())
}

fn delete(family: Family, name: &str) -> Message {
    let table = Attributes::new().text(1, name);
    message(DELETE_TABLE, ACK, family, &table)
}

/// Chains come before rules, so that any may jump to any.
fn creation(table: &Table) -> Vec<Message> {
    let attributes = Attributes::new().text(1, table.name).be32(2, OWNED);
    let flags = CREATE | EXCLUSIVE | ACK;
    let mut all = vec![message(NEW_TABLE, flags, table.family, &attributes)];
    for chain in &table.chains {
        let attributes = chain_attributes(table.name, chain);
        all.push(message(NEW_CHAIN, flags, table.family, &attributes));
    }
    for chain in &table.chains {
        for rule in &chain.rules {
            let attributes = Attributes::new()
                .text(1, table.name)
                .text(2, &chain.name)
                .nest(4, &expressions(rule));
            let flags = CREATE | APPEND | ACK;
            all.push(message(NEW_RULE, flags, table.family, &attributes));
        }
    }
    all
}

fn chain_attributes(table: &str, chain: &Chain) -> Attributes {
    let attributes = Attributes::new().text(1, table).text(3, &chain.name);
    let Some((hook, priority)) = &chain.hook else {
        return attributes;
    };
    let mut inner = Attributes::new()
        .be32(1, hook.number())
        .be32(2, priority.cast_unsigned());
    if let Hook::Ingress(interface) = hook {
        inner = inner.text(3, interface);
    }
    attributes.nest(4, &inner).text(7, "filter")
}

pub(crate) fn expressions(rule: &[Expression]) -> Attributes {
    rule.iter().fold(Attributes::new(), |all, expression| {
        let one = Attributes::new()
            .text(1, expression.name)
            .nest(2, &expression.data);
        all.nest(1, &one)
    })
}

fn present(reply: &Reply) -> Option<Present> {
    let body = reply.body.get(4..)?;
    Some(Present {
        family: Family::of(*reply.body.first()?),
        name: text(attribute(body, 1)?),
        owner: attribute(body, 7).and_then(be32),
    })
}

fn counted(family: Family, rule: &Reply) -> Vec<Counted> {
    let body = rule.body.get(4..).unwrap_or_default();
    let chain = attribute(body, 2).map(text).unwrap_or_default();
    attributes(attribute(body, 4).unwrap_or_default())
        .filter(|(_, one)| attribute(one, 1).map(text).as_deref() == Some("counter"))
        .filter_map(|(_, one)| attribute(one, 2))
        .map(|data| Counted {
            family,
            chain: chain.clone(),
            bytes: attribute(data, 1).and_then(be64).unwrap_or_default(),
            packets: attribute(data, 2).and_then(be64).unwrap_or_default(),
        })
        .collect()
}
