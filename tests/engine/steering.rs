//! People at the wheel: each command where it can be done and where it cannot, and what becomes of the verdict.

use std::time::Duration;

use chaosrun::engine::control::{Command, Controls, LONGEST_TEXT, MOST_ORDERS, Standing};
use chaosrun::history::{Phase, Steering};
use chaosrun::inventory::State;
use chaosrun::runtime::memory::Failure;
use chaosrun::scenario::Secrets;
use tokio::time::sleep;

use crate::stage::{Outcome, after, pause_a, stage, step, watch_a};

const TWO: &str = "[[steps]]\nname = \"one\"\nat = \"1s\"\nfor = \"2s\"\nfault.pause = { target = \"a\" }\n\
    [[steps]]\nname = \"two\"\nat = \"10s\"\nfor = \"2s\"\nfault.disconnect = { target = \"a\" }\n";

async fn ok(controls: &Controls, command: Command) -> String {
    controls.give("terminal", command).await.unwrap()
}

async fn no(controls: &Controls, command: Command, why: &str) {
    let told = controls.give("terminal", command).await.unwrap_err();
    assert!(told.contains(why), "{told}");
}

fn start() -> Command {
    Command::Start { step: None }
}

fn start_named(step: &str) -> Command {
    Command::Start {
        step: Some(step.into()),
    }
}

fn note(text: &str) -> Command {
    Command::Note { text: text.into() }
}

fn abort(why: &str) -> Command {
    Command::Abort { why: why.into() }
}

/// Until the run is so far.
async fn until(controls: &Controls, there: impl Fn(&Standing) -> bool) {
    let mut standing = controls.standing();
    standing.wait_for(|now| there(now)).await.unwrap();
}

impl Outcome {
    fn did(&self) -> Vec<Steering> {
        let told = self.record.steering.first.iter();
        told.map(|(_, (by, what))| {
            assert_eq!(by, "terminal");
            what.clone()
        })
        .collect()
    }

    fn began(&self, step: usize) -> f64 {
        self.report.steps[step].injecting_ms.unwrap() / 1e3
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_at_the_wheel_changes_nothing() {
    let stage = stage();
    let outcome = stage.run(TWO).await;
    outcome.passes();
    assert!((5.0..5.1).contains(&outcome.began(0)));
    assert!((14.0..14.1).contains(&outcome.began(1)));
    assert!(outcome.report.commands.is_empty() && outcome.record.stood.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_step_begins_when_told_and_the_rest_follows_as_planned() {
    let stage = stage();
    let controls = stage.steer(false);
    let outcome = stage.run_while(TWO, async {
        after(2.0).await;
        no(&controls, start(), "the baseline takes its 4s first").await;
        after(2.2).await;
        no(
            &controls,
            start_named("two"),
            "the next step is one, not two",
        )
        .await;
        assert_eq!(ok(&controls, start_named("one")).await, "step one begins");
    });
    let outcome = outcome.await;
    outcome.passes();
    assert!(
        (4.2..4.3).contains(&outcome.began(0)),
        "{}",
        outcome.began(0)
    );
    let apart = outcome.began(1) - outcome.began(0);
    assert!((8.9..9.1).contains(&apart), "{apart}");
    let [Steering::Start { step, early }] = &outcome.did()[..] else {
        panic!("{:?}", outcome.did());
    };
    assert!(
        step == "one" && (700_000..=800_000).contains(early),
        "{early}"
    );
    assert!(
        outcome
            .report
            .summary
            .ends_with("; people had a hand in its timeline")
    );
    assert!(
        outcome
            .history
            .contains(r#""event":"steered","by":"terminal","what":{"start":"#)
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_gets_ready_can_be_remarked_on_and_given_up_and_nothing_else() {
    let stage = stage();
    let controls = stage.steer(false);
    stage.engine.fail("inventory", Failure::Hang);
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(1.0).await;
        for command in [start(), Command::Hold, Command::Release, Command::Revert] {
            no(&controls, command, "the run is still getting ready").await;
        }
        ok(&controls, note("the engine takes its time")).await;
        no(&controls, abort(""), "a reason needs a text").await;
        ok(&controls, abort("too slow")).await;
    });
    let outcome = outcome.await;
    outcome.is(4, "the run was aborted from the terminal: too slow");
    assert_eq!(outcome.report.notes.len(), 1);
    assert!(stage.log().is_empty() && outcome.journal.is_none());
}

#[tokio::test(start_paused = true)]
async fn held_from_the_start_each_step_waits_to_be_started() {
    let stage = stage();
    let controls = stage.steer(true);
    let outcome = stage.run_while(TWO, async {
        until(&controls, |now| now.refused.start.is_none()).await;
        after(100.0).await;
        assert!(stage.log().is_empty());
        ok(&controls, start_named("one")).await;
        after(60.0).await;
        assert_eq!(stage.log(), ["pause a", "unpause a"]);
        ok(&controls, start_named("two")).await;
        no(&controls, start(), "every step has begun").await;
        no(&controls, Command::Hold, "every step has begun").await;
    });
    let outcome = outcome.await;
    outcome.passes();
    assert!(outcome.began(0) >= 104.0 && outcome.began(1) >= 164.0);
    assert!(outcome.record.stood.iter().all(|(_, to)| to.is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_hold_moves_what_has_not_begun_and_ends_no_fault() {
    let stage = stage();
    let controls = stage.steer(false);
    let outcome = stage.run_while(TWO, async {
        after(5.5).await;
        no(&controls, Command::Release, "the timeline is not held").await;
        ok(&controls, Command::Hold).await;
        no(&controls, Command::Hold, "the timeline is held already").await;
        after(20.0).await;
        assert_eq!(
            stage.log(),
            ["pause a", "unpause a"],
            "a fault ends when its time is over"
        );
        ok(&controls, Command::Release).await;
    });
    let outcome = outcome.await;
    outcome.passes();
    assert!((1_900.0..2_300.0).contains(&outcome.lasted("one")));
    assert!(
        (34.0..34.2).contains(&outcome.began(1)),
        "{}",
        outcome.began(1)
    );
    assert_eq!(outcome.did(), [Steering::Hold, Steering::Release]);
    let (from, to) = outcome.record.stood[0];
    assert!((19_900_000..20_100_000).contains(&(to.unwrap() - from)));
}

/// If it is killed meanwhile, what it has left is undone, and a container that it has not touched is none of that.
#[tokio::test(start_paused = true)]
async fn what_a_hold_keeps_from_happening_is_no_longer_intended() {
    let stage = stage();
    let controls = stage.steer(false);
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(3.9).await;
        assert_eq!(stage.journal().matches("intent").count(), 1);
        assert!(!stage.journal().contains("undone"));
        ok(&controls, Command::Hold).await;
        after(0.01).await;
        assert!(stage.journal().contains(r#""undone":{"id":0}"#));
        after(5.0).await;
        assert_eq!(stage.journal().matches("intent").count(), 1);
        assert!(stage.log().is_empty());
        ok(&controls, Command::Release).await;
        after(1.0).await;
        assert_eq!(stage.log(), ["pause a"]);
        assert_eq!(stage.journal().matches("intent").count(), 2);
    });
    outcome.await.passes();
}

#[tokio::test(start_paused = true)]
async fn a_hold_in_the_baseline_takes_effect_at_its_end() {
    let stage = stage();
    let controls = stage.steer(false);
    let outcome = stage.run_while(TWO, async {
        after(1.0).await;
        ok(&controls, Command::Hold).await;
        after(13.0).await;
        ok(&controls, Command::Release).await;
    });
    let outcome = outcome.await;
    outcome.passes();
    let (from, _) = outcome.record.stood[0];
    assert!((4_000_000..4_100_000).contains(&from), "{from}");
    assert!(
        (15.0..15.1).contains(&outcome.began(0)),
        "{}",
        outcome.began(0)
    );
}

/// Minutes of nothing, all good, do not make up for a fault under which much was bad.
#[tokio::test(start_paused = true)]
async fn time_that_people_add_does_not_water_down_a_promise() {
    for during in ["fault", "all", "one"] {
        let stage = stage();
        let controls = stage.steer(false);
        let promise = watch_a(during, "success = \">= 90%\"");
        let outcome = stage.run_while(&format!("{promise}{TWO}"), async {
            after(9.0).await;
            ok(&controls, Command::Hold).await;
            after(200.0).await;
            ok(&controls, Command::Release).await;
        });
        let outcome = outcome.await;
        outcome.is(1, &format!("a success during {during} was "));
        outcome.says("not counting the time in which people held the timeline");
        let all = outcome.record.tally("a", 0, u64::MAX);
        assert!(all.good as f64 > 0.98 * all.planned as f64);
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_while_held_counts() {
    let stage = stage();
    let controls = stage.steer(false);
    let promise = watch_a("all", "success = \">= 80%\"");
    let outcome = stage.run_while(&format!("{promise}{TWO}"), async {
        after(9.0).await;
        ok(&controls, Command::Hold).await;
        after(20.0).await;
        stage
            .engine
            .happen("a-id", "die", |a| a.state = State::Exited { code: 1 });
        after(20.0).await;
        stage
            .engine
            .happen("a-id", "start", |a| a.state = State::Running);
        after(2.0).await;
        ok(&controls, Command::Release).await;
    });
    outcome.await.is(1, "a success during all was ");
}

#[tokio::test(start_paused = true)]
async fn every_fault_is_taken_back_and_the_run_goes_on_with_recovery() {
    let stage = stage();
    let controls = stage.steer(false);
    let both = format!(
        "{}{}",
        pause_a("60s"),
        "[[steps]]\nname = \"n\"\nat = \"30s\"\nfault.disconnect = { target = \"b\" }\n"
    );
    let outcome = stage.run_while(&both, async {
        after(3.0).await;
        no(&controls, Command::Revert, "no fault was injected yet").await;
        until(&controls, |now| now.in_force == ["s"]).await;
        after(3.0).await;
        ok(&controls, Command::Revert).await;
        until(&controls, |now| now.phase == Some(Phase::Recovery)).await;
        no(&controls, Command::Revert, "every fault is reverted").await;
    });
    let outcome = outcome.await;
    outcome.is(3, "s (pause) on a was in force for 3");
    outcome.says("step n was skipped: every fault was reverted from the terminal before it began");
    assert_eq!(stage.log(), ["pause a", "unpause a"]);
    assert!(
        outcome
            .record
            .phases
            .iter()
            .any(|(phase, _)| *phase == Phase::Recovery)
    );
    assert!(outcome.record.world.is_some() && outcome.journal.is_none());
}

/// Whoever takes back a fault that has had nearly all of its time takes nothing from what it shows.
#[tokio::test(start_paused = true)]
async fn a_fault_that_had_its_time_may_be_taken_back_and_pass() {
    let stage = stage();
    let controls = stage.steer(false);
    let outcome = stage.run_while(&pause_a("10s"), async {
        until(&controls, |now| now.in_force == ["s"]).await;
        after(9.6).await;
        ok(&controls, Command::Revert).await;
    });
    let outcome = outcome.await;
    outcome.passes();
    assert_eq!(outcome.did(), [Steering::Revert]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_was_lost_is_found_so_when_it_is_taken_back_by_hand() {
    let stage = stage();
    let controls = stage.steer(false);
    let outcome = stage.run_while(&pause_a("10s"), async {
        until(&controls, |now| now.in_force == ["s"]).await;
        after(9.0).await;
        // Nobody tells of it.
        stage
            .engine
            .happen("a-id", "exec_die", |a| a.state = State::Running);
        after(0.6).await;
        ok(&controls, Command::Revert).await;
    });
    outcome.await.is(3, "was lost in the middle");
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_targets_are_being_looked_for_does_not_begin_once_all_is_taken_back() {
    let stage = stage();
    let controls = stage.steer(false);
    // Shortly before its time, and then.
    stage.engine.fail("observe", Failure::Hang);
    stage.engine.fail("observe", Failure::Hang);
    let outcome = stage.run_while(&pause_a("10s"), async {
        until(&controls, |now| now.in_force == ["s"]).await;
        ok(&controls, Command::Revert).await;
    });
    let outcome = outcome.await;
    outcome.is(3, "no fault was injected");
    outcome.says("step s was skipped: every fault was reverted");
    assert!(stage.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_under_way_is_taken_back_as_well() {
    let stage = stage();
    let controls = stage.steer(false);
    stage.engine.fail("pause", Failure::Hang);
    let outcome = stage.run_while(&pause_a("10s"), async {
        until(&controls, |now| now.in_force == ["s"]).await;
        ok(&controls, Command::Revert).await;
        no(&controls, Command::Revert, "being reverted already").await;
    });
    let outcome = outcome.await;
    assert_eq!(outcome.report.exit_code, 3, "{:?}", outcome.report.reasons);
    assert!(outcome.journal.is_none());
    assert_eq!(stage.state("a").await, State::Running);
}

#[tokio::test(start_paused = true)]
async fn who_aborts_says_why_and_all_is_taken_back() {
    for (at, log) in [
        (0.0, &[][..]),
        (2.0, &[]),
        (5.0, &["pause a", "unpause a"]),
        (7.5, &["pause a", "unpause a"]),
    ] {
        let stage = stage();
        let controls = stage.steer(false);
        let outcome = stage.run_while(&pause_a("3s"), async {
            after(at).await;
            no(&controls, abort("  "), "a reason needs a text").await;
            ok(&controls, abort("a customer called")).await;
            let again = controls.give("terminal", abort("again")).await.unwrap_err();
            assert!(
                again == "the run is stopping already" || again == "the run is over",
                "{again}"
            );
        });
        let outcome = outcome.await;
        outcome.is(
            4,
            "the run was aborted from the terminal: a customer called",
        );
        assert_eq!(stage.log(), log, "at {at}");
        assert_eq!((stage.journals(), outcome.journal), (0, None));
    }
}

#[tokio::test(start_paused = true)]
async fn aborted_and_not_undone_is_dirty() {
    let stage = stage();
    let controls = stage.steer(false);
    stage.refuse("unpause", 1_000);
    let outcome = stage.run_while(&pause_a("9s"), async {
        after(5.0).await;
        ok(&controls, abort("enough")).await;
    });
    let outcome = outcome.await;
    outcome.is(5, "could not be verified");
    outcome.says("aborted from the terminal: enough");
}

#[tokio::test(start_paused = true)]
async fn notes_are_kept_bounded_and_without_secrets() {
    let mut stage = stage();
    stage.secrets = Secrets([("token".to_owned(), "hunter2hunter2".to_owned())].into());
    let controls = stage.steer(false);
    let outcome = stage.run_while(&pause_a("3s"), async {
        after(4.5).await;
        ok(&controls, note(" the pager rang: hunter2hunter2\u{1b}[2J ")).await;
        no(&controls, note(" \n"), "a note needs a text").await;
        no(
            &controls,
            note(&"x".repeat(LONGEST_TEXT + 1)),
            "at most 1000 characters",
        )
        .await;
        ok(&controls, note(&"ż".repeat(LONGEST_TEXT))).await;
    });
    let outcome = outcome.await;
    outcome.passes();
    let notes = &outcome.report.notes;
    assert_eq!(notes.len(), 2);
    assert_eq!(notes[0].by.as_deref(), Some("terminal"));
    assert!((4_500.0..4_600.0).contains(&notes[0].at_ms));
    assert!(notes[0].text.starts_with("the pager rang: ") && !outcome.history.contains("hunter2"));
    assert!(
        outcome.report.commands.is_empty(),
        "a note changes no timeline"
    );
}

#[tokio::test(start_paused = true)]
async fn there_is_an_end_to_commands_but_not_to_taking_back() {
    let stage = stage();
    let controls = stage.steer(false);
    let outcome = stage.run_while(&pause_a("30s"), async {
        after(5.0).await;
        for _ in 0..MOST_ORDERS {
            ok(&controls, note("x")).await;
        }
        no(&controls, note("x"), "a run takes no more").await;
        no(&controls, Command::Hold, "a run takes no more").await;
        ok(&controls, Command::Revert).await;
        ok(&controls, abort("enough")).await;
    });
    outcome.await.is(4, "enough");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_takes_no_command() {
    let stage = stage();
    let controls = stage.steer(false);
    stage.run(&pause_a("1s")).await.passes();
    for command in [
        start(),
        Command::Hold,
        Command::Release,
        Command::Revert,
        abort("x"),
        note("x"),
    ] {
        no(&controls, command, "the run is over").await;
    }
    assert_eq!(
        controls.standing().borrow().refused.abort.as_deref(),
        Some("the run is over")
    );
}

/// A step that waits for another cannot begin before that is over, and one that waits for steadiness can.
#[tokio::test(start_paused = true)]
async fn what_a_step_waits_for_can_be_waived_if_it_is_time_or_steadiness() {
    let stage = stage();
    let controls = stage.steer(false);
    let steps = format!(
        "{}[[steps]]\nname = \"n\"\nafter = \"s\"\nfor = \"1s\"\nfault.pause = {{ target = \"a\" }}\n\
         [[steps]]\nname = \"w\"\nwhen = {{ probe = \"p\", steady = \"20s\", within = \"60s\" }}\nfor = \"1s\"\nfault.disconnect = {{ target = \"a\" }}\n",
        pause_a("3s")
    );
    let outcome = stage.run_while(&steps, async {
        after(5.0).await;
        no(
            &controls,
            start(),
            "step n begins after s, which is not over",
        )
        .await;
        until(&controls, |now| now.in_force == ["n"]).await;
        until(&controls, |now| now.in_force.is_empty()).await;
        after(1.0).await;
        ok(&controls, start_named("w")).await;
    });
    let outcome = outcome.await;
    outcome.passes();
    let waited = outcome.began(2) - outcome.report.steps[1].reverted_ms.unwrap() / 1e3;
    assert!((1.0..1.5).contains(&waited), "{waited}");
    assert_eq!(
        outcome.did(),
        [Steering::Start {
            step: "w".into(),
            early: 0
        }]
    );
}

/// A person who thinks is no system that does not become steady.
#[tokio::test(start_paused = true)]
async fn a_hold_does_not_use_up_the_time_to_become_steady() {
    let stage = stage();
    let controls = stage.steer(false);
    let steps = format!(
        "{}[[steps]]\nname = \"w\"\nwhen = {{ probe = \"p\", steady = \"2s\", within = \"3s\" }}\nfor = \"1s\"\nfault.disconnect = {{ target = \"a\" }}\n",
        pause_a("2s")
    );
    let outcome = stage.run_while(&steps, async {
        after(4.5).await;
        ok(&controls, Command::Hold).await;
        sleep(Duration::from_secs(60)).await;
        ok(&controls, Command::Release).await;
    });
    outcome.await.passes();
}

#[tokio::test(start_paused = true)]
async fn guards_and_signals_work_while_held() {
    let stage = stage();
    let controls = stage.steer(true);
    let outcome = stage.run_while(&step("pause = { target = \"a\" }"), async {
        until(&controls, |now| now.refused.start.is_none()).await;
        stage.signal("SIGINT");
    });
    outcome.await.is(130, "interrupted by SIGINT");
    assert!(stage.log().is_empty());
}
