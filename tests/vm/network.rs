//! Two networks in a machine, with an agent at work in the near one.
//!
//! ```text
//! near 10.9.0.1, fd09::1 (va) ──── (vb) far 10.9.0.2, fd09::2, and 10.9.0.3, fd09::3 for what is not selected
//! ```

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use chaosrun::agent::protocol::{Request, Response, VERSION};
use chaosrun::impairment::expect::Series;
use chaosrun::impairment::{
    BackEnd, Counts, Direction, Effect, Features, Flow, Impairment, Line, Rule,
};

pub(super) const SELECTED: [&str; 2] = ["10.9.0.2", "fd09::2"];
pub(super) const OTHER: [&str; 2] = ["10.9.0.3", "fd09::3"];

pub(super) struct Networks;

impl Networks {
    pub(super) fn new() -> Self {
        for words in [
            "netns add near",
            "netns add far",
            "link add va netns near type veth peer name vb netns far",
            "-n near link set va txqueuelen 0",
            "-n near addr add 10.9.0.1/24 dev va",
            "-n near addr add fd09::1/64 dev va nodad",
            "-n far addr add 10.9.0.2/24 dev vb",
            "-n far addr add 10.9.0.3/24 dev vb",
            "-n far addr add fd09::2/64 dev vb nodad",
            "-n far addr add fd09::3/64 dev vb nodad",
            "-n near link set lo up",
            "-n far link set lo up",
            "-n far link set vb up",
            "-n near link set va up",
        ] {
            said("ip", words);
        }
        let networks = Self;
        // Both ends find each other before anything is measured.
        let mut agent = networks.agent();
        for address in SELECTED.iter().chain(&OTHER) {
            let answered = agent.measure(address, 20, Duration::from_millis(500));
            assert!(answered.iter().any(Option::is_some), "{address}");
        }
        // The kernel notes a little later that both ends are up.
        let mut looks = (0..1_000).map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            in_near("ip link show va")
        });
        assert!(looks.any(|shown| shown.contains("state UP")));
        networks
    }

    pub(super) fn agent(&self) -> Agent {
        Agent::start()
    }

    /// Interfaces, qdiscs and tables of the near network, as the usual tools show them.
    pub(super) fn shown(&self) -> String {
        ["ip link", "tc qdisc show", "nft list ruleset"]
            .map(in_near)
            .join("")
    }
}

/// Runs a program in the near network, and gives what it said.
pub(super) fn in_near(words: &str) -> String {
    said("ip", &format!("netns exec near {words}"))
}

fn said(program: &str, words: &str) -> String {
    let output = Command::new(program)
        .args(words.split_whitespace())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// `chaosrun agent network` in the near network.
pub(super) struct Agent {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Agent {
    fn start() -> Self {
        let mut process = Command::new("ip")
            .args(["netns", "exec", "near", env!("CARGO_BIN_EXE_chaosrun")])
            .args(["agent", "network"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut agent = Self {
            process,
            input,
            output,
        };
        let hello = agent.ask(&Request::Hello { version: VERSION });
        assert_eq!(hello, Response::Hello { version: VERSION });
        agent
    }

    pub(super) fn ask(&mut self, request: &Request) -> Response {
        let input = self.input.as_mut().unwrap();
        input.write_all(request.to_line().as_bytes()).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        Response::from_line(&line).unwrap()
    }

    pub(super) fn features(&mut self) -> Features {
        match self.ask(&Request::Features) {
            Response::Features { features } => features,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn try_impair(&mut self, back_end: BackEnd, impairment: Impairment) -> Response {
        self.ask(&Request::Impair {
            impairment,
            back_end,
            lease: Duration::from_secs(60),
        })
    }

    pub(super) fn impair(&mut self, back_end: BackEnd, impairment: Impairment) {
        assert_eq!(self.try_impair(back_end, impairment), Response::Done);
    }

    pub(super) fn relieve(&mut self) {
        assert_eq!(self.ask(&Request::Relieve), Response::Done);
    }

    pub(super) fn found(&mut self) -> Vec<String> {
        match self.ask(&Request::Inspect) {
            Response::Found { ours } => ours,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn counts(&mut self) -> Vec<Counts> {
        match self.ask(&Request::Count) {
            Response::Counted { counts } => counts,
            other => panic!("{other:?}"),
        }
    }

    /// Echoes.
    pub(super) fn measure(
        &mut self,
        peer: &str,
        times: u32,
        patience: Duration,
    ) -> Vec<Option<Duration>> {
        let measured = self.ask(&Request::Measure {
            peer: peer.parse().unwrap(),
            port: None,
            series: Series {
                times,
                apart: Duration::from_millis(5),
                patience,
            },
        });
        match measured {
            Response::Measured { round_trips } => round_trips,
            other => panic!("{other:?}"),
        }
    }

    /// Of some echoes, all of which must be answered: whatever the machine is busy with, one of them is not held up by it.
    pub(super) fn quickest(&mut self, peer: &str) -> Duration {
        let all = self.measure(peer, 5, Duration::from_secs(5));
        assert!(all.iter().all(Option::is_some), "{peer} answers {all:?}");
        all.into_iter().flatten().min().unwrap()
    }

    /// Without a warning: whatever it has in force ends with it. `ip` has become the agent, so that this is its process.
    pub(super) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// It takes all back and ends.
    pub(super) fn leave(mut self) {
        drop(self.input.take());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.input.take());
        self.process.wait().unwrap();
    }
}

/// To and from the selected addresses.
pub(super) fn flow(direction: Direction) -> Flow {
    Flow {
        direction,
        peers: SELECTED
            .iter()
            .map(|address| address.parse::<std::net::IpAddr>().unwrap().into())
            .collect(),
        ports: Vec::new(),
        protocol: None,
        at: Vec::new(),
    }
}

pub(super) fn lines(lines: impl IntoIterator<Item = (Direction, Line)>) -> Impairment {
    let rules = lines.into_iter().map(|(direction, line)| Rule {
        flow: flow(direction),
        effect: Effect::Line(Box::new(line)),
    });
    Impairment {
        rules: rules.collect(),
        seed: 7,
    }
}
