use super::*;
use crate::inventory::{Health, RestartPolicy, State};

fn subject(name: &str) -> Subject {
    Subject::of(&instance(name))
}

async fn state(engine: &Memory, name: &str) -> State {
    let seen = engine.observe(&subject(name).id).await.unwrap();
    seen.unwrap().state
}

const CRASH: Change = Change::Crash {
    signal: crate::units::Signal::KILL,
};
const KILL: Change = Change::Signal {
    signal: crate::units::Signal::KILL,
};

#[tokio::test(start_paused = true)]
async fn a_restart_policy_reacts_to_a_crash_and_not_to_a_kill() {
    let engine = Memory::new(["a", "b"].map(|name| Instance {
        restart_policy: RestartPolicy::Always,
        ..instance(name)
    }));
    engine.apply(&subject("a"), &CRASH).await.unwrap();
    engine.apply(&subject("b"), &KILL).await.unwrap();
    assert_eq!(state(&engine, "a").await, State::Restarting);
    tokio::time::sleep(RESTART_DELAY * 2).await;
    assert_eq!(state(&engine, "a").await, State::Running);
    assert_eq!(state(&engine, "b").await, State::Exited { code: 137 });
    let seen = engine.observe("a-id").await.unwrap().unwrap();
    assert_eq!(seen.restart_count, 1);
    assert_ne!(seen.started_at, instance("a").started_at);
    assert_eq!(engine.log(), ["crash SIGKILL a", "signal SIGKILL b"]);
}

#[tokio::test(start_paused = true)]
async fn failures_come_in_the_order_asked_for_and_then_end() {
    let engine = Memory::new([instance("a")]);
    engine.fail("pause", Failure::Refuse("no".into()));
    engine.fail("pause", Failure::Ignore);
    let (a, pause) = (subject("a"), Change::Pause);
    let error = engine.apply(&a, &pause).await.unwrap_err();
    assert_eq!(error.to_string(), "a: could not pause: no");
    engine.apply(&a, &pause).await.unwrap();
    assert_eq!(state(&engine, "a").await, State::Running);
    engine.apply(&a, &pause).await.unwrap();
    assert_eq!(state(&engine, "a").await, State::Paused);
}

#[tokio::test(start_paused = true)]
async fn a_hang_lasts() {
    let engine = Memory::new([instance("a")]);
    engine.fail("observe", Failure::Hang);
    let asked = tokio::time::timeout(Duration::from_secs(3600), engine.observe("a-id"));
    assert!(asked.await.is_err());
    assert!(engine.observe("a-id").await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn watchers_hear_of_what_happens() {
    let engine = Memory::new([instance("a")]);
    let mut notices = engine.watch().await.unwrap();
    engine.apply(&subject("a"), &Change::Pause).await.unwrap();
    engine.happen("a-id", "health_status: unhealthy", |i| {
        i.health = Health::Unhealthy;
    });
    let heard = [notices.recv().await.unwrap(), notices.recv().await.unwrap()];
    assert_eq!(heard.map(|n| n.what), ["pause", "health_status: unhealthy"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_so_already_is_no_error_and_what_cannot_be_is() {
    let engine = Memory::new([instance("a")]);
    let a = subject("a");
    for change in [Change::Start, Change::Unpause, KILL, KILL] {
        engine.apply(&a, &change).await.unwrap();
    }
    assert!(engine.apply(&a, &Change::Pause).await.is_err());
    assert!(engine.apply(&a, &CRASH).await.is_err());
    assert!(engine.apply(&subject("b"), &Change::Start).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stack_comes_up_and_goes_down() {
    let engine = Memory::new([instance("other")]);
    engine.stack("shop", [instance("a")]);
    let scope = Scope::Project("shop".into());
    let within = Duration::from_secs(1);
    engine.up("shop", Path::new("x"), within).await.unwrap();
    assert_eq!(engine.inventory(&scope).await.unwrap().instances.len(), 1);
    engine.down("shop").await.unwrap();
    assert!(engine.inventory(&scope).await.unwrap().instances.is_empty());
    assert!(engine.observe("other-id").await.unwrap().is_some());
    assert_eq!(engine.log(), ["up shop", "down shop"]);
}
