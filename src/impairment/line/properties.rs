//! What must hold whatever is asked for, and in the long run.

use proptest::prelude::*;

use super::*;
use crate::impairment::{Chance, Delay, Distribution, Loss};

const PACKETS: usize = 40_000;

fn chance(probability: f64, correlation: f64) -> Chance {
    Chance {
        probability,
        correlation,
    }
}

fn fates(line: &Line, seed: u64) -> Vec<Fate> {
    let mut model = Model::new(line, seed, 0, Direction::Ingress);
    (0..PACKETS)
        .map(|_| model.decide(Duration::ZERO, 100))
        .collect()
}

fn lost(loss: Loss, seed: u64) -> Vec<bool> {
    let line = Line {
        loss: Some(loss),
        ..Line::default()
    };
    fates(&line, seed).iter().map(Fate::is_dropped).collect()
}

fn share(of: &[bool]) -> f64 {
    of.iter().filter(|is| **is).count() as f64 / of.len() as f64
}

/// Five deviations: once in 1.7 million.
fn is_binomial(measured: f64, asked: f64) -> bool {
    let deviation = (asked * (1.0 - asked) / PACKETS as f64).sqrt();
    (measured - asked).abs() <= 5.0 * deviation + 1e-12
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares = values.iter().map(|value| (value - mean).powi(2));
    (squares.sum::<f64>() / values.len() as f64).sqrt()
}

/// How much each leans on the one before.
fn correlation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let products = values
        .windows(2)
        .map(|two| (two[0] - mean) * (two[1] - mean));
    products.sum::<f64>() / (values.len() as f64 * deviation(values).powi(2))
}

fn delays(distribution: Distribution, correlation: f64, seed: u64) -> Vec<f64> {
    let line = Line {
        delay: Some(Delay {
            latency: Duration::from_millis(100),
            jitter: Duration::from_millis(10),
            correlation,
            distribution,
        }),
        ..Line::default()
    };
    let due = |fate: &Fate| fate.passages().next().unwrap().due;
    fates(&line, seed)
        .iter()
        .map(|fate| due(fate).as_secs_f64() * 1e3)
        .collect()
}

const DISTRIBUTIONS: [Distribution; 4] = [
    Distribution::Uniform,
    Distribution::Normal,
    Distribution::Pareto,
    Distribution::ParetoNormal,
];

#[test]
fn delays_have_the_mean_the_spread_and_the_memory_that_were_asked_for() {
    for distribution in DISTRIBUTIONS {
        for lean in [0.0, 0.25, 0.5, 0.8] {
            let delays = delays(distribution, lean, 7);
            let asked = match distribution {
                Distribution::Uniform => 10.0 / 3.0_f64.sqrt(),
                _ => 10.0,
            };
            let told = format!("{distribution:?} with {lean}");
            // Those that lean on each other are worth fewer.
            let worth = PACKETS as f64 * (1.0 - lean) / (1.0 + lean);
            let off = (mean(&delays) - 100.0).abs();
            assert!(
                off < 5.0 * asked / worth.sqrt(),
                "{told}: mean off by {off}"
            );
            let off = deviation(&delays) / asked - 1.0;
            assert!(off.abs() < 0.05, "{told}: spread off by {off}");
            let off = correlation(&delays) - lean;
            assert!(off.abs() < 0.08, "{told}: correlation off by {off}");
            let furthest = 100.0 + 10.0 * spread::FURTHEST + 1e-6;
            assert!(
                delays
                    .iter()
                    .all(|delay| (60.0 - 1e-6..=furthest).contains(delay))
            );
        }
    }
}

#[test]
fn quantiles_never_fall() {
    for distribution in DISTRIBUTIONS {
        let all: Vec<_> = (0..=1000)
            .map(|share| spread::quantile(distribution, f64::from(share) / 1000.0))
            .collect();
        assert!(all.is_sorted(), "{distribution:?}");
        assert!(
            all.iter().all(|at| at.abs() <= spread::FURTHEST + 1e-3),
            "{distribution:?}"
        );
        let mean = mean(&all);
        assert!(mean.abs() < 0.01, "{distribution:?}: {mean}");
    }
}

#[test]
fn jitter_changes_the_order_but_a_rate_keeps_it() {
    let mut line = Line {
        delay: Some(Delay {
            latency: Duration::from_millis(10),
            jitter: Duration::from_millis(10),
            correlation: 0.0,
            distribution: Distribution::Uniform,
        }),
        ..Line::default()
    };
    let dues = |line: &Line| {
        let due = |fate: &Fate| fate.passages().next().unwrap().due;
        fates(line, 1).iter().map(due).collect::<Vec<_>>()
    };
    assert!(!dues(&line).is_sorted());
    line.rate = Some(1_000_000_000);
    assert!(dues(&line).is_sorted());
}

#[test]
fn bursts_are_as_long_as_their_model_says() {
    let bursts = |lost: &[bool]| {
        let runs = lost.chunk_by(|a, b| a == b).filter(|run| run[0]);
        runs.map(|run| run.len() as f64).collect::<Vec<_>>()
    };
    let gilbert = Loss::GilbertElliott {
        p: 0.01,
        r: 0.25,
        bad: 1.0,
        good: 0.0,
    };
    let markov = |p13, p31, p14| Loss::Markov {
        p13,
        p31,
        p32: 0.0,
        p23: 1.0,
        p14,
    };
    let found = lost(gilbert, 3);
    assert!((mean(&bursts(&found)) - 4.0).abs() < 0.5);
    assert!((share(&found) - 0.01 / 0.26).abs() < 0.01);
    let found = lost(markov(0.01, 0.2, 0.0), 3);
    assert!((mean(&bursts(&found)) - 5.0).abs() < 0.7);
    let found = lost(markov(0.0, 1.0, 0.05), 3);
    assert!(bursts(&found).iter().all(|burst| *burst == 1.0));
    let none = Loss::GilbertElliott {
        p: 0.0,
        r: 0.0,
        bad: 1.0,
        good: 0.0,
    };
    assert_eq!(share(&lost(none, 3)), 0.0);
}

#[test]
fn a_chance_that_remembers_comes_in_bursts_but_not_more_often() {
    for (asked, lean) in [(0.1, 0.0), (0.1, 0.5), (0.01, 0.25), (0.5, 0.9)] {
        let found = lost(Loss::Random(chance(asked, lean)), 5);
        let numbers: Vec<_> = found.iter().map(|is| f64::from(u8::from(*is))).collect();
        let told = (asked, lean, share(&found), correlation(&numbers));
        let worth = PACKETS as f64 * (1.0 - lean) / (1.0 + lean);
        let deviation = (asked * (1.0 - asked) / worth).sqrt();
        assert!((share(&found) - asked).abs() < 5.0 * deviation, "{told:?}");
        assert!((correlation(&numbers) - lean).abs() < 0.05, "{told:?}");
    }
}

#[test]
fn a_loss_that_remembers_is_a_chain_that_both_back_ends_have() {
    let chance = chance(0.1, 0.5);
    let chain = Loss::Random(chance).as_chain();
    let Loss::GilbertElliott { p, r, bad, good } = chain else {
        panic!("{chain:?}");
    };
    assert!((p / (p + r) - 0.1).abs() < 1e-12 && (1.0 - p - r - 0.5).abs() < 1e-12);
    assert_eq!((bad, good), (1.0, 0.0));
    let free = Loss::Random(Chance {
        correlation: 0.0,
        ..chance
    });
    assert_eq!(free.as_chain(), free);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn shares_are_those_asked_for(asked in 0.0..=1.0_f64, seed: u64) {
        let line = |line: Line| fates(&line, seed);
        let found = lost(Loss::Random(chance(asked, 0.0)), seed);
        prop_assert!(is_binomial(share(&found), asked));
        let twice: Vec<_> = line(Line { duplicate: Some(chance(asked, 0.0)), ..Line::default() })
            .iter().map(Fate::is_duplicated).collect();
        prop_assert!(is_binomial(share(&twice), asked));
        let spoilt: Vec<_> = line(Line { corrupt: Some(chance(asked, 0.0)), ..Line::default() })
            .iter().flat_map(Fate::passages).map(|passage| passage.flip.is_some()).collect();
        prop_assert!(is_binomial(share(&spoilt), asked));
        let reorder = Reorder { chance: chance(asked, 0.0), gap: 0 };
        let first: Vec<_> = line(Line { reorder: Some(reorder), ..Line::default() })
            .iter().flat_map(Fate::passages).map(|passage| passage.reordered).collect();
        prop_assert!(is_binomial(share(&first), asked));
    }
}

fn any_chance() -> impl Strategy<Value = Chance> {
    (any::<f64>(), any::<f64>()).prop_map(|(a, b)| chance(a, b))
}

fn any_duration() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(s, n)| Duration::new(s, n))
}

fn any_loss() -> impl Strategy<Value = Loss> {
    let five = || any::<[f64; 5]>();
    prop_oneof![
        any_chance().prop_map(Loss::Random),
        five().prop_map(|[p, r, bad, good, _]| Loss::GilbertElliott { p, r, bad, good }),
        five().prop_map(|[p13, p31, p32, p23, p14]| Loss::Markov {
            p13,
            p31,
            p32,
            p23,
            p14
        }),
    ]
}

fn any_delay() -> impl Strategy<Value = Delay> {
    let distribution = proptest::sample::select(DISTRIBUTIONS.as_slice());
    (any_duration(), any_duration(), any::<f64>(), distribution).prop_map(
        |(latency, jitter, correlation, distribution)| Delay {
            latency,
            jitter,
            correlation,
            distribution,
        },
    )
}

fn any_line() -> impl Strategy<Value = Line> {
    use proptest::option::of;
    let reorder = (any_chance(), any::<u32>()).prop_map(|(chance, gap)| Reorder { chance, gap });
    (
        of(any_delay()),
        of(any_loss()),
        of(any_chance()),
        of(any_chance()),
        of(reorder),
        of(any::<u64>()),
    )
        .prop_map(|(delay, loss, corrupt, duplicate, reorder, rate)| Line {
            delay,
            loss,
            corrupt,
            duplicate,
            reorder,
            rate,
        })
}

proptest! {
    #[test]
    fn whatever_is_asked_for_no_packet_leaves_before_it_came(
        line in any_line(),
        seed: u64,
        rule: usize,
        packets in prop::collection::vec((any_duration(), any::<usize>()), 0..50),
    ) {
        let mut model = Model::new(&line, seed, rule, Direction::Both);
        for (now, length) in packets {
            for passage in model.decide(now, length).passages() {
                prop_assert!(passage.due >= now);
            }
        }
    }

    #[test]
    fn what_is_decided_does_not_depend_on_when(line in any_line(), seed: u64, steps in prop::collection::vec(0..1_000_u64, 30)) {
        let decide = |steps: &mut dyn Iterator<Item = u64>| {
            let mut model = Model::new(&line, seed, 0, Direction::Egress);
            let mut now = Duration::ZERO;
            (0..30).map(|_| {
                now += Duration::from_micros(steps.next().unwrap_or_default());
                let fate = model.decide(now, 100);
                fate.passages().map(|passage| (passage.flip, passage.reordered)).collect::<Vec<_>>()
            }).collect::<Vec<_>>()
        };
        prop_assert_eq!(decide(&mut steps.into_iter()), decide(&mut std::iter::empty()));
    }

    #[test]
    fn no_more_passes_than_the_rate(
        rate in 1_000..1_000_000_000_u64,
        packets in prop::collection::vec((0..5_000_u64, 1..65_536_usize), 1..100),
    ) {
        let line = Line { rate: Some(rate), ..Line::default() };
        let mut model = Model::new(&line, 1, 0, Direction::Egress);
        let (mut now, mut last, mut sent, mut idle) = (Duration::ZERO, Duration::ZERO, 0, Duration::ZERO);
        let count = packets.len() as f64;
        for (step, length) in packets {
            now += Duration::from_micros(step);
            idle += now.saturating_sub(last);
            sent += length * 8;
            let due = model.decide(now, length).passages().next().unwrap().due;
            prop_assert!(due >= last);
            last = due;
        }
        // Whenever something waits, the line is busy, and never with more than it carries.
        let busy = (last - idle).as_secs_f64();
        let needed = sent as f64 / rate as f64;
        prop_assert!((busy - needed).abs() < 2e-9 * count + needed * 1e-9, "{busy} {needed}");
    }
}
