//! However it ends, traffic flows as before, and nothing is left.

use std::time::{Duration, Instant};

use chaosrun::agent::protocol::{Request, Response, VERSION};
use chaosrun::impairment::expect::Series;
use chaosrun::impairment::{BackEnd, Direction, Effect, Impairment};

use crate::cases::{again, delay, flow, late, line, ms, quick};
use crate::talk::{Agent, one};
use crate::traffic::{FEW, echoes};
use crate::world::{B, World, inside, ip, run};

const QUEUE: BackEnd = BackEnd::Queue;

fn slow() -> Impairment {
    one(flow(Direction::Both), line(delay(30, 0)))
}

/// What is in the host's tables, in `nft`'s words.
fn ruleset(host: &str) -> String {
    run(&format!("ip netns exec {host} nft list ruleset"))
}

fn untouched(world: &World) {
    assert_eq!(ruleset(&world.a), "");
    assert_eq!(again(|| quick(&echoes(world, B, 7001, FEW))), Ok(()));
    let mut other = Agent::start(&world.a);
    assert_eq!(other.found(), Vec::<String>::new());
}

fn impaired(world: &World) -> Agent {
    let mut agent = Agent::start(&world.a);
    echoes(world, B, 7001, FEW);
    agent.impair(slow(), QUEUE);
    assert_eq!(again(|| late(&echoes(world, B, 7001, FEW), 60)), Ok(()));
    assert!(ruleset(&world.a).contains("table ip chaosrun"));
    agent
}

/// Asked what it can do, it goes through an impairment up to where that would be in force.
#[test]
fn a_rehearsal_leaves_nothing_and_takes_nothing_away() {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    assert!(agent.back_ends().contains(&QUEUE));
    untouched(&world);
    agent.impair(slow(), QUEUE);
    agent.back_ends();
    assert!(ruleset(&world.a).contains("table ip chaosrun"));
    assert_eq!(again(|| late(&echoes(&world, B, 7001, FEW), 60)), Ok(()));
    agent.relieve();
    untouched(&world);
}

#[test]
fn killed_it_leaves_nothing() {
    let world = World::new();
    let mut agent = impaired(&world);
    agent.child.kill().unwrap();
    agent.child.wait().unwrap();
    untouched(&world);
}

#[test]
fn without_stdin_it_takes_all_back_and_ends() {
    let world = World::new();
    let mut agent = impaired(&world);
    assert!(agent.finish());
    untouched(&world);
}

#[test]
fn when_nobody_hears_it_any_more_it_takes_all_back_and_ends() {
    let world = World::new();
    let mut agent = impaired(&world);
    agent.deafen();
    assert!(agent.child.wait().unwrap().success());
    untouched(&world);
}

#[test]
fn when_its_lease_runs_out_it_takes_all_back_and_stays() {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    echoes(&world, B, 7001, FEW);
    let lease = ms(400);
    let request = Request::Impair {
        impairment: slow(),
        back_end: QUEUE,
        lease,
    };
    assert_eq!(agent.ask(&request), Response::Done);
    let begun = Instant::now();
    // Renewed, it lasts longer.
    while begun.elapsed() < lease * 3 {
        assert_eq!(agent.ask(&Request::Renew), Response::Done);
        assert_eq!(agent.found().len(), 2);
        std::thread::sleep(lease / 10);
    }
    let patience = Instant::now();
    while !agent.found().is_empty() {
        assert!(patience.elapsed() < Duration::from_secs(5));
        std::thread::sleep(ms(10));
    }
    assert!(patience.elapsed() >= lease / 2, "{:?}", patience.elapsed());
    let Response::Refused { why } = agent.ask(&Request::Renew) else {
        panic!("renewed what had run out");
    };
    assert!(why.contains("nothing is in force"), "{why}");
    assert_eq!(agent.counts(), []);
    drop(agent);
    untouched(&world);
}

#[test]
fn a_measurement_does_not_use_the_lease_up() {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    let request = Request::Impair {
        impairment: one(flow(Direction::Both), Effect::Drop),
        back_end: QUEUE,
        lease: ms(600),
    };
    assert_eq!(agent.ask(&request), Response::Done);
    let measure = Request::Measure {
        peer: ip(B),
        port: None,
        series: Series {
            times: 3,
            apart: ms(300),
            patience: ms(900),
        },
    };
    agent.tell(measure.to_line().as_bytes());
    for _ in 0..14 {
        agent.tell(Request::Renew.to_line().as_bytes());
        std::thread::sleep(ms(100));
    }
    let Some(Response::Measured { round_trips }) = agent.hear() else {
        panic!("no measurement first");
    };
    assert_eq!(round_trips, [None, None, None]);
    for _ in 0..14 {
        assert_eq!(agent.hear(), Some(Response::Done));
    }
    assert_eq!(agent.found().len(), 2);
}

#[test]
fn round_trips_suffer_the_fault() {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    let v6 = ip(crate::world::B_V6);
    echoes(&world, B, 7001, FEW);
    echoes(&world, crate::world::B_V6, 7001, FEW);
    let median = |trips: Vec<Option<Duration>>| {
        let mut trips: Vec<_> = trips.into_iter().map(Option::unwrap).collect();
        trips.sort();
        trips[trips.len() / 2]
    };
    for (peer, port) in [(ip(B), None), (v6, None), (ip(B), Some(9)), (v6, Some(9))] {
        assert!(median(agent.measure(peer, port)) < ms(20));
        agent.impair(slow(), QUEUE);
        let trip = median(agent.measure(peer, port));
        assert!(trip >= ms(60) && trip < ms(70), "{peer} {port:?}: {trip:?}");
        agent.relieve();
    }
}

#[test]
fn taking_back_does_not_wait_for_what_is_measured() {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    agent.impair(one(flow(Direction::Both), Effect::Drop), QUEUE);
    let measure = Request::Measure {
        peer: ip(B),
        port: None,
        series: Series {
            times: 3,
            apart: ms(5),
            patience: Duration::from_secs(60),
        },
    };
    let begun = Instant::now();
    agent.tell(measure.to_line().as_bytes());
    let Response::Refused { why } = agent.ask(&Request::Relieve) else {
        panic!("measured what is not in force");
    };
    assert_eq!(why, "it was taken back meanwhile");
    assert_eq!(agent.hear(), Some(Response::Done));
    assert!(begun.elapsed() < Duration::from_secs(30));
    untouched(&world);
}

/// Else a proof would hold a long delay for many times its length.
#[test]
fn round_trips_do_not_wait_for_each_other() {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    for port in [None, Some(9)] {
        agent.impair(one(flow(Direction::Egress), line(delay(400, 0))), QUEUE);
        let begun = Instant::now();
        let trips = agent.measure(ip(B), port);
        let took = begun.elapsed();
        let late = |trip: &Option<Duration>| trip.is_some_and(|trip| trip >= ms(400));
        assert!(trips.len() == 5 && trips.iter().all(late), "{trips:?}");
        assert!(took < ms(1600), "{took:?}");
        agent.relieve();
    }
}

#[test]
fn one_impairment_takes_the_place_of_another_in_one_go() {
    let world = World::new();
    let mut agent = impaired(&world);
    agent.impair(one(flow(Direction::Egress), line(delay(10, 0))), QUEUE);
    assert_eq!(again(|| late(&echoes(&world, B, 7001, FEW), 10)), Ok(()));
    let refused = agent.try_impair(slow(), BackEnd::Netem);
    if matches!(refused, Response::Refused { .. }) {
        // What was refused changed nothing.
        assert_eq!(again(|| late(&echoes(&world, B, 7001, FEW), 10)), Ok(()));
    }
    agent.relieve();
    untouched(&world);
}

#[test]
fn what_others_put_there_stays_and_one_of_the_same_name_is_an_error() {
    let world = World::new();
    let host = &world.a;
    let nft = |words: &str| run(&format!("ip netns exec {host} nft {words}"));
    nft("add table inet theirs");
    nft("add chain inet theirs output { type filter hook output priority 0 ; }");
    nft("add rule inet theirs output udp dport 7009 counter drop");
    let before = ruleset(host);
    let mut agent = Agent::start(host);
    assert!(!agent.back_ends().is_empty());
    agent.impair(slow(), QUEUE);
    assert_eq!(again(|| late(&echoes(&world, B, 7001, FEW), 60)), Ok(()));
    assert!(ruleset(host).contains(&before));
    agent.relieve();
    assert_eq!(ruleset(host), before);

    nft("add table ip chaosrun");
    let before = ruleset(host);
    let Response::Refused { why } = agent.try_impair(slow(), QUEUE) else {
        panic!("took somebody else's table");
    };
    assert!(why.contains("table ip chaosrun is there already"), "{why}");
    assert_eq!(ruleset(host), before);
    assert_eq!(again(|| quick(&echoes(&world, B, 7001, FEW))), Ok(()));
    agent.relieve();
    assert_eq!(ruleset(host), before);
}

#[test]
fn a_second_agent_is_told_of_the_first() {
    let world = World::new();
    let mut first = impaired(&world);
    let mut second = Agent::start(&world.a);
    assert_eq!(second.found(), first.found());
    let Response::Refused { why } = second.try_impair(slow(), QUEUE) else {
        panic!("two at once");
    };
    assert!(why.contains("another agent is at work"), "{why}");
    let Response::Refused { why } = second.ask(&Request::Relieve) else {
        panic!("took the first one's rules");
    };
    assert!(why.contains("goes away with it"), "{why}");
    assert_eq!(again(|| late(&echoes(&world, B, 7001, FEW), 60)), Ok(()));
    drop(first);
    second.relieve();
    untouched(&world);
}

#[test]
fn without_its_capabilities_it_says_so() {
    let world = World::new();
    let program = env!("CARGO_BIN_EXE_chaosrun");
    let mut child = inside(&world.a, || {
        std::process::Command::new("setpriv")
            .args([
                "--bounding-set=-all",
                "--inh-caps=-all",
                program,
                "agent",
                "network",
            ])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    });
    let lines = [
        Request::Hello { version: VERSION }.to_line(),
        Request::Features.to_line(),
    ];
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, lines.concat().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("the agent needs NET_ADMIN"), "{said}");
}
