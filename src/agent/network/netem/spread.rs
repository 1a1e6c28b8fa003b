//! The tables that netem draws delays from: both back ends spread them alike.

use std::sync::LazyLock;

use crate::impairment::Distribution;
use crate::impairment::line::spread::quantile;

/// What netem multiplies by the jitter, in parts of [`SCALE`]; each entry is as likely as any other.
type Table = Vec<i16>;

/// `NETEM_DIST_SCALE`.
const SCALE: f64 = 8192.0;
/// The kernel takes up to four times as many.
const ENTRIES: u32 = 4096;

/// `None`: netem's own way, which is uniform.
pub(super) fn table(distribution: Distribution) -> Option<&'static [i16]> {
    static NORMAL: LazyLock<Table> = LazyLock::new(|| build(Distribution::Normal));
    static PARETO: LazyLock<Table> = LazyLock::new(|| build(Distribution::Pareto));
    static MIXED: LazyLock<Table> = LazyLock::new(|| build(Distribution::ParetoNormal));
    match distribution {
        Distribution::Uniform => None,
        Distribution::Normal => Some(&NORMAL),
        Distribution::Pareto => Some(&PARETO),
        Distribution::ParetoNormal => Some(&MIXED),
    }
}

/// Each entry stands for as much of the distribution as the others, by the middle of its part.
#[expect(clippy::cast_possible_truncation, reason = "cut to what fits")]
fn build(distribution: Distribution) -> Table {
    (0..ENTRIES)
        .map(|entry| {
            let share = (f64::from(entry) + 0.5) / f64::from(ENTRIES);
            (quantile(distribution, share) * SCALE)
                .round()
                .clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_the_mean_and_the_deviation_that_netem_counts_in() {
        for distribution in [
            Distribution::Normal,
            Distribution::Pareto,
            Distribution::ParetoNormal,
        ] {
            let table = table(distribution).unwrap();
            let entries = table.iter().map(|entry| f64::from(*entry) / SCALE);
            let count = table.len() as f64;
            let mean = entries.clone().sum::<f64>() / count;
            let deviation = (entries.map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
            assert!(mean.abs() < 0.01, "{distribution:?}: mean {mean}");
            assert!(
                (deviation - 1.0).abs() < 0.01,
                "{distribution:?}: {deviation}"
            );
            assert!(table.is_sorted());
        }
        assert_eq!(table(Distribution::Uniform), None);
    }

    #[test]
    fn half_of_the_normal_delays_are_early_and_most_of_the_paretos() {
        let early = |distribution| {
            let table = table(distribution).unwrap();
            table.partition_point(|entry| *entry < 0) as f64 / table.len() as f64
        };
        assert!((early(Distribution::Normal) - 0.5).abs() < 0.001);
        assert!(early(Distribution::Pareto) > 0.65);
        assert!(early(Distribution::ParetoNormal) > 0.55);
    }
}
