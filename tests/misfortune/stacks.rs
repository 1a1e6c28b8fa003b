//! chaosrun is told to stop, or is killed, while it has a system of its own.

use std::time::Duration;

use crate::signals::run_id;
use crate::stage::{Stage, WEB, until};

/// A system of the run's own, with a crash that needs the agent.
const STACK: &str = r#"
[system]
compose = "{project}/compose.yaml"

[timing]
baseline = "1s"
recovery = "6s"
steady   = "5s"

[targets.web]
service = "web"

[probes.up]
rate    = "20/s"
timeout = "500ms"
http    = { url = "http://web:8080/" }

[[slos]]
probe   = "up"
success = ">= 10%"

[[steps]]
name = "crash"
for  = "60s"
fault.kill = { target = "web", by = "crash" }
"#;

fn compose(stage: &Stage, ready: &str) {
    let folder = stage.folder.path().join(&stage.name);
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "version: '2.4'\nservices:\n  web:\n    image: {}\n    command: [sh, -c, {:?}]\n    \
         healthcheck: {{test: [CMD, cat, {ready}], interval: 200ms, retries: 500}}\n",
        stage.name,
        WEB.replace('$', "$$"),
    );
    std::fs::write(folder.join("compose.yaml"), text).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the time is what is tested")]
fn stack_is_gone(stage: &Stage, what: &str) {
    let begun = std::time::Instant::now();
    loop {
        let looked = begun.elapsed();
        let mut left = stage.of_stack(&stage.name);
        let agents = format!("chaosrun/agent:{}", stage.name);
        left.extend(stage.left(&format!("chaosrun={}", stage.name)));
        left.extend(
            stage
                .try_docker(["images", "-q", &agents])
                .filter(|ids| !ids.is_empty()),
        );
        let journals = stage.journals();
        if left.is_empty() && journals.is_empty() {
            return;
        }
        assert!(
            looked < Duration::from_secs(5),
            "{what}, after {looked:?}: {left:?} {journals:?}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn while_coming_up(signal: &str, code: Option<i32>) {
    let stage = Stage::set();
    compose(&stage, "/never");
    for early in [true, false] {
        let what = format!("SIG{signal} while the stack comes up, early: {early}");
        let run = stage.start(STACK);
        until("the stack is on its way", || {
            let journals = stage.journals();
            let text = journals.first().map(std::fs::read_to_string);
            let begun = text.is_some_and(|text| text.unwrap_or_default().contains("project"));
            begun && (early || !stage.of_stack(&stage.name).is_empty())
        });
        run.signal(signal);
        stack_is_gone(&stage, &what);
        assert_eq!(run.end().code, code, "{what}");
        // Whatever the Compose tool may still have had in hand.
        std::thread::sleep(Duration::from_secs(2));
        stack_is_gone(&stage, &what);
    }
}

#[test]
fn sigint_while_the_stack_comes_up() {
    while_coming_up("INT", Some(130));
}

#[test]
fn sigterm_while_the_stack_comes_up() {
    while_coming_up("TERM", Some(143));
}

#[test]
fn sigkill_while_the_stack_comes_up() {
    while_coming_up("KILL", None);
}

#[test]
fn a_stack_and_its_agent_are_gone_after_any_signal() {
    let stage = Stage::set();
    compose(&stage, "/www/index.html");
    for (signal, code) in [("TERM", Some(143)), ("KILL", None)] {
        let mut run = stage.start(STACK);
        run.await_event("injected", "", "");
        let id = run_id(&run);
        assert!(
            !stage.left(&format!("chaosrun={id}")).is_empty(),
            "there is an agent"
        );
        run.signal(signal);
        stack_is_gone(&stage, signal);
        until("the agent is gone", || {
            stage.left(&format!("chaosrun={id}")).is_empty()
        });
        assert_eq!(run.end().code, code);
    }
}
