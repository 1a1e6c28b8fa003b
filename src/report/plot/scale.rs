//! Axes: round moments of time, and decades of latency.

use std::time::Duration;

use super::Axis;
use crate::units::{Micros, format_duration};

/// Distances between ticks, in milliseconds.
const STEPS: &[u64] = &[
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000,
    120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 21_600_000,
    43_200_000, 86_400_000,
];
const MOST_TICKS: u64 = 10;

/// A line across a figure, with what it stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// In percent of the width, or in the drawing's units of the height.
    pub at: f64,
    pub label: String,
    /// Left out where there is little room.
    pub minor: bool,
}

/// Round moments of the run.
pub(super) fn times(axis: Axis) -> Vec<Tick> {
    let span = (axis.to - axis.from) / 1_000;
    let fits = |step: &&u64| span / **step <= MOST_TICKS;
    let last = STEPS.iter().copied().max().unwrap_or(1);
    // Beyond the largest step, whole multiples of it.
    let step = STEPS
        .iter()
        .find(fits)
        .copied()
        .unwrap_or_else(|| (span / MOST_TICKS).div_ceil(last) * last);
    let step = step * 1_000;
    (axis.from.div_ceil(step)..=axis.to / step)
        .map(|k| Tick {
            at: axis.along(k * step) * 100.0,
            label: time(k * step),
            minor: k % 2 == 1,
        })
        .collect()
}

/// A moment of the run: `12.5s`.
pub(super) fn time(at: Micros) -> String {
    format_duration(Duration::from_micros(at))
}

/// A line at the very edge would lose half of its width.
const PAD: f64 = 3.0;

/// A logarithmic scale in whole decades.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Decades {
    low: f64,
    high: f64,
    height: f64,
}

impl Decades {
    /// Wide enough for both, one decade at the least.
    pub(super) fn new(least: Micros, most: Micros, height: f64) -> Self {
        let low = (least.max(1) as f64).log10().floor();
        // A timeout of a second that took a moment longer needs no decade more.
        let high = (most.max(1) as f64).log10() - 0.02;
        let high = high.ceil().max(low + 1.0);
        Self { low, high, height }
    }

    /// From the top.
    pub(super) fn place(self, us: Micros) -> f64 {
        let share = ((us.max(1) as f64).log10() - self.low) / (self.high - self.low);
        PAD + (self.height - 2.0 * PAD) * (1.0 - share.clamp(0.0, 1.0))
    }

    pub(super) fn ticks(self) -> Vec<Tick> {
        let (low, high) = (self.low as u32, self.high as u32);
        // A day is eleven decades above a microsecond: there are always few.
        (low..=high)
            .map(|power| {
                let us = 10_u64.saturating_pow(power);
                Tick {
                    at: self.place(us),
                    label: time(us),
                    minor: high - low > 4 && (high - power) % 2 == 1,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_few_whatever_the_length() {
        let axis = |from: u64, to: u64| Axis { from, to };
        let short = times(axis(2_000, 37_000_000));
        assert_eq!(
            labels(&short),
            ["5s", "10s", "15s", "20s", "25s", "30s", "35s"].as_slice()
        );
        assert!((short[0].at - 13.509).abs() < 0.001, "{:?}", short[0]);
        let hour = times(axis(0, 3_600_000_000));
        assert_eq!(labels(&hour)[..3], ["0s", "10m", "20m"]);
        for span in [
            1,
            999,
            1_500,
            86_400_000_000,
            8_640_000_000_000,
            u64::MAX / 2,
        ] {
            let ticks = times(axis(7, 7 + span));
            assert!(ticks.len() <= 12, "{span}: {}", ticks.len());
            assert!(ticks.iter().all(|tick| (0.0..=100.0).contains(&tick.at)));
        }
    }

    #[test]
    fn latencies_lie_on_whole_decades() {
        let scale = Decades::new(800, 1_000_000, 100.0);
        assert_eq!(
            labels(&scale.ticks()),
            ["100us", "1ms", "10ms", "100ms", "1s"]
        );
        assert_eq!((scale.place(100), scale.place(1_000_000)), (97.0, 3.0));
        assert!((scale.place(10_000) - 50.0).abs() < 1e-9);
        assert_eq!(
            scale.place(u64::MAX),
            3.0,
            "what lies beyond is at the edge"
        );
    }

    #[test]
    fn no_latency_at_all_still_has_a_scale() {
        let scale = Decades::new(0, 0, 100.0);
        assert_eq!(labels(&scale.ticks()), ["1us", "10us"]);
        assert!(Decades::new(u64::MAX, u64::MAX, 1.0).ticks().len() < 4);
    }
}
