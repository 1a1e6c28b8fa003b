//! What only netem has: qdiscs and an interface, which must come and go without a trace.

use std::time::Duration;

use chaosrun::agent::protocol::Response;
use chaosrun::impairment::{BackEnd, Chance, Delay, Direction, Impairment, Line};

use super::network::{Networks, OTHER, SELECTED, in_near, lines};

const DELAY: Duration = Duration::from_millis(100);

fn delay(latency: Duration) -> Line {
    Line {
        delay: Some(Delay {
            latency,
            jitter: Duration::ZERO,
            correlation: 0.0,
            distribution: Default::default(),
        }),
        ..Line::default()
    }
}

fn both(latency: Duration) -> Impairment {
    lines([(Direction::Both, delay(latency))])
}

/// An emulated processor takes its time, and a busy machine more.
const SLACK: Duration = Duration::from_millis(60);

fn assert_about(measured: Duration, expected: Duration) {
    let late = expected + SLACK;
    assert!(
        (expected..late).contains(&measured),
        "{measured:?} is not about {expected:?}"
    );
}

pub(super) fn comes_and_goes() {
    let networks = Networks::new();
    let before = networks.shown();
    let mut agent = networks.agent();
    let features = agent.features();
    assert_eq!(
        features.back_ends,
        [BackEnd::Netem, BackEnd::Queue],
        "{features:?}"
    );
    assert_eq!(networks.shown(), before, "the probe leaves nothing");

    agent.impair(BackEnd::Netem, both(DELAY));
    for address in SELECTED {
        assert_about(agent.quickest(address), 2 * DELAY);
    }
    for address in OTHER {
        assert_about(agent.quickest(address), Duration::ZERO);
    }
    let counts = &agent.counts()[0];
    assert_eq!((counts.packets, counts.delayed), (20, 20), "{counts:?}");
    assert_eq!(counts.dropped + counts.overflowed, 0, "{counts:?}");
    let found = agent.found().join("\n");
    for ours in [
        "table netdev chaosrun",
        "interface chaosrun-in",
        "qdisc netem on va",
    ] {
        assert!(found.contains(ours), "{ours} is not among {found}");
    }

    // In its place, with lines of their own each way.
    let (out, back) = (Duration::from_millis(50), Duration::from_millis(150));
    let ways = [
        (Direction::Egress, delay(out)),
        (Direction::Ingress, delay(back)),
    ];
    agent.impair(BackEnd::Netem, lines(ways));
    assert_about(agent.quickest(SELECTED[0]), out + back);
    let counts = agent.counts();
    assert_eq!((counts[0].packets, counts[1].packets), (5, 5), "{counts:?}");
    let netem = agent
        .found()
        .iter()
        .filter(|one| one.contains("netem"))
        .count();
    assert_eq!(netem, 2, "the lines before are gone");

    // The other back end in its place, and back.
    for (back_end, qdiscs) in [(BackEnd::Queue, 0), (BackEnd::Netem, 2)] {
        agent.impair(back_end, both(DELAY));
        assert_about(agent.quickest(SELECTED[0]), 2 * DELAY);
        let found = agent.found();
        let netem = found.iter().filter(|one| one.contains("netem")).count();
        assert_eq!(netem, qdiscs, "{found:?}");
    }
    agent.relieve();
    assert_about(agent.quickest(SELECTED[0]), Duration::ZERO);
    assert_eq!(agent.found(), Vec::<String>::new());
    assert_eq!(networks.shown(), before);
}

pub(super) fn does_nothing_once_its_agent_is_gone() {
    let networks = Networks::new();
    let before = networks.shown();
    let mut agent = networks.agent();
    agent.impair(BackEnd::Netem, both(DELAY));
    assert_about(agent.quickest(SELECTED[0]), 2 * DELAY);
    agent.kill();

    let mut next = networks.agent();
    for address in SELECTED {
        assert_about(next.quickest(address), Duration::ZERO);
    }
    let left = next.found();
    assert!(left.contains(&"qdisc netem on va".to_owned()), "{left:?}");
    // Another can begin over what is left.
    next.impair(BackEnd::Netem, both(DELAY));
    assert_about(next.quickest(SELECTED[0]), 2 * DELAY);
    next.kill();
    let mut last = networks.agent();
    last.relieve();
    assert_eq!(last.found(), Vec::<String>::new());
    assert_eq!(networks.shown(), before);

    last.impair(BackEnd::Netem, both(DELAY));
    last.leave();
    assert_eq!(networks.shown(), before, "one that may take its leave does");
}

pub(super) fn leaves_alone_what_is_not_its_own() {
    let networks = Networks::new();
    in_near("tc qdisc add dev va root handle 1: pfifo limit 100");
    let before = networks.shown();
    let mut agent = networks.agent();
    let Response::Refused { why } = agent.try_impair(BackEnd::Netem, both(DELAY)) else {
        panic!("not refused");
    };
    assert!(
        why.contains("interface va has a qdisc that is not chaosrun's"),
        "{why}"
    );
    assert!(why.contains("pfifo 1:"), "{why}");
    assert_eq!(networks.shown(), before);
    // What comes in does not go through it.
    agent.impair(BackEnd::Netem, lines([(Direction::Ingress, delay(DELAY))]));
    assert_about(agent.quickest(SELECTED[0]), DELAY);
    agent.relieve();
    assert_eq!(networks.shown(), before);
}

pub(super) fn refuses_what_it_cannot_do() {
    let networks = Networks::new();
    let before = networks.shown();
    let mut agent = networks.agent();
    let mut refused = |impairment: Impairment| match agent.try_impair(BackEnd::Netem, impairment) {
        Response::Refused { why } => why,
        other => panic!("{other:?}"),
    };
    let many = vec![(Direction::Egress, delay(DELAY)); 15];
    let why = refused(lines(many));
    assert!(why.contains("tells 14 lines apart"), "{why}");
    let rate = Line {
        rate: Some(7),
        ..Line::default()
    };
    let why = refused(lines([
        (Direction::Both, delay(DELAY)),
        (Direction::Both, rate),
    ]));
    assert!(why.contains("rate begins at 8 bits"), "{why}");
    // Some kernels let a line that doubles packets be the only one.
    let double = Line {
        duplicate: Some(Chance {
            probability: 1.0,
            correlation: 0.0,
        }),
        ..Line::default()
    };
    let two = lines([
        (Direction::Egress, double.clone()),
        (Direction::Egress, delay(DELAY)),
    ]);
    if let Response::Refused { why } = agent.try_impair(BackEnd::Netem, two) {
        assert!(why.contains("duplicat"), "{why}");
    } else {
        agent.relieve();
    }
    assert_eq!(networks.shown(), before);
    // In place of another line, too.
    agent.impair(BackEnd::Netem, both(DELAY));
    agent.impair(BackEnd::Netem, lines([(Direction::Egress, double)]));
    agent.quickest(SELECTED[0]);
    agent.relieve();
    assert_eq!(networks.shown(), before);
}

/// In place of what it had taken before, which is what a runtime asks for after a refusal.
pub(super) fn leaves_to_queue_what_it_refuses() {
    let networks = Networks::new();
    let before = networks.shown();
    let mut agent = networks.agent();
    agent.impair(BackEnd::Netem, both(DELAY));
    let many = lines(vec![(Direction::Egress, delay(DELAY)); 15]);
    let answer = agent.try_impair(BackEnd::Netem, many.clone());
    assert!(matches!(answer, Response::Refused { .. }), "{answer:?}");
    agent.impair(BackEnd::Queue, many);
    assert_about(agent.quickest(SELECTED[0]), DELAY);
    agent.relieve();
    assert_eq!(networks.shown(), before);
}

pub(super) fn lets_go_what_it_holds() {
    let networks = Networks::new();
    let mut agent = networks.agent();
    agent.impair(BackEnd::Netem, both(Duration::from_millis(500)));
    let mut other = networks.agent();
    let measured =
        std::thread::spawn(move || other.measure(SELECTED[0], 1, Duration::from_secs(5)));
    while agent.counts()[0].packets == 0 {
        std::thread::yield_now();
    }
    agent.relieve();
    let round_trip = measured.join().unwrap()[0].expect("the packet is not lost");
    // Its answer comes back untouched.
    assert_about(round_trip, Duration::from_millis(500));
}
