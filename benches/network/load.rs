//! Traffic as heavy as it takes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use crate::world::{inside, ip};

const PORT: u16 = 7100;
/// What has not come by then never comes.
const PATIENCE: Duration = Duration::from_millis(500);

/// How far from what was asked for, in milliseconds.
pub(crate) struct Late {
    pub(crate) mean: f64,
    /// Of the distances either way, with its sign.
    pub(crate) p99: f64,
    pub(crate) lost: usize,
}

/// So many datagrams a second, each with the moment at which it was sent.
pub(crate) fn one_way(
    from: &str,
    to: &str,
    address: &str,
    per_second: u32,
    seconds: u32,
    asked: Duration,
) -> Late {
    let (sender, receiver) = pair(from, to, address);
    let origin = Instant::now();
    let count = per_second * seconds;
    let mut off = thread::scope(|scope| {
        let received = scope.spawn(|| {
            let mut off = Vec::new();
            let mut bytes = [0; 64];
            while let Ok(8) = receiver.recv(&mut bytes) {
                let came = origin.elapsed();
                let sent = u64::from_be_bytes(bytes[..8].try_into().unwrap());
                let took = came.saturating_sub(Duration::from_nanos(sent));
                off.push((took.as_secs_f64() - asked.as_secs_f64()) * 1e3);
            }
            off
        });
        for number in 0..count {
            let due = Duration::from_secs(1) / per_second * number;
            thread::sleep(due.saturating_sub(origin.elapsed()));
            let now = u64::try_from(origin.elapsed().as_nanos()).unwrap();
            sender.send(&now.to_be_bytes()).unwrap();
        }
        received.join().unwrap()
    });
    off.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    Late {
        mean: off.iter().sum::<f64>() / off.len() as f64,
        p99: off[off.len() * 99 / 100],
        lost: count as usize - off.len(),
    }
}

fn pair(from: &str, to: &str, address: &str) -> (UdpSocket, UdpSocket) {
    let at = SocketAddr::new(ip(address), PORT);
    let receiver = inside(to, || UdpSocket::bind(at).unwrap());
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let room = 8 * 1024 * 1024;
    rustix::net::sockopt::set_socket_recv_buffer_size_force(&receiver, room).unwrap();
    let sender = inside(from, || UdpSocket::bind("0.0.0.0:0").unwrap());
    sender.connect(at).unwrap();
    (sender, receiver)
}

pub(crate) struct Flood {
    pub(crate) sent: u64,
    pub(crate) came: u64,
    /// Arrived, a second.
    pub(crate) rate: f64,
}

/// Small datagrams at this rate.
pub(crate) fn flood(from: &str, to: &str, address: &str, per_second: u32, seconds: u32) -> Flood {
    let (sender, receiver) = pair(from, to, address);
    let sent = u64::from(per_second * seconds);
    thread::scope(|scope| {
        let received = scope.spawn(|| {
            let mut bytes = [0; 64];
            let (mut came, mut first, mut last) = (0_u64, None, Instant::now());
            while receiver.recv(&mut bytes).is_ok() {
                came += 1;
                last = Instant::now();
                first.get_or_insert(last);
            }
            (came, first.map_or(Duration::ZERO, |first| last - first))
        });
        let begun = Instant::now();
        for number in 0..sent {
            // In bursts of a tenth of a millisecond's.
            if number % 10 == 0 {
                let due = Duration::from_secs(1).mul_f64(number as f64 / f64::from(per_second));
                while begun.elapsed() < due {
                    std::hint::spin_loop();
                }
            }
            sender.send(&[0; 18]).unwrap();
        }
        let (came, took) = received.join().unwrap();
        Flood {
            sent,
            came,
            rate: came as f64 / took.as_secs_f64(),
        }
    })
}

/// Bits per second of one connection, from its beginning to the last byte's arrival.
pub(crate) fn stream(from: &str, to: &str, address: &str, period: Duration) -> f64 {
    let at = SocketAddr::new(ip(address), PORT);
    let listener = inside(to, || TcpListener::bind(at).unwrap());
    let sender = inside(from, || TcpStream::connect(at).unwrap());
    let (receiver, _) = listener.accept().unwrap();
    carried(sender, receiver, period)
}

pub(crate) fn carried(mut sender: TcpStream, mut receiver: TcpStream, period: Duration) -> f64 {
    thread::scope(|scope| {
        let begun = Instant::now();
        scope.spawn(move || {
            let bytes = vec![0; 256 * 1024];
            while begun.elapsed() < period && sender.write_all(&bytes).is_ok() {}
        });
        let mut buffer = vec![0; 1024 * 1024];
        let mut all = 0_usize;
        while let Ok(length @ 1..) = receiver.read(&mut buffer) {
            all += length;
        }
        all as f64 * 8.0 / begun.elapsed().as_secs_f64()
    })
}
