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

/// A chance whose numbers lean on the one before, as netem's do.
///
/// With a correlation they crowd around the middle: a rare event then becomes rarer still than its probability says, in netem as
/// here. A loss that comes in bursts at a known share is what the other models of [`crate::impairment::Loss`] are for.
#[derive(Debug, Clone)]
pub(super) struct Coin {
    chance: Chance,
    last: Option<f64>,
}

impl Coin {
    pub(super) fn new(chance: Chance) -> Self {
        Self { chance, last: None }
    }

    pub(super) fn toss(&mut self, dice: &mut Dice) -> bool {
        let fresh = dice.share();
        let lean = self.chance.correlation.clamp(0.0, 1.0);
        let last = self.last.unwrap_or(fresh);
        let number = fresh * (1.0 - lean) + last * lean;
        self.last = Some(number);
        // A sum of two shares may round up to 1, and what is certain stays certain.
        self.chance.probability >= 1.0 || number < self.chance.probability
    }
}
