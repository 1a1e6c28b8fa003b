//! What ends, and which packets are meant: the others keep their latency and arrive.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddrV6, UdpSocket};

use chaosrun::impairment::{
    BackEnd, Counts, Direction, Effect, Flow, Impairment, Line, Ports, Protocol,
};

use crate::cases::{Case, both, delay, flow, late, line, ms, quick, udp, yes};
use crate::talk::{Agent, one};
use crate::traffic::{FEW, connecting, echoes};
use crate::world::{A, A_BESIDE, B, B_BESIDE, B_OTHER, B_V6, World, inside, ip, run};

pub(crate) fn ends() -> Vec<Case> {
    use Direction::{Both, Egress, Ingress};
    let silent = |world: &World| {
        yes(
            echoes(world, B, 7001, FEW).lost() == FEW.count,
            "something came through",
        )
    };
    vec![
        Case {
            name: "a black hole on the way out",
            impairment: one(flow(Egress), Effect::Drop),
            holds: silent,
            counts: |counts| counts.dropped >= 15,
        },
        Case {
            name: "a black hole on the way in",
            impairment: one(flow(Ingress), Effect::Drop),
            holds: silent,
            counts: |counts| counts.dropped >= 15,
        },
        Case {
            name: "a black hole for connections",
            impairment: one(flow(Both), Effect::Drop),
            holds: |world| yes(connecting(world, B, 7002).is_none(), "connected"),
            counts: |counts| counts.dropped > 0,
        },
        Case {
            name: "refused connections",
            impairment: one(flow(Both), Effect::Reset),
            holds: |world| {
                let refused = connecting(world, B, 7002) == Some(Err(ErrorKind::ConnectionRefused));
                both(yes(refused, "not refused"), || {
                    quick(&echoes(world, B, 7001, FEW))
                })
            },
            counts: |counts| counts.reset > 0,
        },
        Case {
            name: "refused connections of IPv6",
            impairment: one(flow(Both), Effect::Reset),
            holds: |world| {
                let refused =
                    connecting(world, B_V6, 7002) == Some(Err(ErrorKind::ConnectionRefused));
                yes(refused, "not refused")
            },
            counts: |counts| counts.reset > 0,
        },
    ]
}

pub(crate) fn selections() -> Vec<Case> {
    use Direction::{Both, Egress};
    let slow = || line(delay(30, 0));
    let any = |_: &Counts| true;
    vec![
        Case {
            name: "only one port",
            impairment: one(udp(7001, Both), slow()),
            holds: |world| {
                both(late(&echoes(world, B, 7001, FEW), 60), || {
                    quick(&echoes(world, B, 7002, FEW))
                })
            },
            counts: |counts| counts.packets == 30,
        },
        Case {
            name: "only a range of ports",
            impairment: one(
                Flow {
                    ports: vec![Ports {
                        first: 7001,
                        last: 7003,
                    }],
                    ..flow(Egress)
                },
                slow(),
            ),
            holds: |world| {
                both(late(&echoes(world, B, 7003, FEW), 30), || {
                    quick(&echoes(world, B, 7004, FEW))
                })
            },
            counts: any,
        },
        Case {
            name: "only one protocol",
            impairment: one(
                Flow {
                    protocol: Some(Protocol::Udp),
                    ..flow(Egress)
                },
                slow(),
            ),
            holds: |world| {
                let connected = connecting(world, B, 7002);
                both(late(&echoes(world, B, 7001, FEW), 30), || {
                    let quick = matches!(connected, Some(Ok(took)) if took < ms(15));
                    yes(quick, "connections are touched")
                })
            },
            counts: any,
        },
        Case {
            name: "only one peer",
            impairment: one(
                Flow {
                    peers: vec![
                        "10.99.0.2/32".parse().unwrap(),
                        "fd99::/64".parse().unwrap(),
                    ],
                    ..flow(Both)
                },
                slow(),
            ),
            holds: |world| {
                both(late(&echoes(world, B, 7001, FEW), 60), || {
                    both(late(&echoes(world, B_V6, 7001, FEW), 60), || {
                        quick(&echoes(world, B_OTHER, 7001, FEW))
                    })
                })
            },
            counts: any,
        },
        Case {
            name: "only on one network",
            impairment: one(
                Flow {
                    at: vec![ip(A_BESIDE)],
                    ..flow(Both)
                },
                slow(),
            ),
            holds: |world| {
                both(late(&echoes(world, B_BESIDE, 7001, FEW), 60), || {
                    quick(&echoes(world, B, 7001, FEW))
                })
            },
            counts: any,
        },
        Case {
            name: "the first rule decides",
            impairment: Impairment {
                rules: [
                    one(udp(7001, Both), line(Line::default())).rules,
                    one(
                        Flow {
                            at: vec![ip(A)],
                            ..flow(Both)
                        },
                        Effect::Drop,
                    )
                    .rules,
                ]
                .concat(),
                seed: 1,
            },
            holds: |world| {
                both(quick(&echoes(world, B, 7001, FEW)), || {
                    yes(
                        echoes(world, B, 7002, FEW).lost() == FEW.count,
                        "not dropped",
                    )
                })
            },
            counts: any,
        },
    ]
}

/// Whoever is cut off there is still found as a neighbour: its packets are, and not what keeps the link.
#[test]
fn a_peer_is_cut_off_at_its_address_on_the_link() {
    let world = World::new();
    let listed = run(&format!(
        "ip -n {} -6 -o addr show dev eth0 scope link",
        world.b
    ));
    let address = listed
        .split_whitespace()
        .find_map(|word| word.strip_suffix("/64"));
    let address: Ipv6Addr = address.unwrap().parse().unwrap();
    let index = inside(&world.a, || {
        std::fs::read_to_string("/proc/thread-self/net/if_inet6")
    });
    let index = index.unwrap().lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        (words[5] == "eth0").then(|| u32::from_str_radix(words[1], 16).unwrap())
    });
    let server = inside(&world.b, || UdpSocket::bind("[::]:7009").unwrap());
    let client = inside(&world.a, || UdpSocket::bind("[::]:0").unwrap());
    for end in [&server, &client] {
        end.set_read_timeout(Some(ms(400))).unwrap();
    }
    // There, and back.
    let gets = || {
        let to = SocketAddrV6::new(address, 7009, 0, index.unwrap());
        client.send_to(b"x", to).unwrap();
        let Ok((_, from)) = server.recv_from(&mut [0; 9]) else {
            return (false, false);
        };
        server.send_to(b"y", from).unwrap();
        (true, client.recv(&mut [0; 9]).is_ok())
    };
    assert_eq!(gets(), (true, true));
    let mut agent = Agent::start(&world.a);
    for (direction, expected) in [
        (Direction::Ingress, (true, false)),
        (Direction::Both, (false, false)),
    ] {
        let cut = Flow {
            peers: vec![IpAddr::from(address).into()],
            ..flow(direction)
        };
        agent.impair(one(cut, Effect::Drop), BackEnd::Queue);
        // It has to be found anew, and answers from this address.
        run(&format!("ip -n {} neigh flush dev eth0", world.a));
        assert_eq!(gets(), expected);
        assert!(agent.counts()[0].dropped > 0);
    }
    agent.relieve();
    assert_eq!(gets(), (true, true));
}
