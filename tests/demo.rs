//! The demo system keeps its promises, and each of its switches really breaks one. Three processes on loopback, killed by
//! their own process id; no engine is needed.

#[path = "demo/cluster.rs"]
mod cluster;

use std::time::Duration;

use cluster::{Cluster, eventually, holds_for};
use rustix::process::Signal;

/// Generous: what is promised here is that it happens, the scenarios measure how soon.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_killed_primary_is_replaced_and_comes_back_with_all_that_was_acknowledged() {
    let mut cluster = Cluster::start(&[]);
    let primary = cluster.primary();
    let mut acknowledged = cluster.write_some("before", 30);

    cluster.kill(primary);
    eventually(SOON, "a write succeeds without the old primary", || {
        cluster.write("probe", "x").then_some(())
    });
    acknowledged.extend(cluster.write_some("without", 30));

    cluster.restart(primary);
    let all = cluster.applied(cluster.primary());
    eventually(SOON, "the old primary has caught up", || {
        (cluster.role(primary) == "replica" && cluster.applied(primary) >= all).then_some(())
    });
    for (key, value) in acknowledged {
        assert_eq!(
            cluster.read_from(primary, &key).as_ref(),
            Some(&value),
            "{key}"
        );
    }
}

#[test]
fn what_was_acknowledged_outlives_the_sudden_death_of_every_node() {
    let mut cluster = Cluster::start(&[]);
    let acknowledged = cluster.write_some("key", 60);
    (0..3).for_each(|node| cluster.kill(node));
    (0..3).for_each(|node| cluster.restart(node));
    cluster.primary();
    for (key, value) in acknowledged {
        assert_eq!(cluster.read(&key), Some(value), "{key}");
    }
}

#[test]
fn a_paused_primary_is_deposed_and_never_answers_for_the_past() {
    let cluster = Cluster::start(&[]);
    let paused = cluster.primary();
    assert!(cluster.write("key", "old"));

    cluster.signal(paused, Signal::STOP);
    eventually(SOON, "another primary takes over", || {
        (0..3)
            .filter(|node| *node != paused)
            .any(|node| cluster.role(node) == "primary")
            .then_some(())
    });
    eventually(SOON, "a write succeeds", || {
        cluster.write_avoiding(paused, "key", "new").then_some(())
    });

    cluster.signal(paused, Signal::CONT);
    // Either it refuses or it has asked the new primary; what it still believes must not show.
    let first_answer = cluster.read_from(paused, "key");
    assert_ne!(first_answer.as_deref(), Some("old"));
    eventually(SOON, "it serves as a replica", || {
        (cluster.role(paused) == "replica").then_some(())
    });
    assert_eq!(cluster.read_from(paused, "key").as_deref(), Some("new"));
}

#[test]
fn without_a_majority_a_write_is_refused_in_time_with_a_reason() {
    let mut cluster = Cluster::start(&[]);
    let survivor = cluster.primary();
    (0..3)
        .filter(|node| *node != survivor)
        .for_each(|node| cluster.kill(node));

    // The node answers within 800 ms; the client gives up after three times that.
    let (status, reason) = cluster
        .call(survivor, "PUT", "/kv/key", "value")
        .expect("an answer in time");
    assert_eq!(status, 503);
    assert!(!reason.trim().is_empty());
    assert_ne!(cluster.role(survivor), "primary");

    (0..3)
        .filter(|node| *node != survivor)
        .for_each(|node| cluster.restart(node));
    eventually(SOON, "a write succeeds again", || {
        cluster.write("key", "value").then_some(())
    });
}

#[test]
fn a_node_that_was_away_for_long_catches_up_by_snapshot() {
    let mut cluster = Cluster::start(&["--snapshot-every", "20"]);
    let primary = cluster.primary();
    let away = (primary + 1) % 3;
    cluster.kill(away);
    cluster.write_some("while-away", 120);
    cluster.restart(away);
    let all = cluster.applied(cluster.primary());
    eventually(SOON, "it has caught up", || {
        (cluster.applied(away) >= all).then_some(())
    });
    assert!(cluster.status(away)["snapshot_index"].as_u64().is_some());
}

#[test]
fn a_node_ends_at_once_and_well_when_asked_to() {
    let mut cluster = Cluster::start(&[]);
    cluster.signal(0, Signal::TERM);
    let code = eventually(Duration::from_secs(3), "it ends", || cluster.exit_code(0));
    assert_eq!(code, 0);
}

#[test]
fn no_failover_leaves_the_system_without_a_primary_until_the_old_one_is_back() {
    let mut cluster = Cluster::start(&["--fault", "no-failover"]);
    let primary = cluster.primary();
    assert!(cluster.write("key", "value"));

    cluster.kill(primary);
    // Four times as long as the healthy system takes.
    holds_for(Duration::from_secs(4), "no write succeeds", || {
        !cluster.write("key", "other")
    });

    cluster.restart(primary);
    eventually(SOON, "the old primary serves again", || {
        cluster.write("key", "value").then_some(())
    });
    assert_eq!(cluster.primary(), primary);
}

#[test]
fn slow_failover_takes_several_seconds() {
    let mut cluster = Cluster::start(&["--fault", "slow-failover"]);
    let primary = cluster.primary();
    cluster.kill(primary);
    holds_for(Duration::from_secs(4), "no write succeeds", || {
        !cluster.write("key", "value")
    });
    eventually(Duration::from_secs(20), "a write succeeds", || {
        cluster.write("key", "value").then_some(())
    });
}

#[test]
fn ack_early_loses_what_it_acknowledged() {
    // Its batches leave twice a second: one that leaves between the last write and the kill would hide the defect.
    let lost = (0..3).any(|_| {
        let mut cluster = Cluster::start(&["--fault", "ack-early"]);
        let acknowledged = cluster.write_some("key", 10);
        assert_eq!(acknowledged.len(), 10);
        let primary = cluster.primary();
        let last = cluster.write_some("last", 10);
        cluster.kill(primary);
        eventually(SOON, "another primary takes over", || {
            cluster
                .roles()
                .contains(&"primary".to_owned())
                .then_some(())
        });
        last.iter()
            .any(|(key, value)| cluster.read(key).as_ref() != Some(value))
    });
    assert!(lost, "every acknowledged write survived");
}
