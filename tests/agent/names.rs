//! Questions to name servers: some are answered in the server's place, the others reach it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use chaosrun::impairment::{Answer, BackEnd, Direction, Effect};

use crate::cases::flow;
use crate::talk::{Agent, one};
use crate::world::{B, B_V6, World, inside, ip};

/// What the server itself says, which no answer of the agent's is.
const REAL: &[u8] = b"the real answer";

fn question(name: &str) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Real,
    Silence,
    Reset,
    /// The response code, and the bytes that the answer ends with.
    Code(u8, Vec<u8>),
}

const PATIENCE: Option<Duration> = Some(Duration::from_millis(400));

/// As [`asked`], over TCP: what is sent in one segment each.
fn asked_over_tcp(world: &World, server_host: &str, server: &str, segments: &[&[u8]]) -> Heard {
    let to = SocketAddr::new(ip(server), 53);
    let server = inside(server_host, || TcpListener::bind(to).unwrap());
    let mut client = inside(&world.a, || TcpStream::connect(to).unwrap());
    client.set_nodelay(true).unwrap();
    client.set_read_timeout(PATIENCE).unwrap();
    let (mut there, _) = server.accept().unwrap();
    there.set_read_timeout(PATIENCE).unwrap();
    let all: usize = segments.iter().map(|segment| segment.len()).sum();
    thread::scope(|scope| {
        scope.spawn(|| {
            if there.read_exact(&mut vec![0; all]).is_ok() {
                there.write_all(REAL).unwrap();
            }
        });
        for segment in segments {
            // After a reset there is nobody to send to.
            client.write_all(segment).ok();
        }
        let mut heard = vec![0; REAL.len()];
        match client.read_exact(&mut heard) {
            Ok(()) if heard == REAL => Heard::Real,
            Err(e) if e.kind() == ErrorKind::ConnectionReset => Heard::Reset,
            Err(e) if e.kind() == ErrorKind::WouldBlock => Heard::Silence,
            other => panic!("{other:?}: {heard:?}"),
        }
    })
}

/// Behind its length.
fn message(name: &str) -> Vec<u8> {
    let question = question(name);
    let length = u16::try_from(question.len()).unwrap();
    [&length.to_be_bytes(), question.as_slice()].concat()
}

/// Asks from `a`, of a server that listens there or at the peer.
fn asked(world: &World, server_host: &str, server: &str, name: &str) -> Heard {
    let to = SocketAddr::new(ip(server), 53);
    let server = inside(server_host, || UdpSocket::bind(to).unwrap());
    server
        .set_read_timeout(Some(Duration::from_millis(400)))
        .unwrap();
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let client = inside(&world.a, || UdpSocket::bind(any).unwrap());
    client.connect(to).unwrap();
    client
        .set_read_timeout(Some(Duration::from_millis(400)))
        .unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = [0; 512];
            if let Ok((_, from)) = server.recv_from(&mut buffer) {
                server.send_to(REAL, from).unwrap();
            }
        });
        client.send(&question(name)).unwrap();
        let mut buffer = [0; 512];
        match client.recv(&mut buffer) {
            Err(_) => Heard::Silence,
            Ok(length) if &buffer[..length] == REAL => Heard::Real,
            Ok(length) => {
                assert_eq!(buffer[..2], [0x12, 0x34]);
                Heard::Code(buffer[3] & 15, buffer[length - 4..length].to_vec())
            }
        }
    })
}

#[test]
fn chosen_names_get_the_chosen_answer_and_others_the_real_one() {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    let servers = [(&world.b, B), (&world.b, B_V6), (&world.a, "127.0.0.11")];
    let ends = |bytes: &[u8]| bytes.to_vec();
    let cases = [
        (Answer::NoSuchName, Heard::Code(3, ends(&[0, 1, 0, 1]))),
        (Answer::Failure, Heard::Code(2, ends(&[0, 1, 0, 1]))),
        (Answer::Silence, Heard::Silence),
        (
            Answer::Addresses(vec![ip("192.0.2.7"), ip("2001:db8::7")]),
            Heard::Code(0, ends(&[192, 0, 2, 7])),
        ),
    ];
    for (host, server) in servers {
        assert_eq!(asked(&world, host, server, "db.shop.example"), Heard::Real);
        for (answer, heard) in &cases {
            let effect = Effect::Dns {
                names: vec!["shop.example".into()],
                answer: answer.clone(),
            };
            agent.impair(one(flow(Direction::Both), effect), BackEnd::Queue);
            let what = format!("{answer:?} in place of {server}");
            assert_eq!(
                &asked(&world, host, server, "db.shop.example"),
                heard,
                "{what}"
            );
            assert_eq!(
                asked(&world, host, server, "workshop.example"),
                Heard::Real,
                "{what}"
            );
            assert_eq!(agent.counts()[0].answered, 1, "{what}");
            agent.relieve();
        }
    }
}

#[test]
fn over_tcp_the_connection_of_a_chosen_name_is_reset_or_silent() {
    let (chosen, other) = (message("db.shop.example"), message("workshop.example"));
    let both = [other.as_slice(), chosen.as_slice()].concat();
    let (length, rest) = chosen.split_at(2);
    let cases = [
        (Answer::Failure, Heard::Reset),
        (Answer::Addresses(vec![ip("192.0.2.7")]), Heard::Reset),
        (Answer::Silence, Heard::Silence),
    ];
    for server in [B, B_V6, "127.0.0.11"] {
        // What is left without an answer is sent again for a while, even after its connection was closed.
        let world = World::new();
        let mut agent = Agent::start(&world.a);
        let host = if server == "127.0.0.11" {
            &world.a
        } else {
            &world.b
        };
        let asked = |segments: &[&[u8]]| asked_over_tcp(&world, host, server, segments);
        assert_eq!(asked(&[&chosen]), Heard::Real);
        for (answer, heard) in &cases {
            let effect = Effect::Dns {
                names: vec!["shop.example".into()],
                answer: answer.clone(),
            };
            agent.impair(one(flow(Direction::Both), effect), BackEnd::Queue);
            let what = format!("{answer:?} in place of {server}");
            for segments in [&[chosen.as_slice()][..], &[&both], &[length, rest]] {
                assert_eq!(&asked(segments), heard, "{what}");
            }
            // The second is in two segments, and nobody puts them together.
            for untouched in [&[other.as_slice()][..], &[&chosen[..9], &chosen[9..]]] {
                assert_eq!(asked(untouched), Heard::Real, "{what}");
            }
            let counts = agent.counts()[0];
            match heard {
                Heard::Reset => assert_eq!((counts.reset, counts.answered), (3, 0), "{what}"),
                // Whoever gets no answer sends again.
                _ => assert!(counts.answered >= 3 && counts.reset == 0, "{what}"),
            }
            agent.relieve();
        }
    }
}
