//! Who answers on a port, and how.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Of connecting, and then again of the answer.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    /// With this status to `GET /`.
    Http(u16),
    /// It lets a client in and is no web server, or a broken one.
    Tcp,
}

/// `None`: nobody lets us in there.
pub(super) async fn ask(host: &str, port: u16) -> Option<Answer> {
    let connecting = timeout(PATIENCE, TcpStream::connect((host, port)));
    let mut stream = connecting.await.ok()?.ok()?;
    let status = timeout(PATIENCE, status(&mut stream, host)).await;
    Some(match status.ok().flatten() {
        // What fails while nothing is broken is nothing to wait for.
        Some(status @ 100..500) if status != 400 => Answer::Http(status),
        _ => Answer::Tcp,
    })
}

async fn status(stream: &mut TcpStream, host: &str) -> Option<u16> {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.ok()?;
    let head = std::str::from_utf8(&head).ok()?;
    head.strip_prefix("HTTP/1.")?.get(2..)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answer(says: &'static str) -> Option<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"));
            stream.write_all(says.as_bytes()).await.unwrap();
        };
        tokio::join!(ask("127.0.0.1", port), serving).0
    }

    #[tokio::test]
    async fn web_servers_and_others() {
        assert_eq!(
            answer("HTTP/1.1 200 OK\r\n\r\n").await,
            Some(Answer::Http(200))
        );
        assert_eq!(
            answer("HTTP/1.0 404 Not Found\r\n").await,
            Some(Answer::Http(404))
        );
        for other in [
            "HTTP/1.1 503 Busy\r\n",
            "HTTP/1.1 400 Bad\r\n",
            "-ERR unknown",
            "",
            "HTTP/1.1 x",
        ] {
            assert_eq!(answer(other).await, Some(Answer::Tcp), "{other}");
        }
    }

    #[tokio::test]
    async fn nobody_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert_eq!(ask("127.0.0.1", port).await, None);
    }
}
