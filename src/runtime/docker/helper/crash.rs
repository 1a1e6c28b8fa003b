//! The agent that sends signals from the host's PID namespace: one a run.

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigCgroupnsModeEnum};
use tokio::sync::MutexGuard;

use super::wire::{Wire, unexpected};
use crate::action::{Change, Subject};
use crate::agent::protocol::{Process, Request, Response};
use crate::inventory::Instance;
use crate::runtime::docker::call::refused;
use crate::runtime::docker::{Docker, image, observe};
use crate::runtime::{Result, RuntimeError};
use crate::units::Signal;

/// Makes sure that the agent sees every subject.
pub(super) async fn prepare(docker: &Docker, subjects: &[Subject]) -> Result<()> {
    for subject in subjects {
        let seen = look(docker, subject).await?;
        let Some(process) = process(&seen) else {
            // It may run by the time of its fault; the agent is what takes long.
            drop(running(docker).await?);
            continue;
        };
        let tried = format!(
            "{}: could not find its process with the agent",
            subject.name
        );
        ask(docker, &tried, &Request::Find { process }).await?;
    }
    Ok(())
}

/// A signal from outside the container's PID namespace.
pub(in crate::runtime::docker) async fn crash(
    docker: &Docker,
    subject: &Subject,
    signal: Signal,
) -> Result<()> {
    let tried = subject.could_not(&Change::Crash { signal });
    let before = look(docker, subject).await?;
    let Some(process) = process(&before) else {
        return Err(refused(tried, "it does not run"));
    };
    let request = Request::Signal { process, signal };
    let lost = match ask(docker, &tried, &request).await {
        Err(error @ RuntimeError::Unreachable { .. }) => error,
        answer => return answer,
    };
    // The agent is gone, as after a restart of the engine. Did it still do it? If not, a new one does.
    let now = look(docker, subject).await?;
    if now.pid != before.pid || now.started_at != before.started_at {
        return if signal == Signal::KILL {
            Ok(())
        } else {
            Err(lost)
        };
    }
    ask(docker, &tried, &request).await
}

/// Ends what the engine is just starting in a paused container.
pub(in crate::runtime::docker) async fn release(docker: &Docker, id: &str) -> Result<()> {
    let tried = "freeing the engine from a command that was paused as it started";
    let container = id.to_owned();
    ask(docker, tried, &Request::Release { container }).await
}

async fn look(docker: &Docker, subject: &Subject) -> Result<Instance> {
    let seen = observe::look(docker, &subject.id).await?;
    seen.ok_or_else(|| refused(format!("looking at {}", subject.name), "no such container"))
}

fn process(instance: &Instance) -> Option<Process> {
    Some(Process {
        pid: instance.pid?,
        container: instance.id.clone(),
        started_at: instance.started_at.clone(),
    })
}

async fn running(docker: &Docker) -> Result<MutexGuard<'_, Option<Wire>>> {
    let mut crasher = docker.crasher.lock().await;
    if crasher.is_none() {
        *crasher = Some(start(docker).await?);
    }
    Ok(crasher)
}

/// A refusal leaves the agent running. A conversation that broke, or that was given up on half way, ends it: the next request must
/// not take its late answer for its own.
async fn ask(docker: &Docker, tried: &str, request: &Request) -> Result<()> {
    let mut crasher = running(docker).await?;
    let Some(mut helper) = crasher.take() else {
        return Err(refused(tried, "the agent did not start"));
    };
    let answer = helper.ask(tried, request).await?;
    *crasher = Some(helper);
    match answer {
        Response::Done => Ok(()),
        Response::Refused { why } => Err(refused(tried, why)),
        other => Err(unexpected(tried, &other)),
    }
}

async fn start(docker: &Docker) -> Result<Wire> {
    let tag = image::ensure(docker).await?;
    let body = body(&docker.run, &tag);
    let (_, wire) = Wire::start(docker, "starting the agent", body).await?;
    Ok(wire)
}

/// The least that it needs: to see the host's processes, and to send them a signal.
fn body(run: &str, tag: &str) -> ContainerCreateBody {
    let common = super::body(run, tag, "crash");
    ContainerCreateBody {
        host_config: Some(HostConfig {
            pid_mode: Some("host".into()),
            // Else control group paths are shown from its own point of view.
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::HOST),
            cap_add: super::list(&["KILL"]),
            // Where the engine maps users, it does not share the host's processes with mapped ones.
            userns_mode: Some("host".into()),
            ..common.host_config.unwrap_or_default()
        }),
        ..common
    }
}
