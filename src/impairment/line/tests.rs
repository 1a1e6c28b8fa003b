use super::*;
use crate::impairment::{Chance, Delay, Distribution, Loss};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn model(line: &Line) -> Model {
    Model::new(line, 42, 0, Direction::Egress)
}

fn chance(probability: f64, correlation: f64) -> Option<Chance> {
    Some(Chance {
        probability,
        correlation,
    })
}

fn delay(latency: u64, jitter: u64, distribution: Distribution) -> Option<Delay> {
    Some(Delay {
        latency: ms(latency),
        jitter: ms(jitter),
        correlation: 0.0,
        distribution,
    })
}

fn reorder(probability: f64, gap: u32) -> Option<Reorder> {
    chance(probability, 0.0).map(|chance| Reorder { chance, gap })
}

fn only(fate: Fate) -> Passage {
    let passages: Vec<_> = fate.passages().collect();
    assert_eq!(passages.len(), 1, "{fate:?}");
    passages[0]
}

#[test]
fn a_perfect_line_lets_everything_pass_at_once() {
    let passage = only(model(&Line::default()).decide(ms(7), 1500));
    let untouched = Passage {
        due: ms(7),
        flip: None,
        reordered: false,
    };
    assert_eq!(passage, untouched);
}

#[test]
fn what_is_certain_always_happens() {
    let line = Line {
        duplicate: chance(1.0, 0.0),
        corrupt: chance(1.0, 0.0),
        delay: delay(50, 0, Distribution::Uniform),
        ..Line::default()
    };
    let fate = model(&line).decide(ms(7), 100);
    assert!(fate.is_duplicated() && !fate.is_dropped());
    for passage in fate.passages() {
        assert_eq!(passage.due, ms(57));
        assert!(passage.flip.is_some() && !passage.reordered);
    }
}

#[test]
fn a_loss_takes_one_of_two() {
    let lossy = Line {
        loss: chance(1.0, 0.0).map(Loss::Random),
        ..Line::default()
    };
    assert!(model(&lossy).decide(ms(7), 100).is_dropped());
    let twice = Line {
        duplicate: chance(1.0, 0.0),
        ..lossy
    };
    let fate = model(&twice).decide(ms(7), 100);
    assert!(!fate.is_dropped() && !fate.is_duplicated());
}

#[test]
fn a_rate_sends_packets_one_behind_the_other() {
    let line = Line {
        rate: Some(8_000_000),
        ..Line::default()
    };
    let mut model = model(&line);
    let mut due = |now, length| only(model.decide(ms(now), length)).due;
    assert_eq!(due(0, 1000), ms(1));
    assert_eq!(due(0, 2000), ms(3));
    assert_eq!(due(2, 1000), ms(4));
    assert_eq!(due(10, 1000), ms(11));
}

#[test]
fn a_delay_runs_while_a_packet_queues() {
    let line = Line {
        rate: Some(8_000_000),
        delay: delay(10, 0, Distribution::Uniform),
        ..Line::default()
    };
    let mut model = model(&line);
    let mut due = |now, length| only(model.decide(ms(now), length)).due;
    assert_eq!(due(0, 1000), ms(11));
    assert_eq!(due(0, 1000), ms(12));
    assert_eq!(due(5, 1000), ms(16));
}

#[test]
fn only_every_so_many_packets_overtake() {
    let overtake = |gap, probability| {
        let line = Line {
            delay: delay(10, 0, Distribution::Uniform),
            reorder: reorder(probability, gap),
            ..Line::default()
        };
        let mut model = model(&line);
        let mut passage = |_| only(model.decide(ms(1), 100));
        (0..12).map(&mut passage).collect::<Vec<_>>()
    };
    let places = |gap| {
        let passages = overtake(gap, 1.0);
        let at_once = |(_, passage): &(usize, &Passage)| passage.reordered;
        let found: Vec<_> = passages.iter().enumerate().filter(at_once).collect();
        assert!(found.iter().all(|(_, passage)| passage.due == ms(1)));
        found.into_iter().map(|(at, _)| at).collect::<Vec<_>>()
    };
    assert_eq!(places(5), [4, 9]);
    assert_eq!(places(0).len(), 12);
    assert_eq!(places(1).len(), 12);
    assert!(overtake(1, 0.0).iter().all(|passage| passage.due == ms(11)));
}

/// A real exchange over HTTP, as it went over a wire: microseconds and bytes.
fn recorded() -> Vec<(Duration, usize)> {
    let parse = |line: &str| {
        let (at, length) = line.split_once(' ').unwrap();
        let at = Duration::from_micros(at.parse().unwrap());
        (at, length.parse().unwrap())
    };
    include_str!("recorded.txt").lines().map(parse).collect()
}

/// Ten packets a line: by how many microseconds each is late; `x` lost, `!` a flipped bit, `<` overtakes, `a+b` twice.
fn story(line: &Line) -> String {
    let mut model = model(line);
    let tell = |now: Duration, passage: Passage| {
        let late = (passage.due - now).as_micros();
        let flipped = if passage.flip.is_some() { "!" } else { "" };
        let before = if passage.reordered { "<" } else { "" };
        format!("{before}{late}{flipped}")
    };
    let packets: Vec<_> = recorded()
        .into_iter()
        .map(|(now, length)| {
            let fate = model.decide(now, length);
            let told: Vec<_> = fate.passages().map(|passage| tell(now, passage)).collect();
            if fate.is_dropped() {
                "x".into()
            } else {
                told.join("+")
            }
        })
        .collect();
    assert_eq!(packets.len(), 200);
    let lines: Vec<_> = packets.chunks(10).map(|ten| ten.join(" ")).collect();
    lines.join("\n")
}

fn correlated(mut delay: Option<Delay>) -> Option<Delay> {
    if let Some(delay) = &mut delay {
        delay.correlation = 0.5;
    }
    delay
}

#[test]
fn the_same_seed_tells_the_same_story_for_ever() {
    let line = Line::default;
    let random = |correlation| chance(0.2, correlation).map(Loss::Random);
    let gilbert_elliott = Loss::GilbertElliott {
        p: 0.05,
        r: 0.25,
        bad: 0.9,
        good: 0.01,
    };
    let markov = Loss::Markov {
        p13: 0.05,
        p31: 0.2,
        p32: 0.1,
        p23: 0.5,
        p14: 0.02,
    };
    let kinds = [
        (
            "uniform",
            Line {
                delay: delay(20, 10, Distribution::Uniform),
                ..line()
            },
        ),
        (
            "normal",
            Line {
                delay: delay(20, 5, Distribution::Normal),
                ..line()
            },
        ),
        (
            "pareto",
            Line {
                delay: delay(20, 5, Distribution::Pareto),
                ..line()
            },
        ),
        (
            "pareto-normal",
            Line {
                delay: delay(20, 5, Distribution::ParetoNormal),
                ..line()
            },
        ),
        (
            "correlated",
            Line {
                delay: correlated(delay(20, 10, Distribution::Uniform)),
                ..line()
            },
        ),
        (
            "loss",
            Line {
                loss: random(0.0),
                ..line()
            },
        ),
        (
            "loss-correlated",
            Line {
                loss: random(0.5),
                ..line()
            },
        ),
        (
            "gilbert-elliott",
            Line {
                loss: Some(gilbert_elliott),
                ..line()
            },
        ),
        (
            "markov",
            Line {
                loss: Some(markov),
                ..line()
            },
        ),
        (
            "corrupt",
            Line {
                corrupt: chance(0.1, 0.0),
                ..line()
            },
        ),
        (
            "duplicate",
            Line {
                duplicate: chance(0.1, 0.0),
                ..line()
            },
        ),
        (
            "reorder",
            Line {
                delay: delay(20, 0, Distribution::Uniform),
                reorder: reorder(0.3, 3),
                ..line()
            },
        ),
        (
            "rate",
            Line {
                rate: Some(20_000_000),
                ..line()
            },
        ),
        (
            "everything",
            Line {
                delay: delay(20, 5, Distribution::Normal),
                loss: random(0.2),
                corrupt: chance(0.1, 0.0),
                duplicate: chance(0.1, 0.0),
                reorder: reorder(0.2, 1),
                rate: Some(50_000_000),
            },
        ),
    ];
    for (name, line) in kinds {
        insta::assert_snapshot!(name, story(&line));
    }
}

#[test]
fn each_seed_rule_and_direction_has_numbers_of_its_own() {
    let line = Line {
        loss: chance(0.5, 0.0).map(Loss::Random),
        ..Line::default()
    };
    let fates = |seed, rule, direction| {
        let mut model = Model::new(&line, seed, rule, direction);
        (0..64)
            .map(|_| model.decide(ms(0), 100).is_dropped())
            .collect::<Vec<_>>()
    };
    let first = fates(1, 0, Direction::Egress);
    assert_eq!(first, fates(1, 0, Direction::Egress));
    assert_ne!(first, fates(2, 0, Direction::Egress));
    assert_ne!(first, fates(1, 1, Direction::Egress));
    assert_ne!(first, fates(1, 0, Direction::Ingress));
}
