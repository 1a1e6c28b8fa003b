//! How delays lie around their mean: each distribution by its quantile function, in units of the jitter.
//!
//! The jitter is the half width of the uniform distribution and the standard deviation of the others, which end at four of
//! them, as netem's tables do. A delay that would be negative is 0; a jitter well below the latency never asks for one.

use std::sync::LazyLock;
use std::time::Duration;

use statrs::distribution::{ContinuousCDF as _, Normal};

use super::dice::Dice;
use crate::impairment::{Delay, Distribution};

/// No delay lies further from the mean, in units of the jitter.
pub const FURTHEST: f64 = 4.0;

/// 1 / α of the Pareto distribution.
const TAIL: f64 = 1.0 / 3.0;

/// Where it is cut, for its furthest point to lie at [`FURTHEST`] once mean and deviation are taken out.
const CUT: f64 = 3.726974;

/// Mean and deviation of the distribution with α = 3 from 1 on, with all beyond the cut at the cut.
static PARETO: LazyLock<(f64, f64)> = LazyLock::new(|| {
    let mean = 1.5 - 0.5 / (CUT * CUT);
    (mean, (3.0 - 2.0 / CUT - mean * mean).sqrt())
});

/// The deviation of a quarter of the normal with three quarters of the Pareto distribution, both at the same quantile.
static MIXED: LazyLock<f64> = LazyLock::new(|| {
    const STEPS: u32 = 20_000;
    let squares = (0..STEPS).map(|step| {
        let share = (f64::from(step) + 0.5) / f64::from(STEPS);
        mixed(share).powi(2)
    });
    (squares.sum::<f64>() / f64::from(STEPS)).sqrt()
});

static NORMAL: LazyLock<Normal> = LazyLock::new(Normal::standard);

/// Where this share of the delays lies below, in units of the jitter from the mean.
pub fn quantile(distribution: Distribution, share: f64) -> f64 {
    match distribution {
        Distribution::Uniform => 2.0 * share.clamp(0.0, 1.0) - 1.0,
        Distribution::Normal => normal(share),
        Distribution::Pareto => pareto(share),
        Distribution::ParetoNormal => (mixed(share) / *MIXED).min(FURTHEST),
    }
}

fn normal(share: f64) -> f64 {
    let inside = share.clamp(1e-9, 1.0 - 1e-9);
    NORMAL.inverse_cdf(inside).clamp(-FURTHEST, FURTHEST)
}

fn pareto(share: f64) -> f64 {
    let (mean, deviation) = *PARETO;
    let above = (1.0 - share).clamp(0.0, 1.0);
    (above.powf(-TAIL).min(CUT) - mean) / deviation
}

fn mixed(share: f64) -> f64 {
    0.25 * normal(share) + 0.75 * pareto(share)
}

/// No packet is delayed by less.
pub fn least(delay: &Delay) -> Duration {
    at(delay, quantile(delay.distribution, 0.0))
}

/// The delays of one line.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    delay: Delay,
    /// Of a normal distribution, so that a correlation leaves the spread as wide as it was asked for.
    last: f64,
}

impl Spread {
    pub(super) fn new(delay: &Delay, dice: &mut Dice) -> Self {
        let last = if remembers(delay) {
            normal(dice.share())
        } else {
            0.0
        };
        Self {
            delay: delay.clone(),
            last,
        }
    }

    pub(super) fn next(&mut self, dice: &mut Dice) -> Duration {
        if self.delay.jitter.is_zero() {
            return self.delay.latency;
        }
        let mut share = dice.share();
        if remembers(&self.delay) {
            let lean = self.delay.correlation.clamp(0.0, 1.0);
            self.last = lean * self.last + (1.0 - lean * lean).sqrt() * normal(share);
            share = NORMAL.cdf(self.last);
        }
        at(&self.delay, quantile(self.delay.distribution, share))
    }
}

fn remembers(delay: &Delay) -> bool {
    delay.correlation > 0.0 && !delay.jitter.is_zero()
}

/// The delay so many jitters away from the mean.
pub(in crate::impairment) fn at(delay: &Delay, jitters: f64) -> Duration {
    let seconds = delay.jitter.as_secs_f64() * jitters.abs();
    let offset = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    if jitters < 0.0 {
        delay.latency.saturating_sub(offset)
    } else {
        delay.latency.saturating_add(offset)
    }
}
