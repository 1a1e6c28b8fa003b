//! The thread that decides about packets, and lets each go when it is due.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::Shared;
use super::message::{Queued, accept, drop};
use super::plan::{Post, Work};
use super::raw::Raw;
use super::tally::{Row, add, count};
use crate::agent::network::flow::Way;
use crate::agent::network::netlink::wire::{Message, messages};
use crate::agent::network::netlink::{Netlink, REQUEST};
use crate::clock::Clock;
use crate::impairment::dns::Question;
use crate::impairment::line::held::Held;
use crate::impairment::line::{Fate, Model, Passage};
use crate::impairment::{Answer, packet};

/// What is held at once, at most.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// What the kernel keeps of a packet beside its bytes.
const OVERHEAD: usize = 768;
/// Packets that are looked at before those that are due get their turn.
const IN_ONE_GO: usize = 128;
/// Bytes of verdicts that go to the kernel at once.
const SENDING: usize = 32 * 1024;
/// How long a thread that has nothing to do sleeps: it is woken by packets.
const IDLE: Duration = Duration::from_secs(60);
/// A packet later than this was delayed.
const AT_ONCE: Duration = Duration::from_micros(1);

pub(super) struct Worker {
    netlink: Netlink,
    posts: BTreeMap<u16, Post>,
    shared: Arc<Shared>,
    raw: Raw,
    clock: Clock,
    held: Held<Leaving>,
    outbox: Vec<u8>,
    inbox: Vec<u8>,
}

/// What is done when a packet is due.
enum Leaving {
    /// With these bytes, where they are others than it came with.
    Original {
        queue: u16,
        id: u32,
        bytes: Option<Vec<u8>>,
    },
    Double {
        bytes: Vec<u8>,
        interface: u32,
    },
}

impl Worker {
    pub(super) fn new(
        netlink: Netlink,
        posts: Vec<Post>,
        shared: Arc<Shared>,
    ) -> Result<Self, String> {
        Ok(Self {
            netlink,
            posts: posts.into_iter().map(|post| (post.number, post)).collect(),
            shared,
            raw: Raw::open()?,
            clock: Clock::start(),
            held: Held::new(MOST_BYTES),
            outbox: Vec::with_capacity(2 * SENDING),
            inbox: vec![0; 128 * 1024],
        })
    }

    pub(super) fn run(mut self) {
        // The kernel may wake a thread 50 µs late to save power; where it does not let itself be told, so be it.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).ok();
        loop {
            let ends = self.shared.ends.load(Ordering::Acquire);
            if ends || self.shared.passes.load(Ordering::Acquire) {
                self.release(Duration::MAX);
            }
            let more = self.receive();
            self.release(self.clock.elapsed());
            self.flush();
            if !more {
                if ends {
                    return;
                }
                self.sleep();
            }
        }
    }

    /// Takes what has come; is there more?
    fn receive(&mut self) -> bool {
        let mut inbox = std::mem::take(&mut self.inbox);
        let mut more = true;
        for _ in 0..IN_ONE_GO {
            match recv(&self.netlink, &mut inbox[..], RecvFlags::DONTWAIT) {
                Ok((read, _)) => {
                    for incoming in messages(inbox.get(..read).unwrap_or_default()) {
                        if let Some(queued) = Queued::of(&incoming) {
                            self.decide(&queued);
                        }
                    }
                }
                // Some were lost for want of room; the kernel counted them.
                Err(Errno::NOBUFS | Errno::INTR) => {}
                Err(_) => {
                    more = false;
                    break;
                }
            }
        }
        self.inbox = inbox;
        more
    }

    fn decide(&mut self, queued: &Queued<'_>) {
        let passes =
            self.shared.passes.load(Ordering::Relaxed) || self.shared.ends.load(Ordering::Relaxed);
        let now = self.clock.elapsed();
        let shared = Arc::clone(&self.shared);
        let Some(post) = self.posts.get_mut(&queued.queue) else {
            return self.say(&accept(queued.queue, queued.id, None));
        };
        let Some(row) = shared.tally.row(post.rule).filter(|_| !passes) else {
            return self.say(&accept(queued.queue, queued.id, None));
        };
        match &mut post.work {
            Work::Line { model, way } => {
                let way = *way;
                let fate = decided(model, now, queued.length, row);
                self.schedule(queued, way, &fate, now, row);
            }
            Work::Dns { names, answer } => {
                let end = asked(queued.bytes, names, answer);
                self.end(queued, end, row);
            }
        }
    }

    fn schedule(&mut self, queued: &Queued<'_>, way: Way, fate: &Fate, now: Duration, row: &Row) {
        let mut passages = fate.passages();
        let Some(first) = passages.next() else {
            return self.say(&drop(queued.queue, queued.id));
        };
        let bytes = flipped(queued.bytes, &first, row);
        let original = Leaving::Original {
            queue: queued.queue,
            id: queued.id,
            bytes,
        };
        self.put(original, queued.length, &first, now, row);
        for passage in passages {
            let bytes =
                flipped(queued.bytes, &passage, row).unwrap_or_else(|| queued.bytes.to_vec());
            let interface = if way == Way::Out { queued.interface } else { 0 };
            let double = Leaving::Double { bytes, interface };
            self.put(double, queued.length, &passage, now, row);
        }
    }

    fn put(
        &mut self,
        leaving: Leaving,
        length: usize,
        passage: &Passage,
        now: Duration,
        row: &Row,
    ) {
        if passage.reordered {
            count(&row.reordered);
        }
        if passage.due <= now {
            return self.leave(leaving);
        }
        if passage.due > now + AT_ONCE {
            count(&row.delayed);
        }
        if let Err(leaving) = self.held.push(passage.due, length + OVERHEAD, leaving) {
            count(&row.overflowed);
            if let Leaving::Original { queue, id, .. } = leaving {
                self.say(&drop(queue, id));
            }
        }
    }

    fn end(&mut self, queued: &Queued<'_>, end: Option<Asked>, row: &Row) {
        let Some(end) = end else {
            return self.say(&accept(queued.queue, queued.id, None));
        };
        add(&row.packets, 1);
        add(&row.bytes, queued.length as u64);
        self.say(&drop(queued.queue, queued.id));
        let (what, instead) = match end {
            Asked::Nothing => (&row.answered, None),
            Asked::Answer(answer) => (&row.answered, answer),
            Asked::Reset(reset) => (&row.reset, reset),
        };
        count(what);
        if let Some(packet) = instead {
            self.raw.send(&packet, 0);
        }
    }

    fn release(&mut self, now: Duration) {
        while let Some(leaving) = self.held.pop(now) {
            self.leave(leaving);
        }
    }

    fn leave(&mut self, leaving: Leaving) {
        match leaving {
            Leaving::Original { queue, id, bytes } => {
                self.say(&accept(queue, id, bytes.as_deref()));
            }
            Leaving::Double { bytes, interface } => {
                // In its order: the one before must be on its way.
                self.flush();
                self.raw.send(&bytes, interface);
            }
        }
    }

    fn say(&mut self, message: &Message) {
        message.write(0, REQUEST, &mut self.outbox);
        if self.outbox.len() > SENDING {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.outbox.is_empty() {
            // A packet can be gone with its interface; the kernel's answer to that is no packet and is not looked at.
            send(&self.netlink, &self.outbox, SendFlags::empty()).ok();
            self.outbox.clear();
        }
    }

    fn sleep(&self) {
        let now = self.clock.elapsed();
        let due = self.held.next_due().unwrap_or(now + IDLE);
        let wait = due.saturating_sub(now).min(IDLE);
        let timeout = Timespec {
            tv_sec: wait.as_secs().cast_signed(),
            tv_nsec: wait.subsec_nanos().into(),
        };
        let mut watched = [
            PollFd::new(&self.netlink, PollFlags::IN),
            PollFd::new(&self.shared.wake, PollFlags::IN),
        ];
        if poll(&mut watched, Some(&timeout)).is_ok_and(|ready| ready > 0) {
            let mut counter = [0; 8];
            rustix::io::read(&self.shared.wake, &mut counter).ok();
        }
    }
}

fn decided(model: &mut Model, now: Duration, length: usize, row: &Row) -> Fate {
    let fate = model.decide(now, length);
    add(&row.packets, 1);
    add(&row.bytes, length as u64);
    if fate.is_dropped() {
        count(&row.dropped);
    }
    if fate.is_duplicated() {
        count(&row.duplicated);
    }
    fate
}

fn flipped(bytes: &[u8], passage: &Passage, row: &Row) -> Option<Vec<u8>> {
    let random = passage.flip?;
    let mut bytes = bytes.to_vec();
    packet::corrupt(&mut bytes, random).then(|| {
        count(&row.corrupted);
        bytes
    })
}

/// What is done instead of letting a question pass, with the packet that says so to whoever asks.
enum Asked {
    Nothing,
    Answer(Option<Vec<u8>>),
    Reset(Option<Vec<u8>>),
}

/// `None`: not a question for us. An answer in the middle of a stream would have to be kept track of until its end: over TCP there
/// is none, and the connection is reset.
fn asked(bytes: &[u8], names: &[String], answer: &Answer) -> Option<Asked> {
    if let Some(segment) = packet::tcp_payload(bytes) {
        let mut questions = Question::in_segment(segment).into_iter();
        questions.find(|question| question.is_for(names))?;
        return Some(match answer {
            Answer::Silence => Asked::Nothing,
            _ => Asked::Reset(packet::tcp_reset(bytes)),
        });
    }
    let question = packet::udp_payload(bytes).and_then(Question::parse)?;
    if !question.is_for(names) {
        return None;
    }
    Some(match question.answered(answer) {
        None => Asked::Nothing,
        Some(payload) => Asked::Answer(packet::udp_answer(bytes, &payload)),
    })
}
