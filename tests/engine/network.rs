//! Faults of the network: shown by round trips and by what the agents count, given again, and taken back.

use std::time::Duration;

use chaosrun::history::Event;
use chaosrun::inventory::{Instance, RestartPolicy};
use chaosrun::runtime::memory::{Failure, ROUND_TRIP, instance};

use crate::stage::{BASE, Outcome, Stage, after, stage_of, step};

fn at(name: &str, address: &str) -> Instance {
    let mut one = Instance {
        restart_policy: RestartPolicy::Always,
        ..instance(name)
    };
    for endpoint in one.networks.values_mut() {
        endpoint.address = address.into();
    }
    one
}

fn pair() -> Stage {
    stage_of([at("a", "10.0.0.1"), at("b", "10.0.0.2")])
}

const DELAY: &str = "delay = { target = \"a\", to = \"b\", latency = \"50ms\" }";

fn lasting(fault: &str) -> String {
    format!("{}for = \"3s\"\n", step(fault))
}

fn evidence(outcome: &Outcome) -> &str {
    &outcome.report.steps[0].effect.as_ref().unwrap().evidence
}

fn revert(outcome: &Outcome) -> &str {
    &outcome.report.steps[0].revert.as_ref().unwrap().evidence
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_shown_by_round_trips_and_packets() {
    let stage = pair();
    let outcome = stage.run(&lasting(DELAY)).await;
    outcome.passes();
    assert_eq!(
        stage.log(),
        ["prepare network for a", "impair a", "relieve a"]
    );
    let told = evidence(&outcome);
    let trips = "a to b: round trips of 100us before, 50.1ms now (10 of 10 answered)";
    assert!(
        told.contains("in force through queue") && told.contains(trips),
        "{told}"
    );
    let row = &outcome.report.steps[0].packets[0];
    assert_eq!(
        (row.instance.as_str(), row.back_end.as_deref(), row.met),
        ("a", Some("queue"), true)
    );
    // Three seconds at a hundred a second, without those that measured.
    assert!(
        (290..=310).contains(&row.packets) && row.delayed == row.packets,
        "{row:?}"
    );
    let again = "a to b: round trips of 100us before, 100us now";
    assert!(revert(&outcome).contains(again), "{}", revert(&outcome));
}

/// Whatever the agent says, it is the round trip that is believed.
#[tokio::test(start_paused = true)]
async fn a_delay_of_nothing_or_twice_proves_nothing() {
    for wrong in [0, 100] {
        let stage = pair();
        stage.engine.round_trips(move |one, _| {
            let late = Duration::from_millis(if one.impaired.is_some() { wrong } else { 0 });
            Some(ROUND_TRIP + late)
        });
        let outcome = stage.run(&lasting(DELAY)).await;
        outcome.is(
            3,
            "the effect of s (delay) on a is not proven: a to b: round trips of 100us before, ",
        );
        assert!(outcome.journal.is_none());
    }
}

/// Round trips are sent one soon after another, and a fault lasts from when it is in force: not from when they have come back.
#[tokio::test(start_paused = true)]
async fn a_long_delay_is_in_force_for_its_time_and_no_longer() {
    let fault = DELAY.replace("50ms", "4s");
    let outcome = pair().run(&lasting(&fault).replace("3s", "6s")).await;
    outcome.passes();
    assert!(evidence(&outcome).contains("4s now (3 of 3 answered)"));
    let lasted = outcome.lasted("s");
    assert!((6000.0..6200.0).contains(&lasted), "{lasted} ms");
    let row = &outcome.report.steps[0];
    let in_force = row.injected_ms.unwrap() - row.injecting_ms.unwrap();
    assert!(in_force < 100.0, "in force after {in_force} ms");
}

/// What the system sends while its round trips are measured counts, and what measures them does not.
#[tokio::test(start_paused = true)]
async fn a_proof_that_takes_longer_than_the_fault_is_to_last_is_waited_for() {
    let fault = "delay = { target = \"a\", to = \"b\", latency = \"4s\", direction = \"both\" }";
    let step = lasting(fault).replace("3s", "5s");
    let outcome = pair().run(&step).await;
    outcome.passes();
    assert!(evidence(&outcome).contains("8s now (3 of 3 answered)"));
    let lasted = outcome.lasted("s");
    assert!((8000.0..8200.0).contains(&lasted), "{lasted} ms");
    let packets = outcome.report.steps[0].packets[0].packets;
    assert!((780..=800).contains(&packets), "{packets}");
    let silent = pair();
    silent.engine.silence();
    silent.run(&step).await.is(3, "no packet has met it");
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_shown_at_once() {
    let cut = lasting("blackhole = { target = \"a\", to = \"b\" }").replace("3s", "1s");
    let outcome = pair().run(&cut).await;
    outcome.passes();
    let lasted = outcome.lasted("s");
    assert!((1000.0..1100.0).contains(&lasted), "{lasted} ms");
}

#[tokio::test(start_paused = true)]
async fn what_no_packet_of_the_system_meets_is_no_experiment() {
    let stage = pair();
    stage.engine.silence();
    let outcome = stage.run(&lasting(DELAY)).await;
    outcome.is(3, "s (delay) on a had no effect on any packet of the system: a: queue: 0 packets: no packet has met it");
    let row = &outcome.report.steps[0];
    assert!(!row.effect.as_ref().unwrap().proven && !row.packets[0].met);
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_echoes_cannot_show_is_shown_by_the_count() {
    let stage = pair();
    let loss = lasting("loss = { target = \"a\", percent = \"1%\" }");
    let outcome = stage.run(&loss).await;
    outcome.passes();
    let row = &outcome.report.steps[0].packets[0];
    assert!(
        row.dropped > 0 && row.evidence.contains("dropped"),
        "{row:?}"
    );
    let rare = lasting("loss = { target = \"a\", percent = \"0.01%\" }");
    let outcome = pair().run(&rare).await;
    outcome.is(3, "none of them was lost");
}

#[tokio::test(start_paused = true)]
async fn who_is_cut_off_answers_no_longer() {
    let stage = stage_of([
        at("a", "10.0.0.1"),
        at("b", "10.0.0.2"),
        at("c", "10.0.0.3"),
    ]);
    let all = "[targets.all]\nname = \"^[abc]$\"\n";
    let fault = "partition = { target = \"all\", shape = \"one\" }";
    let outcome = stage.run(&format!("{all}{}", lasting(fault))).await;
    outcome.passes();
    let told = evidence(&outcome);
    assert_eq!(
        told.matches("no answer now (0 of 3 answered)").count(),
        3,
        "{told}"
    );
    let impaired = stage
        .log()
        .iter()
        .filter(|line| line.starts_with("impair"))
        .count();
    assert_eq!((impaired, outcome.report.steps[0].packets.len()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_cut_that_cuts_nothing_proves_nothing() {
    let stage = pair();
    stage.engine.round_trips(|_, _| Some(ROUND_TRIP));
    let outcome = stage
        .run(&lasting("blackhole = { target = \"a\", to = \"b\" }"))
        .await;
    outcome.is(3, "where none should");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_restarts_gets_it_again_at_its_new_address() {
    let stage = pair();
    let both = lasting("partition = { target = \"both\", shape = \"one\" }");
    let outcome = stage.run_while(&both, async {
        after(5.0).await;
        stage.engine.happen("b-id", "die", |b| {
            b.state = chaosrun::inventory::State::Exited { code: 1 };
            b.impaired = None;
            b.networks.values_mut().for_each(|at| at.address.clear());
        });
        after(0.5).await;
        stage.engine.happen("b-id", "start", |b| {
            b.state = chaosrun::inventory::State::Running;
            b.started_at = "later".into();
            b.networks
                .values_mut()
                .for_each(|at| at.address = "10.0.0.9".into());
        });
    });
    let outcome = outcome.await;
    outcome.passes();
    // The one for itself, and its peer for where it is now.
    assert_eq!(outcome.report.steps[0].reapplied, 2, "{:?}", stage.log());
    let again: Vec<_> = stage
        .log()
        .into_iter()
        .filter(|line| line.starts_with("impair"))
        .collect();
    assert_eq!(again.len(), 4, "{again:?}");
}

/// What one expects of the line is overtaken by the other before it has measured.
#[tokio::test(start_paused = true)]
async fn two_delays_that_begin_together_at_both_ends_are_both_in_force() {
    let back = "delay = { target = \"b\", to = \"a\", latency = \"50ms\" }";
    let both = format!(
        "{}at = \"0s\"\n{}at = \"0s\"\n",
        lasting(DELAY),
        lasting(back).replace("\"s\"", "\"t\"")
    );
    let stage = pair();
    stage.engine.round_trips(|from, _| {
        let both = Duration::from_millis(110);
        Some(from.impaired.as_ref().map_or(ROUND_TRIP, |_| both))
    });
    let outcome = stage.run(&both).await;
    outcome.passes();
    let told = evidence(&outcome);
    assert!(told.contains("another step began or ended"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_lost_is_replaced() {
    let stage = pair();
    let outcome = stage.run_while(&lasting(DELAY), async {
        after(5.5).await;
        stage
            .engine
            .happen("a-id", "agent lost", |a| a.impaired = None);
    });
    let outcome = outcome.await;
    outcome.passes();
    assert_eq!(outcome.report.steps[0].reapplied, 1);
    assert_eq!(stage.log()[1..], ["impair a", "impair a", "relieve a"]);
}

/// Nobody tells of it, and it is seen when the step ends.
#[tokio::test(start_paused = true)]
async fn one_that_was_lost_in_silence_is_not_proven() {
    let stage = pair();
    let outcome = stage.run_while(&lasting(DELAY), async {
        after(5.5).await;
        stage
            .engine
            .happen("a-id", "exec_start", |a| a.impaired = None);
    });
    let outcome = outcome.await;
    outcome.is(3, "s (delay) on a was lost in the middle");
    assert!(outcome.journal.is_none());
}

#[tokio::test(start_paused = true)]
async fn one_network_fault_at_a_time_each_taken_back_in_its_turn() {
    let stage = pair();
    let loss = "[[steps]]\nname = \"t\"\nat = \"1s\"\nfor = \"1s\"\nfault.loss = { target = \"both\", percent = \"10%\" }\n";
    let outcome = stage.run(&format!("{}{loss}", lasting(DELAY))).await;
    outcome.is(
        3,
        "step t: a still has the network fault of step s, and can have one at a time",
    );
    assert_eq!(stage.log().last().unwrap(), "relieve a");
    let stage = pair();
    let loss = loss.replace("at = \"1s\"", "after = \"s\"");
    let outcome = stage.run(&format!("{}{loss}", lasting(DELAY))).await;
    outcome.passes();
    let changes: Vec<_> = stage
        .log()
        .into_iter()
        .filter(|line| !line.starts_with("prepare"))
        .collect();
    assert_eq!(changes[..3], ["impair a", "relieve a", "impair a"]);
}

#[tokio::test(start_paused = true)]
async fn a_network_that_stays_slow_is_not_undone() {
    let stage = pair();
    stage.engine.round_trips(|one, _| {
        // An agent says that nothing is in force, and packets are late all the same.
        let late = one.impaired.is_some() || one.labels.contains_key("late");
        Some(ROUND_TRIP + Duration::from_millis(if late { 50 } else { 0 }))
    });
    let outcome = stage.run_while(&lasting(DELAY), async {
        after(5.0).await;
        stage.engine.happen("a-id", "exec_start", |a| {
            a.labels.insert("late".into(), String::new());
        });
    });
    let outcome = outcome.await;
    outcome.is(5, "the revert of s (delay) on a could not be verified");
    outcome.says("round trips of 100us before, 50.1ms now");
}

/// Two runs at once: what the one does to the peer of the other's target is not the other's to undo.
#[tokio::test(start_paused = true)]
async fn a_peer_that_another_run_slows_down_is_not_held_against_the_undo() {
    let stage = pair();
    let far = DELAY.replace("target = \"a\", to = \"b\"", "target = \"b\"");
    let theirs = format!("{BASE}{}", lasting(&far).replace("3s", "5s"));
    let (ours, _) = tokio::join!(stage.run(&lasting(DELAY)), async {
        after(1.5).await;
        stage.run_as("run-2", &theirs).await
    });
    ours.passes();
    let told = "round trips of 100us before, 50.1ms now (3 of 3 answered); expected at most 5ms more, which says nothing: \
                b belongs to another run (run-2, pid ";
    assert!(revert(&ours).contains(told), "{}", revert(&ours));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_run_left_is_relieved() {
    let stage = pair();
    stage.engine.fail("relieve a", Failure::Ignore);
    stage.refuse("relieve a", 1000);
    let outcome = stage.run(&lasting(DELAY)).await;
    assert_eq!(outcome.report.exit_code, 5);
    let journal = stage.journal();
    let undo = r#""undo":{"change":{"change":"relieve","until":"relieved"}}"#;
    assert!(journal.contains(r#""change":{"impair":{"impairment":{"rules":[{"flow":{"direction":"egress","peers":["10.0.0.2/32"]"#), "{journal}");
    assert!(journal.contains(undo), "{journal}");
    let fresh = pair();
    std::fs::create_dir_all(fresh.state_dir()).unwrap();
    std::fs::copy(
        stage.state_dir().join("run-1.journal"),
        fresh.state_dir().join("run-1.journal"),
    )
    .unwrap();
    fresh.engine.happen("a-id", "impair", |a| {
        a.impaired = Some(Box::new(chaosrun::impairment::Impaired {
            digest: "of the dead".into(),
            back_end: chaosrun::impairment::BackEnd::Queue,
            counts: Vec::new(),
        }));
    });
    let recovered = fresh.recover().await;
    assert_eq!(fresh.log(), ["relieve a"]);
    assert!(
        recovered.iter().all(|one| one.failed.is_empty()),
        "{}",
        recovered.len()
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_is_on_record_before_the_revert() {
    let outcome = pair().run(&lasting(DELAY)).await;
    let events: Vec<Event> = outcome
        .history
        .lines()
        .map(|line| {
            serde_json::from_str::<chaosrun::history::Entry>(line)
                .unwrap()
                .event
        })
        .collect();
    let place = |is: fn(&Event) -> bool| events.iter().position(is).unwrap();
    let counted = place(|event| matches!(event, Event::Counted { .. }));
    assert!(counted > place(|event| matches!(event, Event::Reverting { .. })));
    assert!(counted < place(|event| matches!(event, Event::Reverted { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_target_on_the_hosts_network_is_refused_before_anything_is_done() {
    let stage = stage_of([
        Instance {
            network_mode: "host".into(),
            ..at("a", "10.0.0.1")
        },
        at("b", "10.0.0.2"),
    ]);
    let outcome = stage
        .run(&lasting("delay = { target = \"a\", latency = \"50ms\" }"))
        .await;
    outcome.is(3, "a: cannot delay a: it is on the host's own network");
    assert!(stage.log().is_empty());
}

/// Who is picked is one of those that it is cut off from.
#[tokio::test(start_paused = true)]
async fn one_of_a_service_is_cut_off_from_the_others() {
    let stage = stage_of([
        at("a", "10.0.0.1"),
        at("b", "10.0.0.2"),
        at("c", "10.0.0.3"),
    ]);
    let targets =
        "[targets.one]\nname = \"^[abc]$\"\npick = \"one\"\n[targets.all]\nname = \"^[abc]$\"\n";
    let fault = "partition = { target = \"one\", to = \"all\" }";
    let outcome = stage.run(&format!("{targets}{}", lasting(fault))).await;
    outcome.passes();
    assert_eq!(outcome.report.steps[0].packets.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_measured_is_told_once() {
    let stage = pair();
    let outcome = stage.run_while(&lasting(DELAY), async {
        after(3.95).await;
        let why = "the agent is gone".into();
        stage.engine.fail("measure a", Failure::Refuse(why));
    });
    let outcome = outcome.await;
    let told = "a to b: the round trip could not be measured: the agent is gone";
    assert!(evidence(&outcome).contains(told), "{}", evidence(&outcome));
}

/// One of the targets is the peer of the others: it is passed over, and that is on record.
#[tokio::test(start_paused = true)]
async fn a_target_that_is_the_others_peer_is_passed_over() {
    let stage = pair();
    let pair_of = "[targets.pair]\nname = \"^[ab]$\"\n";
    let delay = "delay = { target = \"pair\", latency = \"50ms\", to = \"b\" }";
    let outcome = stage.run(&format!("{pair_of}{}", lasting(delay))).await;
    outcome.passes();
    assert_eq!(outcome.report.steps[0].instances, ["a"]);
    let notes = outcome.events("note");
    let told =
        "step s: b: nothing is done to it: it is the only peer that is named, and none of its own";
    assert_eq!(notes[0]["text"], told);
    let alone = lasting("delay = { target = \"a\", latency = \"50ms\", to = \"a\" }");
    let outcome = pair().run(&alone).await;
    outcome.is(3, "step s: nobody whom it hits has a part in its `delay`");
    assert!(outcome.events("injecting").is_empty());
}
