//! The first round trip: is an engine there, and which API version do both sides speak?

use std::io;

use bollard::{API_DEFAULT_VERSION, ClientVersion};

use super::call::{self, GREETING};
use super::endpoint::Endpoint;
use super::raw;
use crate::runtime::{Result, RuntimeError};

/// The client waits as long as each call's own limit says; this one only must be longer than all of them.
const CLIENT_TIMEOUT_SECONDS: u64 = 86_400;

/// A client that speaks the newest version which both sides know.
pub(super) async fn client(endpoint: &Endpoint) -> Result<bollard::Docker> {
    let version = newest_common(greet(endpoint).await?);
    let client = match endpoint {
        Endpoint::Unix(path) => bollard::Docker::connect_with_unix(
            &path.to_string_lossy(),
            CLIENT_TIMEOUT_SECONDS,
            &version,
        ),
        Endpoint::Tcp(address) => {
            bollard::Docker::connect_with_http(address, CLIENT_TIMEOUT_SECONDS, &version)
        }
    };
    client.map_err(|e| call::unreachable(trying(endpoint), &io::Error::other(e)))
}

/// Asks for the engine's API version.
pub(super) async fn greet(endpoint: &Endpoint) -> Result<(usize, usize)> {
    let answer = tokio::time::timeout(GREETING, raw::get(endpoint, "/_ping"))
        .await
        .map_err(|_| RuntimeError::TimedOut {
            tried: trying(endpoint),
            after: GREETING,
        })?
        .map_err(|e| call::unreachable(trying(endpoint), &e))?;
    let version = answer.header("Api-Version").and_then(parse);
    version.ok_or_else(|| RuntimeError::Unreachable {
        tried: trying(endpoint),
        said: "what answers there does not speak the docker api".into(),
        hint: call::NOT_AN_ENGINE.into(),
    })
}

fn trying(endpoint: &Endpoint) -> String {
    format!("connecting to the engine at {endpoint}")
}

fn parse(version: &str) -> Option<(usize, usize)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn newest_common((major_version, minor_version): (usize, usize)) -> ClientVersion {
    let theirs = ClientVersion {
        major_version,
        minor_version,
    };
    if theirs < *API_DEFAULT_VERSION {
        theirs
    } else {
        *API_DEFAULT_VERSION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_two_numbers() {
        assert_eq!(parse("1.41"), Some((1, 41)));
        for text in ["", "1", "new", "1.41.2"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_newest_common_version_is_spoken() {
        assert_eq!(newest_common((1, 41)).to_string(), "1.41");
        assert_eq!(
            newest_common((9, 0)).to_string(),
            API_DEFAULT_VERSION.to_string()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_says_nothing_is_given_up_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("silent.sock");
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        let error = greet(&Endpoint::Unix(path)).await.unwrap_err();
        assert!(error.to_string().ends_with("no answer within 3s"));
    }

    #[tokio::test]
    async fn a_socket_that_nobody_serves_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.sock");
        drop(tokio::net::UnixListener::bind(&path).unwrap());
        let error = greet(&Endpoint::Unix(path)).await.unwrap_err();
        assert!(error.to_string().contains("connection refused"), "{error}");
    }
}
