//! Targets that do not hold still.

use crate::stage::{Stage, until};
use crate::with;

/// A second container beside the probed one is the target.
const WORKER: &str = "[targets.worker]\nservice = \"worker\"\n";

fn on_worker(step: &str) -> String {
    with(step) + WORKER
}

#[test]
fn one_that_dies_before_its_fault_is_not_hit_and_not_started() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let worker = stage.web("worker", &[]);
    let scenario = on_worker("at = \"1s\"\nfor = \"1s\"\nfault.pause = { target = \"worker\" }");
    let mut run = stage.start(&scenario);
    run.await_event("phase", "phase", "baseline");
    stage.docker(["kill", &worker]);
    let played = run.end().expect(3).says("worker");
    assert!(!played.injected());
    assert_eq!(stage.status(&worker), "exited");
    assert!(stage.journals().is_empty());
}

#[test]
fn one_that_is_removed_before_its_fault_makes_the_run_inconclusive() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let worker = stage.web("worker", &[]);
    let scenario = on_worker("at = \"1s\"\nfor = \"1s\"\nfault.pause = { target = \"worker\" }");
    let mut run = stage.start(&scenario);
    run.await_event("phase", "phase", "baseline");
    stage.docker(["rm", "-f", &worker]);
    assert!(!run.end().expect(3).says("worker").injected());
    assert!(stage.journals().is_empty());
}

#[test]
fn one_that_dies_during_its_fault_did_not_come_back() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let worker = stage.web("worker", &[]);
    let mut run = stage.start(&on_worker(
        "for = \"2s\"\nfault.pause = { target = \"worker\" }",
    ));
    run.await_event("injected", "", "");
    assert_eq!(stage.status(&worker), "paused");
    stage.docker(["kill", &worker]);
    let played = run
        .end()
        .expect(1)
        .says("worker-1 was running before and is exited");
    assert_eq!(played.report()["steps"][0]["revert"]["verified"], true);
    assert!(stage.journals().is_empty());
}

#[test]
fn one_that_restarts_gets_its_fault_again() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let worker = stage.web("worker", &[]);
    let before = stage.field(&worker, "{{.State.StartedAt}}");
    let mut run = stage.start(&on_worker(
        "for = \"4s\"\nfault.pause = { target = \"worker\" }",
    ));
    run.await_event("injected", "", "");
    stage.docker(["restart", "-t", "0", &worker]);
    assert_ne!(stage.field(&worker, "{{.State.StartedAt}}"), before);
    until("it is paused again", || stage.status(&worker) == "paused");
    let played = run.end().expect(0);
    let report = played.report();
    assert_eq!(report["steps"][0]["reapplied"], 1);
    assert_eq!(report["steps"][0]["revert"]["verified"], true);
    assert_eq!(stage.status(&worker), "running");
}

#[test]
fn one_that_restarts_is_disconnected_all_the_same() {
    let stage = Stage::set();
    let network = stage.network();
    stage.web("web", &[]);
    let worker = stage.web("worker", &["--network", &network]);
    let mut run = stage.start(&on_worker(
        "for = \"3s\"\nfault.disconnect = { target = \"worker\" }",
    ));
    run.await_event("injected", "", "");
    assert_eq!(
        stage.field(&worker, "{{len .NetworkSettings.Networks}}"),
        "0"
    );
    stage.docker(["restart", "-t", "0", &worker]);
    stage.docker(["network", "connect", &network, &worker]);
    until("it is disconnected again", || {
        stage.field(&worker, "{{len .NetworkSettings.Networks}}") == "0"
    });
    let played = run.end().expect(0);
    assert!(played.report()["steps"][0]["reapplied"].as_u64().unwrap() >= 1);
    assert_eq!(
        stage.field(&worker, "{{len .NetworkSettings.Networks}}"),
        "1"
    );
}

#[test]
fn a_probe_follows_its_target_to_a_new_address() {
    let stage = Stage::set();
    let third = std::process::id() % 250;
    let label = format!("misfortune={}", stage.name);
    let subnet = format!("10.213.{third}.0/24");
    stage.docker([
        "network",
        "create",
        "--label",
        &label,
        "--subnet",
        &subnet,
        &stage.name,
    ]);
    let web = stage.web("web", &["--network", &stage.name]);
    let address = || {
        stage.field(
            &web,
            "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        )
    };
    let before = address();
    let scenario = with("for = \"3s\"\nfault.kill = { target = \"web\" }")
        + "[[slos]]\nprobe = \"up\"\nduring = \"hit\"\nrecovery = \"<= 8s\"\n";
    let mut run = stage.start(&scenario);
    run.await_event("injected", "", "");
    // It answers, but with something else: whoever still asks there must notice.
    stage.container(
        "squatter",
        &["--network", &stage.name, "--ip", &before],
        "sleep 600",
    );
    let played = run.end().expect(0);
    assert_ne!(address(), before);
    let report = played.report();
    let recovery = &report["phases"][2];
    assert_eq!(recovery["name"], "recovery");
    let probe = &report["probes"][0]["phases"];
    assert!(probe[2]["good"].as_u64().unwrap() > 0, "{probe:#}");
}
