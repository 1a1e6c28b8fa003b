//! Round trips, as the target's own packets make them: the sockets carry no mark, so that they suffer the fault.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::RecvFlags;
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock::Clock;
use crate::impairment::expect::Series;
use crate::units::kernel_words;

/// Times that one request may ask for, each of which has a thread.
pub(crate) const MOST: u32 = 100;
/// All of them together may take so long.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);

/// Numbers them, whoever asked: no reply is taken for another one's.
static TRIPS: AtomicU16 = AtomicU16::new(0);

const ECHO_V4: u8 = 8;
const ECHO_V6: u8 = 128;
const REPLY_V4: u8 = 0;
const REPLY_V6: u8 = 129;

/// In the order in which they began; `None`: no answer in time.
pub(crate) fn round_trips(
    peer: IpAddr,
    port: Option<u16>,
    series: Series,
) -> Result<Vec<Option<Duration>>, String> {
    let trip = |number| {
        thread::sleep(series.apart * number);
        match port {
            Some(port) => connect(SocketAddr::new(peer, port), series.patience),
            None => Echo::new(peer)?.trip(series.patience),
        }
    };
    thread::scope(|scope| {
        let begin = |number| {
            let thread = thread::Builder::new().name("round trip".into());
            let begun = thread.spawn_scoped(scope, move || trip(number));
            begun.map_err(|e| format!("no thread: {e}"))
        };
        let all: Vec<_> = (0..series.times).map(begin).collect();
        all.into_iter()
            .map(|begun| {
                begun?
                    .join()
                    .unwrap_or_else(|_| Err("it ended badly".into()))
            })
            .collect()
    })
}

/// A refusal is an answer.
fn connect(to: SocketAddr, timeout: Duration) -> Result<Option<Duration>, String> {
    let said = |e: std::io::Error| format!("no connection to {to}: {}", kernel_words(&e));
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).map_err(said)?;
    let clock = Clock::start();
    match socket.connect_timeout(&to.into(), timeout) {
        Ok(()) => Ok(Some(clock.elapsed())),
        Err(e) => match e.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Ok(Some(clock.elapsed())),
            ErrorKind::TimedOut
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::PermissionDenied => Ok(None),
            _ => Err(said(e)),
        },
    }
}

struct Echo {
    socket: Socket,
    to: SocketAddr,
    number: u16,
    /// Tells this one's reply from others'; a ping socket has the kernel put its own there. To the connection tracker echoes of one
    /// identity are one connection, and of those that begin it while none has been let go only one is.
    identity: u16,
    is_raw: bool,
}

impl Echo {
    fn new(peer: IpAddr) -> Result<Self, String> {
        let to = SocketAddr::new(peer, 0);
        let (domain, protocol) = match peer {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let raw = Socket::new(domain, Type::RAW, Some(protocol));
        let is_raw = raw.is_ok();
        let socket = raw
            .or_else(|_| Socket::new(domain, Type::DGRAM, Some(protocol)))
            .map_err(|e| {
                let e = kernel_words(&e);
                format!("no socket for ICMP: {e}; the agent needs NET_RAW")
            })?;
        let number = TRIPS.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            socket,
            to,
            number,
            identity: number.wrapping_add(std::process::id() as u16),
            is_raw,
        })
    }

    fn trip(&self, timeout: Duration) -> Result<Option<Duration>, String> {
        let request = self.request();
        let clock = Clock::start();
        match self.socket.send_to(&request, &self.to.into()) {
            Ok(_) => self.reply(timeout, &clock),
            Err(e) => match Errno::from_io_error(&e) {
                Some(Errno::PERM | Errno::HOSTUNREACH | Errno::NETUNREACH) => Ok(None),
                _ => Err(format!("no echo to {}: {}", self.to.ip(), kernel_words(&e))),
            },
        }
    }

    /// The kernel completes the checksum of ICMPv6 by itself.
    fn request(&self) -> Vec<u8> {
        let kind = if self.to.is_ipv4() { ECHO_V4 } else { ECHO_V6 };
        let mut bytes = vec![kind, 0, 0, 0];
        bytes.extend(self.identity.to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
        bytes.extend([0x5A; 48]);
        let sum = checksum(&bytes);
        if let (true, Some(field)) = (self.to.is_ipv4(), bytes.get_mut(2..4)) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
        bytes
    }

    fn reply(&self, timeout: Duration, clock: &Clock) -> Result<Option<Duration>, String> {
        let mut buffer = [MaybeUninit::uninit(); 2048];
        loop {
            let left = timeout.saturating_sub(clock.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            let failed = |e: Errno| format!("no reply can be read: {}", std::io::Error::from(e));
            rustix::net::sockopt::set_socket_timeout(
                &self.socket,
                rustix::net::sockopt::Timeout::Recv,
                Some(left.max(Duration::from_micros(1))),
            )
            .map_err(failed)?;
            match rustix::net::recvfrom(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok(((bytes, _), _, from)) => {
                    let came = clock.elapsed();
                    let from = from.and_then(|from| SocketAddr::try_from(from).ok());
                    let is_peer = from.is_some_and(|from| from.ip() == self.to.ip());
                    if is_peer && self.is_reply(bytes) {
                        return Ok(Some(came));
                    }
                }
                Err(Errno::INTR | Errno::AGAIN | Errno::HOSTUNREACH | Errno::CONNREFUSED) => {}
                Err(e) => return Err(failed(e)),
            }
        }
    }

    fn is_reply(&self, bytes: &[u8]) -> bool {
        let is_v4 = self.to.is_ipv4();
        // A raw IPv4 socket shows the IP header too.
        let header = match bytes.first() {
            Some(first) if is_v4 && self.is_raw => usize::from(first & 0x0F) * 4,
            _ => 0,
        };
        let kind = if is_v4 { REPLY_V4 } else { REPLY_V6 };
        let Some(icmp) = bytes.get(header..header + 8) else {
            return false;
        };
        let is_ours = !self.is_raw || icmp[4..6] == self.identity.to_be_bytes();
        icmp[0] == kind && is_ours && icmp[6..8] == self.number.to_be_bytes()
    }
}

/// The internet's.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_what_every_host_answers() {
        let bytes = [8, 0, 0, 0, 0x12, 0x34, 0, 1];
        assert_eq!(checksum(&bytes), !(0x0800 + 0x1234 + 1));
        assert_eq!(checksum(&[0xff, 0xff, 1]), !0x0100);
    }

    #[test]
    fn loopback_answers_and_refuses() {
        let second = Duration::from_secs(5);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        assert!(connect(open, second).unwrap().is_some());
        drop(listener);
        assert!(connect(open, second).unwrap().is_some());
    }
}
