//! Each change, and that making it again is no error.

use std::time::Duration;

use chaosrun::action::Change;
use chaosrun::inventory::{Endpoint, State};
use chaosrun::runtime::{Runtime as _, RuntimeError, Scope};
use chaosrun::units::Signal;

use crate::stage::{Stage, docker, field, look, status, subject, twice, until};

const KILL: Change = Change::Signal {
    signal: Signal::KILL,
};
const TERM: Change = Change::Signal {
    signal: Signal::TERM,
};

fn stop(ms: u64) -> Change {
    let grace = Duration::from_millis(ms);
    Change::Stop { grace }
}

#[tokio::test]
async fn pause_and_unpause() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    twice(&engine, &target, &Change::Pause).await.unwrap();
    assert_eq!(status(&target), "paused");
    assert_eq!(look(&engine, &target).await.state, State::Paused);
    twice(&engine, &target, &Change::Unpause).await.unwrap();
    assert_eq!(status(&target), "running");
}

#[tokio::test]
async fn stop_and_start() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    let before = look(&engine, &target).await;
    twice(&engine, &target, &stop(5_000)).await.unwrap();
    assert_eq!(status(&target), "exited");
    let down = look(&engine, &target).await;
    assert_eq!((down.state, down.pid), (State::Exited { code: 0 }, None));
    twice(&engine, &target, &Change::Start).await.unwrap();
    let after = look(&engine, &target).await;
    assert_eq!(after.state, State::Running);
    assert_ne!(after.started_at, before.started_at);
}

#[tokio::test]
async fn a_grace_that_runs_out_ends_in_a_kill() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let deaf = stage.run(&[], &["sh", "-c", "trap '' TERM; sleep 600"]);
    let deaf = subject(&deaf);
    engine.apply(&deaf, &stop(200)).await.unwrap();
    let state = look(&engine, &deaf).await.state;
    assert_eq!(state, State::Exited { code: 137 });
}

#[tokio::test]
async fn a_signal_through_the_engine_holds_the_restart_policy_back() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let target = stage.sleeper(&["--restart", "always"]);
    twice(&engine, &target, &KILL).await.unwrap();
    // Docker would start it again after 100 ms.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(status(&target), "exited");
    assert_eq!(look(&engine, &target).await.restart_count, 0);
    let error = engine.apply(&target, &TERM).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("target-1: could not send SIGTERM through the engine: "));
    assert!(text.contains("is not running"), "{text}");
}

#[tokio::test]
async fn a_crash_from_outside_makes_the_restart_policy_react() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let target = stage.sleeper(&["--restart", "always"]);
    let before = look(&engine, &target).await;
    let crash = Change::Crash {
        signal: Signal::KILL,
    };
    engine.apply(&target, &crash).await.unwrap();
    until("it runs again", async || {
        let now = look(&engine, &target).await;
        now.state == State::Running && now.started_at != before.started_at
    })
    .await;
    let after = look(&engine, &target).await;
    assert_eq!(after.restart_count, 1);
    assert_ne!(after.pid, before.pid);
}

#[tokio::test]
async fn a_crash_of_what_does_not_run_is_refused() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    engine.apply(&target, &KILL).await.unwrap();
    let crash = Change::Crash {
        signal: Signal::KILL,
    };
    let error = engine.apply(&target, &crash).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "target-1: could not send SIGKILL from outside, as a crash: it does not run"
    );
}

#[tokio::test]
async fn a_network_is_left_and_joined_again_under_the_same_names_and_address() {
    let stage = Stage::set();
    let (engine, network) = (
        stage.engine().await,
        stage.network(&["--subnet", "10.231.7.0/24"]),
    );
    let options = [
        "--network",
        &network,
        "--network-alias",
        "primary",
        "--ip",
        "10.231.7.77",
    ];
    let target = stage.sleeper(&options);
    let endpoint = look(&engine, &target).await.networks[&network].clone();
    let leave = Change::Disconnect {
        network: network.clone(),
    };
    let join = Change::Connect {
        network: network.clone(),
        endpoint: Box::new(endpoint.clone()),
    };
    twice(&engine, &target, &leave).await.unwrap();
    let networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
    assert_eq!(field(&target.id, networks), "");
    twice(&engine, &target, &join).await.unwrap();
    assert_eq!(look(&engine, &target).await.networks[&network], endpoint);
    // Its peers find it by its name again.
    let answer = stage.run(
        &["--network", &network],
        &["busybox", "nslookup", "primary"],
    );
    docker(["wait", &answer]);
    assert!(docker(["logs", &answer]).contains("10.231.7.77"));

    // Somebody else was faster, and knew nothing of names and addresses.
    engine.apply(&target, &leave).await.unwrap();
    docker(["network", "connect", &network, &target.id]);
    engine.apply(&target, &join).await.unwrap();
    assert_eq!(look(&engine, &target).await.networks[&network], endpoint);

    // One that does not run takes its place when it starts.
    engine.apply(&target, &KILL).await.unwrap();
    twice(&engine, &target, &leave).await.unwrap();
    twice(&engine, &target, &join).await.unwrap();
    engine.apply(&target, &Change::Start).await.unwrap();
    let now = look(&engine, &target).await.networks[&network].clone();
    assert_eq!(
        (now.address, now.aliases),
        (endpoint.address, endpoint.aliases)
    );
}

#[tokio::test]
async fn the_default_network_is_left_and_joined_again() {
    let stage = Stage::set();
    let (engine, target) = (
        stage.engine().await,
        stage.sleeper(&["--network", "bridge"]),
    );
    let endpoint = look(&engine, &target).await.networks["bridge"].clone();
    let network = || "bridge".to_owned();
    let leave = Change::Disconnect { network: network() };
    let join = Change::Connect {
        network: network(),
        endpoint: Box::new(endpoint),
    };
    twice(&engine, &target, &leave).await.unwrap();
    assert!(look(&engine, &target).await.networks.is_empty());
    twice(&engine, &target, &join).await.unwrap();
    assert!(
        !look(&engine, &target).await.networks["bridge"]
            .address
            .is_empty()
    );
}

#[tokio::test]
async fn what_is_gone_is_no_container_and_no_change() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let gone = subject(&"0".repeat(64));
    assert_eq!(engine.observe(&gone.id).await.unwrap(), None);
    let endpoint = Endpoint::default();
    let network = "bridge".to_owned();
    for change in [
        KILL,
        stop(0),
        Change::Start,
        Change::Pause,
        Change::Unpause,
        Change::Connect {
            network,
            endpoint: Box::new(endpoint),
        },
        Change::Crash {
            signal: Signal::KILL,
        },
    ] {
        let error = engine.apply(&gone, &change).await.unwrap_err();
        assert!(matches!(error, RuntimeError::Refused { .. }), "{error}");
        assert!(
            error
                .to_string()
                .to_lowercase()
                .contains("no such container"),
            "{error}"
        );
        assert!(error.hint().contains("removed meanwhile"));
    }
}

#[tokio::test]
async fn the_inventory_is_the_scopes_in_the_order_of_identity() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let project = format!("com.docker.compose.project={}", stage.name);
    for (service, number) in [("web", "2"), ("web", "1"), ("db", "1")] {
        let service = format!("com.docker.compose.service={service}");
        let number = format!("com.docker.compose.container-number={number}");
        stage.sleeper(&["--label", &project, "--label", &service, "--label", &number]);
    }
    let other = stage.sleeper(&["--restart", "on-failure:3"]);
    let scope = Scope::Project(stage.name.clone());
    let seen = engine.inventory(&scope).await.unwrap();
    let names: Vec<_> = seen.instances.iter().map(|i| i.identity()).collect();
    assert_eq!(names, ["db-1", "web-1", "web-2"]);
    assert_eq!(seen.facts.endpoint, engine.endpoint());
    assert!(!seen.facts.kernel.is_empty() && !seen.facts.version.is_empty());
    let all = engine.inventory(&Scope::Engine).await.unwrap().instances;
    assert!(all.iter().any(|i| i.id == other.id));
}
