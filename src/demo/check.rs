//! `--check`: the health check of a container that has no shell and no curl.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than any node thinks about a request.
const PATIENCE: Duration = Duration::from_secs(1);

/// Is there a 200 behind this URL within a second?
pub(super) async fn ask(url: &str) -> Result<(), String> {
    let (authority, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.find('/').map(|slash| rest.split_at(slash)))
        .ok_or_else(|| format!("reading {url:?}: expected http://host:port/path"))?;
    match call("GET", authority, path, "").await {
        Ok((200, _)) => Ok(()),
        Ok((status, _)) => Err(format!("asking {url}: status {status}")),
        Err(e) => Err(format!("asking {url}: {e}")),
    }
}

/// Status and body, within a second. By hand, as it runs once a second and must cost next to nothing.
pub(super) async fn call(
    method: &str,
    authority: &str,
    path: &str,
    body: &str,
) -> io::Result<(u16, String)> {
    let exchange = async {
        let mut stream = TcpStream::connect(authority).await?;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {authority}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(64 << 10).read_to_string(&mut answer).await?;
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        match status {
            Some(status) => Ok((status, body.to_owned())),
            None => Err(io::Error::other("the answer is no HTTP")),
        }
    };
    let late = |_| io::Error::other("no answer within 1s");
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .map_err(late)?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers one connection with these bytes; returns where.
    async fn server(answer: &'static [u8]) -> (String, tokio::task::JoinSet<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/health", listener.local_addr().unwrap());
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // All of it: closing a connection with unread bytes resets it.
            let mut request = [0; 256];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /health HTTP/1.0\r\n"));
            stream.write_all(answer).await.unwrap();
        });
        (url, tasks)
    }

    #[tokio::test]
    async fn two_hundred_is_healthy() {
        let (url, _tasks) = server(b"HTTP/1.0 200 OK\r\n\r\n").await;
        assert_eq!(ask(&url).await, Ok(()));
    }

    #[tokio::test]
    async fn anything_else_is_not() {
        let (url, _tasks) = server(b"HTTP/1.0 503 Service Unavailable\r\n\r\n").await;
        assert_eq!(
            ask(&url).await.unwrap_err(),
            format!("asking {url}: status 503")
        );
        assert!(ask("https://x/").await.is_err());
    }
}
