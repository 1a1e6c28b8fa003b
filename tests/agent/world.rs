//! Two hosts in network namespaces of their own: a target `a` and its peer `b`, joined by two networks.

use std::fs::{self, File};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

static MADE: AtomicU32 = AtomicU32::new(0);

pub(crate) const A: &str = "10.99.0.1";
pub(crate) const B: &str = "10.99.0.2";
/// Another address of the same peer.
pub(crate) const B_OTHER: &str = "10.99.0.3";
/// The two in the other network.
pub(crate) const A_BESIDE: &str = "10.98.0.1";
pub(crate) const B_BESIDE: &str = "10.98.0.2";
pub(crate) const B_V6: &str = "fd99::2";

pub(crate) struct World {
    pub(crate) a: String,
    pub(crate) b: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = |end: &str| format!("chaosrun-{}-{number}-{end}", std::process::id());
        let world = Self {
            a: name("a"),
            b: name("b"),
        };
        let (a, b) = (&world.a, &world.b);
        run(&format!("ip netns add {a}"));
        run(&format!("ip netns add {b}"));
        for host in [a, b] {
            // An address is there from the start: nobody else can have it.
            let setting = "/proc/sys/net/ipv6/conf/default/accept_dad";
            inside(host, || fs::write(setting, "0")).unwrap();
        }
        for device in ["eth0", "eth1"] {
            run(&format!(
                "ip -n {a} link add {device} type veth peer name {device} netns {b}"
            ));
        }
        for (host, device, address) in [
            (a, "eth0", "10.99.0.1/24"),
            (a, "eth0", "fd99::1/64"),
            (a, "eth1", "10.98.0.1/24"),
            (b, "eth0", "10.99.0.2/24"),
            (b, "eth0", "10.99.0.3/24"),
            (b, "eth0", "fd99::2/64"),
            (b, "eth1", "10.98.0.2/24"),
        ] {
            let certain = if address.contains(':') { " nodad" } else { "" };
            run(&format!(
                "ip -n {host} addr add {address} dev {device}{certain}"
            ));
        }
        for host in [a, b] {
            for device in ["lo", "eth0", "eth1"] {
                run(&format!("ip -n {host} link set {device} up"));
            }
        }
        world
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for host in [&self.a, &self.b] {
            let gone = Command::new("ip").args(["netns", "del", host]).status();
            assert!(gone.unwrap().success() || thread::panicking());
        }
    }
}

pub(crate) fn run(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().collect();
    let (program, args) = words.split_first().unwrap();
    let output = Command::new(program).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Does something as a process of this host would; what it opens stays there.
pub(crate) fn inside<T: Send>(host: &str, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let there = scope.spawn(|| {
            let file = File::open(format!("/run/netns/{host}")).unwrap();
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        });
        match there.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

pub(crate) fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}
