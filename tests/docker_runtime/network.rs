//! Agents in targets' networks: their rights, and what they do to packets.

use std::net::IpAddr;
use std::time::Duration;

use chaosrun::action::{Capability, Change, Condition, Subject};
use chaosrun::impairment::expect::Series;
use chaosrun::impairment::{BackEnd, Delay, Direction, Effect, Flow, Impairment, Line, Rule};
use chaosrun::runtime::docker::Docker;
use chaosrun::runtime::{Made, Runtime as _};

use crate::netns;
use crate::stage::{Stage, docker, field, look};

/// Ids of the agents in this target's network.
pub(crate) fn agents(target: &Subject) -> Vec<String> {
    let filter = format!("label=chaosrun.target={}", target.id);
    let ids = docker(["ps", "-aq", "--no-trunc", "--filter", &filter]);
    ids.split_whitespace().map(str::to_owned).collect()
}

pub(crate) fn pid(id: &str) -> String {
    field(id, "{{.State.Pid}}")
}

fn inside(target: &Subject, command: &[&str]) -> String {
    netns::inside(&pid(&target.id), command)
}

/// Everything that could be left in a container's network.
pub(crate) fn traces(target: &Subject) -> String {
    netns::traces(&pid(&target.id))
}

fn impair(effect: Effect, direction: Direction, peer: Option<IpAddr>) -> Change {
    let flow = Flow {
        direction,
        peers: peer.into_iter().map(Into::into).collect(),
        ports: Vec::new(),
        protocol: None,
        at: Vec::new(),
    };
    let impairment = Impairment {
        rules: vec![Rule { flow, effect }],
        seed: 7,
    };
    Change::Impair {
        impairment: Box::new(impairment),
    }
}

pub(crate) fn drop_all() -> Change {
    impair(Effect::Drop, Direction::Both, None)
}

pub(crate) fn delay(latency: Duration) -> Change {
    let delay = Delay {
        latency,
        jitter: Duration::ZERO,
        correlation: 0.0,
        distribution: chaosrun::impairment::Distribution::Uniform,
    };
    let line = Line {
        delay: Some(delay),
        ..Line::default()
    };
    impair(Effect::Line(Box::new(line)), Direction::Egress, None)
}

pub(crate) fn digest(change: &Change) -> Condition {
    let Change::Impair { impairment } = change else {
        panic!("{change:?}");
    };
    Condition::Impaired {
        digest: impairment.digest(),
    }
}

pub(crate) async fn holds(engine: &Docker, target: &Subject, condition: &Condition) -> bool {
    let seen = engine.observe(&target.id).await;
    seen.is_ok_and(|seen| condition.check(seen.as_ref()).is_ok())
}

async fn ready(engine: &Docker, target: &Subject) {
    let needs = [(target.clone(), Capability::Network)];
    engine.prepare(&needs).await.unwrap();
}

/// Two in one network; the second's address.
pub(crate) fn pair(stage: &Stage) -> (Subject, Subject, IpAddr) {
    let network = stage.network(&[]);
    let options = ["--network", network.as_str()];
    let (one, two) = (stage.sleeper(&options), stage.sleeper(&options));
    let address = field(
        &two.id,
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
    );
    (one, two, address.parse().unwrap())
}

/// Round trips in milliseconds; `None`: no answer.
pub(crate) async fn trips(engine: &Docker, from: &Subject, to: IpAddr) -> Vec<Option<f64>> {
    let series = Series {
        times: 5,
        apart: Duration::from_millis(5),
        patience: Duration::from_millis(400),
    };
    let all = engine.measure(from, (to, None), series).await.unwrap();
    all.into_iter()
        .map(|one| one.map(|time| time.as_secs_f64() * 1e3))
        .collect()
}

#[tokio::test]
async fn it_has_the_rights_that_it_needs_and_no_others() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    ready(&engine, &target).await;
    let agents = agents(&target);
    let [agent] = agents.as_slice() else {
        panic!("{agents:?}");
    };
    let host = |name: &str| field(agent, &format!("{{{{json .HostConfig.{name}}}}}"));
    assert_eq!(host("CapAdd"), r#"["NET_ADMIN","NET_RAW"]"#);
    assert_eq!(host("CapDrop"), r#"["ALL"]"#);
    assert_eq!(host("NetworkMode"), format!("\"container:{}\"", target.id));
    assert_eq!(host("ReadonlyRootfs"), "true");
    assert_eq!(host("AutoRemove"), "true");
    assert!(host("SecurityOpt").contains(r#""no-new-privileges""#));
    for (name, value) in [
        ("Privileged", "false"),
        ("Binds", "null"),
        ("PidMode", "\"\""),
        ("UTSMode", "\"\""),
        ("PublishAllPorts", "false"),
    ] {
        assert_eq!(host(name), value, "{name}");
    }
    assert!(matches!(host("PortBindings").as_str(), "null" | "{}"));
    assert!(matches!(host("Devices").as_str(), "null" | "[]"));
    let config = |name: &str| field(agent, &format!("{{{{json .Config.{name}}}}}"));
    assert_eq!(config("User"), r#""0:0""#);
    assert_eq!(
        (config("StdinOnce"), config("Tty")),
        ("true".into(), "false".into())
    );
    assert_eq!(config("Cmd"), r#"["agent","network"]"#);
    let label = |name: &str| field(agent, &format!("{{{{index .Config.Labels {name:?}}}}}"));
    assert_eq!(label("chaosrun"), stage.name);
    assert_eq!(label("chaosrun.agent"), "network");
    assert_eq!(label("chaosrun.target"), target.id);
    assert_eq!(field(agent, "{{len .Mounts}}"), "0");
    // What the kernel says of the process itself: no capability but these two, 12 and 13.
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid(agent))).unwrap();
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        let line = status.lines().find(|line| line.starts_with(set)).unwrap();
        assert!(line.ends_with("0000000000003000"), "{line}");
    }
    assert!(status.contains("NoNewPrivs:\t1"));
    // It listens nowhere.
    assert_eq!(inside(&target, &["ss", "-Hltunp"]), "");
    // Asked for again, there still is but one.
    ready(&engine, &target).await;
    assert_eq!(self::agents(&target), agents);
}

#[tokio::test]
async fn packets_are_dropped_and_delayed_as_asked_and_pass_again() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let (one, two, address) = pair(&stage);
    ready(&engine, &one).await;
    let before = traces(&one);
    let plain = trips(&engine, &one, address).await;
    assert!(
        plain.iter().all(|one| one.is_some_and(|ms| ms < 20.0)),
        "{plain:?}"
    );

    engine.apply(&one, &drop_all()).await.unwrap();
    assert!(holds(&engine, &one, &digest(&drop_all())).await);
    assert_eq!(trips(&engine, &one, address).await, [None; 5]);
    let seen = look(&engine, &one).await.impaired.unwrap();
    assert!(seen.counts[0].dropped >= 5, "{seen:?}");
    // Who else is in the network is not touched.
    ready(&engine, &two).await;
    assert_eq!(look(&engine, &two).await.impaired, None);

    let slow = delay(Duration::from_millis(60));
    engine.apply(&one, &slow).await.unwrap();
    assert!(holds(&engine, &one, &digest(&slow)).await);
    let slowed = trips(&engine, &one, address).await;
    let is_slow = |one: &Option<f64>| one.is_some_and(|ms| (60.0..90.0).contains(&ms));
    assert!(slowed.iter().all(is_slow), "{slowed:?}");

    assert_eq!(
        engine.apply(&one, &Change::Relieve).await.unwrap(),
        Made::Now
    );
    assert!(holds(&engine, &one, &Condition::Relieved).await);
    assert_eq!(traces(&one), before);
    let plain = trips(&engine, &one, address).await;
    assert!(
        plain.iter().all(|one| one.is_some_and(|ms| ms < 20.0)),
        "{plain:?}"
    );
    assert_eq!(
        engine.apply(&one, &Change::Relieve).await.unwrap(),
        Made::Already
    );
}

#[tokio::test]
async fn a_target_that_was_not_prepared_is_impaired_all_the_same() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    engine.apply(&target, &drop_all()).await.unwrap();
    assert!(holds(&engine, &target, &digest(&drop_all())).await);
    assert_eq!(agents(&target).len(), 1);
}

#[tokio::test]
async fn foreign_rules_stay_as_they_are() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    for command in [
        "add table inet theirs",
        "add chain inet theirs input { type filter hook input priority 0; }",
        "add rule inet theirs input tcp dport 4711 counter drop",
    ] {
        inside(&target, &["nft", command]);
    }
    let theirs = || inside(&target, &["nft", "list", "table", "inet", "theirs"]);
    let (before, rules) = (traces(&target), theirs());
    for change in [drop_all(), delay(Duration::from_millis(20))] {
        engine.apply(&target, &change).await.unwrap();
        assert_eq!(theirs(), rules);
        engine.apply(&target, &Change::Relieve).await.unwrap();
        assert_eq!(traces(&target), before);
    }
}

#[tokio::test]
async fn the_back_end_that_works_is_named() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    let features = stage
        .engine()
        .await
        .examine()
        .await
        .unwrap()
        .features
        .unwrap();
    engine
        .apply(&target, &delay(Duration::from_millis(10)))
        .await
        .unwrap();
    let seen = look(&engine, &target).await.impaired.unwrap();
    let expected = if features.back_ends.contains(&BackEnd::Netem) {
        BackEnd::Netem
    } else {
        BackEnd::Queue
    };
    assert_eq!(seen.back_end, expected);
}
