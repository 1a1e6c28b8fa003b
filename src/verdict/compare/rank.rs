//! Could it be chance? Two tests that assume no shape of what they look at; each gives the probability that as much of a
//! difference comes up where there is none.

use std::cmp::Ordering;

use statrs::distribution::{ContinuousCDF as _, DiscreteCDF as _, Hypergeometric, Normal};

/// Up to so many runs in all every way to share them out is counted; beyond it the sum of ranks is close to normal.
const MOST_EXACT: usize = 60;

/// Something measured in one run, better known as an interval: the true value lies in `[low, high]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Span {
    pub(crate) fn exactly(value: f64) -> Self {
        Self {
            low: value,
            high: value,
        }
    }

    /// Intervals that overlap say nothing about which is the larger.
    fn order(self, other: Self) -> Ordering {
        if self.low > other.high {
            Ordering::Greater
        } else if self.high < other.low {
            Ordering::Less
        } else {
            Ordering::Equal
        }
    }
}

/// The probability that `after` would be so much larger than `before` by chance: the rank sum test (Wilcoxon's, Gehan's where
/// intervals overlap), by permutation. 1 where one side is empty.
pub(super) fn larger_by_chance(before: &[Span], after: &[Span]) -> f64 {
    let pooled: Vec<Span> = before.iter().chain(after).copied().collect();
    if before.is_empty() || after.is_empty() {
        return 1.0;
    }
    let scores: Vec<i64> = pooled.iter().map(|one| score(*one, &pooled)).collect();
    let seen: i64 = scores[before.len()..].iter().sum();
    if pooled.len() <= MOST_EXACT {
        exact(&scores, after.len(), seen)
    } else {
        nearly(&scores, after.len(), seen)
    }
}

/// The least probability that [`larger_by_chance`] can give for so many runs.
pub(super) fn least(before: usize, after: usize) -> f64 {
    let low = vec![Span::exactly(0.0); before];
    let high = vec![Span::exactly(1.0); after];
    larger_by_chance(&low, &high)
}

/// How many it is larger than, less how many are larger than it.
fn score(one: Span, all: &[Span]) -> i64 {
    all.iter()
        .map(|other| match one.order(*other) {
            Ordering::Greater => 1,
            Ordering::Equal => 0,
            Ordering::Less => -1,
        })
        .sum()
}

/// Of all ways to choose `count` of the scores, the share whose sum is at least `seen`.
fn exact(scores: &[i64], count: usize, seen: i64) -> f64 {
    let most: i64 = scores.iter().map(|score| score.abs()).sum();
    let width = usize::try_from(2 * most + 1).unwrap_or(1);
    let place = |sum: i64| usize::try_from(sum + most).unwrap_or(0);
    // `ways[k][sum]`: to choose k of those looked at so far with this sum.
    let mut ways = vec![vec![0.0_f64; width]; count + 1];
    ways[0][place(0)] = 1.0;
    for (looked_at, score) in scores.iter().enumerate() {
        for k in (0..count.min(looked_at + 1)).rev() {
            for sum in 0..width {
                let found = ways[k][sum];
                if found > 0.0 {
                    let next = place(sum as i64 - most + score);
                    ways[k + 1][next] += found;
                }
            }
        }
    }
    let all: f64 = ways[count].iter().sum();
    let as_much: f64 = ways[count][place(seen)..].iter().sum();
    as_much / all
}

fn nearly(scores: &[i64], count: usize, seen: i64) -> f64 {
    let (n, m) = (scores.len() as f64, count as f64);
    let squares: f64 = scores.iter().map(|score| (*score as f64).powi(2)).sum();
    let deviation = (m * (n - m) * squares / (n * (n - 1.0))).sqrt();
    // Sums step by two as a rule: half a step back.
    let z = (seen as f64 - 1.0) / deviation;
    match Normal::standard() {
        _ if deviation <= 0.0 => 1.0,
        normal => normal.sf(z),
    }
}

/// `count` of `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) count: u64,
    pub(crate) of: u64,
}

/// The probability that so large a part of `after` would be chance if both sides had the same share: Fisher's exact test. It
/// takes every sample for independent of the others.
pub(super) fn more_by_chance(before: Part, after: Part) -> f64 {
    let all = before.of.saturating_add(after.of);
    let counted = before.count.saturating_add(after.count);
    match (Hypergeometric::new(all, counted, after.of), after.count) {
        (Ok(_), 0) | (Err(_), _) => 1.0,
        (Ok(by_chance), count) => by_chance.sf(count - 1).clamp(0.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(values: &[f64]) -> Vec<Span> {
        values.iter().copied().map(Span::exactly).collect()
    }

    fn by_chance(before: &[f64], after: &[f64]) -> f64 {
        larger_by_chance(&spans(before), &spans(after))
    }

    #[test]
    fn three_against_three_is_the_least_that_can_tell() {
        assert!((by_chance(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]) - 0.05).abs() < 1e-12);
        assert!((least(2, 2) - 1.0 / 6.0).abs() < 1e-12);
        assert!((least(1, 1) - 0.5).abs() < 1e-12);
        assert!((least(1, 19) - 0.05).abs() < 1e-12);
    }

    /// Counted by hand: 7 of the 126 ways to choose five have a rank sum as high.
    #[test]
    fn as_counted() {
        let before = [1.1, 2.2, 3.3, 4.4];
        let after = [2.5, 3.5, 4.5, 5.5, 6.5];
        assert!((by_chance(&before, &after) - 7.0 / 126.0).abs() < 1e-12);
        assert!(by_chance(&after, &before) > 0.9);
    }

    #[test]
    fn what_overlaps_tells_nothing() {
        let wide = |low, high| Span { low, high };
        let before = [wide(0.0, 10.0), wide(0.0, 10.0), wide(0.0, 10.0)];
        let after = [wide(5.0, 12.0), wide(9.0, 20.0), wide(10.0, 11.0)];
        assert!((larger_by_chance(&before, &after) - 1.0).abs() < 1e-12);
        let never = Span {
            low: 30.0,
            high: f64::INFINITY,
        };
        assert!((larger_by_chance(&before, &[never; 3]) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn many_are_nearly_what_they_are_exactly() {
        let before: Vec<i64> = (0..30).map(|n| (n * 37) % 101).collect();
        let after: Vec<i64> = (0..30).map(|n| (n * 37) % 101 + 12).collect();
        let spans = |all: &[i64]| {
            all.iter()
                .map(|n| Span::exactly(*n as f64))
                .collect::<Vec<_>>()
        };
        let pooled: Vec<Span> = spans(&before).into_iter().chain(spans(&after)).collect();
        let scores: Vec<i64> = pooled.iter().map(|one| score(*one, &pooled)).collect();
        let seen = scores[30..].iter().sum();
        let (exact, near) = (exact(&scores, 30, seen), nearly(&scores, 30, seen));
        assert!((exact - near).abs() < 0.003, "{exact} {near}");
    }

    /// The sum of the four terms of the hypergeometric distribution from 15 up.
    #[test]
    fn parts_as_fisher_says() {
        let part = |count, of| Part { count, of };
        let p = more_by_chance(part(3, 500), part(15, 500));
        assert!((p - 0.003_516_5).abs() < 1e-6, "{p}");
        assert!(more_by_chance(part(15, 500), part(3, 500)) > 0.99);
        for nothing in [part(0, 0), part(0, 100)] {
            assert!((more_by_chance(nothing, nothing) - 1.0).abs() < 1e-12);
        }
    }
}
