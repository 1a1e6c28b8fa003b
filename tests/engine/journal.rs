//! What is on disk: after a panic, and without secrets.

use std::panic::AssertUnwindSafe;

use chaosrun::engine;
use chaosrun::history::Event;
use chaosrun::inventory::State;
use chaosrun::runtime::Output;
use chaosrun::runtime::memory::Failure;
use futures_util::FutureExt as _;

use crate::stage::{BASE, pause_a, stage, step};

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_a_journal_that_can_be_recovered() {
    let mut stage = stage();
    stage.panic_at = Some(|event| matches!(event, Event::Injected { .. }));
    let setup = stage.setup("run-1", &format!("{BASE}{}", pause_a("3s")));
    let run = AssertUnwindSafe(engine::run(setup)).catch_unwind();
    assert!(run.await.is_err());
    assert_eq!(stage.state("a").await, State::Paused);
    let recovered = stage.recover().await;
    assert_eq!(recovered.len(), 1);
    assert_eq!(
        (recovered[0].run.as_str(), recovered[0].failed.len()),
        ("run-1", 0)
    );
    assert!(
        recovered[0].undone[0].starts_with("a, step s: "),
        "{recovered:?}"
    );
    assert_eq!(stage.state("a").await, State::Running);
    assert_eq!(stage.log(), ["pause a", "unpause a"]);
    assert_eq!(stage.journals(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_is_not_recovered_by_another() {
    let stage = stage();
    let outcome = stage.run_while(&pause_a("3s"), async {
        crate::stage::after(5.0).await;
        assert!(
            engine::recover::leftovers(&stage.state_dir())
                .unwrap()
                .is_empty()
        );
    });
    outcome.await.passes();
}

/// Longer than what is told of an answer.
const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2-hunter2";

#[tokio::test(start_paused = true)]
async fn a_secret_is_written_nowhere() {
    let mut stage = stage();
    stage.secrets.0.insert("password".into(), SECRET.into());
    stage.engine.answer(|instance, command| {
        assert_eq!(
            command.last().unwrap(),
            if instance.name == "a" { SECRET } else { "ok" }
        );
        let exit = i64::from(instance.name == "a");
        Ok(Output {
            exit,
            stdout: SECRET.into(),
            stderr: format!("bad: {SECRET}"),
        })
    });
    let words = format!("denied for {SECRET}");
    stage.engine.fail("stop", Failure::Refuse(words));
    let role = "[secrets]\npassword = { env = \"PASSWORD\" }\n[targets.asked]\ncontainer = \"a\"\non_empty = \"skip\"\nrole = { exec = [\"role\", \"{password}\"], equals = \"x\" }\n";
    let asked = "[[steps]]\nname = \"asked\"\nfault.pause = { target = \"asked\" }\n";
    let refused = format!("{}at = \"2s\"\n", step("stop = { target = \"a\" }"));
    let outcome = stage.run(&format!("{role}{asked}{refused}")).await;
    outcome.is(3, "denied for ***password***");
    assert!(
        outcome
            .history
            .contains("exited with 1: bad: ***password***")
    );
    assert!(!outcome.history.contains("hunter2"));
    assert!(!format!("{:?}", outcome.report).contains("hunter2"));
}

/// It is used to find the target, and the engine repeats it while the fault is made and undone.
#[tokio::test(start_paused = true)]
async fn a_secret_is_not_in_the_journal() {
    let mut stage = stage();
    stage.secrets.0.insert("password".into(), SECRET.into());
    stage.engine.answer(|_, command| {
        let stdout = match command {
            [_, password] if password == SECRET => "x".into(),
            _ => SECRET.into(),
        };
        Ok(Output {
            exit: 0,
            stdout,
            stderr: SECRET.into(),
        })
    });
    for _ in 0..1_000 {
        let words = format!("denied for {SECRET}");
        stage.engine.fail("unpause", Failure::Refuse(words));
    }
    let target = format!(
        "[secrets]\npassword = {{ env = \"PASSWORD\" }}\n[targets.asked]\ncontainer = \"a\"\n\
         role = {{ exec = [\"role\", \"{{password}}\"], equals = \"x\" }}\n{}for = \"1s\"\n",
        step("pause = { target = \"asked\" }")
    );
    let outcome = stage.run(&target).await;
    outcome.is(5, "denied for ***password***");
    assert!(stage.engine.log().join(" ").contains(SECRET));
    assert!(stage.journal().contains("intent"));
    assert!(!stage.journal().contains(SECRET), "{}", stage.journal());
}
