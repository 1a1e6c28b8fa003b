//! The first round trip: is an engine there, and which API version do both sides speak?

use std::io;

use bollard::{API_DEFAULT_VERSION, ClientVersion};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::call::{self, GREETING};
use super::endpoint::Endpoint;
use crate::runtime::{Result, RuntimeError};

/// Beyond this, whatever answers is not an engine.
const LONGEST_GREETING: usize = 16 * 1024;

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
///
/// By hand: every path of the client names a version, and an engine refuses one that it does not know; and the kernel's own
/// reason (no such file, permission denied, connection refused) is what people need to see.
pub(super) async fn greet(endpoint: &Endpoint) -> Result<(usize, usize)> {
    let asked = async {
        match endpoint {
            Endpoint::Unix(path) => ask(UnixStream::connect(path).await?).await,
            Endpoint::Tcp(address) => ask(TcpStream::connect(address).await?).await,
        }
    };
    let answer = tokio::time::timeout(GREETING, asked)
        .await
        .map_err(|_| RuntimeError::TimedOut {
            tried: trying(endpoint),
            after: GREETING,
        })?
        .map_err(|e| call::unreachable(trying(endpoint), &e))?;
    api_version(&answer).ok_or_else(|| RuntimeError::Unreachable {
        tried: trying(endpoint),
        said: "what answers there does not speak the docker api".into(),
        hint: "is DOCKER_HOST right?".into(),
    })
}

fn trying(endpoint: &Endpoint) -> String {
    format!("connecting to the engine at {endpoint}")
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    stream
        .write_all(b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") && answer.len() < LONGEST_GREETING {
        if stream.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn api_version(answer: &str) -> Option<(usize, usize)> {
    let (_, value) = answer
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("api-version"))?;
    let (major, minor) = value.trim().split_once('.')?;
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
    fn the_version_is_found_whatever_the_headers_case() {
        let answer = "HTTP/1.1 200 OK\r\nServer: x\r\napi-version: 1.41\r\n\r\nOK";
        assert_eq!(api_version(answer), Some((1, 41)));
    }

    #[test]
    fn an_answer_without_a_version_is_no_engine() {
        for answer in ["", "SSH-2.0-OpenSSH\r\n", "Api-Version: new\r\n"] {
            assert_eq!(api_version(answer), None);
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
