//! The agent's container, and the conversation with it over its attached stdin and stdout.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigCgroupnsModeEnum};
use bollard::query_parameters::AttachContainerOptionsBuilder;
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::MutexGuard;

use super::call::{CHANGE, call, refused};
use super::observe::{self, short};
use super::{Docker, change, image};
use crate::action::{Capability, Change, Subject};
use crate::agent::protocol::{Process, Request, Response, VERSION};
use crate::inventory::{AGENT_LABEL, Instance, RUN_LABEL};
use crate::runtime::{Result, RuntimeError};
use crate::units::Signal;

/// For one request and its answer.
const ANSWER: Duration = Duration::from_secs(5);

type Output =
    Pin<Box<dyn Stream<Item = std::result::Result<LogOutput, bollard::errors::Error>> + Send>>;

/// A running agent. It ends when this is dropped, because its control stream does.
pub(super) struct Helper {
    input: Pin<Box<dyn AsyncWrite + Send>>,
    output: Output,
    /// Of its stdout, not yet a whole line.
    pending: Vec<u8>,
    /// Of its stderr.
    complaints: String,
}

/// Starts what is needed, and makes sure that the agent sees every subject.
pub(super) async fn prepare(docker: &Docker, needs: &[(Subject, Capability)]) -> Result<()> {
    for (subject, capability) in needs {
        if *capability != Capability::Crash {
            continue;
        }
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
pub(super) async fn crash(docker: &Docker, subject: &Subject, signal: Signal) -> Result<()> {
    let tried = change::tried(subject, &Change::Crash { signal });
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

async fn look(docker: &Docker, subject: &Subject) -> Result<Instance> {
    let seen = observe::one(docker, &subject.id).await?;
    seen.ok_or_else(|| refused(format!("looking at {}", subject.name), "no such container"))
}

fn process(instance: &Instance) -> Option<Process> {
    Some(Process {
        pid: instance.pid?,
        container: instance.id.clone(),
        started_at: instance.started_at.clone(),
    })
}

async fn running(docker: &Docker) -> Result<MutexGuard<'_, Option<Helper>>> {
    let mut crasher = docker.crasher.lock().await;
    if crasher.is_none() {
        *crasher = Some(Helper::start(docker).await?);
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
        other => Err(refused(
            tried,
            format!("the agent answered something else: {other:?}"),
        )),
    }
}

impl Helper {
    async fn start(docker: &Docker) -> Result<Self> {
        let tag = image::ensure(docker).await?;
        let tried = "starting the agent";
        let made = docker
            .client
            .create_container(None, body(&docker.run, &tag));
        let id = call(tried, CHANGE, made).await?.id;
        match Self::attach(docker, &id).await {
            Ok(helper) => Ok(helper),
            Err(error) => {
                // Its own failure is what matters; what is left of it is found by its label.
                super::sweep::container(docker, &id).await.ok();
                Err(error)
            }
        }
    }

    async fn attach(docker: &Docker, id: &str) -> Result<Self> {
        let tried = format!("starting the agent in container {}", short(id));
        let options = AttachContainerOptionsBuilder::new()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true);
        // Attached before it is started, so that no word of it is lost.
        let attach = docker.client.attach_container(id, Some(options.build()));
        let AttachContainerResults { output, input } = call(tried.as_str(), CHANGE, attach).await?;
        let start = docker.client.start_container(id, None);
        call(tried.as_str(), CHANGE, start).await?;
        let mut helper = Self {
            input,
            output,
            pending: Vec::new(),
            complaints: String::new(),
        };
        match helper
            .ask(&tried, &Request::Hello { version: VERSION })
            .await?
        {
            Response::Hello { version } if version == VERSION => Ok(helper),
            Response::Refused { why } => Err(refused(tried, why)),
            other => Err(refused(tried, format!("it answered {other:?}"))),
        }
    }

    async fn ask(&mut self, tried: &str, request: &Request) -> Result<Response> {
        tokio::time::timeout(ANSWER, self.converse(tried, request))
            .await
            .unwrap_or_else(|_| {
                Err(RuntimeError::TimedOut {
                    tried: tried.into(),
                    after: ANSWER,
                })
            })
    }

    async fn converse(&mut self, tried: &str, request: &Request) -> Result<Response> {
        let lost = |said: String| RuntimeError::Unreachable {
            tried: tried.into(),
            said,
            hint: "did the engine stop or restart? `docker info` should answer".into(),
        };
        let line = request.to_line();
        let sent = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.flush().await
        };
        sent.await.map_err(|e| {
            lost(format!(
                "the agent is gone: {}",
                e.to_string().to_lowercase()
            ))
        })?;
        let Some(line) = self.line().await else {
            let said = format!("the agent ended: {}", self.complaints.trim());
            return Err(lost(said.trim_end_matches([':', ' ']).into()));
        };
        Response::from_line(&line).map_err(|e| lost(format!("the agent answered {line:?}: {e}")))
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line).trim().to_owned());
            }
            match self.output.next().await?.ok()? {
                LogOutput::StdErr { message } => {
                    self.complaints.push_str(&String::from_utf8_lossy(&message));
                }
                other => self.pending.extend_from_slice(other.as_ref()),
            }
        }
    }
}

/// The least that it needs: to see the host's processes, and to send them a signal.
fn body(run: &str, tag: &str) -> ContainerCreateBody {
    let list = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
    ContainerCreateBody {
        image: Some(tag.into()),
        cmd: list(&["agent", "crash"]),
        labels: Some(HashMap::from([
            (RUN_LABEL.into(), run.into()),
            (AGENT_LABEL.into(), "crash".into()),
        ])),
        user: Some("0:0".into()),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        // Its stdin ends with the connection that attached it: with chaosrun, however that ends.
        stdin_once: Some(true),
        host_config: Some(HostConfig {
            pid_mode: Some("host".into()),
            // Else control group paths are shown from its own point of view.
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::HOST),
            network_mode: Some("none".into()),
            cap_drop: list(&["ALL"]),
            cap_add: list(&["KILL"]),
            security_opt: list(&["no-new-privileges"]),
            readonly_rootfs: Some(true),
            auto_remove: Some(true),
            // Where the engine maps users, it does not share the host's processes with mapped ones.
            userns_mode: Some("host".into()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}
