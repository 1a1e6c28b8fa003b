use super::*;
use crate::impairment::{Chance, Delay, Distribution};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn model(line: &Line) -> Model {
    Model::new(line, 42, 0, Direction::Egress)
}

fn always() -> Option<Chance> {
    Some(Chance {
        probability: 1.0,
        correlation: 0.0,
    })
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
        duplicate: always(),
        corrupt: always(),
        delay: Some(Delay {
            latency: ms(50),
            jitter: Duration::ZERO,
            correlation: 0.0,
            distribution: Distribution::Uniform,
        }),
        ..Line::default()
    };
    let fate = model(&line).decide(ms(7), 100);
    assert!(fate.is_duplicated() && !fate.is_dropped());
    for passage in fate.passages() {
        assert_eq!(passage.due, ms(57));
        assert!(passage.flip.is_some() && !passage.reordered);
    }
    let lossy = Line {
        loss: Some(crate::impairment::Loss::Random(always().unwrap())),
        ..Line::default()
    };
    assert!(model(&lossy).decide(ms(7), 100).is_dropped());
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
