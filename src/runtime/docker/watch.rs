//! The engine's event stream, which survives the engine.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::call::{READ, call};
use super::endpoint::Endpoint;
use super::helper::Sidecars;
use super::{Docker, connect};
use crate::inventory::AGENT_LABEL;
use crate::runtime::{Notice, Result};

/// Notices that may wait for a slow reader before the stream waits too.
const WAITING: usize = 1024;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What happens to containers without changing anything that an observation would show.
const NOISE: [&str; 8] = [
    "exec",
    "top",
    "attach",
    "detach",
    "resize",
    "archive-path",
    "extract-to-dir",
    "export",
];

struct Watcher {
    client: bollard::Docker,
    endpoint: Endpoint,
    sidecars: Arc<Sidecars>,
    out: mpsc::Sender<Notice>,
    /// By the engine's clock, in nanoseconds since 1970: everything before has been seen.
    since: i64,
}

/// Everybody who is told what happens.
#[derive(Default)]
pub(super) struct Watchers(Mutex<Vec<mpsc::WeakSender<Notice>>>);

impl Watchers {
    fn add(&self, watcher: &mpsc::Sender<Notice>) {
        self.lock().push(watcher.downgrade());
    }

    /// What no event of the engine tells.
    pub(super) async fn tell(&self, notice: &Notice) {
        let there: Vec<_> = {
            let mut all = self.lock();
            all.retain(|watcher| watcher.strong_count() > 0);
            all.iter().filter_map(mpsc::WeakSender::upgrade).collect()
        };
        for watcher in there {
            // Whoever has stopped listening need not know.
            watcher.send(notice.clone()).await.ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<mpsc::WeakSender<Notice>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing that happens after this returned is missed, although the stream may open a moment later: it starts from the engine's
/// time of now.
pub(super) async fn start(docker: &Docker) -> Result<mpsc::Receiver<Notice>> {
    let now = engine_time(docker).await?;
    let (out, notices) = mpsc::channel(WAITING);
    docker.watchers.add(&out);
    let watcher = Watcher {
        client: docker.client.clone(),
        endpoint: docker.endpoint.clone(),
        sidecars: Arc::clone(&docker.sidecars),
        out,
        since: i64::try_from(now.as_nanosecond()).unwrap_or_default(),
    };
    let stopped = docker.stop.clone().cancelled_owned();
    docker.tasks.spawn(async move {
        tokio::select! {
            () = stopped => {}
            () = watcher.run() => {}
        }
    });
    Ok(notices)
}

/// An engine behind a socket of this machine has this machine's clock; asking takes it several milliseconds.
async fn engine_time(docker: &Docker) -> Result<jiff::Timestamp> {
    if docker.endpoint.is_local() {
        return Ok(crate::clock::wall());
    }
    let info = call("asking the engine for its time", READ, docker.client.info()).await?;
    let told = info.system_time.and_then(|text| text.parse().ok());
    Ok(told.unwrap_or_else(crate::clock::wall))
}

impl Watcher {
    async fn run(mut self) {
        let out = self.out.clone();
        tokio::select! {
            () = out.closed() => {}
            _ = self.follow_for_ever() => {}
        }
    }

    async fn follow_for_ever(&mut self) -> ControlFlow<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            let before = self.since;
            self.follow().await?;
            // An engine that closes the stream at once is not asked ever faster.
            pause = if self.since > before {
                FIRST_PAUSE
            } else {
                (pause * 2).min(LONGEST_PAUSE)
            };
            self.send(Notice::of_engine(Notice::LOST)).await?;
            self.wait_for_engine(pause).await;
            self.send(Notice::of_engine(Notice::RECONNECTED)).await?;
        }
    }

    /// Until the stream breaks off.
    async fn follow(&mut self) -> ControlFlow<()> {
        let filters = HashMap::from([("type", vec!["container", "network"])]);
        let (seconds, rest) = (self.since / 1_000_000_000, self.since % 1_000_000_000);
        let options = EventsOptionsBuilder::new()
            .since(&format!("{seconds}.{rest:09}"))
            .filters(&filters);
        let client = self.client.clone();
        let mut events = std::pin::pin!(client.events(Some(options.build())));
        while let Some(Ok(event)) = events.next().await {
            if let Some(at) = event.time_nano {
                self.since = self.since.max(at + 1);
            }
            if let Some(notice) = notice(event) {
                self.send(notice).await?;
            }
        }
        ControlFlow::Continue(())
    }

    async fn wait_for_engine(&self, mut pause: Duration) {
        loop {
            tokio::time::sleep(pause).await;
            if connect::greet(&self.endpoint).await.is_ok() {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn send(&self, notice: Notice) -> ControlFlow<()> {
        self.sidecars.heard_of(&notice.id);
        match self.out.send(notice).await {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// A network's events name the container that they are about among their attributes.
fn notice(event: EventMessage) -> Option<Notice> {
    let what = event.action.unwrap_or_default();
    let actor = event.actor?;
    let mut attributes = actor.attributes.unwrap_or_default();
    let is_network = event.typ.is_some_and(|t| t.to_string() == "network");
    if is_network {
        if !matches!(what.as_str(), "connect" | "disconnect") {
            return None;
        }
        let id = attributes.remove("container")?;
        let name = String::new();
        return Some(Notice { id, name, what });
    }
    // Nobody has to look at the system again because a helper comes or goes.
    let is_agent = attributes.contains_key(AGENT_LABEL);
    if is_agent || what.is_empty() || NOISE.iter().any(|noise| what.starts_with(noise)) {
        return None;
    }
    Some(Notice {
        id: actor.id?,
        name: attributes.remove("name").unwrap_or_default(),
        what,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Notice> {
        notice(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_containers_event_is_about_it() {
        let seen = read(
            r#"{"Type":"container","Action":"health_status: healthy",
                "Actor":{"ID":"abc","Attributes":{"name":"node"}}}"#,
        );
        let expected = Notice {
            id: "abc".into(),
            name: "node".into(),
            what: "health_status: healthy".into(),
        };
        assert_eq!(seen, Some(expected));
    }

    #[test]
    fn a_networks_event_is_about_the_container_in_it() {
        let seen = read(
            r#"{"Type":"network","Action":"connect",
                "Actor":{"ID":"net","Attributes":{"container":"abc","name":"shop"}}}"#,
        )
        .unwrap();
        assert_eq!((seen.id.as_str(), seen.what.as_str()), ("abc", "connect"));
    }

    #[test]
    fn what_changes_nothing_is_left_out() {
        for json in [
            r#"{"Type":"container","Action":"exec_start: redis-cli","Actor":{"ID":"abc"}}"#,
            r#"{"Type":"container","Action":"top","Actor":{"ID":"abc"}}"#,
            r#"{"Type":"container","Action":"start","Actor":{"ID":"abc","Attributes":{"chaosrun.agent":"network"}}}"#,
            r#"{"Type":"network","Action":"create","Actor":{"ID":"net"}}"#,
            r#"{"Type":"container","Action":"start"}"#,
            "{}",
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
