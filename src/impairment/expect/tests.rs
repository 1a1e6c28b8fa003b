use super::*;
use crate::impairment::{Distribution, Flow, Rule};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn trips(ms: &[u64]) -> Vec<Option<Duration>> {
    ms.iter()
        .map(|ms| Some(Duration::from_millis(*ms)))
        .collect()
}

fn all(effect: Effect) -> Impairment {
    let flow = Flow {
        direction: Direction::Both,
        peers: Vec::new(),
        ports: Vec::new(),
        protocol: None,
        at: Vec::new(),
    };
    Impairment {
        rules: vec![Rule { flow, effect }],
        seed: 0,
    }
}

fn late(latency: Duration) -> Effect {
    Effect::Line(Box::new(Line {
        delay: Some(Delay {
            latency,
            jitter: Duration::ZERO,
            correlation: 0.0,
            distribution: Distribution::Uniform,
        }),
        ..Line::default()
    }))
}

fn trip(near: &Impairment) -> Trip<'_> {
    Trip {
        near: Some(near),
        far: None,
        from: None,
        peer: IpAddr::from([10, 0, 0, 2]),
        port: None,
    }
}

#[test]
fn a_delay_of_nothing_or_twice_is_found() {
    let before = trips(&[1; 10]);
    let impairment = all(late(ms(50)));
    let expected = round_trips(&trip(&impairment), &before);
    let finding = |now| expected.judge(&before, &trips(&[now; 10]));
    assert!(matches!(finding(101), Finding::Shown(_)));
    assert!(matches!(finding(1), Finding::Missing(_)));
    assert!(matches!(finding(51), Finding::Missing(_)));
    assert!(matches!(finding(201), Finding::Missing(_)));
}

#[test]
fn silence_is_silence() {
    let before = trips(&[1; 10]);
    let dropped = all(Effect::Drop);
    let expected = round_trips(&trip(&dropped), &before);
    assert_eq!(expected, Expectation::Silence);
    assert!(matches!(
        expected.judge(&before, &[None; 5]),
        Finding::Shown(_)
    ));
    assert!(matches!(
        expected.judge(&before, &before),
        Finding::Missing(_)
    ));
}
