//! Impairments in words, for plans, reports and errors.

use std::fmt::Write as _;

use super::expect::Series;
use super::named::Names;
use super::{
    Answer, Chance, Counts, Delay, Direction, Distribution, Effect, Flow, Impaired, Impairment,
    Line, Loss, Ports, Protocol, Rule, named,
};
use crate::inventory::is_known;
use crate::units::{BitRate, Share, format_duration};

/// So many of a list are named.
const SHOWN: usize = 6;

impl Impairment {
    /// For plans, reports and errors: `delay by 50ms ± 10ms to 172.18.0.3 (egress, tcp 6379)`.
    pub fn phrase(&self) -> String {
        self.phrase_with(&Names::new())
    }

    /// The same, with whose addresses they are: `delay by 50ms to redis-1 (172.18.0.3) (egress)`.
    pub fn phrase_with(&self, names: &Names) -> String {
        let rules = self.rules.iter().map(|rule| rule.phrase_with(names));
        rules.collect::<Vec<_>>().join("; ")
    }
}

impl Rule {
    fn phrase_with(&self, names: &Names) -> String {
        if let Effect::Dns { .. } = self.effect {
            return self.effect.phrase();
        }
        format!("{} {}", self.effect.phrase(), self.flow.phrase_with(names))
    }
}

impl Flow {
    /// `to 172.18.0.3, 172.18.0.4 (egress, tcp 6379)`
    fn phrase_with(&self, names: &Names) -> String {
        let (towards, way) = match self.direction {
            Direction::Egress => ("to", "egress"),
            Direction::Ingress => ("from", "ingress"),
            Direction::Both => ("to and from", "both ways"),
        };
        let peers = match self.peers.as_slice() {
            [] => "everyone".into(),
            peers => list(named::peers(peers, names).into_iter()),
        };
        let mut text = format!("{towards} {peers} ({way}");
        let protocol = self.protocol.map(Protocol::name);
        let ports = list(self.ports.iter().map(|ports| ports.phrase()));
        let _fits = match (protocol, ports.is_empty()) {
            (None, true) => Ok(()),
            (Some(protocol), true) => write!(text, ", {protocol}"),
            (None, false) => write!(text, ", port {ports}"),
            (Some(protocol), false) => write!(text, ", {protocol} {ports}"),
        };
        let at = self.at.iter().filter(|at| is_known(**at));
        let at: Vec<String> = at.map(ToString::to_string).collect();
        if !at.is_empty() {
            let _fits = write!(text, ", at {}", list(at.into_iter()));
        }
        text + ")"
    }
}

fn list(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(SHOWN);
    let shown: Vec<String> = items.take(SHOWN).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }
}

impl Ports {
    fn phrase(self) -> String {
        if self.first == self.last {
            self.first.to_string()
        } else {
            format!("{}-{}", self.first, self.last)
        }
    }
}

impl Effect {
    /// As the beginning of a sentence: `delay by 50ms`.
    pub fn phrase(&self) -> String {
        match self {
            Self::Line(line) => line.phrase(),
            Self::Drop => "drop all packets".into(),
            Self::Reset => "reset TCP connections".into(),
            Self::Dns { names, answer } => {
                let names = list(names.iter().cloned());
                match answer {
                    Answer::Silence => format!("leave DNS questions for {names} without an answer"),
                    Answer::Failure => format!("answer DNS questions for {names} with SERVFAIL"),
                    Answer::NoSuchName => format!("answer DNS questions for {names} with NXDOMAIN"),
                    Answer::Addresses(all) => format!(
                        "answer DNS questions for {names} with {}",
                        list(all.iter().map(ToString::to_string))
                    ),
                }
            }
        }
    }
}

impl Line {
    fn phrase(&self) -> String {
        let chance = |verb: &str, chance: &Option<Chance>| {
            chance.map(|chance| format!("{verb} {}", chance.phrase()))
        };
        let parts = [
            self.delay.as_ref().map(Delay::phrase),
            self.loss.as_ref().map(Loss::phrase),
            chance("corrupt", &self.corrupt),
            chance("duplicate", &self.duplicate),
            self.reorder.map(|reorder| {
                let gap = match reorder.gap {
                    0 | 1 => String::new(),
                    gap => format!(" of every {gap}"),
                };
                format!("let {} overtake{gap}", reorder.chance.phrase())
            }),
            self.rate
                .map(|rate| format!("carry at most {}", BitRate(rate))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        parts.join(", ")
    }
}

impl Delay {
    fn phrase(&self) -> String {
        let mut text = format!("delay by {}", format_duration(self.latency));
        if self.jitter.is_zero() {
            return text;
        }
        let _fits = write!(text, " ± {}", format_duration(self.jitter));
        let mut more = Vec::new();
        if self.distribution != Distribution::Uniform {
            more.push(self.distribution.name().to_owned());
        }
        if self.correlation > 0.0 {
            more.push(format!("{} correlated", Share(self.correlation)));
        }
        if !more.is_empty() {
            let _fits = write!(text, " ({})", more.join(", "));
        }
        text
    }
}

impl Distribution {
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::Pareto => "pareto",
            Self::ParetoNormal => "paretonormal",
        }
    }
}

impl Chance {
    fn phrase(&self) -> String {
        let percent = Share(self.probability);
        if self.correlation > 0.0 {
            format!("{percent} ({} correlated)", Share(self.correlation))
        } else {
            percent.to_string()
        }
    }
}

impl Loss {
    fn phrase(&self) -> String {
        match self {
            Self::Random(chance) => format!("lose {}", chance.phrase()),
            Self::GilbertElliott { p, r, bad, good } => format!(
                "lose {} while bad and {} while good (Gilbert–Elliott: bad with {}, good again with {})",
                Share(*bad),
                Share(*good),
                Share(*p),
                Share(*r)
            ),
            Self::Markov {
                p13,
                p31,
                p32,
                p23,
                p14,
            } => {
                let [p13, p31, p32, p23, p14] = [p13, p31, p32, p23, p14].map(|p| Share(*p));
                format!(
                    "lose in bursts (Markov: p13 {p13}, p31 {p31}, p32 {p32}, p23 {p23}, p14 {p14})"
                )
            }
        }
    }
}

impl Impaired {
    /// As evidence: `queue has it in force: 1200 packets so far, 600 delayed`.
    pub fn phrase(&self) -> String {
        let total = self.total();
        format!(
            "in force through {}: {} so far",
            self.back_end.name(),
            total.phrase()
        )
    }

    /// Of all rules.
    pub fn total(&self) -> Counts {
        self.counts
            .iter()
            .copied()
            .fold(Counts::default(), Counts::and)
    }
}

impl Counts {
    /// Those of two rules together.
    pub fn and(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// What came after those.
    pub fn since(self, before: Self) -> Self {
        // Where it has counted anew, what was before is not in it.
        if self.packets < before.packets {
            return self;
        }
        self.zip(before, u64::saturating_sub)
    }

    /// These, or those before and so many packets more, whichever is less.
    pub fn at_most(self, before: Self, packets: u64) -> Self {
        let more = Self {
            packets,
            bytes: packets.saturating_mul(Series::LONGEST_PACKET.into()),
            delayed: packets,
            dropped: packets,
            corrupted: packets,
            duplicated: packets,
            reordered: packets,
            reset: packets,
            answered: packets,
            overflowed: packets,
        };
        self.zip(before.and(more), u64::min)
    }

    fn zip(self, other: Self, of: fn(u64, u64) -> u64) -> Self {
        Self {
            packets: of(self.packets, other.packets),
            bytes: of(self.bytes, other.bytes),
            delayed: of(self.delayed, other.delayed),
            dropped: of(self.dropped, other.dropped),
            corrupted: of(self.corrupted, other.corrupted),
            duplicated: of(self.duplicated, other.duplicated),
            reordered: of(self.reordered, other.reordered),
            reset: of(self.reset, other.reset),
            answered: of(self.answered, other.answered),
            overflowed: of(self.overflowed, other.overflowed),
        }
    }

    /// `1200 packets, 600 delayed`: what there is any of.
    pub fn phrase(&self) -> String {
        let mut text = format!(
            "{} packet{}",
            self.packets,
            if self.packets == 1 { "" } else { "s" }
        );
        for (count, what) in [
            (self.delayed, "delayed"),
            (self.dropped, "dropped"),
            (self.corrupted, "corrupted"),
            (self.duplicated, "duplicated"),
            (self.reordered, "reordered"),
            (self.reset, "reset"),
            (self.answered, "questions caught"),
            (self.overflowed, "dropped beyond the limit of what is held"),
        ] {
            if count > 0 {
                let _fits = write!(text, ", {count} {what}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_rule_in_words() {
        let ms = Duration::from_millis;
        let line = Line {
            delay: Some(Delay {
                latency: ms(50),
                jitter: ms(10),
                correlation: 0.25,
                distribution: Distribution::Normal,
            }),
            loss: Some(Loss::Random(Chance {
                probability: 0.01,
                correlation: 0.0,
            })),
            rate: Some(1_500_000),
            ..Line::default()
        };
        let mut rule = Rule {
            flow: Flow {
                direction: Direction::Egress,
                peers: vec![
                    "172.18.0.3/32".parse().unwrap(),
                    "10.0.0.0/8".parse().unwrap(),
                ],
                ports: vec![Ports {
                    first: 6379,
                    last: 6380,
                }],
                protocol: Some(Protocol::Tcp),
                at: vec!["172.18.0.2".parse().unwrap()],
            },
            effect: Effect::Line(Box::new(line)),
        };
        assert_eq!(
            rule.phrase_with(&Names::new()),
            "delay by 50ms ± 10ms (normal, 25% correlated), lose 1%, carry at most 1.5mbit \
             to 172.18.0.3, 10.0.0.0/8 (egress, tcp 6379-6380, at 172.18.0.2)"
        );
        rule.flow = Flow {
            direction: Direction::Both,
            peers: Vec::new(),
            ports: Vec::new(),
            protocol: None,
            at: Vec::new(),
        };
        rule.effect = Effect::Drop;
        assert_eq!(
            rule.phrase_with(&Names::new()),
            "drop all packets to and from everyone (both ways)"
        );
        rule.effect = Effect::Dns {
            names: vec!["redis".into()],
            answer: Answer::NoSuchName,
        };
        assert_eq!(
            rule.phrase_with(&Names::new()),
            "answer DNS questions for redis with NXDOMAIN"
        );
    }

    #[test]
    fn counts_that_began_anew_have_nothing_to_take_away() {
        let counts = |packets, delayed| Counts {
            packets,
            delayed,
            ..Counts::default()
        };
        assert_eq!(counts(10, 5).since(counts(4, 2)), counts(6, 3));
        assert_eq!(counts(3, 3).since(counts(4, 2)), counts(3, 3));
        assert_eq!(counts(10, 5).phrase(), "10 packets, 5 delayed");
    }
}
