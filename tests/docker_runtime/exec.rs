//! Commands inside containers.

use std::time::Duration;

use chaosrun::action::Change;
use chaosrun::runtime::{Runtime as _, RuntimeError};

use crate::stage::Stage;

const TIME: Duration = Duration::from_secs(10);

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn a_commands_exit_and_output_come_back_apart() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    let command = words(&["sh", "-c", "echo out; echo err >&2; exit 3"]);
    let seen = engine.exec(&target.id, &command, TIME).await.unwrap();
    assert_eq!(
        (seen.exit, seen.stdout.as_str(), seen.stderr.as_str()),
        (3, "out\n", "err\n")
    );
    let command = words(&["head", "-c", "200000", "/dev/zero"]);
    let seen = engine.exec(&target.id, &command, TIME).await.unwrap();
    assert_eq!((seen.exit, seen.stdout.len()), (0, 64 * 1024));
}

#[tokio::test]
async fn a_command_that_outlives_its_time_is_given_up_on() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    let short = Duration::from_millis(300);
    let error = engine
        .exec(&target.id, &words(&["sleep", "600"]), short)
        .await
        .unwrap_err();
    assert!(
        matches!(error, RuntimeError::TimedOut { after, .. } if after == short),
        "{error}"
    );
}

#[tokio::test]
async fn a_command_that_cannot_be_run_is_no_output() {
    let stage = Stage::set();
    let (engine, target) = (stage.engine().await, stage.sleeper(&[]));
    let error = engine
        .exec(&target.id, &words(&["redis-cli", "ping"]), TIME)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("running \"redis-cli\" in container "),
        "{text}"
    );
    assert!(text.contains("executable file not found"), "{text}");

    engine.apply(&target, &Change::Pause).await.unwrap();
    let error = engine
        .exec(&target.id, &words(&["true"]), TIME)
        .await
        .unwrap_err();
    engine.apply(&target, &Change::Unpause).await.unwrap();
    assert!(error.to_string().contains("is paused"), "{error}");
}
