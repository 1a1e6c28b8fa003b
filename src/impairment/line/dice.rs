//! Random numbers, and chances that remember.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::impairment::{Chance, Direction};

#[derive(Debug, Clone)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64, rule: usize, direction: Direction) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(rule as u64).to_le_bytes());
        key[16] = match direction {
            Direction::Egress => 1,
            Direction::Ingress => 2,
            Direction::Both => 3,
        };
        Self(ChaCha8Rng::from_seed(key))
    }

    pub(super) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From 0 up to, but without, 1.
    pub(super) fn share(&mut self) -> f64 {
        // As many bits as a double has, so that no rounding makes it 1.
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A chance that remembers: what just happened is likelier to happen again, and its share in the long run stays what it was.
///
/// The kernel's netem leans the random numbers themselves on each other, which makes rare events far rarer: of a loss of 10 % with
/// a correlation of 50 % a tenth of a percent is left. A chain of two states has the share and the correlation that were asked for.
#[derive(Debug, Clone)]
pub(super) struct Coin {
    chance: Chance,
    last: Option<bool>,
}

impl Coin {
    pub(super) fn new(chance: Chance) -> Self {
        Self { chance, last: None }
    }

    pub(super) fn toss(&mut self, dice: &mut Dice) -> bool {
        let Chance {
            probability,
            correlation,
        } = self.chance;
        let lean = correlation.clamp(0.0, 1.0);
        let likely = match self.last {
            None => probability,
            Some(false) => probability * (1.0 - lean),
            Some(true) => probability + (1.0 - probability) * lean,
        };
        let happens = dice.share() < likely;
        self.last = Some(happens);
        happens
    }
}
