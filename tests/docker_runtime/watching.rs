//! The event stream, and that it survives its engine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chaosrun::action::Change;
use chaosrun::runtime::{Notice, Runtime as _};
use chaosrun::units::Signal;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;

use crate::stage::{Stage, docker};

/// Until one of them says this about the container, or about the engine.
async fn words(notices: &mut Receiver<Notice>, id: &str, last: &str) -> Vec<String> {
    let mut seen = Vec::new();
    let read = async {
        while seen.last().is_none_or(|what| what != last) {
            let notice = notices.recv().await.unwrap();
            if notice.id == id || notice.id.is_empty() {
                seen.push(notice.what);
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), read).await;
    assert!(in_time.is_ok(), "{last} never came");
    seen
}

#[tokio::test]
async fn whatever_happens_after_the_start_is_seen() {
    let stage = Stage::set();
    let (engine, network) = (stage.engine().await, stage.network(&[]));
    let target = stage.sleeper(&["--network", &network]);
    let mut notices = engine.watch().await.unwrap();
    // At once: the stream may not even be open yet.
    docker(["pause", &target.id]);
    docker(["unpause", &target.id]);
    docker(["exec", &target.id, "true"]);
    docker(["network", "disconnect", &network, &target.id]);
    docker(["network", "connect", &network, &target.id]);
    let kill = Change::Signal {
        signal: Signal::KILL,
    };
    engine.apply(&target, &kill).await.unwrap();
    engine.apply(&target, &Change::Start).await.unwrap();
    let seen = words(&mut notices, &target.id, "start").await;
    let expected = [
        "pause",
        "unpause",
        "disconnect",
        "connect",
        "kill",
        "die",
        "start",
    ];
    let seen: Vec<_> = seen.iter().map(String::as_str).collect();
    // The engine also tells of the networks that come and go with the container itself.
    let mut rest = seen.iter();
    for what in expected {
        assert!(
            rest.any(|word| *word == what),
            "{what} is missing in {seen:?}"
        );
    }
    assert!(
        !seen.iter().any(|what| what.starts_with("exec")),
        "{seen:?}"
    );
}

/// Stands between the engine and who watches it, and goes away as an engine does.
struct Between {
    path: PathBuf,
    connections: JoinSet<()>,
}

impl Between {
    fn stand(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                open.spawn(async move {
                    let mut engine = UnixStream::connect("/var/run/docker.sock").await.unwrap();
                    tokio::io::copy_bidirectional(&mut client, &mut engine)
                        .await
                        .ok();
                });
            }
        });
        let path = path.to_owned();
        Self { path, connections }
    }

    async fn fall(mut self) {
        self.connections.shutdown().await;
        std::fs::remove_file(&self.path).unwrap();
    }
}

#[tokio::test]
async fn an_engine_that_restarts_is_followed_again() {
    let stage = Stage::set();
    let target = stage.sleeper(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engine.sock");
    let between = Between::stand(&path);
    let engine = stage
        .engine_at(Some(&format!("unix://{}", path.display())))
        .await;
    let mut notices = engine.watch().await.unwrap();
    docker(["pause", &target.id]);
    words(&mut notices, &target.id, "pause").await;

    between.fall().await;
    words(&mut notices, &target.id, Notice::LOST).await;
    let error = engine.observe(&target.id).await.unwrap_err();
    assert!(error.to_string().contains("no such file"), "{error}");
    assert!(error.hint().contains("start the engine"));
    docker(["unpause", &target.id]);

    let between = Between::stand(&path);
    words(&mut notices, &target.id, Notice::RECONNECTED).await;
    words(&mut notices, &target.id, "unpause").await;
    assert!(engine.observe(&target.id).await.unwrap().is_some());
    between.fall().await;
}

#[tokio::test]
async fn a_watcher_ends_with_its_runtime() {
    let stage = Stage::set();
    let engine = stage.engine().await;
    let mut notices = engine.watch().await.unwrap();
    drop(engine);
    let end = async { while notices.recv().await.is_some() {} };
    let in_time = tokio::time::timeout(Duration::from_secs(5), end).await;
    assert!(in_time.is_ok());
}
