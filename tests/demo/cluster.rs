//! Three nodes as processes of this test, each at a loopback address and with a data folder of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

pub(crate) struct Cluster {
    addresses: Vec<SocketAddr>,
    folder: tempfile::TempDir,
    extra: Vec<String>,
    nodes: Vec<Child>,
}

const CLIENT_PATIENCE: Duration = Duration::from_millis(2400);

impl Cluster {
    /// Starts three nodes with these further arguments and waits until they know a primary.
    pub(crate) fn start(extra: &[&str]) -> Self {
        let mut cluster = Self {
            addresses: (1..=3).map(free_address).collect(),
            folder: tempfile::tempdir().expect("a folder for the nodes' data"),
            extra: extra.iter().map(|&text| text.into()).collect(),
            nodes: Vec::new(),
        };
        for node in 0..3 {
            let child = cluster.spawn(node);
            cluster.nodes.push(child);
        }
        eventually(Duration::from_secs(20), "every node is healthy", || {
            (0..3)
                .all(|node| cluster.get(node, "/health").is_some())
                .then_some(())
        });
        cluster
    }

    fn spawn(&self, node: usize) -> Child {
        let peers: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        Command::new(assert_cmd::cargo::cargo_bin!("chaosrun"))
            .args(["quorum-node", "--id", &(node + 1).to_string()])
            .args(["--listen", &peers[node], "--peers", &peers.join(",")])
            .arg("--data")
            .arg(self.folder.path().join(node.to_string()))
            .args(&self.extra)
            .env_remove("QUORUM_FAULT")
            .stdin(Stdio::null())
            .spawn()
            .expect("a node starts")
    }

    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].kill().expect("the node can be killed");
        self.nodes[node].wait().expect("the node is dead");
    }

    pub(crate) fn restart(&mut self, node: usize) {
        self.nodes[node] = self.spawn(node);
    }

    pub(crate) fn signal(&self, node: usize, signal: Signal) {
        let pid = Pid::from_raw(self.nodes[node].id().cast_signed()).expect("a process id");
        kill_process(pid, signal).expect("the node can be signalled");
    }

    pub(crate) fn exit_code(&mut self, node: usize) -> Option<i32> {
        let ended = self.nodes[node].try_wait().expect("a child");
        ended.map(|status| status.code().expect("ended by itself, not by a signal"))
    }

    /// One request; an error when no answer came in time.
    pub(crate) fn call(
        &self,
        node: usize,
        method: &str,
        path: &str,
        body: &str,
    ) -> io::Result<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.addresses[node], CLIENT_PATIENCE)?;
        stream.set_read_timeout(Some(CLIENT_PATIENCE))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.into()))
    }

    fn get(&self, node: usize, path: &str) -> Option<String> {
        match self.call(node, "GET", path, "") {
            Ok((200, body)) => Some(body),
            _ => None,
        }
    }

    /// The node that a majority confirms as primary, once there is one.
    pub(crate) fn primary(&self) -> usize {
        eventually(Duration::from_secs(20), "there is a primary", || {
            (0..3).find(|node| self.role(*node) == "primary")
        })
    }

    /// Empty when it does not answer.
    pub(crate) fn role(&self, node: usize) -> String {
        self.get(node, "/role").unwrap_or_default()
    }

    pub(crate) fn roles(&self) -> Vec<String> {
        (0..3).map(|node| self.role(node)).collect()
    }

    pub(crate) fn status(&self, node: usize) -> serde_json::Value {
        let text = self.get(node, "/status").unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) fn applied(&self, node: usize) -> u64 {
        self.status(node)["applied_index"]
            .as_u64()
            .unwrap_or_default()
    }

    /// Through the first node that takes it.
    pub(crate) fn write(&self, key: &str, value: &str) -> bool {
        self.write_avoiding(usize::MAX, key, value)
    }

    pub(crate) fn write_avoiding(&self, avoided: usize, key: &str, value: &str) -> bool {
        (0..3).filter(|node| *node != avoided).any(|node| {
            let answer = self.call(node, "PUT", &format!("/kv/{key}"), value);
            matches!(answer, Ok((200, _)))
        })
    }

    /// Values of their own; every one must be acknowledged.
    pub(crate) fn write_some(&self, prefix: &str, count: usize) -> Vec<(String, String)> {
        (0..count)
            .map(|n| {
                let (key, value) = (format!("{prefix}-{n}"), format!("value-{n}"));
                eventually(Duration::from_secs(10), "a write succeeds", || {
                    self.write(&key, &value).then_some(())
                });
                (key, value)
            })
            .collect()
    }

    pub(crate) fn read_from(&self, node: usize, key: &str) -> Option<String> {
        self.get(node, &format!("/kv/{key}"))
    }

    /// `None` only when some node says that there is no such value.
    pub(crate) fn read(&self, key: &str) -> Option<String> {
        eventually(Duration::from_secs(10), "a read is answered", || {
            (0..3).find_map(
                |node| match self.call(node, "GET", &format!("/kv/{key}"), "") {
                    Ok((200, value)) => Some(Some(value)),
                    Ok((404, _)) => Some(None),
                    _ => None,
                },
            )
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            // Ended or not: nothing may outlive the test.
            drop(node.kill());
            drop(node.wait());
        }
    }
}

/// A port nobody has at the moment; tests that run beside each other get different ones.
fn free_address(host: u8) -> SocketAddr {
    let listener =
        TcpListener::bind(SocketAddr::from(([127, 0, 0, host], 0))).expect("a free port");
    listener.local_addr().expect("a bound address")
}

const POLL: Duration = Duration::from_millis(30);

/// The first answer there is, or a panic when there is none in time.
pub(crate) fn eventually<T>(
    within: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let clock = Stopwatch::start();
    while clock.elapsed() < within {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(POLL);
    }
    panic!("not within {within:?}: {what}");
}

/// Panics as soon as it does not hold.
pub(crate) fn holds_for(long: Duration, what: &str, mut look: impl FnMut() -> bool) {
    let clock = Stopwatch::start();
    while clock.elapsed() < long {
        assert!(look(), "no longer true after {:?}: {what}", clock.elapsed());
        std::thread::sleep(POLL);
    }
}

struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "real processes need real deadlines"
    )]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
