//! An agent as a child process in a host of the test's, talked to as chaosrun does.

use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use chaosrun::agent::protocol::{Request, Response, VERSION};
use chaosrun::impairment::expect::Series;
use chaosrun::impairment::{BackEnd, Counts, Effect, Flow, Impairment, Rule};

use crate::world::inside;

pub(crate) struct Agent {
    pub(crate) child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
}

impl Agent {
    pub(crate) fn start(host: &str) -> Self {
        let program = std::env::var("CHAOSRUN_AGENT");
        let program = program.unwrap_or_else(|_| env!("CARGO_BIN_EXE_chaosrun").into());
        let mut child = inside(host, || {
            Command::new(program)
                .args(["agent", "network"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        });
        let mut agent = Self {
            input: child.stdin.take(),
            output: child.stdout.take().map(BufReader::new),
            child,
        };
        let hello = agent.ask(&Request::Hello { version: VERSION });
        assert_eq!(hello, Response::Hello { version: VERSION });
        agent
    }

    pub(crate) fn ask(&mut self, request: &Request) -> Response {
        self.tell(request.to_line().as_bytes());
        self.hear().unwrap()
    }

    pub(crate) fn tell(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    /// `None`: it has ended.
    pub(crate) fn hear(&mut self) -> Option<Response> {
        let mut line = String::new();
        self.output.as_mut().unwrap().read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| Response::from_line(&line).unwrap())
    }

    pub(crate) fn try_impair(&mut self, impairment: Impairment, back_end: BackEnd) -> Response {
        self.ask(&Request::Impair {
            impairment,
            back_end,
            lease: Duration::from_secs(600),
        })
    }

    pub(crate) fn impair(&mut self, impairment: Impairment, back_end: BackEnd) {
        assert_eq!(self.try_impair(impairment, back_end), Response::Done);
    }

    pub(crate) fn relieve(&mut self) {
        assert_eq!(self.ask(&Request::Relieve), Response::Done);
        assert_eq!(self.found(), Vec::<String>::new());
    }

    pub(crate) fn found(&mut self) -> Vec<String> {
        match self.ask(&Request::Inspect) {
            Response::Found { ours } => ours,
            other => panic!("{other:?}"),
        }
    }

    /// Of all rules together.
    pub(crate) fn counts(&mut self) -> Vec<Counts> {
        match self.ask(&Request::Count) {
            Response::Counted { counts } => counts,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn measure(&mut self, peer: IpAddr, port: Option<u16>) -> Vec<Option<Duration>> {
        let series = Series {
            times: 5,
            apart: Duration::from_millis(5),
            patience: Duration::from_millis(500),
        };
        match self.ask(&Request::Measure { peer, port, series }) {
            Response::Measured { round_trips } => round_trips,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn back_ends(&mut self) -> Vec<BackEnd> {
        match self.ask(&Request::Features) {
            Response::Features { features } => features.back_ends,
            other => panic!("{other:?}"),
        }
    }

    /// Nobody reads what it says; it is asked once more, so that it notices.
    pub(crate) fn deafen(&mut self) {
        self.output = None;
        self.tell(Request::Count.to_line().as_bytes());
    }

    /// Its stdin ends; does it say that all is well?
    pub(crate) fn finish(&mut self) -> bool {
        self.input = None;
        self.child.wait().unwrap().success()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn one(flow: Flow, effect: Effect) -> Impairment {
    Impairment {
        rules: vec![Rule { flow, effect }],
        seed: 7,
    }
}
