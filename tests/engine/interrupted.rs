//! Signals: once, twice, three times, at every moment of a run.

use chaosrun::inventory::{Instance, RestartPolicy, State};
use chaosrun::runtime::memory::{Failure, instance};

use crate::stage::{BASE, after, pause_a, stage, stage_of, step};

#[tokio::test(start_paused = true)]
async fn a_signal_at_any_moment_leaves_nothing_behind() {
    // Before the baseline, in it, while the fault lasts, while all recovers.
    for (at, log) in [
        (0.0, &[][..]),
        (2.0, &[]),
        (5.0, &["pause a", "unpause a"]),
        (7.5, &["pause a", "unpause a"]),
    ] {
        for (signal, code) in [("SIGINT", 130), ("SIGTERM", 143)] {
            let stage = stage();
            let outcome = stage.run_while(&pause_a("3s"), async {
                after(at).await;
                stage.signal(signal);
            });
            let outcome = outcome.await;
            outcome.is(code, &format!("interrupted by {signal}"));
            assert_eq!(stage.log(), log, "at {at}");
            assert_eq!((stage.journals(), outcome.journal), (0, None));
            assert!(outcome.report.duration_ms < at * 1e3 + 1_500.0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_while_injecting() {
    let stage = stage();
    stage.engine.fail("pause", Failure::Hang);
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(4.5).await;
        stage.signal("SIGINT");
    });
    let outcome = outcome.await;
    outcome.is(130, "interrupted by SIGINT");
    assert!(outcome.report.duration_ms < 10_000.0);
    assert!(outcome.journal.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_signal_while_reverting_waits_for_the_revert() {
    let stage = stage();
    stage.refuse("unpause", 20);
    let outcome = stage.run_while(&pause_a("1s"), async {
        after(5.5).await;
        stage.signal("SIGINT");
        stage.signal("SIGINT");
    });
    outcome.await.is(130, "interrupted by SIGINT");
    assert_eq!(stage.state("a").await, State::Running);
}

#[tokio::test(start_paused = true)]
async fn a_restart_policy_is_not_waited_for_after_a_signal() {
    let stage = stage_of(["a", "b"].map(|name| Instance {
        restart_policy: RestartPolicy::Always,
        ..instance(name)
    }));
    let crash = "kill = { target = \"a\", by = \"crash\", restore = \"policy\", within = \"1h\" }";
    let outcome = stage.run_while(&step(crash), async {
        after(4.05).await;
        stage
            .engine
            .happen("a-id", "die", |a| a.state = State::Exited { code: 1 });
        after(2.0).await;
        stage.signal("SIGINT");
    });
    let outcome = outcome.await;
    outcome.is(130, "interrupted by SIGINT");
    assert!(outcome.report.duration_ms < 10_000.0);
    assert_eq!(
        stage.log(),
        ["prepare crash for a", "crash SIGKILL a", "start a"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_third_signal_ends_the_run_and_names_the_journal() {
    let stage = stage();
    stage.refuse("unpause", 1_000);
    let outcome = stage.run_while(&pause_a("1s"), async {
        after(6.0).await;
        for _ in 0..3 {
            stage.signal("SIGINT");
        }
    });
    let outcome = outcome.await;
    outcome.is(
        5,
        "s (pause) on a was injected and no revert of it is recorded",
    );
    outcome.says("interrupted by SIGINT");
    assert!(outcome.report.duration_ms < 7_000.0);
    assert!(outcome.journal.unwrap().exists());
    assert!(stage.journal().contains("intent"));
}

#[tokio::test(start_paused = true)]
async fn interrupted_and_dirty_is_dirty() {
    let stage = stage();
    stage.refuse("unpause", 1_000);
    let outcome = stage.run_while(&pause_a("9s"), async {
        after(5.0).await;
        stage.signal("SIGINT");
    });
    let outcome = outcome.await;
    outcome.is(5, "could not be verified");
    outcome.says("interrupted by SIGINT");
}

/// What was due and has no answer when nobody waits any longer is bad, like any other request without one.
#[tokio::test(start_paused = true)]
async fn requests_without_an_answer_count_although_the_run_was_told_to_stop() {
    let stage = stage();
    let patient = BASE.replace("500ms", "1h");
    let run = stage.run_as("run-1", &format!("{patient}{}", pause_a("30s")));
    let (outcome, ()) = tokio::join!(run, async {
        after(5.01).await;
        for _ in 0..1_000 {
            stage.engine.fail("exec in b", Failure::Hang);
        }
        after(2.0).await;
        stage.signal("SIGINT");
    });
    outcome.is(130, "interrupted by SIGINT");
    assert!(outcome.report.duration_ms < 9_500.0);
    let seen = outcome.record.tally("p", 0, u64::MAX);
    assert_eq!((seen.planned, seen.good), (141, 101));
    assert_eq!(seen.reasons["no answer before the end"], 40);
}
