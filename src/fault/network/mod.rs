//! What every fault of the network has in common: which packets it is about, and how it is lowered to an impairment of one container.

pub(super) mod cut;
pub(super) mod keys;
pub(super) mod line;
pub(super) mod peers;
#[cfg(test)]
mod tests;

use ipnet::IpNet;

use self::peers::Meant;
use super::{Fault, Scene};
use crate::action::{Action, Change, Condition, Subject, Undo};
use crate::impairment::{Effect, Flow, Impairment, Line, Rule};
use crate::inventory::Instance;
use crate::scenario::cursor::Cursor;

pub use cut::Shape;
pub use keys::{Aim, Peer};

const ITS_OWN_PEER: &str =
    "nothing is done to it: it is the only peer that is named, and none of its own";

/// Of a peer that is nowhere for it, and why.
pub(in crate::fault) fn passed_over(why: &str) -> String {
    format!("{why}, so nothing is done between them")
}

/// Some packets of a target fare worse.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The fault's key.
    pub kind: &'static str,
    pub target: String,
    pub aim: Aim,
    pub effect: Effect,
}

impl Network {
    /// A fault whose reader has got everything it needs.
    pub(super) fn of(
        kind: &'static str,
        target: Option<String>,
        aim: Aim,
        effect: Option<Effect>,
    ) -> Option<Fault> {
        Some(Fault::Network(Self {
            kind,
            target: target?,
            aim,
            effect: effect?,
        }))
    }

    /// One that does a single thing to a line.
    pub(super) fn of_line(
        kind: &'static str,
        table: &mut Cursor<'_>,
        read: impl FnOnce(&mut Cursor<'_>) -> Option<Line>,
    ) -> Option<Fault> {
        let target = super::read_target(table);
        let line = read(table);
        let aim = keys::read_aim(table, crate::impairment::Direction::Egress);
        let effect = line.map(|line| Effect::Line(Box::new(line)));
        Self::of(kind, target, aim, effect)
    }

    pub(super) fn lower(&self, instance: &Instance, scene: &Scene) -> Result<Vec<Action>, String> {
        let refuse = |why: String| format!("cannot {} {}: {why}", self.verb(), instance.identity());
        let place = Place::of(instance, self.aim.network.as_deref()).map_err(refuse)?;
        let peers = match peers::resolve(&self.aim.to, &place, scene).map_err(refuse)? {
            Meant::Everyone => Vec::new(),
            Meant::Itself => return Ok(Vec::new()),
            Meant::These { nets, .. } => nets,
        };
        let rule = Rule {
            flow: Flow {
                direction: self.aim.direction,
                peers,
                ports: self.aim.ports.clone(),
                protocol: self.aim.protocol,
                at: place.at(),
            },
            effect: self.effect.clone(),
        };
        Ok(vec![place.impair(vec![rule], scene)])
    }

    /// See [`Fault::left_out`].
    pub(super) fn left_out(&self, instance: &Instance, scene: &Scene) -> Vec<String> {
        let place = Place::of(instance, self.aim.network.as_deref());
        let meant = place.and_then(|place| peers::resolve(&self.aim.to, &place, scene));
        match meant {
            Ok(Meant::Itself) => vec![ITS_OWN_PEER.into()],
            Ok(Meant::These { strangers, .. }) => {
                strangers.iter().map(|why| passed_over(why)).collect()
            }
            Ok(Meant::Everyone) | Err(_) => Vec::new(),
        }
    }

    /// As a word that a container can be the object of.
    fn verb(&self) -> String {
        match self.kind {
            "delay" | "reset" => self.kind.into(),
            kind => format!("put `{kind}` on"),
        }
    }
}

/// A container as a place in networks.
pub(in crate::fault) struct Place<'a> {
    pub(in crate::fault) instance: &'a Instance,
    /// Full name of the one network that is meant.
    pub(in crate::fault) network: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// # Errors
    /// Its packets are not its own, or it is not in that network.
    pub(in crate::fault) fn of(
        instance: &'a Instance,
        network: Option<&str>,
    ) -> Result<Self, String> {
        let why = match instance.network_mode.as_str() {
            "host" => {
                "it is on the host's own network, and the host's traffic would be hit; target a container that has a network of its own"
            }
            "none" => "it has no network",
            mode if mode.starts_with("container:") => {
                "it shares another container's network, which would be hit too; target a container that has a network of its own"
            }
            _ => "",
        };
        if !why.is_empty() {
            return Err(why.into());
        }
        let network = match network {
            None => None,
            Some(wanted) => {
                let found = super::disconnect::named(instance, wanted);
                let (name, _) = found.ok_or_else(|| not_in(instance, wanted))?;
                Some(name.as_str())
            }
        };
        Ok(Self { instance, network })
    }

    /// Its own addresses, where one network is meant.
    pub(in crate::fault) fn at(&self) -> Vec<std::net::IpAddr> {
        let of = |network: &str| peers::own(self.instance, Some(network));
        self.network.map(of).unwrap_or_default()
    }

    pub(in crate::fault) fn impair(&self, rules: Vec<Rule>, scene: &Scene) -> Action {
        let seed = scene.seed ^ mixed(scene.step, &self.instance.identity());
        let impairment = Impairment { rules, seed };
        Action {
            subject: Subject::of(self.instance),
            effect: Condition::Impaired {
                digest: impairment.digest(),
            },
            change: Change::Impair {
                impairment: Box::new(impairment),
            },
            undo: Undo::Change {
                change: Change::Relieve,
                until: Condition::Relieved,
            },
        }
    }
}

fn not_in(instance: &Instance, wanted: &str) -> String {
    let names: Vec<&str> = instance.networks.keys().map(String::as_str).collect();
    match names.as_slice() {
        [] => "it is in no network".into(),
        names => format!(
            "it is not in network {wanted}, only in: {}",
            names.join(", ")
        ),
    }
}

/// Each container and each step has random numbers of its own (FNV-1a).
fn mixed(step: usize, identity: &str) -> u64 {
    let bytes = (step as u64)
        .to_le_bytes()
        .into_iter()
        .chain(identity.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A flow of all packets with these peers.
pub(in crate::fault) fn flow_with(
    direction: crate::impairment::Direction,
    peers: Vec<IpNet>,
    like: &Flow,
) -> Flow {
    Flow {
        direction,
        peers,
        ..like.clone()
    }
}
