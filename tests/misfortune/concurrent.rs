//! Two runs at the same time.

use crate::stage::Stage;
use crate::{PAUSE, with};

#[test]
fn a_container_belongs_to_one_run_at_a_time() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let mut first = stage.start(&with("for = \"4s\"\nfault.pause = { target = \"web\" }"));
    first.await_event("injected", "", "");
    let id = first.history()[0]["run"].as_str().unwrap().to_owned();
    let second = stage.play(&with(PAUSE)).expect(3);
    assert!(!second.injected());
    second.says(&format!(
        "web-1 belongs to another run ({id}, pid {})",
        first.pid()
    ));
    // The second has neither undone nor cut short what the first does.
    assert_eq!(stage.status(&web), "paused");
    first.end().expect(0);
    assert_eq!(stage.status(&web), "running");
    stage.play(&with(PAUSE)).expect(0);
}

#[test]
fn runs_on_different_containers_do_not_mind_each_other() {
    let stage = Stage::set();
    stage.web("web", &[]);
    stage.web("other", &[]);
    let first = stage.start(&with(PAUSE));
    let scenario = with(PAUSE)
        .replace("service = \"web\"", "service = \"other\"")
        .replace("http://web", "http://other");
    let second = stage.start(&scenario);
    // Each sees the other's fault come and go, and the world as it was in the end.
    first.end().expect(0);
    second.end().expect(0);
}
