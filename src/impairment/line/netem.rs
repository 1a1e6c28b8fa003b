//! What the kernel's netem must be told, so that it does what was asked for.
//!
//! It makes a chance remember by leaning its random numbers on each other, so that they crowd around their middle: the share of
//! what is rare shrinks to next to nothing. So losses go by a model of its own that keeps their share, and of whatever has no
//! such model the probability is moved to where that many of the leaning numbers lie below.

use super::dice::Dice;
use crate::impairment::{Chance, Direction, Line, Loss};

/// Enough for a share of one in a thousand.
const NUMBERS: usize = 1 << 17;

impl Line {
    /// The same line in netem's terms.
    pub fn for_netem(&self) -> Self {
        let mut line = self.clone();
        line.loss = line.loss.as_ref().map(Loss::as_chain);
        line.corrupt = line.corrupt.map(moved);
        line.duplicate = line.duplicate.map(moved);
        if let Some(reorder) = &mut line.reorder {
            reorder.chance = moved(reorder.chance);
        }
        line
    }
}

fn moved(chance: Chance) -> Chance {
    if chance.correlation <= 0.0 || chance.probability >= 1.0 {
        return chance;
    }
    let mut numbers = leaning(chance.correlation, 0);
    numbers.sort_unstable_by(f64::total_cmp);
    let below = (chance.probability * NUMBERS as f64) as usize;
    Chance {
        probability: numbers[below.min(NUMBERS - 1)],
        ..chance
    }
}

/// As netem's get them: each is in part the one before.
fn leaning(correlation: f64, seed: u64) -> Vec<f64> {
    let mut dice = Dice::new(seed, 0, Direction::Both);
    let mut last = 0.5;
    let mut next = || {
        last = dice.share() * (1.0 - correlation) + last * correlation;
        last
    };
    // It forgets where it began.
    for _ in 0..1_000 {
        next();
    }
    std::iter::repeat_with(next).take(NUMBERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impairment::Reorder;

    fn share(chance: Chance) -> f64 {
        let numbers = leaning(chance.correlation, 7);
        let below = numbers
            .iter()
            .filter(|number| **number < chance.probability);
        below.count() as f64 / NUMBERS as f64
    }

    #[test]
    fn as_much_happens_as_was_asked_for() {
        for (probability, correlation) in [(0.1, 0.5), (0.01, 0.25), (0.5, 0.9), (0.001, 0.3)] {
            let asked = Chance {
                probability,
                correlation,
            };
            assert!(
                probability == 0.5 || share(asked) < probability / 2.0,
                "{asked:?}"
            );
            let off = share(moved(asked)) / probability - 1.0;
            assert!(off.abs() < 0.25, "{asked:?}: off by {off}");
        }
    }

    #[test]
    fn what_does_not_remember_is_as_it_was() {
        let free = Chance {
            probability: 0.1,
            correlation: 0.0,
        };
        let line = Line {
            corrupt: Some(free),
            duplicate: Some(free),
            loss: Some(Loss::Random(free)),
            reorder: Some(Reorder {
                chance: free,
                gap: 1,
            }),
            ..Line::default()
        };
        assert_eq!(line.for_netem(), line);
        let leans = Line {
            loss: Some(Loss::Random(Chance {
                correlation: 0.5,
                ..free
            })),
            ..line
        };
        assert!(matches!(
            leans.for_netem().loss,
            Some(Loss::GilbertElliott { .. })
        ));
    }
}
