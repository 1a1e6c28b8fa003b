use proptest::prelude::*;

use super::*;
use crate::impairment::line::Model;
use crate::impairment::{Chance, Distribution, Flow, Ports, Protocol, Reorder, Rule};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn trips(ms: &[u64]) -> Vec<Option<Duration>> {
    let trip = |ms: &u64| Some(Duration::from_millis(*ms));
    ms.iter().map(trip).collect()
}

fn flow(direction: Direction) -> Flow {
    Flow {
        direction,
        peers: Vec::new(),
        ports: Vec::new(),
        protocol: None,
        at: Vec::new(),
    }
}

fn of(rules: Vec<(Flow, Effect)>) -> Impairment {
    let rules = rules.into_iter();
    Impairment {
        rules: rules.map(|(flow, effect)| Rule { flow, effect }).collect(),
        seed: 0,
    }
}

fn all(effect: Effect) -> Impairment {
    of(vec![(flow(Direction::Both), effect)])
}

fn delay(latency: Duration, jitter: Duration) -> Line {
    Line {
        delay: Some(Delay {
            latency,
            jitter,
            correlation: 0.0,
            distribution: Distribution::Uniform,
        }),
        ..Line::default()
    }
}

fn line(line: Line) -> Effect {
    Effect::Line(Box::new(line))
}

fn late(latency: u64) -> Effect {
    line(delay(ms(latency), Duration::ZERO))
}

fn chance(probability: f64) -> Chance {
    Chance {
        probability,
        correlation: 0.0,
    }
}

fn trip(near: &Impairment) -> Trip<'_> {
    Trip {
        near: Some(near),
        far: None,
        from: Some(IpAddr::from([10, 0, 0, 1])),
        peer: IpAddr::from([10, 0, 0, 2]),
        port: None,
    }
}

fn expected(near: &Impairment, port: Option<u16>) -> Expectation {
    round_trips(&Trip { port, ..trip(near) }, &trips(&[1; 10]))
}

fn is_rise(expectation: &Expectation, more: u64) -> bool {
    match expectation {
        Expectation::Rise {
            at_least, at_most, ..
        } => *at_least <= ms(more) && at_most.is_none_or(|most| most >= ms(more)),
        _ => false,
    }
}

#[test]
fn a_delay_of_nothing_or_half_or_twice_is_found_with_its_numbers() {
    let before = trips(&[1; 10]);
    let expected = expected(&all(late(50)), None);
    let finding = |now| expected.judge(&before, &trips(&[now; 10]));
    assert_eq!(
        finding(101),
        Finding::Shown(
            "round trips of 1ms before, 101ms now (10 of 10 answered); expected 80ms to 150ms more"
                .into()
        )
    );
    for wrong in [1, 51, 201] {
        let Finding::Missing(told) = finding(wrong) else {
            panic!("{wrong}: {:?}", finding(wrong));
        };
        assert!(told.contains(&format!(" {wrong}ms now")), "{told}");
    }
}

#[test]
fn a_busy_machine_is_no_wrong_delay() {
    let before = trips(&[1; 10]);
    let expected = expected(&all(late(50)), None);
    let now = trips(&[101, 105, 104, 102, 180, 250, 500, 900, 130, 400]);
    assert!(matches!(expected.judge(&before, &now), Finding::Shown(_)));
}

#[test]
fn each_way_counts_by_itself_at_both_ends() {
    let egress = of(vec![(flow(Direction::Egress), late(50))]);
    let both = all(late(50));
    assert!(is_rise(&expected(&egress, None), 50));
    assert!(!is_rise(&expected(&egress, None), 100));
    assert!(is_rise(&expected(&both, None), 100));
    let trip = Trip {
        far: Some(&both),
        ..trip(&egress)
    };
    assert!(is_rise(&round_trips(&trip, &trips(&[1; 10])), 150));
    let from_afar = Trip { near: None, ..trip };
    assert!(is_rise(&round_trips(&from_afar, &trips(&[1; 10])), 100));
}

#[test]
fn the_first_rule_that_fits_decides() {
    let peer = |text: &str| Flow {
        peers: vec![text.parse().unwrap()],
        ..flow(Direction::Both)
    };
    let first = of(vec![
        (peer("10.0.0.3/32"), Effect::Drop),
        (peer("10.0.0.0/24"), late(50)),
        (flow(Direction::Both), Effect::Drop),
    ]);
    assert!(is_rise(&expected(&first, None), 100));
    let other = of(vec![(peer("10.0.0.3/32"), Effect::Drop)]);
    assert_eq!(expected(&other, None), Expectation::Unchanged);
    let v6 = of(vec![(peer("fd00::/8"), Effect::Drop)]);
    assert_eq!(expected(&v6, None), Expectation::Unchanged);
}

#[test]
fn ports_protocols_and_networks_must_fit() {
    let only = |change: fn(&mut Flow)| {
        let mut flow = flow(Direction::Both);
        change(&mut flow);
        of(vec![(flow, Effect::Drop)])
    };
    let port = |first, last| vec![Ports { first, last }];
    let http = only(|flow| {
        flow.ports = vec![Ports {
            first: 80,
            last: 90,
        }]
    });
    assert_eq!(expected(&http, Some(80)), Expectation::Silence);
    assert_eq!(expected(&http, Some(91)), Expectation::Unchanged);
    assert_eq!(expected(&http, None), Expectation::Unchanged);
    let mut high = http.clone();
    high.rules[0].flow.ports = port(40_000, 50_000);
    assert!(matches!(
        expected(&high, Some(80)),
        Expectation::Unknown { .. }
    ));
    let udp = only(|flow| flow.protocol = Some(Protocol::Udp));
    assert_eq!(expected(&udp, Some(80)), Expectation::Unchanged);
    let icmp = only(|flow| flow.protocol = Some(Protocol::Icmp));
    assert_eq!(expected(&icmp, None), Expectation::Silence);
    let here = only(|flow| flow.at = vec![IpAddr::from([10, 0, 0, 1])]);
    assert_eq!(expected(&here, None), Expectation::Silence);
    let there = only(|flow| flow.at = vec![IpAddr::from([10, 1, 0, 1])]);
    assert_eq!(expected(&there, None), Expectation::Unchanged);
    let unknown = Trip {
        from: None,
        ..trip(&there)
    };
    let expected = round_trips(&unknown, &trips(&[1]));
    assert!(matches!(expected, Expectation::Unknown { .. }));
}

#[test]
fn silence_is_silence() {
    let before = trips(&[1; 10]);
    for effect in [
        Effect::Drop,
        line(Line {
            loss: Some(Loss::Random(chance(1.0))),
            ..Line::default()
        }),
    ] {
        let expected = expected(&all(effect), None);
        assert_eq!(expected, Expectation::Silence);
        assert!(matches!(
            expected.judge(&before, &[None; 5]),
            Finding::Shown(_)
        ));
        let one = [None, None, Some(ms(1))];
        assert!(matches!(expected.judge(&before, &one), Finding::Missing(_)));
    }
}

#[test]
fn what_cannot_be_told_is_not_told() {
    let open = |effect, port| matches!(expected(&all(effect), port), Expectation::Unknown { .. });
    let with = |loss| Line {
        loss: Some(Loss::Random(chance(loss))),
        ..delay(ms(50), Duration::ZERO)
    };
    assert!(open(line(with(0.5)), None));
    assert!(!open(line(with(0.05)), None));
    let loss_only = Line {
        delay: None,
        ..with(0.05)
    };
    assert!(open(line(loss_only), None));
    assert!(open(
        line(delay(Duration::from_micros(10), Duration::ZERO)),
        None
    ));
    let overtaking = Line {
        reorder: Some(Reorder {
            chance: chance(0.5),
            gap: 0,
        }),
        ..delay(ms(50), Duration::ZERO)
    };
    assert!(open(line(overtaking), None));
    let unasked = round_trips(&trip(&all(late(50))), &[None; 3]);
    assert!(matches!(unasked, Expectation::Unknown { .. }));
}

#[test]
fn a_few_that_come_back_late_are_enough_and_none_by_bad_luck_is_no_proof() {
    let lossy = Line {
        loss: Some(Loss::Random(chance(0.1))),
        ..delay(ms(50), Duration::ZERO)
    };
    let (before, expected) = (trips(&[1; 10]), expected(&all(line(lossy)), None));
    let some = [None, Some(ms(101)), None, Some(ms(102)), Some(ms(101))];
    assert!(matches!(expected.judge(&before, &some), Finding::Shown(_)));
    assert!(matches!(
        expected.judge(&before, &[None; 5]),
        Finding::Open(_)
    ));
    let sure = super::round_trips(&trip(&all(late(50))), &before);
    assert!(matches!(
        sure.judge(&before, &[None; 5]),
        Finding::Missing(_)
    ));
    assert!(matches!(sure.judge(&before, &[]), Finding::Open(_)));
}

#[test]
fn a_reset_is_a_quick_answer_for_who_connects() {
    let reset = |direction| of(vec![(flow(direction), Effect::Reset)]);
    assert_eq!(
        expected(&reset(Direction::Both), Some(80)),
        Expectation::Unchanged
    );
    assert_eq!(
        expected(&reset(Direction::Both), None),
        Expectation::Unchanged
    );
    let late_answer = expected(&reset(Direction::Ingress), Some(80));
    assert!(matches!(late_answer, Expectation::Unknown { .. }));
    let (before, same) = (trips(&[1; 5]), Expectation::Unchanged);
    assert!(matches!(
        same.judge(&before, &trips(&[0; 5])),
        Finding::Shown(_)
    ));
    assert!(matches!(
        same.judge(&before, &trips(&[51; 5])),
        Finding::Missing(_)
    ));
    assert!(matches!(
        same.judge(&before, &[None; 5]),
        Finding::Missing(_)
    ));
}

#[test]
fn a_slow_line_takes_at_least_its_time() {
    let slow = Line {
        rate: Some(8_000),
        ..Line::default()
    };
    let expected = expected(&all(line(slow)), None);
    let rise = Expectation::Rise {
        at_least: ms(80),
        at_most: None,
        may_lose: false,
        overtaking: 0,
    };
    assert_eq!(expected, rise);
}

#[test]
fn loopback_is_never_touched() {
    let dropped = all(Effect::Drop);
    let own = Trip {
        peer: IpAddr::from([10, 0, 0, 1]),
        ..trip(&dropped)
    };
    assert_eq!(round_trips(&own, &trips(&[1])), Expectation::Unchanged);
}

#[test]
fn shares_of_the_models_are_those_that_they_lose() {
    let gilbert = Loss::GilbertElliott {
        p: 0.02,
        r: 0.3,
        bad: 0.8,
        good: 0.01,
    };
    let markov = Loss::Markov {
        p13: 0.03,
        p31: 0.2,
        p32: 0.1,
        p23: 0.4,
        p14: 0.01,
    };
    for loss in [gilbert, markov, Loss::Random(chance(0.1))] {
        let line = Line {
            loss: Some(loss),
            corrupt: Some(chance(0.1)),
            duplicate: Some(chance(0.2)),
            ..Line::default()
        };
        let mut model = Model::new(&line, 1, 0, Direction::Egress);
        let arrives = |_: &u32| {
            let fate = model.decide(Duration::ZERO, 100);
            fate.passages().any(|passage| passage.flip.is_none())
        };
        let share = (0..200_000).filter(arrives).count() as f64 / 200_000.0;
        // A copy is spoilt by itself.
        assert!((1.0 - lost(&line) - share).abs() < 0.03, "{line:?} {share}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// What the model does is what is expected of it, and twice that, or nothing, is not.
    #[test]
    fn round_trips_through_the_model_are_as_expected(
        latency in 5..500_u64,
        spread in 0..=70_u64,
        distribution in prop::sample::select(vec![Distribution::Uniform, Distribution::Normal, Distribution::Pareto]),
        seed: u64,
    ) {
        let mut line = delay(ms(latency), ms(latency) * spread as u32 / 100);
        line.delay.as_mut().unwrap().distribution = distribution;
        let (near, before) = (all(super::tests::line(line.clone())), trips(&[1; 20]));
        let expected = round_trips(&trip(&near), &before);
        let mut ways = [Direction::Egress, Direction::Ingress].map(|way| Model::new(&line, seed, 0, way));
        let mut pass = |times: u32| {
            let mut one = || ways.iter_mut().map(|way| way.decide(Duration::ZERO, 60).passages().next().unwrap().due).sum::<Duration>();
            let trip = |_| Some(ms(1) + (0..times).map(|_| one()).sum::<Duration>());
            (0..20).map(trip).collect::<Vec<_>>()
        };
        let (none, once, twice) = (pass(0), pass(1), pass(2));
        let finding = expected.judge(&before, &once);
        prop_assert!(matches!(finding, Finding::Shown(_)), "{expected:?} {finding:?}");
        let finding = expected.judge(&before, &none);
        prop_assert!(matches!(finding, Finding::Missing(_)), "{expected:?} {finding:?}");
        if spread <= 20 {
            let finding = expected.judge(&before, &twice);
            prop_assert!(matches!(finding, Finding::Missing(_)), "{expected:?} {finding:?}");
        }
    }

    #[test]
    fn any_numbers_are_taken(
        latency in (any::<u64>(), 0..1_000_000_000_u32),
        jitter in (any::<u64>(), 0..1_000_000_000_u32),
        numbers: [f64; 6],
        rate: u64,
        before in prop::collection::vec(any::<Option<u64>>(), 0..5),
    ) {
        let [p13, p31, p32, p23, p14, probability] = numbers;
        let duration = |(s, n)| Duration::new(s, n);
        let mut line = delay(duration(latency), duration(jitter));
        line.loss = Some(Loss::Markov { p13, p31, p32, p23, p14 });
        line.corrupt = Some(chance(probability));
        line.rate = Some(rate);
        let before: Vec<_> = before.into_iter().map(|trip| trip.map(Duration::from_nanos)).collect();
        let near = all(super::tests::line(line));
        let _ = round_trips(&trip(&near), &before).judge(&before, &before);
    }
}
