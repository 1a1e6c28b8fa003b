//! What every back end must do to the packets that are selected, and must not do to the others. Each check fails without its fault.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::time::Duration;

use chaosrun::impairment::{
    BackEnd, Chance, Counts, Delay, Direction, Distribution, Effect, Flow, Impairment, Line, Ports,
    Protocol,
};

use crate::lines::lines;
use crate::selections::{ends, selections};
use crate::talk::{Agent, one};
use crate::traffic::{Echoes, FEW, connection, echoes, speaks};
use crate::world::{B, B_BESIDE, B_OTHER, B_V6, World};

/// What a check says for people: why it does not hold.
pub(crate) type Holds = Result<(), String>;

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) impairment: Impairment,
    pub(crate) holds: fn(&World) -> Holds,
    /// What the agent must have counted.
    pub(crate) counts: fn(&Counts) -> bool,
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn flow(direction: Direction) -> Flow {
    Flow {
        direction,
        peers: Vec::new(),
        ports: Vec::new(),
        protocol: None,
        at: Vec::new(),
    }
}

pub(crate) fn delay(latency: u64, jitter: u64) -> Line {
    Line {
        delay: Some(Delay {
            latency: ms(latency),
            jitter: ms(jitter),
            correlation: 0.0,
            distribution: Distribution::Uniform,
        }),
        ..Line::default()
    }
}

pub(crate) fn line(line: Line) -> Effect {
    Effect::Line(Box::new(line))
}

pub(crate) fn chance(probability: f64) -> Chance {
    Chance {
        probability,
        correlation: 0.0,
    }
}

pub(crate) fn udp(port: u16, direction: Direction) -> Flow {
    Flow {
        ports: vec![Ports {
            first: port,
            last: port,
        }],
        protocol: Some(Protocol::Udp),
        ..flow(direction)
    }
}

/// At least so late, and not much more.
pub(crate) fn late(echoes: &Echoes, by: u64) -> Holds {
    match (echoes.lost(), echoes.median()) {
        (0, Some(median)) if median >= ms(by) && median < ms(by + 8) => Ok(()),
        (lost, median) => Err(format!("{lost} lost, median {median:?}, not {by} ms")),
    }
}

/// A machine that is busy with other things may be late itself; a wrong delay stays wrong.
pub(crate) fn again(check: impl Fn() -> Holds) -> Holds {
    check().or_else(|_| check()).or_else(|_| check())
}

/// Untouched.
pub(crate) fn quick(echoes: &Echoes) -> Holds {
    late(echoes, 0).map_err(|e| format!("touched: {e}"))
}

pub(crate) fn both(first: Holds, second: impl FnOnce() -> Holds) -> Holds {
    first.and_then(|()| second())
}

/// So many of a thousand, within five standard deviations.
pub(crate) fn share(of: usize, expected: f64) -> Holds {
    let spread = 5.0 * (1000.0 * expected * (1.0 - expected)).sqrt();
    if (of as f64 - 1000.0 * expected).abs() <= spread {
        Ok(())
    } else {
        Err(format!("{of} of 1000, not {expected}"))
    }
}

pub(crate) fn yes(holds: bool, otherwise: &str) -> Holds {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

/// Every case, on the back end that is asked for.
fn pass(cases: Vec<Case>, back_end: BackEnd) {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    // Neighbours are found before anything is timed.
    for address in [B, B_OTHER, B_BESIDE, B_V6] {
        echoes(&world, address, 7001, FEW);
    }
    let mut wrong = Vec::new();
    for case in cases {
        if (case.holds)(&world).is_ok() {
            wrong.push(format!("{}: holds without a fault", case.name));
        }
        let agent = RefCell::new(&mut agent);
        let held = again(|| {
            let mut agent = agent.borrow_mut();
            agent.impair(case.impairment.clone(), back_end);
            let held = (case.holds)(&world);
            let counts = agent.counts();
            held.map_err(|why| format!("{why}; {counts:?}"))?;
            yes((case.counts)(&counts[0]), &format!("counted {counts:?}"))
        });
        let agent = agent.into_inner();
        if let Err(why) = held {
            wrong.push(format!("{}: {why}", case.name));
        }
        agent.relieve();
        if let Err(why) = again(|| quick(&echoes(&world, B, 7001, FEW))) {
            wrong.push(format!("{}: is not taken back: {why}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn available(back_end: BackEnd) -> bool {
    let world = World::new();
    Agent::start(&world.a).back_ends().contains(&back_end)
}

/// The machine that tests run on has at least this one.
#[test]
fn packets_are_queued_here() {
    assert!(available(BackEnd::Queue));
}

macro_rules! tables {
    ($($back_end:ident $name:ident $cases:ident;)*) => {$(
        #[test]
        fn $name() {
            if available(BackEnd::$back_end) {
                pass($cases(), BackEnd::$back_end);
            }
        }
    )*};
}

tables! {
    Queue queue_makes_lines_worse lines;
    Queue queue_ends_what_it_should ends;
    Queue queue_touches_only_what_is_selected selections;
    Netem netem_makes_lines_worse lines;
    Netem netem_ends_what_it_should ends;
    Netem netem_touches_only_what_is_selected selections;
}

/// Connections that are there already end at once, at both of their ends, even if nobody speaks.
#[test]
fn connections_are_reset_where_they_are() {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    let back_end = agent.back_ends()[0];
    let (mut ours, mut theirs) = connection(&world, B, 7002);
    assert_eq!(speaks(&mut ours, &mut theirs), Ok(()));
    agent.impair(one(flow(Direction::Both), Effect::Reset), back_end);
    for end in [&mut ours, &mut theirs] {
        let mut byte = [0];
        let read = std::io::Read::read(end, &mut byte).map_err(|e| e.kind());
        assert!(
            matches!(
                read,
                Err(ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
            ),
            "{read:?}"
        );
    }
    assert_eq!(agent.counts()[0].reset, 1);
    agent.relieve();
    let (mut ours, mut theirs) = connection(&world, B, 7002);
    assert_eq!(speaks(&mut ours, &mut theirs), Ok(()));
}
