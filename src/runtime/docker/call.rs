//! One call to the engine: its time limit, and its failure in the engine's own words.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use bollard::errors::Error;
use serde::de::DeserializeOwned;

use super::{Docker, raw};
use crate::runtime::RuntimeError;
use crate::units::kernel_words;

/// Connecting and the first round trip.
pub(super) const GREETING: Duration = Duration::from_secs(3);
/// Anything that only reads.
pub(super) const READ: Duration = Duration::from_secs(10);
/// A single change to a container that the engine need not wait for.
pub(super) const CHANGE: Duration = Duration::from_secs(20);
/// Removing something, which may mean to kill it first.
pub(super) const REMOVE: Duration = Duration::from_secs(30);
/// Taking in an image of some hundred MB.
pub(super) const LOAD: Duration = Duration::from_secs(120);

/// A call that failed, with the status code if the engine gave one.
pub(super) struct Fault {
    pub(super) status: Option<u16>,
    pub(super) error: RuntimeError,
}

/// Of a call.
pub(super) type Answer<T> = Result<T, Fault>;

impl Fault {
    /// What was asked about does not exist.
    pub(super) fn is_gone(&self) -> bool {
        self.status == Some(404)
    }

    /// It exists, but is in the middle of something else.
    pub(super) fn is_conflict(&self) -> bool {
        self.status == Some(409)
    }

    /// The engine answered, and its answer was no.
    pub(super) fn is_refusal(&self) -> bool {
        self.status.is_some()
    }
}

impl From<Fault> for RuntimeError {
    fn from(fault: Fault) -> Self {
        fault.error
    }
}

/// Makes a call within its limit.
pub(super) async fn call<T>(
    tried: impl Into<String>,
    limit: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Answer<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(fault(tried.into(), &error)),
        Err(_) => Err(Fault {
            status: None,
            error: RuntimeError::TimedOut {
                tried: tried.into(),
                after: limit,
            },
        }),
    }
}

/// Reads without the client; the path comes after the version.
pub(super) async fn read<T: DeserializeOwned>(
    docker: &Docker,
    tried: impl Into<String>,
    path: &str,
) -> Answer<T> {
    let tried = tried.into();
    let path = format!("/v{}{path}", docker.client.client_version());
    let get = async { Ok(raw::get(&docker.endpoint, &path).await?) };
    let answer = call(tried.as_str(), READ, get).await?;
    if answer.status != 200 {
        return Err(Fault {
            status: Some(answer.status),
            error: refused(tried, answer.message()),
        });
    }
    answer.json().map_err(|e| Fault {
        status: None,
        error: refused(tried, format!("its answer cannot be read: {e}")),
    })
}

fn fault(tried: String, error: &Error) -> Fault {
    if let Some(io) = io_cause(error) {
        return Fault {
            status: None,
            error: unreachable(tried, io),
        };
    }
    let (status, said) = match error {
        Error::DockerResponseServerError {
            status_code,
            message,
        } => (Some(*status_code), message.trim().to_owned()),
        Error::DockerStreamError { error } => (None, error.trim().to_owned()),
        other => (None, words(other)),
    };
    let error = match error {
        // The connection broke in the middle of an answer.
        Error::HyperLegacyError { .. } | Error::HyperResponseError { .. } => {
            RuntimeError::Unreachable {
                tried,
                said,
                hint: "did the engine stop or restart? `docker info` should answer".into(),
            }
        }
        _ => refused(tried, said),
    };
    Fault { status, error }
}

/// A refusal, with the advice that its words call for.
pub(super) fn refused(tried: impl Into<String>, said: impl Into<String>) -> RuntimeError {
    let (tried, said) = (tried.into(), said.into());
    let hint = advice(&said).to_owned();
    RuntimeError::Refused { tried, said, hint }
}

/// No connection, with what to do about the kernel's reason.
pub(super) fn unreachable(tried: impl Into<String>, error: &io::Error) -> RuntimeError {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "add yourself to the socket's group (`sudo usermod -aG docker $USER`, then log in again), or use sudo"
        }
        io::ErrorKind::InvalidData => NOT_AN_ENGINE,
        io::ErrorKind::NotFound => NOTHING_THERE,
        _ => NO_ENGINE,
    };
    RuntimeError::Unreachable {
        tried: tried.into(),
        said: kernel_words(error),
        hint: hint.into(),
    }
}

pub(super) const NO_ENGINE: &str = "start the engine (`systemctl start docker` or `dockerd`), or install one \
     (`apt-get install docker.io docker-compose`), or say where it is in DOCKER_HOST";

/// Only who is told a place looks where nothing is.
const NOTHING_THERE: &str = "start the engine there (`systemctl start docker` or `dockerd`), or install one \
     (`apt-get install docker.io docker-compose`), or correct DOCKER_HOST or the docker context; without them the usual places are \
     looked at";

pub(super) const NOT_AN_ENGINE: &str = "is DOCKER_HOST right?";

fn advice(said: &str) -> &'static str {
    let said = said.to_lowercase();
    let has = |words: &str| said.contains(words);
    if has("no such image") || has("pull access denied") || has("manifest unknown") {
        "pull or build that image first; chaosrun pulls none"
    } else if has("dial tcp") || has("no such host") || has("client.timeout exceeded") {
        "an image is not here, and its registry is out of reach: load or build it first"
    } else if has("permission denied") {
        "may this user use the engine? see its group, or use sudo"
    } else if has("no such container") {
        "it was removed meanwhile; did something else manage it?"
    } else if has("no space left") {
        "free some space on the engine's disk (`docker system df`)"
    } else {
        ""
    }
}

fn io_cause(error: &Error) -> Option<&io::Error> {
    if let Error::IOError { err } = error {
        return Some(err);
    }
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Some(io);
        }
        next = cause.source();
    }
    None
}

/// The innermost cause says most.
fn words(error: &Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        said = cause.to_string();
        next = cause.source();
    }
    said.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(status_code: u16, message: &str) -> Error {
        Error::DockerResponseServerError {
            status_code,
            message: message.into(),
        }
    }

    #[test]
    fn a_refusal_keeps_the_engines_own_words_and_gives_advice() {
        let fault = fault(
            "creating it".into(),
            &server(404, "No such image: shop:1\n"),
        );
        assert!(fault.is_gone() && fault.is_refusal() && !fault.is_conflict());
        assert_eq!(
            fault.error.to_string(),
            "creating it: No such image: shop:1"
        );
        assert_eq!(
            fault.error.hint(),
            "pull or build that image first; chaosrun pulls none"
        );
    }

    #[test]
    fn a_refusal_without_known_words_has_no_advice() {
        let fault = fault("pausing it".into(), &server(409, "is busy"));
        assert!(fault.is_conflict());
        assert_eq!(fault.error.hint(), "");
    }

    #[test]
    fn the_kernels_reason_decides_the_hint() {
        let denied = unreachable("connecting", &io::Error::from_raw_os_error(13));
        assert_eq!(denied.to_string(), "connecting: permission denied");
        assert!(denied.hint().contains("usermod -aG docker"));
        let dead = unreachable("connecting", &io::Error::from_raw_os_error(111));
        assert!(dead.hint().contains("apt-get install docker.io"));
    }

    #[test]
    fn a_broken_pipe_is_no_refusal() {
        let broken = Error::IOError {
            err: io::Error::from_raw_os_error(32),
        };
        let fault = fault("asking".into(), &broken);
        assert!(!fault.is_refusal());
        assert!(matches!(fault.error, RuntimeError::Unreachable { .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hung_engine_is_given_up_on() {
        let fault = call::<()>("listing", READ, std::future::pending()).await;
        let error = RuntimeError::from(fault.err().unwrap());
        assert_eq!(error.to_string(), "listing: no answer within 10s");
    }
}
