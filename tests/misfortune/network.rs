//! Faults of a container's network, whose agent, target or run meets with misfortune: traffic flows as before within five seconds, and
//! nothing is left over.

use std::time::Duration;

use serde_json::Value;

use crate::netns;
use crate::play::Playing;
use crate::signals::{kill_with_reaper, run_id};
use crate::stage::{Stage, kill, until};
use crate::with;

/// Slows what is asked of the probed container, and longer than any test lasts.
const SLOW: &str = "for = \"60s\"\nfault.delay = { target = \"web\", latency = \"60ms\" }";
/// The same, for as long as something may happen in it.
const A_WHILE: &str = "for = \"6s\"\nfault.delay = { target = \"web\", latency = \"60ms\" }";

/// A web server in a network with a bystander.
fn scene() -> (Stage, String) {
    let stage = Stage::set();
    let network = stage.network();
    let web = stage.web("web", &["--network", &network]);
    stage.web("bystander", &["--network", &network]);
    (stage, web)
}

fn traces(stage: &Stage, name: &str) -> String {
    netns::traces(&stage.field(name, "{{.State.Pid}}"))
}

/// The agents of a run.
fn agents(stage: &Stage, run: &str) -> Vec<String> {
    let filters = [
        format!("label=chaosrun={run}"),
        "label=chaosrun.agent=network".into(),
    ];
    let args = [
        "ps",
        "-q",
        "--no-trunc",
        "--filter",
        &filters[0],
        "--filter",
        &filters[1],
    ];
    let ids = stage.docker(args);
    ids.split_whitespace().map(str::to_owned).collect()
}

/// Waits until the fault is in force; the run's id.
fn in_force(run: &mut Playing) -> String {
    run.await_event("injected", "", "");
    run_id(run)
}

fn reapplied(event: &Value) -> bool {
    event["event"] == "reapplied"
}

/// That it is as if nothing had been done, within five seconds.
#[expect(clippy::disallowed_methods, reason = "the time is what is tested")]
fn soon_as_before(stage: &Stage, web: &str, before: &str, run: Option<&str>) {
    let begun = std::time::Instant::now();
    loop {
        let looked = begun.elapsed();
        let now = traces(stage, web);
        let left = run.map(|run| stage.left(&format!("chaosrun={run}")));
        let left = left.unwrap_or_default();
        let journals = if run.is_some() {
            stage.journals()
        } else {
            Vec::new()
        };
        if now == before && left.is_empty() && journals.is_empty() {
            eprintln!("as before after {looked:?}");
            return;
        }
        assert!(
            looked < Duration::from_secs(5),
            "after {looked:?}: {now}\nbefore: {before}\nleft: {left:?} {journals:?}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_delay_is_proven_and_taken_back_and_leaves_nothing() {
    let (stage, web) = scene();
    let before = traces(&stage, &web);
    let scenario = with("for = \"3s\"\nfault.delay = { target = \"web\", latency = \"60ms\" }");
    let mut run = stage.start(&scenario);
    let id = in_force(&mut run);
    assert_ne!(traces(&stage, &web), before);
    assert_eq!(agents(&stage, &id).len(), 1);
    let played = run.end().expect(0);
    let report = played.report();
    let step = &report["steps"][0];
    assert_eq!(step["effect"]["proven"], true, "{step}");
    assert_eq!(step["revert"]["verified"], true, "{step}");
    soon_as_before(&stage, &web, &before, Some(&id));
}

#[test]
fn a_run_that_is_killed_leaves_nothing() {
    let (stage, web) = scene();
    let before = traces(&stage, &web);
    let mut run = stage.start(&with(SLOW));
    let id = in_force(&mut run);
    run.signal("KILL");
    soon_as_before(&stage, &web, &before, Some(&id));
    run.end();
    let (code, said) = stage.recover(&[]);
    assert_eq!((code, said.trim()), (Some(0), "nothing to recover"));
}

#[test]
fn traffic_flows_without_run_and_reaper_and_recover_tidies_up() {
    let (stage, web) = scene();
    let before = traces(&stage, &web);
    let mut run = stage.start(&with(SLOW));
    let id = in_force(&mut run);
    kill_with_reaper(&run);
    // The agent alone sees to it.
    soon_as_before(&stage, &web, &before, None);
    run.end();
    until("no agent", || agents(&stage, &id).is_empty());
    let (code, said) = stage.recover(&["--list"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("web-1: relieve its network"), "{said}");
    let (code, said) = stage.recover(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing of chaosrun's is in force"), "{said}");
    soon_as_before(&stage, &web, &before, Some(&id));
}

#[test]
fn an_agent_that_is_killed_is_replaced_and_that_is_on_record() {
    let (stage, web) = scene();
    let before = traces(&stage, &web);
    let mut run = stage.start(&with(A_WHILE));
    let id = in_force(&mut run);
    let agent = agents(&stage, &id).remove(0);
    let pid = stage.field(&agent, "{{.State.Pid}}").parse().unwrap();
    kill(pid, "KILL");
    run.await_events(1, reapplied);
    let played = run.end();
    let again = played.history().into_iter().find(reapplied).unwrap();
    assert_eq!(again["effect"]["holds"], true, "{again}");
    // That it was without its fault for a moment may cost it the verdict, but nothing else.
    assert!(matches!(played.code, Some(0 | 3)), "{played:#?}");
    soon_as_before(&stage, &web, &before, Some(&id));
}

#[test]
fn a_target_that_restarts_gets_its_fault_again_and_that_is_on_record() {
    let (stage, web) = scene();
    let before = traces(&stage, &web);
    let mut run = stage.start(&with(A_WHILE));
    let id = in_force(&mut run);
    stage.docker(["restart", "-t", "0", &web]);
    run.await_events(1, reapplied);
    assert_ne!(traces(&stage, &web), before);
    let played = run.end();
    let again = played.history().into_iter().find(reapplied).unwrap();
    assert_eq!(again["effect"]["holds"], true, "{again}");
    assert!(matches!(played.code, Some(0 | 3)), "{played:#?}");
    soon_as_before(&stage, &web, &before, Some(&id));
}

#[test]
fn a_run_that_is_told_to_stop_takes_it_back_at_once() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (stage, web) = scene();
        let before = traces(&stage, &web);
        let mut run = stage.start(&with(SLOW));
        let id = in_force(&mut run);
        run.signal(signal);
        soon_as_before(&stage, &web, &before, Some(&id));
        assert_eq!(run.end().code, Some(code));
    }
}

#[test]
fn a_container_has_the_fault_of_one_run_at_a_time() {
    let (stage, web) = scene();
    let mut first = stage.start(&with(A_WHILE));
    let id = in_force(&mut first);
    let during = traces(&stage, &web);
    let second = stage.play(&with(A_WHILE)).expect(3);
    assert!(!second.injected());
    second.says(&format!("web-1 belongs to another run ({id}"));
    // The second has neither undone nor cut short what the first does.
    assert_eq!(agents(&stage, &id).len(), 1);
    assert_eq!(traces(&stage, &web).lines().count(), during.lines().count());
    first.end().expect(0);
}

/// What another run does to the peer makes round trips long, and says nothing against the undo.
#[test]
fn a_peer_that_is_another_runs_does_not_make_a_run_dirty() {
    let (stage, _) = scene();
    let mut first = stage.start(&with(A_WHILE));
    in_force(&mut first);
    let other = "for = \"20s\"\nfault.delay = { target = \"bystander\", latency = \"100ms\" }\n";
    let target = "[targets.bystander]\nservice = \"bystander\"\n";
    let mut second = stage.start(&format!("{}{target}", with(other)));
    let id = in_force(&mut second);
    let first = first.end().expect(0);
    let steps = first.report()["steps"].to_string();
    let told = format!("which says nothing: bystander-1 belongs to another run ({id}");
    assert!(steps.contains(&told), "{steps}");
    second.signal("INT");
    second.end().expect(130);
}

#[test]
fn the_hosts_own_network_is_refused() {
    let stage = Stage::set();
    let network = stage.network();
    stage.web("web", &["--network", &network]);
    stage.container("open", &["--network", "host"], "sleep 600");
    let scenario = with("for = \"1s\"\nfault.delay = { target = \"open\", latency = \"60ms\" }")
        + "[targets.open]\nservice = \"open\"\n";
    let played = stage.play(&scenario).expect(3);
    assert!(!played.injected());
    played.says("host");
}
