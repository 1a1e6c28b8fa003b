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
    use super::*;

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
}
