//! Waiting until a stack runs and is healthy, by the engine's events.

use std::time::Duration;

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt as _;

use super::call::{READ, call, refused};
use super::{Docker, observe, watch};
use crate::clock::Clock;
use crate::inventory::{Health, Instance, State};
use crate::runtime::{Result, RuntimeError, Scope};
use crate::units::format_duration;

/// Should an event be lost, the containers are looked at again after this.
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);

const LOG_LINES: &str = "8";

#[derive(Debug, PartialEq, Eq)]
enum Standing<'a> {
    Ready,
    /// Which container is in which state.
    Waiting(String),
    Failed(&'a Instance),
}

pub(super) async fn wait(
    docker: &Docker,
    project: &str,
    tried: &str,
    clock: Clock,
    within: Duration,
) -> Result<()> {
    // Before the first look, so that nothing falls in between.
    let mut events = watch::start(docker).await?;
    let scope = Scope::Project(project.into());
    loop {
        let seen = observe::inventory(docker, &scope).await?.instances;
        let waiting = match judge(&seen) {
            Standing::Ready => return Ok(()),
            Standing::Failed(instance) => return Err(failure(docker, tried, instance).await),
            Standing::Waiting(what) => what,
        };
        let left = within.saturating_sub(Duration::from_micros(clock.now()));
        if left.is_zero() {
            return Err(late(tried, within, &waiting));
        }
        let next = tokio::time::timeout(left.min(AT_LEAST_EVERY), events.recv());
        if next.await.is_ok() {
            while events.try_recv().is_ok() {}
        }
    }
}

fn judge(instances: &[Instance]) -> Standing<'_> {
    let failed = |i: &&Instance| matches!(i.state, State::Exited { code } if code != 0);
    if let Some(instance) = instances.iter().find(failed) {
        return Standing::Failed(instance);
    }
    let waiting: Vec<_> = instances
        .iter()
        .filter_map(|i| obstacle(i).map(|what| format!("{} is {what}", i.identity())))
        .collect();
    if instances.is_empty() {
        Standing::Waiting("it has no containers".into())
    } else if waiting.is_empty() {
        Standing::Ready
    } else {
        Standing::Waiting(waiting.join(", "))
    }
}

/// What is still in the way; one that has done its work and ended well is not.
fn obstacle(instance: &Instance) -> Option<&'static str> {
    match (instance.state, instance.health) {
        (State::Running, Health::Healthy | Health::Unchecked) => None,
        (State::Running, Health::Starting) => Some("not yet healthy"),
        (State::Running, Health::Unhealthy) => Some("unhealthy"),
        (State::Exited { .. }, _) => None,
        (State::Created, _) => Some("not started"),
        (State::Paused, _) => Some("paused"),
        (State::Restarting, _) => Some("restarting"),
        (State::Removing | State::Dead, _) => Some("being removed"),
    }
}

fn late(tried: &str, within: Duration, waiting: &str) -> RuntimeError {
    RuntimeError::Refused {
        tried: tried.into(),
        said: format!("not ready within {}: {waiting}", format_duration(within)),
        hint: "see `docker logs` of that container, or allow it more time".into(),
    }
}

async fn failure(docker: &Docker, tried: &str, instance: &Instance) -> RuntimeError {
    let State::Exited { code } = instance.state else {
        return refused(tried, format!("{} failed", instance.identity()));
    };
    let log = match log(docker, &instance.id).await {
        text if text.is_empty() => " and logged nothing".into(),
        text => format!("; its last words:\n{text}"),
    };
    refused(
        tried,
        format!("{} exited with code {code}{log}", instance.identity()),
    )
}

async fn log(docker: &Docker, id: &str) -> String {
    let options = LogsOptionsBuilder::new()
        .stdout(true)
        .stderr(true)
        .tail(LOG_LINES);
    let lines = docker.client.logs(id, Some(options.build()));
    let all = async { Ok(lines.collect::<Vec<_>>().await) };
    let parts = call("reading a log", READ, all).await.unwrap_or_default();
    let text: String = parts
        .into_iter()
        .flatten()
        .map(|part| String::from_utf8_lossy(part.as_ref()).into_owned())
        .collect();
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::memory::instance;

    fn seen(state: State, health: Health) -> Instance {
        Instance {
            state,
            health,
            ..instance("node-1")
        }
    }

    fn standing(instances: &[Instance]) -> String {
        match judge(instances) {
            Standing::Ready => "ready".into(),
            Standing::Waiting(what) => what,
            Standing::Failed(instance) => format!("{} failed", instance.identity()),
        }
    }

    #[test]
    fn running_healthy_and_done_are_ready() {
        let done = seen(State::Exited { code: 0 }, Health::Unchecked);
        let healthy = seen(State::Running, Health::Healthy);
        let plain = seen(State::Running, Health::Unchecked);
        assert_eq!(standing(&[done, healthy, plain]), "ready");
    }

    #[test]
    fn whatever_is_not_ready_is_named() {
        let starting = seen(State::Running, Health::Starting);
        let sick = seen(State::Running, Health::Unhealthy);
        assert_eq!(
            standing(&[starting, sick]),
            "node-1 is not yet healthy, node-1 is unhealthy"
        );
        let looping = seen(State::Restarting, Health::Unchecked);
        assert_eq!(standing(&[looping]), "node-1 is restarting");
        assert_eq!(standing(&[]), "it has no containers");
    }

    #[test]
    fn one_that_failed_decides() {
        let failed = seen(State::Exited { code: 1 }, Health::Unchecked);
        let starting = seen(State::Running, Health::Starting);
        assert_eq!(standing(&[starting, failed]), "node-1 failed");
    }
}
