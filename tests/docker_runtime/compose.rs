//! Stacks: up and ready, or an error that says why; down without a trace.

use std::time::Duration;

use chaosrun::runtime::{Runtime as _, RuntimeError, Scope};

use crate::stage::{Stage, compose_file, docker, field};

const TIME: Duration = Duration::from_secs(60);

/// Brings up a stack that cannot come up, and takes it down again.
async fn failure(stage: &Stage, text: &str, within: Duration) -> RuntimeError {
    let (_folder, file) = compose_file(text);
    let engine = stage.engine().await;
    let error = engine.up(&stage.name, &file, within).await.unwrap_err();
    engine.down(&stage.name).await.unwrap();
    let label = format!("com.docker.compose.project={}", stage.name);
    assert_eq!(stage.labelled(&label), [""; 0]);
    error
}

#[tokio::test]
async fn a_stack_is_up_when_it_is_healthy_and_gone_when_it_is_down() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let image = &stage.name;
    let (folder, file) = compose_file(&format!(
        r#"
version: "2.4"
services:
  slow:
    image: {image}
    command: ["sh", "-c", "sleep 1; echo > /ready; sleep 600"]
    volumes: ["data:/data", "/anonymous"]
    healthcheck: {{ test: ["CMD", "cat", "/ready"], interval: 200ms, retries: 50 }}
  built:
    build: .
    command: ["sleep", "600"]
  job:
    image: {image}
    command: ["true"]
volumes:
  data: {{}}
"#
    ));
    std::fs::write(
        folder.path().join("Dockerfile"),
        format!("FROM {image}\nLABEL x=y\n"),
    )
    .unwrap();
    engine.up(&stage.name, &file, TIME).await.unwrap();
    let scope = Scope::Project(stage.name.clone());
    let seen = engine.inventory(&scope).await.unwrap().instances;
    let names: Vec<_> = seen.iter().map(|i| i.identity()).collect();
    assert_eq!(names, ["built-1", "job-1", "slow-1"]);
    assert_eq!(field(&seen[2].id, "{{.State.Health.Status}}"), "healthy");
    let volumes = docker(["volume", "ls", "-q"]);

    engine.down(&stage.name).await.unwrap();
    let label = format!("com.docker.compose.project={}", stage.name);
    assert_eq!(stage.labelled(&label), [""; 0]);
    for built in [format!("{image}_built"), format!("{image}-built")] {
        assert_eq!(docker(["images", "-q", &built]), "");
    }
    assert!(volumes.lines().count() > docker(["volume", "ls", "-q"]).lines().count());
    engine.down(&stage.name).await.unwrap();
    // The image that it was built from is not the project's.
    assert_ne!(docker(["images", "-q", image]), "");
}

#[tokio::test]
async fn chaosruns_own_executable_is_an_image_that_a_stack_can_use() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let (_folder, file) = compose_file(
        r#"
version: "2.4"
services:
  own:
    image: ${CHAOSRUN_IMAGE}
    command: ["agent", "crash"]
    stdin_open: true
"#,
    );
    engine.up(&stage.name, &file, TIME).await.unwrap();
    let scope = Scope::Project(stage.name.clone());
    let seen = engine.inventory(&scope).await.unwrap().instances;
    assert_eq!(seen[0].image, format!("chaosrun/agent:{}", stage.name));
    assert!(seen[0].is_running() && seen[0].is_fair_game());
    // In use: the run may keep its stack.
    engine.sweep(&stage.name).await.unwrap();
    assert_eq!(field(&seen[0].id, "{{.State.Status}}"), "running");
    assert_ne!(docker(["images", "-q", &seen[0].image]), "");
    let label = format!("chaosrun={}", stage.name);
    engine.down(&stage.name).await.unwrap();
    engine.sweep(&stage.name).await.unwrap();
    assert_eq!(stage.labelled(&label), [""; 0]);
}

#[tokio::test]
async fn a_missing_image_is_named() {
    let stage = Stage::set();
    let image = "localhost:1/nothing/there:1";
    let text = format!("version: '2.4'\nservices:\n  a:\n    image: {image}\n");
    let error = failure(&stage, &text, TIME).await;
    let said = error.to_string();
    assert!(said.starts_with("bringing up "), "{said}");
    assert!(said.contains("localhost:1"), "{said}");
    assert!(error.hint().contains("load or build it first"), "{said}");
}

#[tokio::test]
async fn a_broken_file_is_said_in_the_tools_own_words() {
    let stage = Stage::set();
    let error = failure(&stage, "services:\n  a:\n    imagine: busybox\n", TIME).await;
    let said = error.to_string();
    assert!(said.contains("compose.yaml"), "{said}");
    assert!(said.contains("imagine"), "{said}");
}

#[tokio::test]
async fn a_missing_file_is_said() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let file = std::path::Path::new("/nowhere/compose.yaml");
    let error = engine.up(&stage.name, file, TIME).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "bringing up /nowhere/compose.yaml as project {}: no such file or directory",
            stage.name
        )
    );
}

#[tokio::test]
async fn a_container_that_fails_is_reported_with_its_last_words() {
    let stage = Stage::set();
    let text = format!(
        "version: '2.4'\nservices:\n  a:\n    image: {}\n    command: ['sh', '-c', 'echo no disk; exit 7']\n",
        stage.name
    );
    let said = failure(&stage, &text, TIME).await.to_string();
    assert!(
        said.ends_with("a-1 exited with code 7; its last words:\nno disk"),
        "{said}"
    );
}

#[tokio::test]
async fn one_that_never_gets_healthy_is_named_when_time_is_up() {
    let stage = Stage::set();
    let text = format!(
        "version: '2.4'\nservices:\n  a:\n    image: {}\n    command: ['sleep', '600']\n    \
         healthcheck: {{ test: ['CMD', 'false'], interval: 200ms, retries: 1 }}\n",
        stage.name
    );
    let said = failure(&stage, &text, Duration::from_secs(6))
        .await
        .to_string();
    assert!(
        said.ends_with("not ready within 6s: a-1 is unhealthy"),
        "{said}"
    );
}
