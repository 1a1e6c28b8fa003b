//! Whom a step hits, and whom it must not.

use chaosrun::inventory::{Instance, PROTECT_LABEL};
use chaosrun::plan::preview::preview;
use chaosrun::runtime::memory::instance;
use chaosrun::runtime::{Output, Runtime, Scope};

use crate::stage::{BASE, Stage, after, pause_a, stage, stage_of, step};

/// `b` and nodes 1 to 5 of one service, and a target `node` with these keys.
fn nodes(target: &str, limits: &str, faults: &[&str]) -> (Stage, String) {
    let nodes = (1..=5).map(|n| Instance {
        service: Some("node".into()),
        number: Some(n),
        ..instance(&format!("node-{n}"))
    });
    let stage = stage_of(nodes.chain([instance("b")]));
    let steps = faults.iter().enumerate().map(|(n, fault)| {
        format!("[[steps]]\nname = \"s{n}\"\nat = \"{}s\"\nfor = \"2s\"\nfault.{fault} = {{ target = \"node\" }}\n", n * 4)
    });
    let steps: String = steps.collect();
    let text = format!("[targets.node]\nservice = \"node\"\n{target}\n{limits}\n{steps}");
    (stage, text)
}

#[tokio::test(start_paused = true)]
async fn a_target_that_matches_none_stops_the_run_unless_it_may_be_skipped() {
    let target = "[targets.x]\nname = \"^x\"\n";
    let steps = step("pause = { target = \"x\" }");
    let outcome = stage().run(&format!("{target}{steps}")).await;
    outcome.is(
        3,
        "step s: target x matches none of the system's 2 containers (a; b)",
    );
    let other = "[[steps]]\nname = \"t\"\nat = \"1s\"\nfault.pause = { target = \"a\" }\n";
    let stage = stage();
    let skip = format!("{target}on_empty = \"skip\"\n{steps}{other}");
    let outcome = stage.run(&skip).await;
    outcome.passes();
    assert!(outcome.report.steps[0].skipped.as_ref().unwrap().by_choice);
    assert_eq!(stage.log(), ["pause a", "unpause a"]);
}

/// Before the baseline, as `plan` says it.
#[tokio::test(start_paused = true)]
async fn fewer_matches_than_are_asked_for_are_a_problem_of_the_plan() {
    for (pick, problems) in [
        (
            "pick = 6",
            vec!["step s0: target node asks for 6, and 5 match"],
        ),
        ("pick = 5", vec![]),
        ("pick = 6\non_empty = \"skip\"", vec![]),
    ] {
        let (stage, steps) = nodes(pick, "", &["pause"]);
        let scenario = crate::stage::checked(&format!("{BASE}{steps}"));
        let world = stage.engine.inventory(&Scope::Engine).await.unwrap();
        assert_eq!(preview(&scenario, &world, 1).problems, problems);
    }
    let (stage, steps) = nodes("pick = 6", "", &["pause"]);
    let outcome = stage.run(&steps).await;
    outcome.is(3, "step s0: target node asks for 6, and 5 match");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_another_step_holds_is_said_to_be() {
    let stage = stage();
    // By its name's pattern: that both mean the same container is not known before.
    let again = "[targets.x]\nname = \"^a\"\n[[steps]]\nname = \"t\"\nat = \"2s\"\nfault.stop = { target = \"x\" }\n";
    let outcome = stage.run(&format!("{again}{}", pause_a("5s"))).await;
    outcome.is(
        3,
        "step t: target x matches 1, and none of them runs (a is paused by step s)",
    );
    assert_eq!(stage.log(), ["pause a", "unpause a"]);
}

fn say_roles(stage: &Stage, primaries: &'static [&'static str]) {
    stage.engine.answer(move |instance, _| {
        let role = if primaries.contains(&instance.name.as_str()) {
            "primary"
        } else {
            "replica"
        };
        let stdout = format!("{role}\n");
        Ok(Output {
            exit: 0,
            stdout,
            stderr: String::new(),
        })
    });
}

const ROLE: &str = "role = { exec = [\"role\"], equals = \"primary\" }\npick = \"one\"";

#[tokio::test(start_paused = true)]
async fn a_role_is_asked_when_the_step_starts() {
    let (stage, steps) = nodes(ROLE, "", &["pause"]);
    say_roles(&stage, &["node-3"]);
    let moved = stage.run_while(&steps, async {
        after(2.0).await;
        say_roles(&stage, &["node-4"]);
    });
    moved.await.passes();
    assert_eq!(stage.log(), ["pause node-4", "unpause node-4"]);
}

/// A target that is not hit is nobody's business.
#[tokio::test(start_paused = true)]
async fn who_has_the_role_is_on_record_all_the_while() {
    let (stage, steps) = nodes(ROLE, "", &["pause"]);
    say_roles(&stage, &["node-3"]);
    let unused = format!("[targets.other]\ncontainer = \"b\"\n{ROLE}\n{steps}");
    let moved = stage.run_while(&unused, async {
        after(4.5).await;
        say_roles(&stage, &["node-4"]);
    });
    let outcome = moved.await;
    outcome.passes();
    let roles = outcome.record.roles.first.iter();
    let told: Vec<_> = roles
        .map(|(at, change)| (at / 1_000_000, change.target.as_str(), change.sentence()))
        .collect();
    // The one that is paused then says nothing, so that nothing is known of it.
    assert_eq!(
        told,
        [
            (0, "node", "node-3 is primary now".into()),
            (5, "node", "node-4 is primary now".into())
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_or_two_with_a_role_stop_the_run() {
    let (stage, steps) = nodes(ROLE, "", &["pause"]);
    say_roles(&stage, &[]);
    let outcome = stage.run(&steps).await;
    outcome.is(
        3,
        "none has the role \"primary\" (node-1: \"replica\"; node-2",
    );
    let (stage, steps) = nodes(ROLE, "", &["pause"]);
    say_roles(&stage, &["node-1", "node-5"]);
    let outcome = stage.run(&steps).await;
    outcome.is(
        3,
        "target node asks for one, and node-1; node-5 say that they are \"primary\"",
    );
    assert!(stage.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_blast_radius_is_checked_before_anything_is_done() {
    for (limit, why) in [
        (
            "max_targets = 4",
            "5 containers would be hit, and [limits] max_targets allows 4",
        ),
        ("max_percent = \"50%\"", "5 containers of 6 would be hit"),
        ("keep_running = 1", "0 running of node would be left"),
    ] {
        let (stage, steps) = nodes("pick = \"all\"", &format!("[limits]\n{limit}"), &["pause"]);
        stage.run(&steps).await.is(3, why);
        assert!(stage.log().is_empty());
    }
    let limits = "[limits]\nmax_targets = 4\nmax_percent = \"80%\"\nkeep_running = 1";
    let (stage, steps) = nodes("pick = 4", limits, &["pause"]);
    stage.run(&steps).await.passes();
    assert_eq!(stage.log().len(), 8);
}

/// Each step is within the limit, and the run is not: it is not begun.
#[tokio::test(start_paused = true)]
async fn the_blast_radius_is_the_whole_runs() {
    let faults = ["pause", "stop", "pause", "stop", "pause", "stop"];
    let (stage, steps) = nodes("pick = 2", "[limits]\nmax_targets = 2", &faults);
    stage
        .run(&steps)
        .await
        .is(3, "[limits] max_targets allows 2");
    assert!(stage.log().is_empty(), "{:?}", stage.log());
    // One at a time leaves four running at any time.
    let (stage, steps) = nodes("pick = 1", "[limits]\nkeep_running = 4", &faults);
    stage.run(&steps).await.passes();
}

#[tokio::test(start_paused = true)]
async fn what_is_protected_is_never_hit() {
    let protected = Instance {
        labels: [(PROTECT_LABEL.to_owned(), String::new())].into(),
        ..instance("a")
    };
    let stage = stage_of([protected.clone(), instance("b")]);
    let outcome = stage.run(&pause_a("3s")).await;
    outcome.is(3, "target a matches 1, and all of them are protected");
    assert!(stage.log().is_empty());
    let stage = stage_of([protected, instance("b")]);
    stage.run(&step("pause = { target = \"both\" }")).await;
    assert_eq!(stage.log(), ["pause b", "unpause b"]);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_hits_the_same_targets() {
    let mut logs = Vec::new();
    for seed in [7, 7, 8, 9, 10] {
        let (stage, steps) = nodes("pick = 2", "", &["pause"]);
        stage
            .run_as("run-1", &format!("seed = {seed}\n{BASE}{steps}"))
            .await
            .passes();
        let mut log = stage.log();
        log.sort();
        logs.push(log);
    }
    assert_eq!(logs[0], logs[1]);
    assert!(logs.iter().any(|log| *log != logs[0]));
}

#[tokio::test(start_paused = true)]
async fn a_container_belongs_to_one_run_at_a_time() {
    let stage = stage();
    let text = format!("{BASE}{}", pause_a("3s"));
    let (first, second) = tokio::join!(stage.run_as("run-1", &text), async {
        after(1.0).await;
        stage.run_as("run-2", &text).await
    });
    first.passes();
    second.is(3, "a belongs to another run (run-1, pid ");
    assert_eq!(stage.log(), ["pause a", "unpause a"]);
    stage.run_as("run-3", &text).await.passes();
}

/// One that came after the beginning was not locked then.
#[tokio::test(start_paused = true)]
async fn a_latecomer_is_locked_before_it_is_hit() {
    let stage = stage();
    let target = "[targets.late]\nname = \"^(a|late)$\"\n";
    let text = format!("{BASE}{target}{}", step("pause = { target = \"late\" }"));
    let lock_dir = stage.dir.path().join("locks");
    let subject = chaosrun::action::Subject::of(&instance("late"));
    let run = stage.run_as("run-1", &text);
    let (outcome, _lock) = tokio::join!(run, async {
        after(1.0).await;
        stage.engine.add(instance("late"));
        chaosrun::engine::lock::take(&lock_dir, &subject, "other").unwrap()
    });
    outcome.is(3, "step s: late belongs to another run (other, pid ");
    assert!(stage.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn fewer_than_were_asked_for_make_no_weaker_experiment() {
    let (stage, steps) = nodes("pick = 99", "", &["pause"]);
    stage.run(&steps).await.is(3, "asks for 99, and ");
    assert_eq!(stage.log(), Vec::<String>::new());
}

/// With and without warning: a neighbour that is there from the beginning, and one that comes just before the step.
#[tokio::test(start_paused = true)]
async fn neighbours_in_a_targets_network_namespace_must_not_lose_it() {
    let sidecar = || Instance {
        network_mode: "container:a-id".into(),
        networks: [].into(),
        ..instance("side")
    };
    let stop = |target: &str| step(&format!("stop = {{ target = \"{target}\" }}"));
    let why = "step s: a: its network is shared by side, which would lose it too";
    let stage = stage_of([instance("a"), instance("b"), sidecar()]);
    let outcome = stage.run(&stop("a")).await;
    outcome.is(3, why);
    assert!(stage.log().is_empty() && outcome.report.duration_ms < 1_000.0);
    let all = "[targets.all]\nname = \"^(a|side)$\"\n";
    stage
        .run_as("run-2", &format!("{BASE}{all}{}", stop("all")))
        .await
        .passes();
    let stage = self::stage();
    let outcome = stage.run_while(&stop("a"), async {
        after(2.0).await;
        stage.engine.add(sidecar());
    });
    outcome.await.is(3, why);
    assert!(stage.log().is_empty(), "{:?}", stage.log());
}
