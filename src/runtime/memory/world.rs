//! What the engine in memory knows, and how its containers react to a change.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Failure;
use super::network::Held;
use crate::action::Change;
use crate::inventory::{Instance, RestartPolicy, State};
use crate::runtime::{Notice, Output, Result, RuntimeError};
use crate::units::Signal;

/// How long a packet of this container takes to this peer and back.
pub(super) type RoundTrips = Box<dyn Fn(&Instance, IpAddr) -> Option<Duration> + Send>;

pub(super) type Answer = Box<dyn Fn(&Instance, &[String]) -> Result<Output> + Send>;

#[derive(Default)]
pub(super) struct World {
    pub(super) instances: BTreeMap<String, Instance>,
    pub(super) log: Vec<String>,
    pub(super) watchers: Vec<mpsc::Sender<Notice>>,
    /// By the first words of a log line.
    pub(super) failures: Vec<(String, VecDeque<Failure>)>,
    pub(super) answer: Option<Answer>,
    pub(super) stacks: BTreeMap<String, Vec<Instance>>,
    pub(super) round_trips: Option<RoundTrips>,
    /// By the container's id.
    pub(super) held: BTreeMap<String, Held>,
    pub(super) silent: bool,
    pub(super) starts: u32,
}

/// What a change leaves to be done later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterwards {
    Nothing,
    /// Its policy starts it again in a moment.
    Revive,
}

impl super::Memory {
    /// Ends the event stream of everybody who watches, without a word.
    pub fn hang_up(&self) {
        self.world().watchers.clear();
    }
}

impl World {
    pub(super) fn next_failure(&mut self, line: &str) -> Option<Failure> {
        let queue = self
            .failures
            .iter_mut()
            .find(|(key, queue)| line.starts_with(key.as_str()) && !queue.is_empty());
        queue.and_then(|(_, queue)| queue.pop_front())
    }

    /// Such a request is refused and leaves no trace.
    pub(super) fn is_so(&self, id: &str, change: &Change) -> bool {
        let state = self.instances.get(id).map(|i| i.state);
        match change {
            Change::Pause => state == Some(State::Paused),
            Change::Unpause => state.is_some_and(|state| state != State::Paused),
            Change::Relieve => {
                let one = self.instances.get(id);
                one.is_none_or(|one| one.impaired.is_none())
            }
            _ => false,
        }
    }

    pub(super) fn change(
        &mut self,
        id: &str,
        change: &Change,
    ) -> std::result::Result<Afterwards, String> {
        let now = self.instances.get(id).cloned();
        let now = now.ok_or_else(|| format!("No such container: {id}"))?;
        let is_alive = matches!(now.state, State::Running | State::Paused);
        match change {
            Change::Signal { signal } if *signal == Signal::KILL && !is_alive => {}
            Change::Signal { .. } | Change::Crash { .. } | Change::Pause if !is_alive => {
                return Err(format!("container {id} is not running"));
            }
            Change::Signal { signal } if ends(*signal) => self.die(id, code(*signal)),
            Change::Crash { signal } if ends(*signal) => return Ok(self.crash(id, code(*signal))),
            Change::Stop { .. } if is_alive || now.state == State::Restarting => self.die(id, 0),
            Change::Start if now.state == State::Paused => {
                return Err("cannot start a paused container, try unpause instead".into());
            }
            Change::Start if now.state != State::Running => self.start(id),
            Change::Pause if now.state == State::Running => {
                self.alter(id, "pause", |i| i.state = State::Paused);
            }
            Change::Unpause if now.state == State::Paused => {
                self.alter(id, "unpause", |i| i.state = State::Running);
            }
            Change::Disconnect { network } if now.networks.contains_key(network) => {
                self.alter(id, "disconnect", |i| drop(i.networks.remove(network)));
            }
            Change::Connect { network, endpoint } => self.alter(id, "connect", |i| {
                i.networks.insert(network.clone(), (**endpoint).clone());
            }),
            Change::Impair { .. } if now.state != State::Running => {
                return Err(format!("container {id} is not running"));
            }
            Change::Impair { impairment } => self.impair(id, impairment),
            Change::Relieve => self.alter(id, "relieve", |i| i.impaired = None),
            // So already, or a signal that changes nothing.
            _ => {}
        }
        Ok(Afterwards::Nothing)
    }

    pub(super) fn crash(&mut self, id: &str, code: i64) -> Afterwards {
        self.die(id, code);
        let Some(instance) = self.instances.get_mut(id) else {
            return Afterwards::Nothing;
        };
        let revives = match instance.restart_policy {
            RestartPolicy::No => false,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
            RestartPolicy::OnFailure { .. } => code != 0,
        };
        if !revives {
            return Afterwards::Nothing;
        }
        instance.state = State::Restarting;
        Afterwards::Revive
    }

    /// What the policy does, unless something else was faster.
    pub(super) fn revive(&mut self, id: &str) {
        let state = self.instances.get(id).map(|i| i.state);
        if state == Some(State::Restarting) {
            self.start(id);
            if let Some(instance) = self.instances.get_mut(id) {
                instance.restart_count += 1;
            }
        }
    }

    pub(super) fn alter(&mut self, id: &str, what: &str, change: impl FnOnce(&mut Instance)) {
        if let Some(instance) = self.instances.get_mut(id) {
            change(instance);
            self.tell(id, what);
        }
    }

    pub(super) fn tell(&mut self, id: &str, what: &str) {
        if let Some(instance) = self.instances.get(id) {
            let notice = Notice {
                id: id.into(),
                name: instance.name.clone(),
                what: what.into(),
            };
            self.send(&notice);
        }
    }

    /// Who reads so slowly that its channel is full misses it, and who is gone is forgotten.
    pub(super) fn send(&mut self, notice: &Notice) {
        self.watchers.retain(|watcher| !watcher.is_closed());
        for watcher in &self.watchers {
            watcher.try_send(notice.clone()).ok();
        }
    }

    fn die(&mut self, id: &str, code: i64) {
        self.alter(id, "die", |i| {
            i.state = State::Exited { code };
            i.pid = None;
            // It goes with the network namespace.
            i.impaired = None;
        });
    }

    fn start(&mut self, id: &str) {
        self.starts += 1;
        let starts = self.starts;
        self.alter(id, "start", |i| {
            i.state = State::Running;
            i.pid = Some(1000 + starts);
            let (minutes, seconds) = (starts / 60 % 60, starts % 60);
            i.started_at = format!("2026-01-01T01:{minutes:02}:{seconds:02}Z");
        });
    }
}

/// Not those that a process survives unless it asked for them.
fn ends(signal: Signal) -> bool {
    !matches!(
        signal.name(),
        "SIGCHLD" | "SIGCONT" | "SIGSTOP" | "SIGTSTP" | "SIGTTIN" | "SIGTTOU" | "SIGWINCH"
    )
}

fn code(signal: Signal) -> i64 {
    128 + i64::from(signal.number())
}

pub(super) fn refused(tried: &str, said: &str) -> RuntimeError {
    RuntimeError::Refused {
        tried: tried.into(),
        said: said.into(),
        hint: String::new(),
    }
}

/// A change in one or two words, for the log.
pub(super) fn word(change: &Change) -> String {
    match change {
        Change::Signal { signal } => format!("signal {signal}"),
        Change::Crash { signal } => format!("crash {signal}"),
        Change::Stop { .. } => "stop".into(),
        Change::Start => "start".into(),
        Change::Pause => "pause".into(),
        Change::Unpause => "unpause".into(),
        Change::Disconnect { network } => format!("disconnect {network}"),
        Change::Connect { network, .. } => format!("connect {network}"),
        Change::Impair { .. } => "impair".into(),
        Change::Relieve => "relieve".into(),
    }
}
