//! What is done to which packets of one container: the language that network faults are compiled to, that the agent reads, and
//! that both of its back ends carry out.
//!
//! Rules are looked at in order, and the first one whose [`Flow`] a packet belongs to decides about it; a packet that belongs to
//! none passes untouched.

pub mod dns;
pub mod expect;
pub mod line;
pub mod met;
pub mod named;
pub mod packet;
mod phrase;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impairment {
    pub rules: Vec<Rule>,
    /// Decides every random choice where the back end lets it.
    pub seed: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub flow: Flow,
    pub effect: Effect,
}

/// Which packets: all that is said must hold. Loopback never belongs to one, except to ask the embedded name server ([`Effect::Dns`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    pub direction: Direction,
    /// The other end's address; empty: any.
    pub peers: Vec<IpNet>,
    /// The port of either end; empty: any. Wants a protocol that has ports: then TCP and UDP only.
    pub ports: Vec<Ports>,
    pub protocol: Option<Protocol>,
    /// The container's own addresses, which say on which of its networks; empty: on all.
    pub at: Vec<IpAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Egress,
    Ingress,
    /// Each way by itself: a delay counts twice in a round trip.
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    Tcp,
    Udp,
    Icmp,
}

/// From the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    pub first: u16,
    pub last: u16,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// A worse line.
    Line(Box<Line>),
    /// Nothing passes and nothing is answered.
    Drop,
    /// TCP connections are reset, and new ones refused; other packets pass.
    Reset,
    /// Questions for these names (each with all names under it) are answered so; other questions pass.
    Dns { names: Vec<String>, answer: Answer },
}

/// What a name server says, or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Nothing: the asking side times out.
    Silence,
    /// SERVFAIL.
    Failure,
    /// NXDOMAIN.
    NoSuchName,
    /// These addresses, each to questions for its own kind.
    Addresses(Vec<IpAddr>),
}

/// As netem means them. Probabilities are shares: 0.01 is one percent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub delay: Option<Delay>,
    pub loss: Option<Loss>,
    pub corrupt: Option<Chance>,
    pub duplicate: Option<Chance>,
    /// With a delay: this share of the packets is sent at once, past the delayed ones.
    pub reorder: Option<Reorder>,
    /// Bits per second, of whole IP packets.
    pub rate: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    pub latency: Duration,
    /// Spread around the latency; not above it.
    pub jitter: Duration,
    /// How much each packet's delay leans on the one before; the spread stays as wide.
    pub correlation: f64,
    pub distribution: Distribution,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    #[default]
    Uniform,
    Normal,
    Pareto,
    ParetoNormal,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    Random(Chance),
    /// Gilbert–Elliott: `p` good → bad, `r` bad → good, `bad` the loss while bad, `good` the loss while good.
    GilbertElliott {
        p: f64,
        r: f64,
        bad: f64,
        good: f64,
    },
    /// The 4-state Markov model of netem: 1 good, 2 good within a burst, 3 lost within a burst, 4 lost alone.
    Markov {
        p13: f64,
        p31: f64,
        p32: f64,
        p23: f64,
        p14: f64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chance {
    pub probability: f64,
    /// How much each outcome leans on the one before; the share in the long run stays the probability.
    pub correlation: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reorder {
    pub chance: Chance,
    /// Every so many packets at most; 0 and 1 are the same.
    pub gap: u32,
}

/// How an impairment is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackEnd {
    /// The kernel's `sch_netem`, over rtnetlink.
    Netem,
    /// In user space, over NFQUEUE.
    Queue,
}

/// What happened to the packets of one rule since it came into force, each way together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Belonged to the rule's flow.
    pub packets: u64,
    pub bytes: u64,
    pub delayed: u64,
    pub dropped: u64,
    pub corrupted: u64,
    pub duplicated: u64,
    pub reordered: u64,
    /// Connections that were reset or refused; with [`Effect::Dns`], for a question over TCP.
    pub reset: u64,
    /// Questions to a name server that got the rule's answer (or silence).
    pub answered: u64,
    /// Dropped beyond what was asked for, because the most that may be held was held already.
    pub overflowed: u64,
}

/// What a kernel lets an agent do; for each thing that is missing, a sentence saying what, and what to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// Empty: none of the two works.
    pub back_ends: Vec<BackEnd>,
    /// `netem: the kernel has no sch_netem: …`, by a short name.
    pub missing: BTreeMap<String, String>,
}

/// What an agent says is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impaired {
    /// [`Impairment::digest`] of it.
    pub digest: String,
    pub back_end: BackEnd,
    /// By rule, in their order.
    pub counts: Vec<Counts>,
}

impl Impairment {
    /// Tells it from every other one.
    pub fn digest(&self) -> String {
        // None of its types holds anything that JSON cannot.
        let text = serde_json::to_vec(self).unwrap_or_default();
        let digest = Sha256::digest(&text);
        digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl Loss {
    /// The same losses, where they remember, by a model that netem has too: its own correlation makes rare losses far rarer.
    pub fn as_chain(&self) -> Self {
        match self {
            Self::Random(chance) if chance.correlation > 0.0 => {
                let fresh = 1.0 - chance.correlation;
                Self::GilbertElliott {
                    p: chance.probability * fresh,
                    r: (1.0 - chance.probability) * fresh,
                    bad: 1.0,
                    good: 0.0,
                }
            }
            other => other.clone(),
        }
    }
}

impl BackEnd {
    pub fn name(self) -> &'static str {
        match self {
            Self::Netem => "netem",
            Self::Queue => "queue",
        }
    }
}
