//! Questions to name servers: some are answered in the server's place, the others reach it.

use std::net::{SocketAddr, UdpSocket};
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
    /// The response code, and the bytes that the answer ends with.
    Code(u8, Vec<u8>),
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
