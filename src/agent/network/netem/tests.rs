use super::*;
use crate::impairment::{Delay, Distribution, Flow, Rule};

fn line() -> Effect {
    Effect::Line(Box::new(Line {
        delay: Some(Delay {
            latency: Duration::from_millis(50),
            jitter: Duration::ZERO,
            correlation: 0.0,
            distribution: Distribution::Uniform,
        }),
        ..Line::default()
    }))
}

fn rule(direction: Direction, effect: Effect) -> Rule {
    Rule {
        flow: Flow {
            direction,
            peers: Vec::new(),
            ports: Vec::new(),
            protocol: None,
            at: Vec::new(),
        },
        effect,
    }
}

fn impairment(rules: Vec<Rule>) -> Impairment {
    Impairment { rules, seed: 7 }
}

#[test]
fn each_line_has_a_band_of_its_own_in_each_of_its_directions() {
    let impairment = impairment(vec![
        rule(Direction::Egress, line()),
        rule(Direction::Both, Effect::Drop),
        rule(Direction::Both, line()),
        rule(Direction::Ingress, line()),
    ]);
    let found = |direction| bands(&impairment, direction).unwrap();
    assert_eq!(found(Direction::Egress), Bands::from([(0, 1), (2, 2)]));
    assert_eq!(found(Direction::Ingress), Bands::from([(2, 1), (3, 2)]));
}

#[test]
fn more_lines_than_there_are_bands_are_refused() {
    let lines = |count| impairment(vec![rule(Direction::Egress, line()); count]);
    assert!(bands(&lines(14), Direction::Egress).is_ok());
    assert!(bands(&lines(15), Direction::Ingress).unwrap().is_empty());
    let error = bands(&lines(15), Direction::Egress).unwrap_err();
    assert!(error.contains("tells 14 lines apart"), "{error}");
    assert!(error.contains("15 were asked for"), "{error}");
}

#[test]
fn no_two_lines_have_the_same_seed() {
    let mut seeds = std::collections::BTreeSet::new();
    for interface in 0..20 {
        for band in 1..15 {
            for direction in [Direction::Egress, Direction::Ingress] {
                assert!(seeds.insert(seed(7, interface, direction, band)));
            }
        }
    }
}

#[test]
fn drops_are_the_losses_asked_for_or_else_an_overflow() {
    let done = Done {
        sent: 10,
        dropped: 2,
        waiting: 3,
    };
    let counted = |line: &Line| {
        let mut counts = Counts::default();
        add(&mut counts, line, done);
        (counts.delayed, counts.dropped, counts.overflowed)
    };
    assert_eq!(counted(&Line::default()), (0, 0, 2));
    let rate = Line {
        rate: Some(8),
        ..Line::default()
    };
    assert_eq!(counted(&rate), (10, 0, 2));
    let loss = Line {
        loss: Some(crate::impairment::Loss::Random(
            crate::impairment::Chance {
                probability: 0.5,
                correlation: 0.0,
            },
        )),
        ..Line::default()
    };
    assert_eq!(counted(&loss), (0, 2, 0));
}
