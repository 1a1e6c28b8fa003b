//! What chaosrun and an agent say to each other: one JSON object a line, each request with exactly one response.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::impairment::expect::Series;
use crate::impairment::{BackEnd, Counts, Features, Impairment};
use crate::units::Signal;

/// Both sides must be of the same.
pub const VERSION: u32 = 2;

/// Longer lines are refused.
pub const LONGEST_LINE: usize = 64 * 1024;

/// What an agent can be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Comes first.
    Hello { version: u32 },
    /// Is this process there, and of that container?
    Find { process: Process },
    /// Sends it a signal, if it is.
    Signal { process: Process, signal: Signal },
    /// Ends the starts of commands that were frozen together with this container, named by its full id.
    Release { container: String },
    /// What can this kernel do to the network that the agent is in?
    Features,
    /// What of chaosrun's is in force in this network, by whomever it was put there?
    Inspect,
    /// Puts this in force in one go, in place of what this agent had in force before. It is held for as long as the lease lasts.
    Impair {
        impairment: Impairment,
        back_end: BackEnd,
        lease: Duration,
    },
    /// The lease begins anew.
    Renew,
    /// What happened so far.
    Count,
    /// Round trips to a peer: over TCP to a port where one is named, else by ICMP echo.
    Measure {
        peer: IpAddr,
        port: Option<u16>,
        series: Series,
    },
    /// Takes back everything of chaosrun's in this network, by whomever it was put there.
    Relieve,
}

/// The first process of a container, so that no other can be taken for it after its number was given away again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// In the host's PID namespace.
    pub pid: u32,
    /// The engine's full id.
    pub container: String,
    /// When the engine started it, in RFC 3339.
    pub started_at: String,
}

/// What an agent answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Response {
    Hello {
        version: u32,
    },
    Done,
    Refused {
        why: String,
    },
    Features {
        features: Features,
    },
    /// One line each: `table inet chaosrun`, `qdisc netem on eth0`. Empty: nothing.
    Found {
        ours: Vec<String>,
    },
    /// By rule, in the order in which they were given.
    Counted {
        counts: Vec<Counts>,
    },
    /// In the order in which they began. `None`: no answer in time.
    Measured {
        round_trips: Vec<Option<Duration>>,
    },
}

impl Request {
    /// With its line break.
    pub fn to_line(&self) -> String {
        line(self)
    }

    /// # Errors
    /// A sentence saying what is wrong with the line.
    pub fn from_line(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|e| format!("this is no request: {e}"))
    }
}

impl Response {
    /// With its line break.
    pub fn to_line(&self) -> String {
        line(self)
    }

    /// # Errors
    /// A sentence saying what is wrong with the line.
    pub fn from_line(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|e| format!("this is no response: {e}"))
    }
}

fn line(message: &impl Serialize) -> String {
    // Neither type holds anything that JSON cannot.
    serde_json::to_string(message).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_agents_of_this_version_have_always_read_them() {
        let process = Process {
            pid: 42,
            container: "abc".into(),
            started_at: "2026-01-01T00:00:00Z".into(),
        };
        let request = Request::Signal {
            process,
            signal: Signal::KILL,
        };
        let line = r#"{"signal":{"process":{"pid":42,"container":"abc","started_at":"2026-01-01T00:00:00Z"},"signal":"SIGKILL"}}"#;
        assert_eq!(request.to_line(), format!("{line}\n"));
        assert_eq!(Request::from_line(line), Ok(request));
        assert_eq!(Response::Done.to_line(), "\"done\"\n");
        assert_eq!(
            Response::from_line(r#"{"hello":{"version":2}}"#),
            Ok(Response::Hello { version: VERSION })
        );
    }

    #[test]
    fn unknown_words_are_refused() {
        for line in [
            "",
            "{}",
            r#"{"reboot":{}}"#,
            r#"{"hello":{"version":1,"x":2}}"#,
        ] {
            assert!(Request::from_line(line).is_err(), "{line}");
        }
    }
}
