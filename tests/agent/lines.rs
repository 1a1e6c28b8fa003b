//! Each thing that a worse line does.

use std::time::Duration;

use chaosrun::impairment::{Counts, Direction, Line, Loss, Reorder};

use crate::cases::{Case, both, chance, delay, flow, late, line, ms, share, udp, yes};
use crate::talk::one;
use crate::traffic::{FEW, MANY, Pace, counted, echoes};
use crate::world::{B, B_V6};

pub(crate) fn lines() -> Vec<Case> {
    use Direction::{Both, Egress, Ingress};
    let delayed = |counts: &Counts| counts.packets >= 15 && counts.delayed >= 15;
    vec![
        Case {
            name: "a delay on the way out",
            impairment: one(flow(Egress), line(delay(30, 0))),
            holds: |world| late(&echoes(world, B, 7001, FEW), 30),
            counts: delayed,
        },
        Case {
            name: "a delay on the way in",
            impairment: one(flow(Ingress), line(delay(30, 0))),
            holds: |world| late(&echoes(world, B, 7001, FEW), 30),
            counts: delayed,
        },
        Case {
            name: "a delay each way",
            impairment: one(flow(Both), line(delay(30, 0))),
            holds: |world| late(&echoes(world, B, 7001, FEW), 60),
            counts: |counts| counts.delayed >= 30,
        },
        Case {
            name: "a delay of IPv6",
            impairment: one(flow(Both), line(delay(30, 0))),
            holds: |world| late(&echoes(world, B_V6, 7001, FEW), 60),
            counts: |counts| counts.delayed >= 30,
        },
        Case {
            name: "a delay of datagrams in pieces",
            impairment: one(flow(Both), line(delay(30, 0))),
            holds: |world| {
                let pace = Pace { size: 8000, ..FEW };
                both(late(&echoes(world, B, 7001, pace), 60), || {
                    late(&echoes(world, B_V6, 7001, pace), 60)
                })
            },
            counts: |counts| counts.delayed >= 60,
        },
        Case {
            name: "jitter",
            impairment: one(udp(7001, Egress), line(delay(40, 20))),
            holds: |world| {
                let echoes = echoes(world, B, 7001, Pace { count: 200, ..FEW });
                let trips = || echoes.trips.iter().flatten();
                let inside = trips()
                    .filter(|trip| **trip >= ms(20) && **trip < ms(66))
                    .count();
                let spread = trips()
                    .max()
                    .zip(trips().min())
                    .map(|(max, min)| *max - *min);
                yes(inside >= 198 && spread > Some(ms(25)), "no jitter")
            },
            counts: |counts| counts.delayed >= 199,
        },
        Case {
            name: "loss",
            impairment: one(
                udp(7001, Egress),
                line(Line {
                    loss: Some(Loss::Random(chance(0.2))),
                    ..Line::default()
                }),
            ),
            holds: |world| share(echoes(world, B, 7001, MANY).lost(), 0.2),
            counts: |counts| counts.packets == 1000 && share(counts.dropped as usize, 0.2).is_ok(),
        },
        Case {
            name: "duplicates on the way out",
            impairment: one(udp(7001, Egress), line(doubling(0.5))),
            holds: |world| share(echoes(world, B, 7001, MANY).again, 0.5),
            counts: |_| true,
        },
        Case {
            name: "duplicates on the way in",
            impairment: one(udp(7001, Ingress), line(doubling(0.5))),
            holds: |world| share(echoes(world, B, 7001, MANY).again, 0.5),
            counts: |_| true,
        },
        Case {
            name: "duplicates of IPv6",
            impairment: one(udp(7001, Both), line(doubling(1.0))),
            holds: |world| {
                yes(
                    echoes(world, B_V6, 7001, FEW).again == 45,
                    "not four of each",
                )
            },
            counts: |_| true,
        },
        Case {
            name: "corruption",
            impairment: one(
                udp(7001, Egress),
                line(Line {
                    corrupt: Some(chance(0.3)),
                    ..Line::default()
                }),
            ),
            holds: |world| {
                let before = counted(&world.b, "Udp:", "InCsumErrors");
                let lost = echoes(world, B, 7001, MANY).lost();
                let spoilt = counted(&world.b, "Udp:", "InCsumErrors") - before;
                both(share(lost, 0.3), || yes(spoilt > 150, "no wrong checksums"))
            },
            counts: |_| true,
        },
        Case {
            name: "reordering",
            impairment: one(
                udp(7001, Egress),
                line(Line {
                    reorder: Some(Reorder {
                        chance: chance(0.25),
                        gap: 1,
                    }),
                    ..delay(20, 0)
                }),
            ),
            holds: |world| {
                let echoes = echoes(world, B, 7001, MANY);
                both(yes(echoes.lost() == 0, "some were lost"), || {
                    yes(echoes.overtook() > 20, "none overtook")
                })
            },
            counts: |_| true,
        },
        Case {
            name: "a rate",
            impairment: one(
                udp(7001, Egress),
                line(Line {
                    rate: Some(1_000_000),
                    ..Line::default()
                }),
            ),
            // 60 packets of 528 bytes are 253 ms at 1 Mbit/s.
            holds: |world| {
                let pace = Pace {
                    count: 60,
                    every: Duration::ZERO,
                    size: 500,
                };
                let echoes = echoes(world, B, 7001, pace);
                both(yes(echoes.lost() == 0, "some were lost"), || {
                    let took = echoes.took;
                    yes(took > ms(230) && took < ms(330), &format!("took {took:?}"))
                })
            },
            counts: |_| true,
        },
    ]
}

fn doubling(probability: f64) -> Line {
    Line {
        duplicate: Some(chance(probability)),
        ..Line::default()
    }
}
