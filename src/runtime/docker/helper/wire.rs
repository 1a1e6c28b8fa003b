//! The conversation with an agent, over the attached stdin and stdout of its container.

use std::pin::Pin;
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::AttachContainerOptionsBuilder;
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::agent::protocol::{Request, Response, VERSION};
use crate::runtime::docker::call::{CHANGE, call, refused};
use crate::runtime::docker::observe::short;
use crate::runtime::docker::{Docker, sweep};
use crate::runtime::{Result, RuntimeError};
use crate::units::kernel_words;

/// For one request and its answer.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

type Output =
    Pin<Box<dyn Stream<Item = std::result::Result<LogOutput, bollard::errors::Error>> + Send>>;

/// To a running agent, which ends when this is dropped, because its control stream does.
pub(in crate::runtime::docker) struct Wire {
    pub(super) voice: Voice,
    pub(super) ear: Ear,
}

/// What the agent hears.
pub(super) struct Voice(Pin<Box<dyn AsyncWrite + Send>>);

/// What it says.
pub(super) struct Ear {
    output: Output,
    /// Of its stdout, not yet a whole line.
    pending: Vec<u8>,
    /// Of its stderr.
    complaints: String,
}

impl Wire {
    /// Makes the container and starts it; with its id.
    pub(super) async fn start(
        docker: &Docker,
        tried: &str,
        body: ContainerCreateBody,
    ) -> Result<(String, Self)> {
        let made = docker.client.create_container(None, body);
        let id = call(tried, CHANGE, made).await?.id;
        let tried = format!("{tried} in container {}", short(&id));
        match Self::attach(docker, &tried, &id).await {
            Ok(wire) => Ok((id, wire)),
            Err(error) => {
                // Its own failure is what matters; what is left of it is found by its label.
                sweep::container(&docker.client, &id).await.ok();
                Err(error)
            }
        }
    }

    async fn attach(docker: &Docker, tried: &str, id: &str) -> Result<Self> {
        let options = AttachContainerOptionsBuilder::new()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true);
        // Attached before it is started, so that no word of it is lost.
        let attach = docker.client.attach_container(id, Some(options.build()));
        let AttachContainerResults { output, input } = call(tried, CHANGE, attach).await?;
        let start = docker.client.start_container(id, None);
        call(tried, CHANGE, start).await?;
        let mut wire = Self {
            voice: Voice(input),
            ear: Ear {
                output,
                pending: Vec::new(),
                complaints: String::new(),
            },
        };
        match wire
            .ask(tried, &Request::Hello { version: VERSION })
            .await?
        {
            Response::Hello { version } if version == VERSION => Ok(wire),
            Response::Refused { why } => Err(refused(tried, why)),
            other => Err(refused(tried, format!("it answered {other:?}"))),
        }
    }

    /// One request and its answer. Whoever gives up half way must let go of the wire, or the late answer is taken for the next one's.
    pub(super) async fn ask(&mut self, tried: &str, request: &Request) -> Result<Response> {
        let answer = async {
            self.voice.say(tried, request).await?;
            self.ear.response(tried).await
        };
        tokio::time::timeout(ANSWER, answer)
            .await
            .unwrap_or_else(|_| Err(late(tried, ANSWER)))
    }
}

impl Voice {
    pub(super) async fn say(&mut self, tried: &str, request: &Request) -> Result<()> {
        let line = request.to_line();
        let sent = async {
            self.0.write_all(line.as_bytes()).await?;
            self.0.flush().await
        };
        sent.await
            .map_err(|e| lost(tried, format!("the agent is gone: {}", kernel_words(&e))))
    }
}

impl Ear {
    /// Given up on half way, this loses nothing.
    pub(super) async fn response(&mut self, tried: &str) -> Result<Response> {
        let Some(line) = self.line().await else {
            let said = format!("the agent ended: {}", self.complaints.trim());
            return Err(lost(tried, said.trim_end_matches([':', ' '])));
        };
        let wrong = |e| lost(tried, format!("the agent answered {line:?}: {e}"));
        Response::from_line(&line).map_err(wrong)
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

/// The conversation broke.
pub(super) fn lost(tried: &str, said: impl Into<String>) -> RuntimeError {
    RuntimeError::Unreachable {
        tried: tried.into(),
        said: said.into(),
        hint: "did the engine stop or restart? `docker info` should answer".into(),
    }
}

pub(super) fn late(tried: &str, after: Duration) -> RuntimeError {
    RuntimeError::TimedOut {
        tried: tried.into(),
        after,
    }
}

/// An answer that belongs to another question.
pub(super) fn unexpected(tried: &str, response: &Response) -> RuntimeError {
    refused(
        tried,
        format!("the agent answered something else: {response:?}"),
    )
}
