//! When a fault is in force, as the kernel tells it: one thread that listens in the networks of all targets, and does nothing else
//! meanwhile.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netlink_sys::Socket;
use netlink_sys::constants::NETLINK_NETFILTER;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvFlags, recv};
use rustix::process::setpriority_process;
use rustix::thread::{LinkNameSpaceType, gettid, move_into_link_name_space};
use rustix::time::Timespec;

/// `NFNLGRP_NFTABLES`: what has been committed, once it is in force.
const COMMITTED: u32 = 7;
/// `NFT_MSG_NEWTABLE` of `NFNL_SUBSYS_NFTABLES`.
const NEW_TABLE: u16 = 10 << 8;
/// What the agents try out beforehand has another name.
const NAME: &[u8] = b"chaosrun\0";
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Watch(JoinHandle<Vec<Instant>>);

impl Watch {
    /// From when this returns, in the networks of these processes.
    pub(crate) fn over(pids: &[String]) -> Self {
        let pids = pids.to_vec();
        // The thread is in another network with each, and so is none of the bench's others.
        let sockets = thread::spawn(move || pids.iter().map(|pid| listen(pid)).collect());
        let sockets: Vec<Socket> = sockets.join().unwrap();
        Self(thread::spawn(move || {
            // Woken at once, whoever else is busy.
            setpriority_process(Some(gettid()), -20).unwrap();
            first_of_each(&sockets)
        }))
    }

    /// When the first table of chaosrun's was in force in each.
    pub(crate) fn seen(self) -> Vec<Instant> {
        self.0.join().unwrap()
    }
}

fn listen(pid: &str) -> Socket {
    let network = File::open(format!("/proc/{pid}/ns/net")).unwrap();
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    let mut socket = Socket::new(NETLINK_NETFILTER).unwrap();
    socket.bind_auto().unwrap();
    socket.add_membership(COMMITTED).unwrap();
    socket
}

fn first_of_each(sockets: &[Socket]) -> Vec<Instant> {
    let patience = Timespec::try_from(PATIENCE).unwrap();
    let mut waiting: Vec<&Socket> = sockets.iter().collect();
    let mut seen = Vec::new();
    while !waiting.is_empty() {
        let all = waiting.iter().map(|one| PollFd::new(*one, PollFlags::IN));
        let mut all: Vec<_> = all.collect();
        let ready = poll(&mut all, Some(&patience)).unwrap();
        let now = Instant::now();
        assert!(ready > 0, "{} faults never took effect", waiting.len());
        let has_news: Vec<bool> = all.iter().map(|one| !one.revents().is_empty()).collect();
        let mut has_news = has_news.into_iter();
        waiting.retain(|socket| {
            let is_in_force = has_news.next() == Some(true) && tells_of_ours(socket);
            seen.extend(is_in_force.then_some(now));
            !is_in_force
        });
    }
    seen
}

fn tells_of_ours(socket: &Socket) -> bool {
    let mut buffer = [0; 16 * 1024];
    let (read, _) = recv(socket, &mut buffer, RecvFlags::DONTWAIT).unwrap();
    let message = &buffer[..read];
    // The header's second field; the table's name comes first in what follows it.
    let kind = u16::from_ne_bytes([message[4], message[5]]);
    kind == NEW_TABLE && message.windows(NAME.len()).any(|part| part == NAME)
}
