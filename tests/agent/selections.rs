//! What ends, and which packets are meant: the others keep their latency and arrive.

use std::io::ErrorKind;

use chaosrun::impairment::{Counts, Direction, Effect, Flow, Impairment, Line, Ports, Protocol};

use crate::cases::{Case, both, delay, flow, late, line, ms, quick, udp, yes};
use crate::talk::one;
use crate::traffic::{FEW, connecting, echoes};
use crate::world::{A, A_BESIDE, B, B_BESIDE, B_OTHER, B_V6, World, ip};

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
