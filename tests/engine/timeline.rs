//! When steps start, what stops the run, and when it ends.

use chaosrun::history::Phase;
use chaosrun::inventory::State;
use chaosrun::runtime::memory::Failure;

use crate::stage::{BASE, after, pause_a, stage, step, watch_a};

#[tokio::test(start_paused = true)]
async fn a_step_starts_after_another_is_reverted() {
    let stage = stage();
    let next = "[[steps]]\nname = \"n\"\nafter = \"s\"\nfor = \"1s\"\nfault.disconnect = { target = \"a\" }\n";
    let outcome = stage.run(&format!("{}{next}", pause_a("2s"))).await;
    outcome.passes();
    assert_eq!(
        stage.log(),
        ["pause a", "unpause a", "disconnect net a", "connect net a"]
    );
    let steps = &outcome.report.steps;
    assert!(steps[1].injecting_ms.unwrap() >= steps[0].reverted_ms.unwrap());
}

#[tokio::test(start_paused = true)]
async fn steps_may_overlap() {
    let stage = stage();
    let next = "[[steps]]\nname = \"n\"\nat = \"1s\"\nfor = \"4s\"\nfault.disconnect = { target = \"b\" }\n";
    let outcome = stage.run(&format!("{}{next}", pause_a("3s"))).await;
    outcome.passes();
    assert_eq!(
        stage.log(),
        ["pause a", "disconnect net b", "unpause a", "connect net b"]
    );
    let phases: Vec<_> = outcome
        .record
        .phases
        .iter()
        .map(|(phase, _)| *phase)
        .collect();
    assert_eq!(
        phases,
        [
            Phase::Baseline,
            Phase::Fault,
            Phase::Recovery,
            Phase::Teardown
        ]
    );
}

/// The later injection is undone first, wherever it stands in the file.
#[tokio::test(start_paused = true)]
async fn a_run_that_stops_reverts_the_newest_first() {
    let stage = stage();
    let steps = "[[steps]]\nname = \"late\"\nat = \"1s\"\nfor = \"30s\"\nfault.pause = { target = \"a\" }\n\
                 [[steps]]\nname = \"early\"\nfor = \"30s\"\nfault.disconnect = { target = \"a\" }\n";
    let outcome = stage.run_while(steps, async {
        after(7.0).await;
        stage.signal("SIGTERM");
    });
    outcome.await.is(143, "interrupted by SIGTERM");
    assert_eq!(
        stage.log(),
        ["disconnect net a", "pause a", "unpause a", "connect net a"]
    );
}

fn once_steady(steady: &str, within: &str) -> String {
    let when = format!("{{ probe = \"a\", steady = \"{steady}\", within = \"{within}\" }}");
    let first = format!("{}for = \"2s\"\n", step("stop = { target = \"a\" }"));
    let next = format!(
        "[[steps]]\nname = \"n\"\nwhen = {when}\nfor = \"1s\"\nfault.pause = {{ target = \"a\" }}\n"
    );
    format!("{}{first}{next}", watch_a("all", "success = \">= 20%\""))
}

#[tokio::test(start_paused = true)]
async fn a_step_starts_once_a_probe_is_steady() {
    let stage = stage();
    let outcome = stage.run(&once_steady("2s", "10s")).await;
    outcome.passes();
    let steps = &outcome.report.steps;
    let waited = steps[1].injecting_ms.unwrap() - steps[0].reverted_ms.unwrap();
    assert!((2_000.0..3_000.0).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_waits_in_vain_stops_the_run() {
    let stage = stage();
    let outcome = stage.run_while(&once_steady("2s", "4s"), async {
        after(7.0).await;
        for _ in 0..12 {
            stage
                .engine
                .happen("a-id", "die", |a| a.state = State::Exited { code: 1 });
            after(0.5).await;
            stage
                .engine
                .happen("a-id", "start", |a| a.state = State::Running);
            after(0.5).await;
        }
    });
    outcome
        .await
        .is(3, "step n: probe a was not steady for 2s within 4s");
    assert_eq!(stage.log(), ["stop a", "start a"]);
}

/// The step before it in the file starts after this one: it cannot wait for that.
#[tokio::test(start_paused = true)]
async fn a_step_does_not_wait_for_one_that_waits_for_it() {
    let stage = stage();
    let steps = "[[steps]]\nname = \"x\"\nafter = \"y\"\nfor = \"1s\"\nfault.pause = { target = \"a\" }\n\
                 [[steps]]\nname = \"y\"\nwhen = { probe = \"p\", steady = \"1s\" }\nfor = \"1s\"\nfault.disconnect = { target = \"a\" }\n";
    stage.run(steps).await.passes();
    assert_eq!(
        stage.log(),
        ["disconnect net a", "connect net a", "pause a", "unpause a"]
    );
}

const GUARD: &str = "[[guards]]\nprobe = \"a\"\nsuccess = \"< 50%\"\nover = \"2s\"\n";

#[tokio::test(start_paused = true)]
async fn a_guard_stops_the_run_and_reverts() {
    let stage = stage();
    let promise = watch_a("all", "success = \">= 1%\"");
    let outcome = stage
        .run(&format!("{promise}{GUARD}{}", pause_a("60s")))
        .await;
    outcome.is(4, "a guard stopped the run: a success was ");
    assert!(outcome.lasted("s") < 5_000.0);
    assert_eq!(stage.log(), ["pause a", "unpause a"]);
}

/// Nothing is answered and nothing times out: waiting must not keep the guard from tripping.
#[tokio::test(start_paused = true)]
async fn a_guard_does_not_wait_for_answers_longer_than_its_window() {
    let stage = stage();
    let patient = BASE.replace("500ms", "60s");
    let guard = GUARD.replace("\"a\"", "\"p\"");
    let run = stage.run_as("run-1", &format!("{patient}{guard}{}", pause_a("30s")));
    let (outcome, ()) = tokio::join!(run, async {
        after(5.0).await;
        for _ in 0..1_000 {
            stage.engine.fail("exec in b", Failure::Hang);
        }
    });
    outcome.is(4, "a guard stopped the run: p success was 0%");
    let (tripped, _) = outcome.record.trips.first[0];
    assert!((7_000_000..8_000_000).contains(&tripped), "{tripped}");
}

#[tokio::test(start_paused = true)]
async fn a_guard_lets_a_short_dip_pass() {
    let stage = stage();
    let promise = watch_a("all", "success = \">= 1%\"");
    stage
        .run(&format!("{promise}{GUARD}{}", pause_a("900ms")))
        .await
        .passes();
}

/// A guard on a probe without a promise, and broken from the start.
#[tokio::test(start_paused = true)]
async fn a_guard_that_would_stop_the_run_keeps_it_from_doing_harm() {
    let stage = stage();
    stage
        .engine
        .happen("a-id", "pause", |a| a.state = State::Paused);
    let probe = "[probes.a]\nrate = \"20/s\"\ncontainer = { target = \"a\" }\n";
    let steps = step("disconnect = { target = \"b\" }");
    let outcome = stage.run(&format!("{probe}{GUARD}{steps}")).await;
    outcome.is(3, "the baseline was not healthy: a success was 0%");
    assert!(stage.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_to_a_system_that_is_not_healthy() {
    let stage = stage();
    stage.exit(1);
    stage
        .run(&pause_a("3s"))
        .await
        .is(3, "the baseline was not healthy: p success was 0%");
    assert!(stage.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_baseline_without_any_answer_is_not_healthy() {
    let stage = stage();
    for _ in 0..500 {
        stage.engine.fail("exec", Failure::Hang);
    }
    stage
        .run(&pause_a("3s"))
        .await
        .is(3, "the baseline was not healthy: p success was 0%");
    assert!(stage.log().is_empty());
}

/// Requests that hang before the fault are known to have failed after it, and look then as if it had been the fault.
#[tokio::test(start_paused = true)]
async fn a_baseline_whose_answers_have_ceased_is_not_healthy() {
    let patient = "[probes.q]\nrate = \"20/s\"\ntimeout = \"10s\"\nexec = { command = [\"ok\"], in = \"a\" }\n\
        [[slos]]\nprobe = \"q\"\nduring = \"recovery\"\nsuccess = \">= 80%\"\n";
    let stage = stage();
    let outcome = stage.run_while(&format!("{patient}{}", pause_a("3s")), async {
        after(2.0).await;
        for _ in 0..500 {
            stage.engine.fail("exec in a", Failure::Hang);
        }
    });
    let outcome = outcome.await;
    outcome.is(3, "the baseline was not healthy: q success was");
    outcome.says("× no answer");
    assert!(stage.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn recovery_ends_as_soon_as_all_is_steady() {
    let outcome = stage().run(&pause_a("3s")).await;
    let phase = &outcome.report.phases[2];
    let long = phase.end_ms - phase.start_ms;
    assert!((1_000.0..2_000.0).contains(&long), "{long}");
}

#[tokio::test(start_paused = true)]
async fn recovery_is_watched_to_its_end_when_nothing_gets_better() {
    let stage = stage();
    let promise = watch_a("s", "recovery = \"<= 5s\"");
    let outcome = stage.run_while(&format!("{promise}{}", pause_a("3s")), async {
        after(7.5).await;
        stage
            .engine
            .happen("a-id", "pause", |a| a.state = State::Paused);
    });
    let outcome = outcome.await;
    outcome.is(1, "a took > 9s to recover from s");
    let phase = &outcome.report.phases[2];
    assert!((5_900.0..6_300.0).contains(&(phase.end_ms - phase.start_ms)));
}

/// Between two requests of a slow probe nothing is known: the quiet after the last bad one is no sign of recovery.
#[tokio::test(start_paused = true)]
async fn a_slow_probe_is_steady_once_it_has_been_good() {
    let slow = watch_a("all", "success = \">= 10%\"").replace("20/s", "0.2/s");
    let outcome = stage().run(&format!("{slow}{}", pause_a("3s"))).await;
    outcome.is(0, "");
    let phase = &outcome.report.phases[2];
    let long = phase.end_ms - phase.start_ms;
    assert!((2_500.0..4_000.0).contains(&long), "{long}");
    let slow = &outcome.report.probes[1];
    assert_eq!((slow.planned, slow.good), (3, 2));
}
