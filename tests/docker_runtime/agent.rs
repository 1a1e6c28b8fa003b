//! The agent: its image, its rights, and that it never outlives chaosrun.

use std::time::Duration;

use chaosrun::action::{Capability, Change};
use chaosrun::agent::protocol::{Request, VERSION};
use chaosrun::inventory::State;
use chaosrun::runtime::Runtime as _;
use chaosrun::units::Signal;
use futures_util::FutureExt as _;

use crate::stage::{self, Stage, docker, field, look, until};

/// Commands that are started while a container is paused.
const PATIENCE: Duration = Duration::from_secs(20);

const CRASH: Change = Change::Crash {
    signal: Signal::KILL,
};

/// The one agent's id, if it runs.
fn agent(run: &str) -> String {
    docker(["ps", "-q", "--filter", &format!("label=chaosrun={run}")])
}

#[tokio::test]
async fn it_has_the_rights_that_it_needs_and_no_others() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    let needs = [(target, Capability::Crash)];
    engine.prepare(&needs).await.unwrap();
    let agent = agent(&stage.name);
    let host = |name: &str| field(&agent, &format!("{{{{json .HostConfig.{name}}}}}"));
    assert_eq!(host("CapAdd"), r#"["KILL"]"#);
    assert_eq!(host("CapDrop"), r#"["ALL"]"#);
    assert_eq!(host("PidMode"), r#""host""#);
    assert_eq!(host("NetworkMode"), r#""none""#);
    assert_eq!(host("ReadonlyRootfs"), "true");
    // The engine adds others by itself.
    assert!(host("SecurityOpt").contains(r#""no-new-privileges""#));
    assert_eq!(
        (host("Privileged"), host("Binds")),
        ("false".into(), "null".into())
    );
    assert_eq!(field(&agent, "{{len .Mounts}}"), "0");
    // Asked for again, there still is but one.
    engine.prepare(&needs).await.unwrap();
    assert_eq!(self::agent(&stage.name), agent);
}

#[tokio::test]
async fn a_sweep_leaves_nothing_of_its_run_and_everything_of_others() {
    let (mine, theirs) = (Stage::set(), Stage::set());
    let target = mine.sleeper(&[]);
    let needs = [(target, Capability::Crash)];
    let (engine, other) = (mine.engine().await, theirs.engine().await);
    engine.prepare(&needs).await.unwrap();
    other.prepare(&needs).await.unwrap();
    let label = format!("chaosrun={}", mine.name);
    assert_eq!(mine.labelled(&label).len(), 2, "an agent and its image");
    engine.sweep(&mine.name).await.unwrap();
    assert_eq!(mine.labelled(&label), [""; 0]);
    engine.sweep(&mine.name).await.unwrap();
    let label = format!("chaosrun={}", theirs.name);
    assert_eq!(theirs.labelled(&label).len(), 2);
}

/// The engine goes on with an image that nobody waits for any more.
#[tokio::test]
async fn a_sweep_finds_an_image_that_was_on_its_way() {
    for cut in [50, 150, 300, 450, 600, 900] {
        let stage = Stage::set();
        let engine = stage.engine().await;
        let needs = [(stage.sleeper(&[]), Capability::Crash)];
        let cut = std::time::Duration::from_millis(cut);
        // Some are through by then.
        let _through = tokio::time::timeout(cut, engine.prepare(&needs)).await;
        engine.sweep(&stage.name).await.unwrap();
        drop(engine);
        let label = format!("chaosrun={}", stage.name);
        until("nothing is left", async || {
            stage.labelled(&label).is_empty()
        })
        .await;
        // Nor does it come later.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert_eq!(stage.labelled(&label), [""; 0], "cut after {cut:?}");
    }
}

#[tokio::test]
async fn it_ends_with_its_runtime() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    engine
        .prepare(&[(target, Capability::Crash)])
        .await
        .unwrap();
    assert_ne!(agent(&stage.name), "");
    drop(engine);
    until("no agent", async || agent(&stage.name).is_empty()).await;
}

#[tokio::test]
async fn it_ends_when_chaosrun_is_killed() {
    const TEST: &str = "agent::it_ends_when_chaosrun_is_killed";
    if let Some((engine, target, mark)) = stage::part().await {
        // The one that is killed, with an agent of its own.
        let needs = [(target, Capability::Crash)];
        engine.prepare(&needs).await.unwrap();
        std::fs::write(mark, "ready").unwrap();
        std::future::pending::<()>().await;
    }
    let stage = Stage::set();
    let target = stage.sleeper(&[]);
    let mut child = stage.play_part(TEST, &target).await;
    assert_ne!(agent(&stage.name), "");
    // SIGKILL: nothing in it can tidy up.
    child.kill().unwrap();
    child.wait().unwrap();
    until("no agent", async || agent(&stage.name).is_empty()).await;
}

#[tokio::test]
async fn one_that_was_lost_is_replaced() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let target = stage.sleeper(&[]);
    engine
        .prepare(&[(target.clone(), Capability::Crash)])
        .await
        .unwrap();
    docker(["rm", "-f", &agent(&stage.name)]);
    engine.apply(&target, &CRASH).await.unwrap();
    until("it is down", async || {
        look(&engine, &target).await.state == State::Exited { code: 137 }
    })
    .await;
}

#[tokio::test]
async fn a_request_given_up_on_half_way_leaves_no_answer_for_the_next() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let (first, second) = (stage.sleeper(&[]), stage.sleeper(&[]));
    let needs = [first.clone(), second.clone()].map(|target| (target, Capability::Crash));
    engine.prepare(&needs).await.unwrap();
    for steps in 1..40 {
        // Polled so often, then dropped.
        let mut work = engine.apply(&first, &CRASH);
        for _ in 0..steps {
            if futures_util::poll!(&mut work).is_ready() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        }
        drop(work);
        engine.apply(&first, &Change::Start).await.unwrap();
    }
    engine.apply(&second, &CRASH).await.unwrap();
    until("it is down", async || {
        look(&engine, &second).await.state == State::Exited { code: 137 }
    })
    .await;
}

#[tokio::test]
async fn it_kills_no_process_of_another_container() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let (target, other) = (stage.sleeper(&[]), stage.sleeper(&[]));
    engine
        .prepare(&[(target.clone(), Capability::Crash)])
        .await
        .unwrap();
    // Said to the agent itself, as if the number had been given away again since it was observed.
    let pid = look(&engine, &other).await.pid.unwrap();
    let request = serde_json::json!({ "signal": {
        "process": { "pid": pid, "container": target.id, "started_at": look(&engine, &target).await.started_at },
        "signal": "SIGKILL",
    }});
    let tag = format!("chaosrun/agent:{}", stage.name);
    let hello = Request::Hello { version: VERSION }.to_line();
    let lines = format!("{hello}{request}\n");
    let script = format!(
        "printf '%s' '{lines}' | docker run -i --rm --pid host --cap-drop ALL --cap-add KILL \
         --network none --label chaosrun={} {tag} agent crash",
        stage.name
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("is not of container"), "{said}");
    assert_eq!(look(&engine, &other).await.state, State::Running);
    assert_eq!(look(&engine, &target).await.state, State::Running);
}

/// A command that starts at the moment of a pause is frozen with the rest, and Docker 20.10 then neither says anything about the
/// container nor thaws it; one pause in five or so meets that moment. Whoever undoes it need not be who paused: a reaper is not.
#[tokio::test]
async fn a_pause_that_meets_the_start_of_a_command_is_seen_and_undone() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    let command = ["true".to_owned()];
    let keeps_starting = async {
        loop {
            // Those that meet a pause fail.
            let _ends = engine.exec(&target.id, &command, PATIENCE).await;
        }
    };
    let one_by_one = async {
        for by_another in [true, false].repeat(30) {
            if by_another {
                let id = target.id.clone();
                let paused = tokio::task::spawn_blocking(move || docker(["pause", &id]));
                assert_eq!(paused.await.unwrap(), target.id);
            } else {
                engine.apply(&target, &Change::Pause).await.unwrap();
                assert_eq!(look(&engine, &target).await.state, State::Paused);
            }
            engine.apply(&target, &Change::Unpause).await.unwrap();
            assert_eq!(look(&engine, &target).await.state, State::Running);
            if !agent(&stage.name).is_empty() {
                // Once is enough, and where no engine hangs there is no agent.
                break;
            }
        }
    };
    tokio::select! {
        () = keeps_starting => {}
        () = tokio::time::timeout(Duration::from_secs(60), one_by_one).map(Result::unwrap) => {}
    }
}

#[tokio::test]
async fn a_pause_that_nothing_hangs_in_takes_no_agent() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    engine.apply(&target, &Change::Pause).await.unwrap();
    assert_eq!(look(&engine, &target).await.state, State::Paused);
    engine.apply(&target, &Change::Unpause).await.unwrap();
    assert_eq!(agent(&stage.name), "");
}
