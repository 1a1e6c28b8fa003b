//! `tcp` probes: connect, perhaps send, perhaps expect the beginning of an answer.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Context;
use super::names::Names;
use super::shot::{Miss, Shot};
use crate::scenario::{Bindings, Secrets, TcpProbe};

pub(super) struct Tcp {
    probe: TcpProbe,
    secrets: Arc<Secrets>,
    names: Names,
}

impl Tcp {
    pub(super) fn new(probe: &TcpProbe, ctx: &Context) -> Self {
        Self {
            probe: probe.clone(),
            secrets: Arc::clone(&ctx.secrets),
            names: Names::new(ctx),
        }
    }

    async fn connect(&self, address: &str) -> Result<TcpStream, Miss> {
        let (host, port) = split(address).map_err(|why| Miss::Broken {
            reason: "not an address",
            why,
        })?;
        let mut refused = Miss::bad("name not found");
        for place in self.names.resolve(host).await? {
            match TcpStream::connect(SocketAddr::new(place.ip, port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => refused = Miss::from(&error),
            }
        }
        Err(refused)
    }
}

impl Shot for Tcp {
    async fn shoot(&self, seq: u64) -> Result<(), Miss> {
        let bindings = Bindings {
            seq: Some(seq),
            secrets: Some(&self.secrets),
            ..Bindings::default()
        };
        let address = self.probe.address.render(&bindings);
        let mut stream = self.connect(&address).await?;
        if let Some(text) = &self.probe.send {
            let text = text.render(&bindings);
            let written = stream.write_all(text.as_bytes()).await;
            written.map_err(|error| Miss::from(&error))?;
        }
        match &self.probe.expect {
            Some(expect) => begins_with(&mut stream, expect.render(&bindings).as_bytes()).await,
            None => Ok(()),
        }
    }
}

/// `host:port`, with an IPv6 host in brackets.
fn split(address: &str) -> Result<(&str, u16), String> {
    let pair = address
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match pair {
        Some((host, port)) if !host.is_empty() && port > 0 => {
            Ok((host.trim_matches(['[', ']']), port))
        }
        _ => Err(format!(
            "\"{address}\" is not an address: expected host and port, such as \"redis:6379\""
        )),
    }
}

async fn begins_with(stream: &mut TcpStream, expected: &[u8]) -> Result<(), Miss> {
    let mut seen = 0;
    let mut buffer = [0; 4096];
    while seen < expected.len() {
        let room = buffer.len().min(expected.len() - seen);
        let got = stream.read(&mut buffer[..room]).await;
        match got.map_err(|error| Miss::from(&error))? {
            0 => return Err(Miss::bad("connection closed")),
            got if buffer[..got] == expected[seen..seen + got] => seen += got,
            _ => return Err(Miss::bad("answer differs")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::probe::testing::{context, instance_at};
    use crate::scenario::{Part, Template};

    #[test]
    fn an_address_is_a_host_and_a_port() {
        assert_eq!(split("redis:6379"), Ok(("redis", 6379)));
        assert_eq!(split("[fd00::1]:80"), Ok(("fd00::1", 80)));
        for wrong in ["redis", "redis:", ":80", "redis:0", "redis:70000"] {
            assert!(
                split(wrong).is_err_and(|why| why.contains("redis:6379")),
                "{wrong}"
            );
        }
    }

    /// Asks a server that reads, answers in two pieces and closes.
    async fn ask(send: Option<Template>, expect: Option<&str>) -> (Result<(), Miss>, String) {
        let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ctx, _world, _readings) = context(vec![instance_at("redis-1", "127.0.0.2")]);
        let sends = send.is_some();
        let probe = TcpProbe {
            address: Template::text(format!("redis:{port}")),
            send,
            expect: expect.map(Template::text),
        };
        let tcp = Tcp::new(&probe, &ctx);
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 100];
            let got = if sends {
                stream.read(&mut buffer).await.unwrap()
            } else {
                0
            };
            for piece in ["+PO", "NG\r\n"] {
                // Who expects nothing does not listen.
                if stream.write_all(piece.as_bytes()).await.is_err() {
                    break;
                }
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
            String::from_utf8_lossy(&buffer[..got]).into_owned()
        };
        tokio::join!(tcp.shoot(4), serve)
    }

    #[tokio::test]
    async fn a_connection_is_enough_unless_an_answer_is_expected() {
        assert_eq!(ask(None, None).await.0, Ok(()));
        let ping = Template {
            parts: vec![
                Part::Text("PING ".into()),
                Part::Seq,
                Part::Secret("token".into()),
            ],
        };
        let (outcome, heard) = ask(Some(ping), Some("+PONG")).await;
        assert_eq!((outcome, heard.as_str()), (Ok(()), "PING 4s3cr3t"));
    }

    #[tokio::test]
    async fn another_answer_or_none_is_bad() {
        let differs = ask(None, Some("-ERR")).await.0;
        assert_eq!(differs, Err(Miss::bad("answer differs")));
        let closed = ask(None, Some("+PONG\r\n and more")).await.0;
        assert_eq!(closed, Err(Miss::bad("connection closed")));
    }

    #[tokio::test]
    async fn nobody_listens() {
        let (ctx, _world, _readings) = context(vec![instance_at("redis-1", "127.0.0.2")]);
        let shoot = async |address: &str| {
            let probe = TcpProbe {
                address: Template::text(address),
                send: None,
                expect: None,
            };
            Tcp::new(&probe, &ctx).shoot(0).await
        };
        assert_eq!(shoot("redis:9").await, Err(Miss::bad("connection refused")));
        assert_eq!(
            shoot("no-such-host.invalid:9").await,
            Err(Miss::bad("name not found"))
        );
        assert!(matches!(shoot("redis").await, Err(Miss::Broken { .. })));
    }
}
