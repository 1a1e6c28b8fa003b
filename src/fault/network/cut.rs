//! Which members of a cluster cannot hear which others: Jepsen's shapes, and two groups.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;

/// How a cluster falls apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One member against all others.
    One,
    /// Two halves; of an odd number the second is the larger.
    Halves,
    /// The smallest majority against the rest, who are sent nothing and heard no longer.
    Majority,
    /// In a ring each hears its neighbours: everyone sees a majority, and no two the same.
    Ring,
    /// Two halves, and one between them whom both hear.
    Bridge,
}

/// What the first sends does not reach the second; both are places in a list.
pub(in crate::fault) type Lost = BTreeSet<(usize, usize)>;

impl Shape {
    /// With fewer members it cuts nobody off, or everybody sees the same.
    pub fn least(self) -> usize {
        match self {
            Self::One | Self::Halves => 2,
            Self::Majority | Self::Bridge => 3,
            Self::Ring => 4,
        }
    }

    /// Has it a first group that can go unheard while it hears the others?
    pub fn has_sides(self) -> bool {
        self != Self::Ring
    }

    pub(in crate::fault) const WORDS: [(&'static str, Self); 5] = [
        ("halves", Self::Halves),
        ("one", Self::One),
        ("majority", Self::Majority),
        ("ring", Self::Ring),
        ("bridge", Self::Bridge),
    ];

    pub fn word(self) -> &'static str {
        let known = Self::WORDS.iter().find(|(_, shape)| *shape == self);
        known.map_or("", |(word, _)| word)
    }

    /// For so many members, who get their places by the seed and the step.
    pub(in crate::fault) fn cut(
        self,
        members: usize,
        one_way: bool,
        (seed, step): (u64, usize),
    ) -> Lost {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        // Not the numbers by which the members themselves were picked.
        rng.set_stream(u64::MAX - step as u64);
        let mut places: Vec<usize> = (0..members).collect();
        places.shuffle(&mut rng);
        let halves = |all: &[usize]| {
            let (first, second) = all.split_at(all.len() / 2);
            sides(first, second, one_way)
        };
        match self {
            Self::One => sides(
                &places[..members.min(1)],
                &places[members.min(1)..],
                one_way,
            ),
            Self::Halves => halves(&places),
            Self::Majority => {
                let rest = members.saturating_sub(1) / 2;
                sides(&places[..rest], &places[rest..], one_way)
            }
            Self::Bridge => halves(places.get(1..).unwrap_or_default()),
            Self::Ring => ring(&places),
        }
    }
}

/// The first side is not heard by the second; nor the second by the first, unless that is all.
pub(in crate::fault) fn sides(first: &[usize], second: &[usize], one_way: bool) -> Lost {
    let pairs = first
        .iter()
        .flat_map(|a| second.iter().map(move |b| (*a, *b)));
    pairs
        .flat_map(|(a, b)| [Some((a, b)), (!one_way).then_some((b, a))])
        .flatten()
        .collect()
}

/// Each hears as many to its left as to its right, so many that they are a majority with itself.
fn ring(places: &[usize]) -> Lost {
    let n = places.len();
    let reach = (n / 2).div_ceil(2);
    let mut lost = Lost::new();
    for (i, a) in places.iter().enumerate() {
        for (j, b) in places.iter().enumerate() {
            let apart = i.abs_diff(j);
            if apart.min(n - apart) > reach {
                lost.insert((*a, *b));
            }
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hears(lost: &Lost, n: usize, me: usize) -> BTreeSet<usize> {
        (0..n)
            .filter(|other| !lost.contains(&(*other, me)))
            .collect()
    }

    proptest! {
        #[test]
        fn both_ends_are_cut_alike_unless_one_way(shape in 0usize..5, n in 4usize..12, seed: u64) {
            let shape = Shape::WORDS[shape].1;
            let lost = shape.cut(n, false, (seed, 0));
            prop_assert!(!lost.is_empty());
            for (a, b) in &lost {
                prop_assert!(a != b && lost.contains(&(*b, *a)));
                prop_assert!(*a < n && *b < n);
            }
            prop_assert_eq!(&lost, &shape.cut(n, false, (seed, 0)));
            if shape.has_sides() {
                let half = shape.cut(n, true, (seed, 0));
                prop_assert_eq!(half.len() * 2, lost.len());
                for (a, b) in &half {
                    prop_assert!(lost.contains(&(*a, *b)) && !half.contains(&(*b, *a)));
                }
            }
        }

        #[test]
        fn each_shape_is_what_it_says(n in 4usize..12, seed: u64) {
            let cut = |shape: Shape| shape.cut(n, false, (seed, 0));
            let sizes = |shape: Shape| {
                let lost = cut(shape);
                let mut sizes: Vec<usize> = (0..n).map(|me| hears(&lost, n, me).len()).collect();
                sizes.sort_unstable();
                sizes
            };
            let groups = |small: usize| {
                let mut sizes = vec![small; small];
                sizes.extend(vec![n - small; n - small]);
                sizes.sort_unstable();
                sizes
            };
            prop_assert_eq!(sizes(Shape::One), groups(1));
            prop_assert_eq!(sizes(Shape::Halves), groups(n / 2));
            prop_assert_eq!(sizes(Shape::Majority), groups((n - 1) / 2));
            let bridge = sizes(Shape::Bridge);
            prop_assert_eq!(bridge.iter().filter(|size| **size == n).count(), 1);
            prop_assert_eq!(bridge[0], (n - 1) / 2 + 1);
            let ring = cut(Shape::Ring);
            let seen: Vec<_> = (0..n).map(|me| hears(&ring, n, me)).collect();
            prop_assert!(seen.iter().all(|one| one.len() > n / 2 && one.len() < n));
            let different: BTreeSet<_> = seen.iter().collect();
            prop_assert_eq!(different.len(), n);
        }

        #[test]
        fn all_pairs_of_two_sides_are_cut(n in 2usize..12, seed: u64) {
            for shape in [Shape::One, Shape::Halves] {
                let lost = shape.cut(n, false, (seed, 0));
                for a in 0..n {
                    for b in 0..n {
                        let together = hears(&lost, n, a) == hears(&lost, n, b);
                        prop_assert_eq!(together, !lost.contains(&(a, b)));
                    }
                }
            }
        }
    }
}
