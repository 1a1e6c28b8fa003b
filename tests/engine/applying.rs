//! Changes that the engine refuses, ignores or never answers.

use chaosrun::inventory::State;
use chaosrun::runtime::memory::{Failure, instance};

use crate::stage::{after, pause_a, stage, stage_of, step};

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_in_the_engines_words_and_all_is_reverted() {
    let stage = stage();
    stage.refuse("pause b", 1);
    let outcome = stage.run(&step("pause = { target = \"both\" }")).await;
    outcome.is(3, "step s: b: could not pause: no way");
    assert_eq!(stage.log().iter().filter(|l| *l == "unpause a").count(), 1);
    assert_eq!(stage.state("a").await, State::Running);
    assert!(outcome.journal.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_change_without_effect_proves_nothing() {
    let stage = stage();
    stage.engine.fail("pause", Failure::Ignore);
    let outcome = stage.run(&pause_a("3s")).await;
    outcome.is(
        3,
        "the effect of s (pause) on a is not proven: a: expected that it is paused, saw: running",
    );
    assert!(outcome.journal.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_hung_engine_is_not_waited_for_without_end() {
    let stage = stage();
    stage.engine.fail("pause", Failure::Hang);
    let outcome = stage.run(&pause_a("3s")).await;
    outcome.is(3, "step s: a: could not pause: no answer within 1m");
    assert_eq!(stage.log(), ["pause a"]);
    assert!(outcome.report.duration_ms < 90_000.0);
}

#[tokio::test(start_paused = true)]
async fn intents_are_on_disk_before_the_change_and_receipts_after() {
    let stage = stage();
    stage.engine.fail("pause", Failure::Hang);
    let outcome = stage
        .run_while(&pause_a("3s"), async {
            after(3.5).await;
            assert!(!stage.journal().contains("intent"));
            after(1.0).await;
            assert_eq!(stage.log(), ["pause a"]);
            assert_eq!(stage.state("a").await, State::Running);
            assert!(stage.journal().contains(r#""intent":{"id":0,"step":"s""#));
            assert!(!stage.journal().contains("undone"));
        })
        .await;
    assert!(outcome.journal.is_none() && stage.journals() == 0);
}

/// When its time comes, a step has nothing left to write.
#[tokio::test(start_paused = true)]
async fn what_is_foreseen_is_on_disk_before_its_time_and_done_in_time() {
    let stage = stage();
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(3.9).await;
        assert!(stage.journal().contains(r#""intent":{"id":0,"step":"s""#));
        assert!(stage.log().is_empty());
        after(0.2).await;
        assert_eq!(stage.log(), ["pause a"]);
        assert_eq!(stage.journal().matches("intent").count(), 1);
    });
    outcome.await.passes();
}

#[tokio::test(start_paused = true)]
async fn what_was_intended_on_another_world_is_struck_out() {
    let stage = stage();
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(3.9).await;
        stage.engine.happen("a-id", "update", |_| ());
        after(0.2).await;
        assert!(stage.journal().contains(r#""undone":{"id":0}"#));
        assert!(stage.journal().contains(r#""intent":{"id":1,"step":"s""#));
        assert_eq!(stage.log(), ["pause a"]);
    });
    outcome.await.passes();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_before_its_step_has_nothing_to_undo() {
    let stage = stage();
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(3.9).await;
        assert!(stage.journal().contains("intent"));
        stage.signal("SIGINT");
    });
    let outcome = outcome.await;
    outcome.is(130, "interrupted by SIGINT");
    assert!(!outcome.history.contains("undone at last"));
    assert!(stage.log().is_empty() && stage.journals() == 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_that_cannot_be_written_down() {
    let stage = stage();
    let outcome = stage
        .run_while(&pause_a("3s"), async {
            after(2.0).await;
            std::fs::remove_dir_all(stage.state_dir()).unwrap();
        })
        .await;
    outcome.is(3, "writing the journal");
    assert!(stage.log().is_empty(), "{:?}", stage.log());
}

/// A change that the engine makes only after it was undone is undone once more.
#[tokio::test(start_paused = true)]
async fn a_change_that_comes_late_is_undone_too() {
    let stage = stage();
    stage.engine.fail("pause", Failure::Hang);
    let outcome = stage
        .run_while(&pause_a("30s"), async {
            after(5.0).await;
            stage.signal("SIGINT");
            after(2.5).await;
            stage
                .engine
                .happen("a-id", "pause", |a| a.state = State::Paused);
        })
        .await;
    outcome.is(130, "interrupted by SIGINT");
    assert_eq!(stage.log(), ["pause a", "unpause a"]);
    assert_eq!(stage.state("a").await, State::Running);
}

/// More targets than are worked on at once: what waited for its turn is not done once the step is being undone.
#[tokio::test(start_paused = true)]
async fn what_was_not_begun_is_not_done_after_the_undo() {
    let name = |n: usize| format!("n-{n:02}");
    let many = (1..=34).map(|n| instance(&name(n)));
    let stage = stage_of(many.chain([instance("b")]));
    for n in 2..=33 {
        stage
            .engine
            .fail(&format!("pause {}", name(n)), Failure::Hang);
    }
    // So long that the hung calls would be given up meanwhile, and the last one's turn would come.
    stage.refuse("unpause n-01", 1_000);
    let many = "[targets.many]\nname = \"^n-\"\n";
    let steps = format!("{many}{}", step("pause = { target = \"many\" }"));
    let outcome = stage.run_while(&steps, async {
        after(5.0).await;
        stage.signal("SIGINT");
    });
    outcome.await.is(5, "n-01: tried to unpause");
    assert!(!stage.log().contains(&"pause n-34".into()));
    assert_eq!(stage.state("n-34").await, State::Running);
}
