//! What a bad line makes of each packet, one after the other: a pure, seeded model of what the kernel's netem does.
//!
//! In netem's order: whether there is a copy, whether one of the two is lost, then for each that goes on whether a bit is flipped,
//! whether it overtakes, and when it is due. A copy is a packet of its own: it can be lost, changed and late by itself.
//! Delays that differ change the order of packets, as they do in netem, unless a rate queues them behind each other.
//!
//! What is decided never depends on the time, only on the packets before: the same seed and the same packets, the same fate.

mod dice;
pub mod held;
mod loss;
mod netem;
pub mod spread;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::dice::{Coin, Dice};
use self::loss::Losses;
use self::spread::Spread;
use super::{Direction, Line, Reorder};

/// One way of one rule.
#[derive(Debug, Clone)]
pub struct Model {
    dice: Dice,
    losses: Losses,
    duplicate: Option<Coin>,
    corrupt: Option<Coin>,
    delay: Option<Spread>,
    reorder: Option<Overtaking>,
    rate: Option<u64>,
    /// When the last packet that still waits is due: a rate sends the next one after it.
    last: Duration,
}

/// What becomes of one packet: it does not arrive, or once, or twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    passages: [Option<Passage>; 2],
}

/// A packet that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// Not before this moment, on the axis that `now` was on. For equal ones, first come, first served.
    pub due: Duration,
    /// Has one bit flipped: this one, modulo as many as there are.
    pub flip: Option<u64>,
    /// Overtakes those that wait.
    pub reordered: bool,
}

#[derive(Debug, Clone)]
struct Overtaking {
    coin: Coin,
    gap: u32,
    /// Packets since one overtook.
    since: u32,
}

impl Model {
    /// `rule` is its place in the impairment. Each rule and direction has random numbers of its own.
    pub fn new(line: &Line, seed: u64, rule: usize, direction: Direction) -> Self {
        let mut dice = Dice::new(seed, rule, direction);
        Self {
            losses: Losses::new(line.loss.as_ref()),
            duplicate: line.duplicate.map(Coin::new),
            corrupt: line.corrupt.map(Coin::new),
            delay: line
                .delay
                .as_ref()
                .map(|delay| Spread::new(delay, &mut dice)),
            reorder: line.reorder.map(Overtaking::new),
            rate: line.rate.map(|rate| rate.max(1)),
            last: Duration::ZERO,
            dice,
        }
    }

    /// `now` never goes back; `length` is that of the whole IP packet in bytes.
    pub fn decide(&mut self, now: Duration, length: usize) -> Fate {
        let duplicated = toss(&mut self.duplicate, &mut self.dice);
        let lost = self.losses.next(&mut self.dice);
        // A loss takes one of the two; else the copy goes in first, and can be lost by itself.
        let copied = duplicated && !lost && !self.losses.next(&mut self.dice);
        let copy = copied.then(|| self.pass(now, length));
        let packet = (duplicated || !lost).then(|| self.pass(now, length));
        Fate {
            passages: [packet, copy],
        }
    }

    fn pass(&mut self, now: Duration, length: usize) -> Passage {
        let flip = toss(&mut self.corrupt, &mut self.dice).then(|| self.dice.word());
        if let Some(reorder) = &mut self.reorder
            && reorder.overtakes(&mut self.dice)
        {
            return Passage {
                due: now,
                flip,
                reordered: true,
            };
        }
        let delay = match &mut self.delay {
            Some(spread) => spread.next(&mut self.dice),
            None => Duration::ZERO,
        };
        let mut due = now.saturating_add(delay);
        if let Some(rate) = self.rate {
            due = due.max(self.last).saturating_add(on_the_wire(length, rate));
        }
        self.last = self.last.max(due);
        Passage {
            due,
            flip,
            reordered: false,
        }
    }
}

impl Overtaking {
    fn new(reorder: Reorder) -> Self {
        Self {
            coin: Coin::new(reorder.chance),
            gap: reorder.gap.max(1),
            since: 0,
        }
    }

    fn overtakes(&mut self, dice: &mut Dice) -> bool {
        if self.since >= self.gap - 1 && self.coin.toss(dice) {
            self.since = 0;
            return true;
        }
        self.since = self.since.saturating_add(1);
        false
    }
}

impl Fate {
    /// It and its copy are lost.
    pub fn is_dropped(&self) -> bool {
        self.passages.iter().all(Option::is_none)
    }

    /// Two arrive.
    pub fn is_duplicated(&self) -> bool {
        self.passages.iter().all(Option::is_some)
    }

    /// What goes on: the packet, then its copy.
    pub fn passages(&self) -> impl Iterator<Item = Passage> + use<> {
        self.passages.into_iter().flatten()
    }
}

fn toss(coin: &mut Option<Coin>, dice: &mut Dice) -> bool {
    coin.as_mut().is_some_and(|coin| coin.toss(dice))
}

/// How long this many bytes take at this many bits per second.
fn on_the_wire(bytes: usize, rate: u64) -> Duration {
    let (bits, rate) = (bytes as u128 * 8, u128::from(rate));
    let nanos = bits % rate * 1_000_000_000 / rate;
    let seconds = u64::try_from(bits / rate).unwrap_or(u64::MAX);
    Duration::new(seconds, u32::try_from(nanos).unwrap_or_default())
}
