//! Agents and targets that end, hang, restart or are left behind: no fault outlives any of them, and none is lost unnoticed.

use std::time::Duration;

use chaosrun::action::{Capability, Change, Condition};
use chaosrun::runtime::{Made, Notice, Runtime as _};

use crate::network::{agents, delay, digest, drop_all, holds, pair, pid, traces, trips};
use crate::stage::{self, Stage, docker, look, until};

#[tokio::test]
async fn a_lease_is_renewed_for_as_long_as_the_run_lives() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    engine.apply(&target, &drop_all()).await.unwrap();
    // Two leases long.
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(holds(&engine, &target, &digest(&drop_all())).await);
    }
}

#[tokio::test]
async fn an_agent_that_is_killed_is_noticed_and_leaves_nothing_in_force() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let (one, _two, address) = pair(&stage);
    let mut notices = engine.watch().await.unwrap();
    engine.apply(&one, &drop_all()).await.unwrap();
    stage::kill(&pid(&agents(&one)[0]), "KILL");
    let notice = async {
        loop {
            let notice = notices.recv().await.unwrap();
            if notice.what == Notice::AGENT_LOST {
                return notice;
            }
        }
    };
    let notice = tokio::time::timeout(Duration::from_secs(5), notice)
        .await
        .unwrap();
    assert_eq!(notice.id, one.id);
    assert_eq!(look(&engine, &one).await.impaired, None);
    let passed = trips(&engine, &one, address).await;
    assert!(passed.iter().all(Option::is_some), "{passed:?}");
    engine.apply(&one, &drop_all()).await.unwrap();
    assert!(holds(&engine, &one, &digest(&drop_all())).await);
    assert_eq!(trips(&engine, &one, address).await, [None; 5]);
}

#[tokio::test]
async fn an_agent_that_hangs_is_ended_and_replaced() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let (one, _two, address) = pair(&stage);
    engine
        .apply(&one, &delay(Duration::from_millis(30)))
        .await
        .unwrap();
    let agent = agents(&one)[0].clone();
    stage::kill(&pid(&agent), "STOP");
    until("it is gone", async || !agents(&one).contains(&agent)).await;
    assert_eq!(look(&engine, &one).await.impaired, None);
    let passed = trips(&engine, &one, address).await;
    assert!(passed.iter().all(Option::is_some), "{passed:?}");
}

#[tokio::test]
async fn a_target_restarts_in_spite_of_its_agent_and_gets_its_fault_again() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let (one, _two, address) = pair(&stage);
    let mut notices = engine.watch().await.unwrap();
    engine.apply(&one, &drop_all()).await.unwrap();
    let agent = agents(&one)[0].clone();
    docker(["restart", "-t", "0", &one.id]);
    assert_eq!(look(&engine, &one).await.impaired, None);
    until("the old agent is gone", async || {
        !agents(&one).contains(&agent)
    })
    .await;
    let passed = trips(&engine, &one, address).await;
    assert!(passed.iter().all(Option::is_some), "{passed:?}");
    engine.apply(&one, &drop_all()).await.unwrap();
    assert!(holds(&engine, &one, &digest(&drop_all())).await);
    // One that nobody has looked at since its restart: what was in force was in its network before.
    while notices.try_recv().is_ok() {}
    docker(["restart", "-t", "0", &one.id]);
    while notices.recv().await.unwrap().what != "restart" {}
    engine.apply(&one, &drop_all()).await.unwrap();
    assert_eq!(trips(&engine, &one, address).await, [None; 5]);
    docker(["restart", "-t", "0", &one.id]);
    assert_eq!(
        engine.apply(&one, &Change::Relieve).await.unwrap(),
        Made::Already
    );
    assert!(holds(&engine, &one, &Condition::Relieved).await);
}

#[tokio::test]
async fn a_target_that_is_stopped_or_gone_has_nothing_left() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    engine.apply(&target, &drop_all()).await.unwrap();
    docker(["stop", "-t", "0", &target.id]);
    assert_eq!(
        engine.apply(&target, &Change::Relieve).await.unwrap(),
        Made::Already
    );
    assert!(holds(&engine, &target, &Condition::Relieved).await);
    let error = engine.apply(&target, &drop_all()).await.unwrap_err();
    assert!(error.to_string().contains("it does not run"), "{error}");
    docker(["rm", "-f", &target.id]);
    assert_eq!(
        engine.apply(&target, &Change::Relieve).await.unwrap(),
        Made::Already
    );
    assert_eq!(agents(&target), [""; 0]);
    let error = engine.apply(&target, &drop_all()).await.unwrap_err();
    assert!(error.to_string().contains("no such container"), "{error}");
}

#[tokio::test]
async fn a_paused_target_is_impaired_and_relieved() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    docker(["pause", &target.id]);
    engine.apply(&target, &drop_all()).await.unwrap();
    assert!(holds(&engine, &target, &digest(&drop_all())).await);
    engine.apply(&target, &Change::Relieve).await.unwrap();
    assert!(holds(&engine, &target, &Condition::Relieved).await);
    docker(["unpause", &target.id]);
}

#[tokio::test]
async fn the_hosts_own_network_is_refused() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let target = stage.sleeper(&["--network", "host"]);
    let needs = [(target.clone(), Capability::Network)];
    for error in [
        engine.prepare(&needs).await.unwrap_err(),
        engine.apply(&target, &drop_all()).await.unwrap_err(),
    ] {
        assert!(
            error.to_string().contains("on the host's network"),
            "{error}"
        );
        assert_eq!(error.hint(), "give it a network of its own");
    }
    assert_eq!(agents(&target), [""; 0]);
}

#[tokio::test]
async fn whoever_recovers_a_run_looks_for_itself_and_ends_its_agents() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    let before = traces(&target);
    engine.apply(&target, &drop_all()).await.unwrap();
    assert_ne!(traces(&target), before);
    // As the reaper does, with the run's agents still there.
    let reaper = stage.engine().await;
    reaper.apply(&target, &Change::Relieve).await.unwrap();
    assert!(holds(&reaper, &target, &Condition::Relieved).await);
    assert_eq!(traces(&target), before);
    assert_eq!(
        reaper.apply(&target, &Change::Relieve).await.unwrap(),
        Made::Already
    );
    reaper.sweep(&stage.name).await.unwrap();
    assert_eq!(stage.labelled(&format!("chaosrun={}", stage.name)), [""; 0]);
}

#[tokio::test]
async fn a_sweep_leaves_no_agent_and_no_image() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    engine.apply(&target, &drop_all()).await.unwrap();
    engine.sweep(&stage.name).await.unwrap();
    assert_eq!(stage.labelled(&format!("chaosrun={}", stage.name)), [""; 0]);
    assert_eq!(look(&engine, &target).await.impaired, None);
}

#[tokio::test]
async fn it_ends_when_chaosrun_is_killed() {
    const TEST: &str = "network_ends::it_ends_when_chaosrun_is_killed";
    if let Some((engine, target, mark)) = stage::part().await {
        // The one that is killed, with a fault in force.
        engine.apply(&target, &drop_all()).await.unwrap();
        std::fs::write(mark, "ready").unwrap();
        std::future::pending::<()>().await;
        return;
    }
    let stage = Stage::set();
    let (one, _two, address) = pair(&stage);
    let before = traces(&one);
    let mut child = stage.play_part(TEST, &one).await;
    assert_ne!(traces(&one), before);
    // SIGKILL: nothing in it can tidy up.
    child.kill().unwrap();
    child.wait().unwrap();
    until("no agent", async || agents(&one).is_empty()).await;
    assert_eq!(traces(&one), before);
    let engine = stage.engine().await;
    let passed = trips(&engine, &one, address).await;
    assert!(passed.iter().all(Option::is_some), "{passed:?}");
}

#[tokio::test]
async fn a_run_that_sleeps_too_long_loses_the_fault_and_says_so() {
    const TEST: &str = "network_ends::a_run_that_sleeps_too_long_loses_the_fault_and_says_so";
    if let Some((engine, target, mark)) = stage::part().await {
        let mut notices = engine.watch().await.unwrap();
        engine.apply(&target, &drop_all()).await.unwrap();
        std::fs::write(&mark, "ready").unwrap();
        while notices.recv().await.unwrap().what != Notice::AGENT_LOST {}
        assert_eq!(look(&engine, &target).await.impaired, None);
        std::fs::write(mark, "told").unwrap();
        return;
    }
    let stage = Stage::set();
    let target = stage.sleeper(&[]);
    let before = traces(&target);
    let mut child = stage.play_part(TEST, &target).await;
    stage::kill(&child.id().to_string(), "STOP");
    until("nothing in force", async || traces(&target) == before).await;
    stage::kill(&child.id().to_string(), "CONT");
    assert!(child.wait().unwrap().success());
    assert_eq!(std::fs::read_to_string(stage.mark()).unwrap(), "told");
}
