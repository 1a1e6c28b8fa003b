//! What an impairment must do to the round trips to one peer, and whether it did: an effect measured beside the agent's own word.
//!
//! A round trip passes up to four places: out and in at the near end, in and out at the far one, each with the first rule there
//! that its packets belong to.

mod judge;
mod matching;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::judge::Finding;
use self::judge::{answered, median};
use self::matching::{Belongs, belongs};
use super::line::spread;
use super::{Delay, Direction, Effect, Impairment, Line, Loss};
use crate::units::format_duration;

/// Who measures what.
#[derive(Debug, Clone, Copy)]
pub struct Trip<'a> {
    /// In force at the end that measures.
    pub near: Option<&'a Impairment>,
    /// In force at the peer, if it is a target too.
    pub far: Option<&'a Impairment>,
    /// The measuring end's own address on the way to the peer, where it is known.
    pub from: Option<IpAddr>,
    pub peer: IpAddr,
    /// A TCP connection to this port; without one, an ICMP echo.
    pub port: Option<u16>,
}

/// Round trips that are measured together: none waits for another one's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    pub times: u32,
    /// From the beginning of one to that of the next.
    pub apart: Duration,
    /// For each one's answer.
    pub patience: Duration,
}

impl Series {
    /// Bytes of a packet that measures, at most.
    pub const LONGEST_PACKET: u32 = 128;

    /// All of it, at most.
    pub fn lasts(self) -> Duration {
        let last = self.apart.saturating_mul(self.times.saturating_sub(1));
        last.saturating_add(self.patience)
    }
}

/// What the round trips must be, compared with those before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// Longer by this much.
    Rise {
        at_least: Duration,
        /// `None`: what queues before a limited rate takes as long as it takes.
        at_most: Option<Duration>,
        /// Some may be missing, and all of them by bad luck.
        may_lose: bool,
        /// Some may be as quick as before: how many of a million overtake.
        overtaking: u32,
    },
    /// No answer at all.
    Silence,
    /// As before; a refusal is an answer.
    Unchanged,
    /// Nothing can be told from them.
    Unknown { why: String },
}

/// Above this share of lost packets a handful of round trips says nothing.
const TOO_LOSSY: f64 = 0.25;
/// Above this share of packets that overtake, half of the round trips may not be late.
const TOO_MANY_OVERTAKE: f64 = 0.3;
/// A SYN and an echo are no shorter.
const SHORTEST: u64 = 40;
/// A rise below it drowns in what any machine does.
const FAINT: Duration = Duration::from_micros(200);

/// `before`: round trips measured while nothing was in force; `None` is one without an answer.
pub fn round_trips(trip: &Trip, before: &[Option<Duration>]) -> Expectation {
    let before = answered(before);
    if before.is_empty() {
        return unknown("the peer did not answer before either");
    }
    if trip.peer.is_loopback() || trip.from == Some(trip.peer) {
        return Expectation::Unchanged;
    }
    let mut lines = Vec::new();
    for place in PLACES {
        match at_place(trip, place) {
            Err(why) => return Expectation::Unknown { why },
            Ok(None | Some(Effect::Dns { .. })) => {}
            Ok(Some(Effect::Drop)) => return Expectation::Silence,
            Ok(Some(Effect::Reset)) if trip.port.is_none() => {}
            Ok(Some(Effect::Reset)) => match place {
                // Refused before it leaves: the rest of the way does not matter.
                (End::Near, Direction::Egress) => return Expectation::Unchanged,
                (End::Far, Direction::Ingress) => {}
                _ => return unknown("a reset of the answer is not seen as one by who asked"),
            },
            Ok(Some(Effect::Line(line))) => lines.push(&**line),
        }
    }
    of_lines(&lines, &before)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Near,
    Far,
}

/// In the order of the way.
const PLACES: [(End, Direction); 4] = [
    (End::Near, Direction::Egress),
    (End::Far, Direction::Ingress),
    (End::Far, Direction::Egress),
    (End::Near, Direction::Ingress),
];

/// What decides there about this trip's packets.
fn at_place<'a>(trip: &Trip<'a>, place: (End, Direction)) -> Result<Option<&'a Effect>, String> {
    let (end, direction) = place;
    let (impairment, own, peer) = match end {
        End::Near => (trip.near, trip.from, Some(trip.peer)),
        End::Far => (trip.far, Some(trip.peer), trip.from),
    };
    for rule in impairment.iter().flat_map(|impairment| &impairment.rules) {
        match belongs(&rule.flow, direction, own, peer, trip.port) {
            Belongs::Yes => return Ok(Some(&rule.effect)),
            Belongs::No => {}
            Belongs::Unsure(why) => return Err(why.into()),
        }
    }
    Ok(None)
}

fn of_lines(lines: &[&Line], before: &[Duration]) -> Expectation {
    let kept: f64 = lines.iter().map(|line| 1.0 - lost(line)).product();
    if lines.iter().any(|line| lost(line) >= 1.0) {
        return Expectation::Silence;
    }
    if lines.is_empty() {
        return Expectation::Unchanged;
    }
    if 1.0 - kept > TOO_LOSSY {
        return unknown(&format!(
            "with {:.0}% of the packets lost, too few round trips are left",
            (1.0 - kept) * 100.0
        ));
    }
    let overtaking: f64 = lines
        .iter()
        .filter_map(|line| line.reorder)
        .map(|reorder| reorder.chance.probability)
        .sum();
    if overtaking > TOO_MANY_OVERTAKE {
        return unknown("too many packets overtake the late ones");
    }
    let rise = Rise::of(lines, before);
    if rise.at_least < FAINT {
        return unknown(&rise.too_small(kept));
    }
    Expectation::Rise {
        at_least: rise.at_least,
        at_most: rise.at_most,
        may_lose: kept < 1.0,
        overtaking: (overtaking * 1e6).ceil() as u32,
    }
}

struct Rise {
    /// Asked for.
    latency: Duration,
    at_least: Duration,
    at_most: Option<Duration>,
}

impl Rise {
    fn of(lines: &[&Line], before: &[Duration]) -> Self {
        let delays = || lines.iter().filter_map(|line| line.delay.as_ref());
        let sum = |jitters: &dyn Fn(&Delay) -> f64| {
            delays()
                .map(|delay| spread::at(delay, jitters(delay)))
                .fold(Duration::ZERO, Duration::saturating_add)
        };
        let latency = sum(&|_| 0.0);
        let low = sum(&|delay| middle(delay, before.len(), -1.0)).min(latency);
        let high = sum(&|delay| middle(delay, before.len(), 1.0)).max(latency);
        let noise = median(before).saturating_sub(before[0]);
        let fifth = latency / 5;
        let waits = lines
            .iter()
            .filter_map(|line| line.rate)
            .map(|rate| Duration::from_secs_f64((SHORTEST * 8) as f64 / rate.max(1) as f64))
            .fold(Duration::ZERO, Duration::saturating_add);
        let at_least = low
            .saturating_sub(fifth)
            .saturating_sub(noise)
            .saturating_add(waits);
        // A busy machine adds its own, but not as much as a delay that counts twice.
        let busy = (latency / 10 * 3).min(Duration::from_millis(30));
        let allowed = fifth.max(Duration::from_millis(2).saturating_add(high - latency));
        let at_most = latency
            .saturating_add(allowed)
            .saturating_add(busy)
            .saturating_add(noise);
        Self {
            latency,
            at_least,
            at_most: waits.is_zero().then_some(at_most),
        }
    }

    fn too_small(&self, kept: f64) -> String {
        if self.latency.is_zero() && kept < 1.0 {
            return format!(
                "a share of {:.2}% lost or spoilt packets does not show in a few round trips",
                (1.0 - kept) * 100.0
            );
        }
        if self.latency.is_zero() {
            return "what it does to packets does not make round trips longer".into();
        }
        format!(
            "a delay of {} with its jitter cannot be told from how much they vary anyway",
            format_duration(self.latency)
        )
    }
}

/// How far from the mean the median of so many delays may lie, in jitters: below or above (999 times in 1000).
fn middle(delay: &Delay, count: usize, side: f64) -> f64 {
    let lean = delay.correlation.clamp(0.0, 0.99);
    // Those that lean on each other say less.
    let count = count as f64 * (1.0 - lean) / (1.0 + lean);
    let aside = (1.55 / (count + 2.0).sqrt()).min(0.49);
    spread::quantile(delay.distribution, 0.5 + side * aside)
}

/// The share of packets that do not arrive whole.
fn lost(line: &Line) -> f64 {
    let spoilt = line.corrupt.map_or(0.0, |chance| chance.probability);
    let lost = match line.loss.as_ref() {
        None => 0.0,
        Some(Loss::Random(chance)) => chance.probability,
        Some(&Loss::GilbertElliott { p, r, bad, good }) => {
            let is_bad = if p > 0.0 { p / (p + r) } else { 0.0 };
            is_bad * bad + (1.0 - is_bad) * good
        }
        Some(&Loss::Markov {
            p13,
            p31,
            p32,
            p23,
            p14,
        }) => markov(p13, p31, p32, p23, p14),
    };
    // Of two a loss takes only one.
    let single = 1.0
        - line
            .duplicate
            .map_or(0.0, |chance| chance.probability.clamp(0.0, 1.0));
    1.0 - (1.0 - spoilt.clamp(0.0, 1.0)) * (1.0 - lost.clamp(0.0, 1.0) * single)
}

/// In the long run, from how often each state is entered and left.
fn markov(p13: f64, p31: f64, p32: f64, p23: f64, p14: f64) -> f64 {
    if p13 > 0.0 && p31 <= 0.0 {
        // The burst never ends; `p32` over `p23` of it is good.
        return if p32 <= 0.0 { 1.0 } else { p23 / (p23 + p32) };
    }
    if p13 > 0.0 && p32 > 0.0 && p23 <= 0.0 {
        return 0.0;
    }
    let (alone, burst) = (p14, if p13 > 0.0 { p13 / p31 } else { 0.0 });
    let good_in_burst = if burst > 0.0 && p32 > 0.0 {
        burst * p32 / p23
    } else {
        0.0
    };
    (alone + burst) / (1.0 + alone + burst + good_in_burst)
}

fn unknown(why: &str) -> Expectation {
    Expectation::Unknown { why: why.into() }
}
