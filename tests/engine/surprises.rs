//! Targets that do something by themselves.

use chaosrun::inventory::{Instance, RestartPolicy, State};
use chaosrun::runtime::Notice;
use chaosrun::runtime::memory::{Failure, instance};

use crate::stage::{after, pause_a, stage, stage_of, step};

#[tokio::test(start_paused = true)]
async fn a_target_that_dies_before_its_step() {
    let stage = stage();
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(2.0).await;
        stage.engine.crash("a-id");
    });
    let outcome = outcome.await;
    assert_eq!(outcome.report.verdict.word(), "inconclusive");
    outcome.says("step s: target a matches 1, and none of them runs");
    assert!(stage.log().is_empty());
}

/// Whom a step will hit is found out a little before its time, and anew when something happens meanwhile.
#[tokio::test(start_paused = true)]
async fn a_target_that_dies_at_the_last_moment() {
    let stage = stage();
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(3.9).await;
        stage.engine.crash("a-id");
    });
    let outcome = outcome.await;
    outcome.is(3, "step s: target a matches 1, and none of them runs");
    assert!(stage.log().is_empty());
}

/// Nor does an engine that is slow just then hold the step up for longer than it is.
#[tokio::test(start_paused = true)]
async fn who_cannot_be_looked_at_ahead_is_looked_at_in_time() {
    let stage = stage();
    stage.engine.fail("observe", Failure::Hang);
    let outcome = stage.run(&pause_a("3s")).await;
    outcome.passes();
    let injected = outcome.report.steps[0].injected_ms.unwrap();
    assert!(injected < 4_001.0, "{injected}");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_dies_during_its_fault() {
    let stage = stage();
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(5.0).await;
        stage.engine.crash("a-id");
    });
    let outcome = outcome.await;
    outcome.is(1, "a was running before and is exited with code 137 now");
    outcome.says("s (pause) on a was lost in the middle");
    assert_eq!(stage.log(), ["pause a"]);
    assert!(outcome.journal.is_none());
}

fn restarting() -> [Instance; 2] {
    ["a", "b"].map(|name| Instance {
        restart_policy: RestartPolicy::Always,
        ..instance(name)
    })
}

#[tokio::test(start_paused = true)]
async fn a_target_that_restarts_gets_its_fault_again() {
    let stage = stage_of(restarting());
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(5.0).await;
        stage.engine.crash("a-id");
        after(1.0).await;
        assert_eq!(stage.state("a").await, State::Paused);
    });
    let outcome = outcome.await;
    outcome.passes();
    assert_eq!(outcome.report.steps[0].reapplied, 1);
    assert_eq!(stage.log(), ["pause a", "pause a", "unpause a"]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_cannot_be_given_back_is_told() {
    let stage = stage_of(restarting());
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(5.0).await;
        stage.engine.fail("pause", Failure::Hang);
        stage.engine.crash("a-id");
    });
    let outcome = outcome.await;
    outcome.is(3, "s (pause) on a was lost in the middle");
    assert!(outcome.lasted("s") < 8_000.0);
    assert!(outcome.journal.is_none());
}

/// What is asked of it may meet the end of its last life, when the next one runs already.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_the_next_life_has_overtaken_is_not_the_last_word() {
    let refused = async |times: usize| {
        let stage = stage_of(restarting());
        let outcome = stage.run_while(&pause_a("3s"), async {
            after(5.0).await;
            for _ in 0..times {
                let why = "a is not running".into();
                stage.engine.fail("pause", Failure::Refuse(why));
            }
            stage.engine.crash("a-id");
        });
        outcome.await
    };
    let outcome = refused(1).await;
    outcome.passes();
    assert_eq!(outcome.report.steps[0].reapplied, 1);
    refused(9)
        .await
        .is(3, "s (pause) on a was lost in the middle");
}

/// Whoever starts what was stopped ends the fault before its time.
#[tokio::test(start_paused = true)]
async fn a_stopped_target_that_somebody_starts_was_not_down_for_its_time() {
    let stop = |more: &str| format!("{}for = \"3s\"\n", step(more));
    let started = async |fault: &str| {
        let stage = stage();
        let outcome = stage.run_while(&stop(fault), async {
            after(5.0).await;
            stage
                .engine
                .happen("a-id", "start", |a| a.state = State::Running);
        });
        outcome.await
    };
    let outcome = started("stop = { target = \"a\" }").await;
    outcome.is(3, "s (stop) on a was lost in the middle");
    // A death is a death, whoever brings the container back.
    started("kill = { target = \"a\" }").await.passes();
}

/// The engine's stream may miss something: the fault is looked at once more before it is taken back.
#[tokio::test(start_paused = true)]
async fn a_loss_that_nobody_told_of_is_found() {
    let stage = stage();
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(5.0).await;
        stage
            .engine
            .happen("a-id", "exec_start", |a| a.state = State::Running);
    });
    outcome.await.is(3, "s (pause) on a was lost in the middle");
    assert_eq!(stage.log(), ["pause a"]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_removed_is_missed() {
    let stage = stage();
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(5.0).await;
        stage.engine.remove("a-id");
    });
    let outcome = outcome.await;
    outcome.is(1, "a was running before and is gone now");
    let lost: Vec<f64> = outcome
        .events("reapplied")
        .iter()
        .map(|event| event["at"].as_f64().unwrap() / 1e6)
        .collect();
    assert!(
        matches!(lost[..], [at] if (5.0..5.1).contains(&at)),
        "{lost:?}"
    );
    let told = outcome.events("container");
    assert_eq!(told.last().unwrap()["what"], "destroy");
    assert!(outcome.report.steps[0].revert.as_ref().unwrap().gone);
    let table = chaosrun::report::table(&outcome.report, 200, false);
    assert!(
        table.contains("nothing left to undo: the container is gone"),
        "{table}"
    );
    assert_eq!(stage.journals(), 0);
}

#[tokio::test(start_paused = true)]
async fn losing_the_engines_events_is_on_record() {
    let stage = stage();
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(2.0).await;
        for what in [Notice::LOST, Notice::RECONNECTED] {
            stage.engine.notify(Notice {
                id: String::new(),
                name: String::new(),
                what: what.into(),
            });
        }
        after(3.0).await;
        stage.engine.hang_up();
    });
    let outcome = outcome.await;
    outcome.passes();
    let notes = outcome.record.notes.first.iter().map(|(_, (_, text))| text);
    assert_eq!(
        notes.collect::<Vec<_>>(),
        [
            "the engine's events: engine lost",
            "the engine's events: engine reconnected",
            "the engine's events have ended: what happens to containers is no longer told"
        ]
    );
}
