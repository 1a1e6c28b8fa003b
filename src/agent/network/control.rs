//! The conversation: each request has exactly one response, in order, and the lease runs meanwhile.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use super::force::Force;
use super::measure::{LONGEST, MOST, round_trips};
use crate::agent::protocol::{LONGEST_LINE, Request, Response, VERSION};
use crate::clock::Clock;
use crate::impairment::expect::Series;

/// Responses that nobody has read yet; whoever reads so slowly has gone.
const UNREAD: usize = 256;
/// What is not read by then, after everything was taken back, is not waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Measurements at once.
const MEASURING: usize = 16;
/// Longer leases are refused: they would outlive what they are there for.
const LONGEST_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

enum Event {
    Line(Vec<u8>),
    Measured(u64, Response),
    /// Stdin has ended, or stdout is broken.
    End,
}

/// What is answered, in the order of the requests.
enum Slot {
    Ready(Response),
    Measuring(u64),
}

struct Control {
    force: Force,
    clock: Clock,
    greeted: bool,
    /// When it runs out.
    lease: Option<(Duration, Duration)>,
    slots: VecDeque<Slot>,
    measured: u64,
    events: Sender<Event>,
    out: SyncSender<Response>,
}

/// Until `input` ends or `output` breaks; then everything is taken back.
pub(super) fn run(
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> Result<(), String> {
    let (events, incoming) = channel();
    let (out, outgoing) = sync_channel(UNREAD);
    let reader = events.clone();
    let writer = events.clone();
    spawn("requests", move || read(input, &reader))?;
    let (written, said) = channel::<()>();
    spawn("responses", move || {
        write(output, &outgoing, &writer);
        drop(written);
    })?;
    let mut control = Control {
        force: Force::default(),
        clock: Clock::start(),
        greeted: false,
        lease: None,
        slots: VecDeque::new(),
        measured: 0,
        events,
        out,
    };
    control.serve(&incoming);
    let withdrawn = control.force.withdraw();
    drop(control);
    // Nothing is ever sent here; it ends with the last word, or nobody reads it.
    said.recv_timeout(LAST_WORDS).ok();
    withdrawn
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let thread = thread::Builder::new().name(name.into()).spawn(work);
    thread.map(drop).map_err(|e| format!("no thread: {e}"))
}

fn read(input: impl Read, events: &Sender<Event>) {
    let mut input = BufReader::new(input);
    loop {
        let mut line = Vec::new();
        let limit = LONGEST_LINE as u64;
        let read = input.by_ref().take(limit).read_until(b'\n', &mut line);
        // What follows a line that is too long or cut off could be taken for a request of its own.
        let is_whole = line.ends_with(b"\n");
        let has_text = matches!(read, Ok(length) if length > 0);
        if has_text && events.send(Event::Line(line)).is_err() {
            return;
        }
        if !is_whole {
            // Nobody is left to be told.
            events.send(Event::End).ok();
            return;
        }
    }
}

fn write(mut output: impl Write, responses: &Receiver<Response>, events: &Sender<Event>) {
    let mut say = |response: &Response| -> io::Result<()> {
        output.write_all(response.to_line().as_bytes())?;
        output.flush()
    };
    while let Ok(response) = responses.recv() {
        if say(&response).is_err() {
            // Nobody is left to be told.
            events.send(Event::End).ok();
            return;
        }
    }
}

impl Control {
    fn serve(&mut self, incoming: &Receiver<Event>) {
        loop {
            let event = match self.lease {
                None => incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some((_, until)) => {
                    incoming.recv_timeout(until.saturating_sub(self.clock.elapsed()))
                }
            };
            self.expire();
            match event {
                Ok(Event::Line(line)) => self.take(&line),
                Ok(Event::Measured(id, response)) => self.fill(id, response),
                Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if !self.say() {
                return;
            }
            self.force.settle();
        }
    }

    /// Before whatever came too late.
    fn expire(&mut self) {
        if self
            .lease
            .is_some_and(|(_, until)| until <= self.clock.elapsed())
        {
            self.lease = None;
            // What could not be taken back is still found by `Inspect`.
            self.force.withdraw().ok();
        }
    }

    fn take(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let slot = match Request::from_line(text.trim()) {
            Err(why) => Slot::Ready(Response::Refused { why }),
            Ok(Request::Hello { version }) => Slot::Ready(self.greet(version)),
            Ok(_) if !self.greeted => Slot::Ready(refused("say hello first")),
            Ok(request) => self
                .answer(request)
                .unwrap_or_else(|why| Slot::Ready(Response::Refused { why })),
        };
        self.slots.push_back(slot);
    }

    fn greet(&mut self, version: u32) -> Response {
        if version != VERSION {
            return refused(&format!(
                "this agent speaks version {VERSION} of the protocol, not {version}"
            ));
        }
        self.greeted = true;
        Response::Hello { version }
    }

    fn answer(&mut self, request: Request) -> Result<Slot, String> {
        let response = match request {
            Request::Features => {
                let features = self.force.features();
                // What stands against it is said when it is for real.
                self.force.rehearse().ok();
                Response::Features { features }
            }
            Request::Inspect => Response::Found {
                ours: self.force.found()?,
            },
            Request::Impair {
                impairment,
                back_end,
                lease,
            } => {
                let lease = checked(lease)?;
                let done = self.force.impair(impairment, back_end);
                self.lease = self.force.is_on().then(|| self.until_later(lease));
                done?;
                Response::Done
            }
            Request::Renew => {
                let (lease, _) = self
                    .lease
                    .ok_or("nothing is in force, so there is no lease")?;
                self.lease = Some(self.until_later(lease));
                Response::Done
            }
            Request::Count => Response::Counted {
                counts: self.force.counts()?,
            },
            Request::Measure { peer, port, series } => return self.measure(peer, port, series),
            Request::Relieve => {
                self.give_up_measuring();
                self.force.relieve()?;
                self.lease = None;
                Response::Done
            }
            _ => return Err("this agent only impairs networks".into()),
        };
        Ok(Slot::Ready(response))
    }

    fn until_later(&self, lease: Duration) -> (Duration, Duration) {
        (lease, self.clock.elapsed().saturating_add(lease))
    }

    /// Beside everything else: the lease goes on and is renewed meanwhile.
    fn measure(
        &mut self,
        peer: std::net::IpAddr,
        port: Option<u16>,
        series: Series,
    ) -> Result<Slot, String> {
        if series.times > MOST || series.lasts() > LONGEST || series.patience.is_zero() {
            return Err(format!(
                "at most {MOST} round trips are measured, for up to {} s",
                LONGEST.as_secs()
            ));
        }
        let others = self
            .slots
            .iter()
            .filter(|slot| matches!(slot, Slot::Measuring(_)));
        if others.count() >= MEASURING {
            return Err(format!("{MEASURING} measurements are under way already"));
        }
        self.measured += 1;
        let id = self.measured;
        let events = self.events.clone();
        spawn("measure", move || {
            let response = match round_trips(peer, port, series) {
                Ok(round_trips) => Response::Measured { round_trips },
                Err(why) => Response::Refused { why },
            };
            // The agent may have ended meanwhile.
            events.send(Event::Measured(id, response)).ok();
        })?;
        Ok(Slot::Measuring(id))
    }

    /// What is measured of what is being taken back says nothing any more, and whoever takes it back does not wait for it.
    fn give_up_measuring(&mut self) {
        let slots = self.slots.iter_mut();
        for slot in slots.filter(|slot| matches!(slot, Slot::Measuring(_))) {
            *slot = Slot::Ready(refused("it was taken back meanwhile"));
        }
    }

    fn fill(&mut self, id: u64, response: Response) {
        let slot = self
            .slots
            .iter_mut()
            .find(|slot| matches!(slot, Slot::Measuring(other) if *other == id));
        if let Some(slot) = slot {
            *slot = Slot::Ready(response);
        }
    }

    /// Whatever has its turn; does anybody still listen?
    fn say(&mut self) -> bool {
        while let Some(Slot::Ready(_)) = self.slots.front() {
            if let Some(Slot::Ready(response)) = self.slots.pop_front()
                && self.out.try_send(response).is_err()
            {
                return false;
            }
        }
        self.slots.len() <= UNREAD
    }
}

fn checked(lease: Duration) -> Result<Duration, String> {
    if lease > LONGEST_LEASE {
        return Err(format!(
            "a lease of {} s is longer than a day",
            lease.as_secs()
        ));
    }
    Ok(lease)
}

fn refused(why: &str) -> Response {
    Response::Refused { why: why.into() }
}
