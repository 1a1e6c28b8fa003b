//! The back end in user space: the kernel hands packets over (NFQUEUE), and lets each go on when it is due.
//!
//! Packets are held where they are, in the kernel; what is shown of them here is their head, and all of it only where bytes are changed
//! or doubled. At most 64 MiB are held; what is beyond is dropped and counted as `overflowed`.

mod message;
pub(crate) mod plan;
mod raw;
mod tally;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;

use self::message::{Show, bind};
use self::plan::Queues;
use self::tally::Tally;
use self::worker::Worker;
use super::netlink::{Failure, NETFILTER, Netlink};
use crate::impairment::{Counts, Impairment};

/// In one queue: the kernel drops what comes beyond it.
const MOST_PACKETS: u32 = 131_072;
/// What the kernel may keep of packets that were not looked at yet.
const BUFFER: usize = 32 * 1024 * 1024;

/// A running back end. Packets come as soon as rules send them here.
pub(crate) struct Queue {
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    queues: Queues,
}

/// What the thread that decides shares with the one that asks.
struct Shared {
    tally: Tally,
    /// All that waits goes, and all that comes passes at once.
    passes: AtomicBool,
    /// The same, and then the end.
    ends: AtomicBool,
    wake: OwnedFd,
}

impl Queue {
    /// Binds the queues of this impairment, before any rule sends packets there.
    pub(crate) fn start(impairment: &Impairment, queues: Queues) -> Result<Self, String> {
        let mut netlink = open().map_err(|e| format!("no socket for packet queues: {e}"))?;
        let posts = queues.posts(impairment);
        let sink = (queues.sink(), Show::Nothing);
        let all = posts.iter().map(|post| (post.number, post.show));
        for (number, show) in all.chain([sink]) {
            netlink
                .tell(&bind(number, show, MOST_PACKETS))
                .map_err(|e| busy(number, &e))?;
        }
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|e| format!("no event descriptor: {}", Failure::from(e)))?;
        let shared = Arc::new(Shared {
            tally: Tally::new(impairment.rules.len()),
            passes: AtomicBool::new(false),
            ends: AtomicBool::new(false),
            wake,
        });
        let worker = Worker::new(netlink, posts, Arc::clone(&shared))?;
        let thread = std::thread::Builder::new()
            .name("queue".into())
            .spawn(move || worker.run())
            .map_err(|e| format!("no thread for packet queues: {e}"))?;
        Ok(Self {
            thread: Some(thread),
            shared,
            queues,
        })
    }

    pub(crate) fn queues(&self) -> &Queues {
        &self.queues
    }

    /// Lets everything go that is held. Rules can then be removed without packets being lost with them.
    pub(crate) fn pass(&self) {
        self.shared.passes.store(true, Ordering::Release);
        self.shared.wake();
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// By rule.
    pub(crate) fn counts(&self) -> Vec<Counts> {
        self.shared.tally.counts()
    }
}

impl Shared {
    fn wake(&self) {
        // It can only be full, and then the thread wakes anyway.
        rustix::io::write(&self.wake, &1_u64.to_ne_bytes()).ok();
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Release);
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            // A panic in there was reported where it happened.
            thread.join().ok();
        }
    }
}

fn open() -> Result<Netlink, Failure> {
    use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};
    let netlink = Netlink::open(NETFILTER)?;
    if set_socket_recv_buffer_size_force(&netlink, BUFFER).is_err() {
        set_socket_recv_buffer_size(&netlink, BUFFER)?;
    }
    Ok(netlink)
}

fn busy(number: u16, why: &Failure) -> String {
    if why.is(rustix::io::Errno::BUSY) || why.is(rustix::io::Errno::PERM) {
        format!(
            "packet queue {number} of this network cannot be had ({why}): another program listens there, or this one may not; it \
             needs NET_ADMIN"
        )
    } else {
        format!("packet queue {number} cannot be bound: {why}")
    }
}

/// Whether this kernel has packet queues at all, tried with one that nothing is sent to.
pub(crate) fn probe() -> Result<(), Failure> {
    /// In neither block.
    const UNUSED: u16 = 0xBFFF;
    open()?.tell(&bind(UNUSED, Show::Nothing, 1))
}

/// What the kernel dropped before it was looked at, by rule: from its own table of queues.
pub(crate) fn overflows(queues: &Queues) -> BTreeMap<usize, u64> {
    let text = std::fs::read_to_string("/proc/net/netfilter/nfnetlink_queue").unwrap_or_default();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let columns: Vec<u64> = line
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        // Queue, socket, waiting, mode, range, dropped for want of room in the queue and in the socket.
        if let [queue, _, _, _, _, full, unread, ..] = columns.as_slice()
            && let Some(rule) = queues.rule_of_line(*queue)
        {
            *found.entry(rule).or_default() += full + unread;
        }
    }
    found
}
