//! HTTP by hand.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::game::{Game, TOKEN};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A browser's side of the session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) port: u16,
    pub(crate) cookie: String,
}

pub(crate) fn port(game: &Game) -> u16 {
    let at = game.server.url().split(['/', ':']).nth(4);
    at.and_then(|port| port.parse().ok()).unwrap()
}

/// Sends this as it is, and reads to the end of the connection.
pub(crate) async fn send(port: u16, request: &str) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // A server that has refused it already may have stopped reading.
    let _refused = stream.write_all(request.as_bytes()).await;
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _reset = read.expect("an answer in time");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

/// A request without a body.
pub(crate) async fn ask(port: u16, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let host = format!("127.0.0.1:{port}");
    let has_host = headers.iter().any(|(name, _)| *name == "host");
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    if !has_host {
        request += &format!("host: {host}\r\n");
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    send(port, &(request + "\r\n")).await
}

impl Session {
    /// Opens the address that was printed.
    pub(crate) async fn open(game: &Game) -> Self {
        let answer = ask(port(game), "GET", &format!("/?token={TOKEN}"), &[]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.head.split("set-cookie: ").nth(1).unwrap();
        Self {
            port: port(game),
            cookie: cookie.split(';').next().unwrap().to_owned(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        ask(self.port, "GET", path, &[("cookie", &self.cookie)]).await
    }

    /// As the page's script sends it, but for these headers; an empty one is left out.
    pub(crate) async fn post_with(&self, body: &str, change: &[(&str, &str)]) -> Answer {
        let host = format!("127.0.0.1:{}", self.port);
        let origin = format!("http://{host}");
        let length = body.len().to_string();
        let usual = [
            ("host", host.as_str()),
            ("origin", &origin),
            ("cookie", &self.cookie),
            ("x-chaosrun", "1"),
            ("content-type", "application/json"),
            ("content-length", &length),
        ];
        let mut request = "POST /commands HTTP/1.1\r\n".to_owned();
        for (name, value) in usual {
            let other = change.iter().find(|(changed, _)| *changed == name);
            let value = other.map_or(value, |(_, value)| value);
            if !value.is_empty() {
                request += &format!("{name}: {value}\r\n");
            }
        }
        send(self.port, &format!("{request}\r\n{body}")).await
    }

    pub(crate) async fn post(&self, body: &str) -> Answer {
        self.post_with(body, &[]).await
    }

    /// Presses a button until it works.
    pub(crate) async fn press(&self, body: &str) -> String {
        for _ in 0..400 {
            let answer = self.post(body).await;
            if answer.status == 200 {
                return answer.body;
            }
            assert_eq!(answer.status, 409, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{body} is refused for ever");
    }

    pub(crate) async fn events(&self) -> Events {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = format!(
            "GET /events HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncookie: {}\r\n\r\n",
            self.port, self.cookie
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        Events {
            lines: BufReader::new(stream),
        }
    }
}

/// The page's stream.
pub(crate) struct Events {
    lines: BufReader<TcpStream>,
}

impl Events {
    /// The next line; `None` at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.lines.read_line(&mut line)).await;
        let read = read.expect("a line in time").unwrap_or(0);
        (read > 0).then_some(line)
    }

    /// The next line with this in it.
    pub(crate) async fn hears(&mut self, words: &str) -> String {
        let heard = async {
            while let Some(line) = self.line().await {
                if line.contains(words) {
                    return line;
                }
            }
            panic!("the stream ended without {words}");
        };
        let heard = timeout(2 * PATIENCE, heard).await;
        heard.unwrap_or_else(|_| panic!("{words} is not heard"))
    }
}
