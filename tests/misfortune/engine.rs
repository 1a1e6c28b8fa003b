//! An engine that is out of reach for a while.

use std::time::Duration;

use crate::play::Playing;
use crate::proxy::{Proxy, over_tcp};
use crate::stage::Stage;
use crate::with;

fn start(stage: &Stage, proxy: &Proxy, scenario: &str) -> Playing {
    stage.start_with(scenario, &stage.reports(), |command| {
        command.env("DOCKER_HOST", proxy.host());
    })
}

#[test]
fn a_connection_that_is_lost_for_a_while_leaves_nothing_paused() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let proxy = Proxy::start(stage.folder.path());
    let scenario = with("for = \"2s\"\nfault.pause = { target = \"web\" }");
    let mut run = start(&stage, &proxy, &scenario);
    run.await_event("injected", "", "");
    proxy.down();
    // The revert is due while nobody answers.
    run.await_event("reverting", "", "");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(stage.status(&web), "paused");
    proxy.up();
    let played = run.end().expect(0);
    assert_eq!(stage.status(&web), "running");
    assert_eq!(played.report()["steps"][0]["revert"]["verified"], true);
    assert!(stage.journals().is_empty());
}

#[test]
fn an_engine_that_goes_before_the_fault_makes_the_run_inconclusive() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let before = stage.life(&web);
    let proxy = Proxy::start(stage.folder.path());
    let scenario = with("for = \"1s\"\nfault.pause = { target = \"web\" }");
    let mut run = start(&stage, &proxy, &scenario);
    run.await_event("phase", "phase", "baseline");
    proxy.down();
    run.await_event("impeded", "", "");
    proxy.up();
    assert!(!run.end().expect(3).injected());
    assert_eq!(stage.life(&web), before);
    assert!(stage.journals().is_empty());
}

#[test]
fn a_signal_while_the_engine_is_away_is_obeyed_once_it_is_back() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let proxy = Proxy::start(stage.folder.path());
    let scenario = with("for = \"60s\"\nfault.pause = { target = \"web\" }");
    let mut run = start(&stage, &proxy, &scenario);
    run.await_event("injected", "", "");
    proxy.down();
    run.signal("INT");
    run.await_event("reverting", "", "");
    std::thread::sleep(Duration::from_secs(1));
    proxy.up();
    run.end().expect(130);
    assert_eq!(stage.status(&web), "running");
    assert!(stage.journals().is_empty());
}

/// Everything goes through it: events, commands inside containers, and the agent's standard input and output.
#[test]
fn an_engine_at_a_tcp_port_serves_as_well() {
    let stage = Stage::at(Some(over_tcp()));
    let web = stage.web("web", &["--restart", "always"]);
    let before = stage.field(&web, "{{.State.StartedAt}}");
    let inside = "[targets.in]\nservice = \"web\"\n[probes.in]\nrate = \"5/s\"\nexec = { command = [\"true\"], in = \"in\" }\n\
        [[slos]]\nprobe = \"in\"\nduring = \"all\"\nsuccess = \">= 1%\"\n";
    let crash = "fault.kill = { target = \"web\", by = \"crash\", restore = \"policy\" }\n";
    let again = "[[steps]]\nname = \"freeze\"\nafter = \"hit\"\nfor = \"1s\"\nfault.pause = { target = \"web\" }";
    let played = stage
        .play(&with(&format!("{crash}{again}\n{inside}")))
        .expect(0);
    let report = played.report();
    let endpoint = report["engine"]["endpoint"].as_str().unwrap_or_default();
    assert!(endpoint.starts_with("tcp://127.0.0.1:"), "{endpoint}");
    assert_eq!(report["steps"][0]["effect"]["proven"], true);
    assert_eq!(report["steps"][1]["revert"]["verified"], true);
    assert_ne!(stage.field(&web, "{{.State.StartedAt}}"), before);
    let run = format!("chaosrun={}", report["run"].as_str().unwrap());
    assert_eq!(stage.left(&run), Vec::<String>::new());
    assert!(stage.journals().is_empty());
}
