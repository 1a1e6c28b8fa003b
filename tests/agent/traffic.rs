//! Traffic between the two hosts, and what becomes of it.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use crate::world::{World, inside, ip};

/// What has not come by then never comes.
const PATIENCE: Duration = Duration::from_millis(700);
/// Once all have come, another of the same has come by then.
const AFTERWARDS: Duration = Duration::from_millis(100);

/// What became of datagrams that a peer sends back.
#[derive(Debug, Default)]
pub(crate) struct Echoes {
    /// By number: the first answer's round trip.
    pub(crate) trips: Vec<Option<Duration>>,
    /// Answers that had come before.
    pub(crate) again: usize,
    /// Numbers in the order of their answers.
    pub(crate) order: Vec<usize>,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
}

impl Echoes {
    pub(crate) fn lost(&self) -> usize {
        self.trips.iter().filter(|trip| trip.is_none()).count()
    }

    pub(crate) fn median(&self) -> Option<Duration> {
        let mut all: Vec<_> = self.trips.iter().flatten().collect();
        all.sort();
        all.get(all.len() / 2).map(|trip| **trip)
    }

    /// Answers that an earlier number's came after.
    pub(crate) fn overtook(&self) -> usize {
        let mut late = self.order.windows(2).filter(|two| two[0] > two[1]);
        late.by_ref().count()
    }

    pub(crate) fn arrived(&self) -> Vec<bool> {
        self.trips.iter().map(Option::is_some).collect()
    }
}

/// How datagrams are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) count: usize,
    pub(crate) every: Duration,
    pub(crate) size: usize,
}

pub(crate) const FEW: Pace = Pace {
    count: 15,
    every: Duration::from_millis(5),
    size: 100,
};

pub(crate) const MANY: Pace = Pace {
    count: 1000,
    every: Duration::from_micros(200),
    size: 100,
};

/// Datagrams from `a` to a port of this address of `b`'s, which sends each back.
pub(crate) fn echoes(world: &World, address: &str, port: u16, pace: Pace) -> Echoes {
    let to = SocketAddr::new(ip(address), port);
    let server = inside(&world.b, || UdpSocket::bind(to).unwrap());
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let client = inside(&world.a, || UdpSocket::bind(any).unwrap());
    client.connect(to).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| send_back(&server));
        let sending = client.try_clone().unwrap();
        let begun = Instant::now();
        let sender = scope.spawn(move || send(&sending, pace));
        let echoes = gather(&client, begun, pace);
        sender.join().unwrap();
        // Past every fault, by way of the server's own host.
        inside(&world.b, || {
            UdpSocket::bind(SocketAddr::new(to.ip(), 0)).unwrap()
        })
        .send_to(b"end", to)
        .unwrap();
        echoes
    })
}

fn send_back(server: &UdpSocket) {
    let mut buffer = [0; 16 * 1024];
    while let Ok((length, from)) = server.recv_from(&mut buffer) {
        if &buffer[..length] == b"end" {
            return;
        }
        server.send_to(&buffer[..length], from).ok();
    }
}

/// Each says its number, and when it was sent.
fn send(socket: &UdpSocket, pace: Pace) {
    let begun = Instant::now();
    for number in 0..pace.count {
        let due = pace.every * u32::try_from(number).unwrap();
        thread::sleep(due.saturating_sub(begun.elapsed()));
        let mut bytes = vec![0; pace.size];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let at = since_boot().as_nanos() as u64;
        bytes[8..16].copy_from_slice(&at.to_be_bytes());
        socket.send(&bytes).unwrap();
    }
}

fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(
        now.tv_sec.cast_unsigned(),
        u32::try_from(now.tv_nsec).unwrap(),
    )
}

fn gather(socket: &UdpSocket, begun: Instant, pace: Pace) -> Echoes {
    let mut echoes = Echoes {
        trips: vec![None; pace.count],
        ..Echoes::default()
    };
    let sending = pace.every * u32::try_from(pace.count).unwrap();
    socket.set_read_timeout(Some(AFTERWARDS)).unwrap();
    let mut buffer = [0; 16 * 1024];
    let number =
        |bytes: &[u8], at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                let bytes = &buffer[..length];
                let (Some(which), Some(sent)) = (number(bytes, 0), number(bytes, 8)) else {
                    continue;
                };
                let Some(trip) = echoes.trips.get_mut(which as usize) else {
                    continue;
                };
                echoes.took = begun.elapsed();
                if trip.is_some() {
                    echoes.again += 1;
                } else {
                    *trip = Some(since_boot().saturating_sub(Duration::from_nanos(sent)));
                    echoes.order.push(which as usize);
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if echoes.lost() == 0 || begun.elapsed() > sending + PATIENCE {
                    return echoes;
                }
            }
            // A refusal of the port; others follow.
            Err(_) => {}
        }
    }
}

/// How long it takes to connect; `None`: not in time.
pub(crate) fn connecting(
    world: &World,
    address: &str,
    port: u16,
) -> Option<Result<Duration, ErrorKind>> {
    let to = SocketAddr::new(ip(address), port);
    let _listener = inside(&world.b, || TcpListener::bind(to).unwrap());
    let begun = Instant::now();
    let connected = inside(&world.a, || TcpStream::connect_timeout(&to, PATIENCE));
    match connected {
        Ok(_) => Some(Ok(begun.elapsed())),
        Err(e) if e.kind() == ErrorKind::TimedOut => None,
        Err(e) => Some(Err(e.kind())),
    }
}

/// A connection from `a` to `b` with both of its ends.
pub(crate) fn connection(world: &World, address: &str, port: u16) -> (TcpStream, TcpStream) {
    let to = SocketAddr::new(ip(address), port);
    let listener = inside(&world.b, || TcpListener::bind(to).unwrap());
    let ours = inside(&world.a, || TcpStream::connect(to).unwrap());
    let (theirs, _) = listener.accept().unwrap();
    for end in [&ours, &theirs] {
        end.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    (ours, theirs)
}

/// Does what one end sends reach the other? Else with the error.
pub(crate) fn speaks(from: &mut TcpStream, to: &mut TcpStream) -> Result<(), ErrorKind> {
    from.write_all(b"x").map_err(|e| e.kind())?;
    to.read_exact(&mut [0]).map_err(|e| e.kind())
}

/// What a host's kernel has counted: `Udp: InCsumErrors`.
pub(crate) fn counted(host: &str, group: &str, name: &str) -> u64 {
    let read = || std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let text = inside(host, read);
    let mut rows = text.lines().filter(|line| line.starts_with(group));
    let names = rows.next().unwrap().split_whitespace();
    let values = rows.next().unwrap().split_whitespace();
    let all: BTreeMap<_, _> = names.zip(values).collect();
    all[name].parse().unwrap()
}
