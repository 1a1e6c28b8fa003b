//! An engine that is out of reach for a while.

use std::time::Duration;

use crate::play::Playing;
use crate::proxy::Proxy;
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
