//! Reading from the engine without the client's models.
//!
//! The client refuses a whole answer for one word that it does not know (Podman has containers that are `stopped`), and every path
//! of it names an API version, which an engine refuses that does not know it. What is observed must not hang on either.

use std::io;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::endpoint::Endpoint;

/// Longer answers are cut off: thousands of containers fit.
const LONGEST: u64 = 64 * 1024 * 1024;

/// What an engine answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> io::Result<T> {
        serde_json::from_slice(&self.body).map_err(io::Error::other)
    }

    /// The engine's words, where it refused.
    pub(super) fn message(&self) -> String {
        #[derive(serde::Deserialize)]
        struct Refusal {
            message: String,
        }
        match self.json::<Refusal>() {
            Ok(refusal) => refusal.message,
            Err(_) => String::from_utf8_lossy(&self.body).trim().to_owned(),
        }
    }
}

/// One request on a connection of its own. The path begins with a slash.
pub(super) async fn get(endpoint: &Endpoint, path: &str) -> io::Result<Answer> {
    match endpoint {
        Endpoint::Unix(socket) => ask(UnixStream::connect(socket).await?, path).await,
        Endpoint::Tcp(address) => ask(TcpStream::connect(address).await?, path).await,
    }
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> io::Result<Answer> {
    // In HTTP/1.0 an answer simply ends with its connection.
    let request = format!("GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(LONGEST).read_to_end(&mut bytes).await?;
    parse(&bytes).ok_or_else(|| {
        let said = "what answers there does not speak the docker api";
        io::Error::new(io::ErrorKind::InvalidData, said)
    })
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    Some(Answer {
        status: status.parse().ok()?,
        head: head.to_owned(),
        body: bytes[end + 4..].to_vec(),
    })
}

/// A value as it stands in a query.
pub(super) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let text =
            b"HTTP/1.0 404 Not Found\r\napi-version: 1.41\r\n\r\n{\"message\":\"no such thing\"}\n";
        let answer = parse(text).unwrap();
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("Api-Version"), Some("1.41"));
        assert_eq!(answer.header("Server"), None);
        assert_eq!(answer.message(), "no such thing");
    }

    #[test]
    fn words_that_are_no_json_are_kept_as_they_are() {
        let answer = parse(b"HTTP/1.1 500 Oh\r\n\r\nout of order\n").unwrap();
        assert_eq!(answer.message(), "out of order");
    }

    #[test]
    fn what_is_no_http_is_no_answer() {
        for text in [
            "",
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 ok\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
        ] {
            assert!(parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_query_holds_no_character_with_a_meaning() {
        assert_eq!(
            encode(r#"{"label":["a=b"]}"#),
            "%7B%22label%22%3A%5B%22a%3Db%22%5D%7D"
        );
    }
}
