//! What the agent makes of its input: the same seed the same fate, and of nonsense nothing.

use chaosrun::agent::protocol::{LONGEST_LINE, Request, Response, VERSION};
use chaosrun::impairment::expect::Series;
use chaosrun::impairment::{BackEnd, Direction, Flow, Impairment, Line, Loss, Ports};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::cases::{chance, flow, line, ms};
use crate::talk::{Agent, one};
use crate::traffic::{FEW, Pace, echoes};
use crate::world::{B, World};

fn lossy(seed: u64) -> Impairment {
    let selected = Flow {
        ports: vec![Ports {
            first: 7001,
            last: 7001,
        }],
        ..flow(Direction::Egress)
    };
    let effect = line(Line {
        loss: Some(Loss::Random(chance(0.4))),
        ..Line::default()
    });
    Impairment {
        seed,
        ..one(selected, effect)
    }
}

#[test]
fn the_same_seed_loses_the_same_packets() {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    echoes(&world, B, 7002, FEW);
    let pace = Pace {
        count: 200,
        every: ms(1),
        size: 64,
    };
    let mut arrived = |seed| {
        agent.impair(lossy(seed), BackEnd::Queue);
        echoes(&world, B, 7001, pace).arrived()
    };
    let first = arrived(11);
    assert_eq!(arrived(11), first);
    assert_ne!(arrived(12), first);
}

/// Lines of an agent's, each perhaps with some bytes of it changed, and lines of anything.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let valid = prop::sample::select(vec![
        Request::Hello { version: VERSION }.to_line(),
        Request::Features.to_line(),
        Request::Inspect.to_line(),
        Request::Renew.to_line(),
        Request::Count.to_line(),
        Request::Relieve.to_line(),
        Request::Impair {
            impairment: lossy(3),
            back_end: BackEnd::Queue,
            lease: ms(1000),
        }
        .to_line(),
        Request::Measure {
            peer: crate::world::ip("127.0.0.1"),
            port: Some(1),
            series: Series {
                times: 1,
                apart: ms(1),
                patience: ms(10),
            },
        }
        .to_line(),
    ]);
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    let changed = (valid, changes).prop_map(|(text, changes)| {
        let mut bytes = text.trim_end().as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    });
    let anything = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![4 => changed, 1 => anything].prop_map(|mut bytes| {
        bytes.retain(|byte| *byte != b'\n');
        bytes.push(b'\n');
        bytes
    })
}

#[test]
fn whatever_is_asked_each_line_has_one_answer() {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    let mut runner = TestRunner::new(Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    });
    let sound = std::cell::RefCell::new(&mut agent);
    runner
        .run(&lines(), |bytes| {
            let mut agent = sound.borrow_mut();
            agent.tell(&bytes);
            prop_assert!(agent.hear().is_some());
            Ok(())
        })
        .unwrap();
    agent.relieve();
    assert!(agent.finish());
}

#[test]
fn a_line_without_end_ends_it() {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    agent.tell(&vec![b'x'; LONGEST_LINE]);
    assert!(matches!(agent.hear(), Some(Response::Refused { .. })));
    assert_eq!(agent.hear(), None);
    assert!(agent.child.wait().unwrap().success());
}
