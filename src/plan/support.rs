//! How much a number of samples can say: one-sided Clopper–Pearson bounds at 95 % confidence.
//!
//! A share seen in a few samples says little about the share to be expected. `k` good ones out of `n` support the claim
//! "at least `q` are good" if a system whose share is just `q` would do so well in at most 5 % of all runs. With every sample
//! good, 30 support 90.5 %, 120 support 97.5 %, 600 support 99.5 % and 2 995 support 99.9 %.

use std::time::Duration;

use statrs::function::gamma::ln_gamma;

use crate::scenario::{Metric, Objective, Relation};
use crate::units::Rate;

/// What may go wrong: 1 − confidence.
const ALPHA: f64 = 0.05;

/// No run has more samples than this; beyond it an objective counts as not supportable.
const MOST_SAMPLES: u64 = 1_000_000_000;

/// The largest share that `good` out of `of` samples support; 0 without samples.
pub fn lower_bound(good: u64, of: u64) -> f64 {
    if good == 0 || of == 0 {
        return 0.0;
    }
    if good >= of {
        return ALPHA.powf(1.0 / of as f64);
    }
    // Bisection: the tail rises with the share, and sixty halvings are all that a float can tell apart.
    let (mut low, mut high) = (0.0, good as f64 / of as f64);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if tail(good, of, middle) <= ALPHA {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Do `good` out of `of` samples support the claim that at least this share is good?
pub fn supports(good: u64, of: u64, share: f64) -> bool {
    if share <= 0.0 {
        return of > 0;
    }
    share < 1.0 && good > 0 && of > 0 && tail(good.min(of), of, share) <= ALPHA
}

/// The smallest number of good samples out of `of` that supports this share; `None` if not even all of them do.
pub fn good_needed(of: u64, share: f64) -> Option<u64> {
    if !supports(of, of, share) {
        return None;
    }
    let (mut fails, mut holds) = (0, of);
    while holds - fails > 1 {
        let middle = fails + (holds - fails) / 2;
        if supports(middle, of, share) {
            holds = middle;
        } else {
            fails = middle;
        }
    }
    Some(holds)
}

/// How many samples an objective needs when every one of them is as it should be; `None` if no number supports it, as is so
/// for 100 %. Objectives that are no claims about a share (`max`, `outage`, `throughput`, `recovery`) need one.
pub fn samples_needed(objective: &Objective) -> Option<u64> {
    let Some(share) = claimed_share(objective) else {
        return Some(1);
    };
    if share <= 0.0 {
        return Some(1);
    }
    if share >= 1.0 {
        return None;
    }
    let estimate = (ALPHA.ln() / share.ln()).floor().max(1.0) as u64;
    (estimate..=estimate.saturating_add(2))
        .find(|n| supports(*n, *n, share))
        .filter(|n| *n <= MOST_SAMPLES)
}

/// How many samples would be needed if the share of good ones stayed what it is; `None` if it is no better than the claim.
pub fn samples_needed_at(good: u64, of: u64, share: f64) -> Option<u64> {
    if of == 0 || good as f64 / of as f64 <= share {
        return None;
    }
    let scaled = |n: u64| (good as f64 / of as f64 * n as f64).floor() as u64;
    let mut enough = of.max(1);
    while !supports(scaled(enough), enough, share) {
        enough *= 2;
        if enough > MOST_SAMPLES {
            return None;
        }
    }
    let mut short = of;
    while enough - short > 1 {
        let middle = short + (enough - short) / 2;
        if supports(scaled(middle), middle, share) {
            enough = middle;
        } else {
            short = middle;
        }
    }
    Some(enough)
}

/// How long a probe of this rate must run before it can support the objective; `None` if no time is enough.
pub fn how_long(objective: &Objective, rate: Rate) -> Option<Duration> {
    let seconds = samples_needed(objective)? as f64 / rate.0;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The share of samples that an objective makes a claim about, if it is such a claim. "At most 1 % succeed" claims that 99 %
/// do not; "p99 <= 250ms" claims that 99 % take no longer.
pub fn claimed_share(objective: &Objective) -> Option<f64> {
    let upward = matches!(objective.relation, Relation::AtLeast | Relation::MoreThan);
    match (objective.metric, quantile(objective.metric)) {
        (Metric::Success, _) if upward => Some(objective.value),
        (Metric::Success, _) => Some(1.0 - objective.value),
        (_, Some(share)) if upward => Some(1.0 - share),
        (_, Some(share)) => Some(share),
        _ => None,
    }
}

/// The quantile that a percentile metric is about.
pub fn quantile(metric: Metric) -> Option<f64> {
    match metric {
        Metric::P50 => Some(0.5),
        Metric::P90 => Some(0.9),
        Metric::P95 => Some(0.95),
        Metric::P99 => Some(0.99),
        Metric::P999 => Some(0.999),
        _ => None,
    }
}

/// The probability of at least `good` good samples out of `of` when each is good with this probability.
fn tail(good: u64, of: u64, share: f64) -> f64 {
    let (a, b) = (good as f64, (of - good) as f64 + 1.0);
    if share <= 0.0 {
        return 0.0;
    }
    if share >= 1.0 {
        return 1.0;
    }
    // The fraction converges quickly only on this side of the mean.
    if share < (a + 1.0) / (a + b + 2.0) {
        incomplete_beta(a, b, share)
    } else {
        1.0 - incomplete_beta(b, a, 1.0 - share)
    }
}

/// The regularised incomplete beta function by its continued fraction (Lentz's method). statrs has one too, but it stops after
/// 140 terms: too few for the millions of samples that a day of probing brings.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    const TERMS: u32 = 100_000;
    const TINY: f64 = 1e-300;
    let nudge = |value: f64| if value.abs() < TINY { TINY } else { value };
    let front =
        ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p() - a.ln();
    let mut c = 1.0;
    let mut d = 1.0 / nudge(1.0 - (a + b) * x / (a + 1.0));
    let mut sum = d;
    for term in 1..=TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for factor in [even, odd] {
            d = 1.0 / nudge(1.0 + factor * d);
            c = nudge(1.0 + factor / c);
            step = c * d;
            sum *= step;
        }
        if (step - 1.0).abs() < 1e-14 {
            break;
        }
    }
    (front.exp() * sum).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn objective(metric: Metric, relation: Relation, value: f64) -> Objective {
        Objective {
            metric,
            relation,
            value,
        }
    }

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 5e-5
    }

    #[test]
    fn all_good_samples_support_the_published_shares() {
        for (n, share) in [(30, 0.9050), (120, 0.9753), (600, 0.9950), (2_995, 0.9990)] {
            assert!(
                close(lower_bound(n, n), share),
                "{n}: {}",
                lower_bound(n, n)
            );
        }
    }

    /// Against R: `binom.test(k, n, alternative = "greater")$conf.int`.
    #[test]
    fn bad_samples_lower_the_bound_as_published() {
        assert!(close(lower_bound(9, 10), 0.60584));
        assert!(close(lower_bound(97, 100), 0.92428));
        assert!(close(lower_bound(1, 20), 0.00256));
        assert_eq!(lower_bound(0, 20), 0.0);
        assert_eq!(lower_bound(0, 0), 0.0);
    }

    /// A normal approximation is good enough there to check against.
    #[test]
    fn a_day_of_samples_is_no_trouble() {
        let n = 8_640_000_u64;
        let good = n - 8_640;
        let share = good as f64 / n as f64;
        let normal = share - 1.6449 * (share * (1.0 - share) / n as f64).sqrt();
        assert!((lower_bound(good, n) - normal).abs() < 1e-6);
        let half = 0.5 - 1.6449 * (0.25 / n as f64).sqrt();
        assert!((lower_bound(n / 2, n) - half).abs() < 1e-6);
    }

    #[test]
    fn an_objective_needs_the_published_number_of_samples() {
        let need = |value| samples_needed(&objective(Metric::Success, Relation::AtLeast, value));
        assert_eq!(need(0.95), Some(59));
        assert_eq!(need(0.99), Some(299));
        assert_eq!(need(0.999), Some(2_995));
        assert_eq!(need(0.0), Some(1));
        assert_eq!(need(1.0), None);
        let p99 = objective(Metric::P99, Relation::AtMost, 250.0);
        assert_eq!(samples_needed(&p99), Some(299));
        let max = objective(Metric::Max, Relation::AtMost, 250.0);
        assert_eq!(samples_needed(&max), Some(1));
    }

    #[test]
    fn one_sample_fewer_is_not_enough() {
        assert!(supports(299, 299, 0.99));
        assert!(!supports(298, 298, 0.99));
        assert!(!supports(299, 300, 0.99));
        assert!(!supports(0, 0, 0.5));
    }

    #[test]
    fn a_claim_of_few_successes_counts_the_failures() {
        let refuse = objective(Metric::Success, Relation::AtMost, 0.05);
        assert_eq!(samples_needed(&refuse), Some(59));
    }

    #[test]
    fn time_follows_from_the_rate() {
        let p99 = objective(Metric::P99, Relation::AtMost, 250.0);
        assert_eq!(
            how_long(&p99, Rate(50.0)),
            Some(Duration::from_millis(5_980))
        );
        let never = objective(Metric::Success, Relation::AtLeast, 1.0);
        assert_eq!(how_long(&never, Rate(50.0)), None);
    }

    #[test]
    fn the_hint_at_the_same_share_is_just_enough() {
        let n = samples_needed_at(97, 100, 0.95).unwrap();
        assert!(supports((0.97 * n as f64) as u64, n, 0.95));
        assert!((200..700).contains(&n), "{n}");
        assert_eq!(samples_needed_at(95, 100, 0.95), None);
        assert_eq!(samples_needed_at(0, 0, 0.95), None);
    }

    proptest! {
        #[test]
        fn the_bound_lies_below_the_share_and_is_what_is_supported(
            of in 1_u64..5_000, part in 0.0..=1.0_f64,
        ) {
            let good = (of as f64 * part) as u64;
            let bound = lower_bound(good, of);
            prop_assert!((0.0..1.0).contains(&bound));
            prop_assert!(bound <= good as f64 / of as f64);
            prop_assert!(bound < 1e-9 || supports(good, of, bound - 1e-9));
            prop_assert!(!supports(good, of, bound + 1e-6));
        }

        #[test]
        fn the_number_needed_is_the_smallest(of in 1_u64..5_000, share in 0.01..0.999_f64) {
            match good_needed(of, share) {
                None => prop_assert!(!supports(of, of, share)),
                Some(k) => {
                    prop_assert!(supports(k, of, share));
                    prop_assert!(!supports(k - 1, of, share));
                }
            }
        }
    }
}
