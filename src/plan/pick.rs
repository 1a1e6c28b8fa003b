//! Which of the matches are hit: the same seed picks the same ones, by identity, whatever order the engine lists them in.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;

use crate::inventory::Instance;
use crate::scenario::Pick;

/// How many of `matches` a pick takes.
pub fn count(pick: Pick, matches: usize) -> usize {
    let wanted = match pick {
        Pick::All => matches,
        Pick::One => 1,
        Pick::Count(n) => n,
        // 55 % of 100 are 55, whatever is left over in the last digit of a float.
        Pick::Share(share) => (share * matches as f64 - 1e-9).ceil() as usize,
        Pick::Minority => matches.saturating_sub(1) / 2,
        Pick::Majority => matches / 2 + 1,
    };
    wanted.min(matches)
}

/// The picked ones, sorted by identity. `step` is the step's place in the scenario: each step draws from a stream of its own,
/// so that adding one leaves the others' choices alone.
pub fn pick(mut matches: Vec<Instance>, pick: Pick, seed: u64, step: usize) -> Vec<Instance> {
    let wanted = count(pick, matches.len());
    matches.sort_by_key(Instance::identity);
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    rng.set_stream(step as u64);
    matches.shuffle(&mut rng);
    matches.truncate(wanted);
    matches.sort_by_key(Instance::identity);
    matches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::instance;
    use proptest::prelude::*;

    fn names(picked: &[Instance]) -> Vec<String> {
        picked.iter().map(Instance::identity).collect()
    }

    fn nodes(n: usize) -> Vec<Instance> {
        (1..=n).map(|i| instance(&format!("node-{i}"))).collect()
    }

    #[test]
    fn counts_follow_their_definition() {
        let of = |p| [1, 2, 3, 4, 5].map(|n| count(p, n));
        assert_eq!(of(Pick::Minority), [0, 0, 1, 1, 2]);
        assert_eq!(of(Pick::Majority), [1, 2, 2, 3, 3]);
        assert_eq!(of(Pick::Share(0.5)), [1, 1, 2, 2, 3]);
        assert_eq!(count(Pick::Share(0.55), 100), 55);
        assert_eq!(count(Pick::Share(0.001), 3), 1);
        assert_eq!(of(Pick::Count(3)), [1, 2, 3, 3, 3]);
        assert_eq!(count(Pick::One, 0), 0);
    }

    #[test]
    fn another_step_or_seed_picks_anew() {
        let first = names(&pick(nodes(50), Pick::Count(5), 42, 0));
        assert_eq!(first, names(&pick(nodes(50), Pick::Count(5), 42, 0)));
        assert_ne!(first, names(&pick(nodes(50), Pick::Count(5), 43, 0)));
        assert_ne!(first, names(&pick(nodes(50), Pick::Count(5), 42, 1)));
    }

    proptest! {
        #[test]
        fn the_engines_order_does_not_matter(n in 1usize..20, k in 1usize..20, seed: u64, turn in 0usize..20) {
            let mut other = nodes(n);
            other.rotate_left(turn % n);
            prop_assert_eq!(
                names(&pick(nodes(n), Pick::Count(k), seed, 3)),
                names(&pick(other, Pick::Count(k), seed, 3))
            );
        }
    }
}
