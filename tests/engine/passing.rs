//! Each fault from its injection to its revert, when all goes well.

use chaosrun::inventory::{Instance, RestartPolicy, State};
use chaosrun::runtime::memory::instance;
use chaosrun::verdict::Verdict;

use crate::stage::{after, pause_a, stage, stage_of, step};

fn always() -> [Instance; 2] {
    ["a", "b"].map(|name| Instance {
        restart_policy: RestartPolicy::Always,
        ..instance(name)
    })
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_held_for_its_time_and_ended() {
    let stage = stage();
    let outcome = stage
        .run_while(&pause_a("3s"), async {
            after(6.0).await;
            assert_eq!(stage.state("a").await, State::Paused);
        })
        .await;
    outcome.passes();
    assert_eq!(outcome.report.verdict, Verdict::Passed);
    assert_eq!(stage.log(), ["pause a", "unpause a"]);
    assert!((3_000.0..3_300.0).contains(&outcome.lasted("s")));
    assert_eq!(stage.journals(), 0);
    let locks = stage.dir.path().join("locks");
    assert_eq!(std::fs::read_dir(locks).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_killed_is_started_again() {
    let stage = stage();
    let kill = step("kill = { target = \"a\" }");
    stage.run(&format!("{kill}for = \"2s\"\n")).await.passes();
    assert_eq!(stage.log(), ["signal SIGKILL a", "start a"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_left_to_the_restart_policy() {
    let stage = stage_of(always());
    let crash = "kill = { target = \"a\", by = \"crash\", restore = \"policy\" }";
    stage.run(&step(crash)).await.passes();
    assert_eq!(stage.log(), ["prepare crash for a", "crash SIGKILL a"]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_takes_too_long_is_told_and_helped() {
    let stage = stage_of(always());
    let crash =
        "kill = { target = \"a\", by = \"crash\", restore = \"policy\", within = \"50ms\" }";
    let outcome = stage.run(&step(crash)).await;
    outcome.is(
        1,
        "a: its restart policy had not brought it back after 50ms",
    );
    outcome.says("chaosrun did");
    assert!(outcome.journal.is_none());
    let log = stage.log();
    assert_eq!(log, ["prepare crash for a", "crash SIGKILL a", "start a"]);
}

/// The system is not blamed for not coming back from where it never went.
#[tokio::test(start_paused = true)]
async fn a_policy_is_not_blamed_for_a_crash_that_never_was() {
    let stage = stage_of(always());
    stage
        .engine
        .fail("crash", chaosrun::runtime::memory::Failure::Ignore);
    let crash = "kill = { target = \"a\", by = \"crash\", restore = \"policy\", within = \"1s\" }";
    let outcome = stage.run(&step(crash)).await;
    outcome.is(3, "the effect of s (kill) on a is not proven");
    assert!(outcome.report.differences.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stop_and_a_restart() {
    let stage = stage();
    let stop = step("stop = { target = \"a\", grace = \"1s\" }");
    let restart = "[[steps]]\nname = \"r\"\nafter = \"s\"\nfault.restart = { target = \"a\" }\n";
    let outcome = stage.run(&format!("{stop}for = \"2s\"\n{restart}")).await;
    outcome.passes();
    assert_eq!(stage.log(), ["stop a", "start a", "stop a", "start a"]);
    assert!(outcome.lasted("s") >= 2_000.0 && outcome.lasted("r") < 500.0);
}

#[tokio::test(start_paused = true)]
async fn a_disconnected_container_gets_its_aliases_back() {
    let stage = stage();
    let before = instance("a").networks;
    stage
        .run(&step("disconnect = { target = \"a\" }"))
        .await
        .passes();
    assert_eq!(stage.log(), ["disconnect net a", "connect net a"]);
    use chaosrun::runtime::Runtime as _;
    let now = stage.engine.observe("a-id").await.unwrap().unwrap();
    assert_eq!(now.networks, before);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_is_to_bring_back_is_left_and_is_no_breach() {
    let stage = stage();
    let kill = step("kill = { target = \"a\", restore = \"none\" }");
    let outcome = stage.run(&kill).await;
    outcome.passes();
    let told = "passed: the SLO held; the fault had its effect and was to be left";
    assert_eq!(outcome.report.summary, told);
    assert_eq!(stage.log(), ["signal SIGKILL a"]);
    assert_eq!(stage.state("a").await, State::Exited { code: 137 });
    let stage = crate::stage::stage();
    let pause =
        "[[steps]]\nname = \"t\"\nat = \"1s\"\nfor = \"1s\"\nfault.pause = { target = \"b\" }\n";
    let outcome = stage.run(&format!("{kill}{pause}")).await;
    let told = "all 2 faults had their effect and were undone, but for 1 to be left";
    assert!(
        outcome.report.summary.ends_with(told),
        "{}",
        outcome.report.summary
    );
}

#[tokio::test(start_paused = true)]
async fn without_steps_the_system_alone_is_looked_at() {
    let stage = stage();
    stage.run("").await.passes();
    assert!(stage.log().is_empty());
}
