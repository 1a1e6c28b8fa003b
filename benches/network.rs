//! `cargo bench --bench network`: how precise and how fast is a worse line in user space?
//!
//! With `-- delay`, `-- force`, `-- stream` or `-- packets` only that part. Needs root and `ip`; with `noxious-server` a
//! proxy is measured beside it.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "the time is what is measured")]
#![expect(clippy::print_stdout, reason = "a bench prints its results")]

#[path = "network/load.rs"]
mod load;
#[path = "network/proxy.rs"]
mod proxy;
#[path = "../tests/agent/talk.rs"]
#[expect(dead_code, reason = "the tests ask for more")]
mod talk;
#[path = "../tests/agent/world.rs"]
#[expect(dead_code, reason = "the tests know more addresses")]
mod world;

use std::time::{Duration, Instant};

use chaosrun::impairment::{BackEnd, Delay, Direction, Distribution, Effect, Flow, Line};
use comfy_table::Table;

use self::load::{Flood, Late, flood, one_way, stream};
use self::talk::{Agent, one};
use self::world::{A, B, World, inside};

const GIGABIT: f64 = 1e9;

fn main() {
    let only = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let wanted = |part: &str| only.as_ref().is_none_or(|only| only == part);
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    let back_ends = agent.back_ends();
    let mut table = Table::new();
    table.set_header(["what", "measured", "wanted"]);
    for back_end in back_ends {
        let mut bench = Bench {
            world: &world,
            agent: &mut agent,
            back_end,
            table: &mut table,
        };
        if wanted("delay") {
            bench.delay();
        }
        if wanted("force") {
            bench.force();
        }
        if wanted("stream") {
            bench.streams();
        }
        if wanted("packets") {
            bench.packets();
        }
        bench.agent.relieve();
    }
    if wanted("stream") {
        proxy::streams(&world, &mut table);
    }
    println!("{table}");
}

struct Bench<'a> {
    world: &'a World,
    agent: &'a mut Agent,
    back_end: BackEnd,
    table: &'a mut Table,
}

impl Bench<'_> {
    fn row(&mut self, what: &str, measured: String, wanted: &str) {
        let what = format!("{}: {what}", self.back_end.name());
        self.table.add_row([what, measured, wanted.into()]);
    }

    fn put(&mut self, direction: Direction, latency: Duration) {
        self.agent
            .impair(delayed(direction, latency), self.back_end);
    }

    /// Each way by itself, so that nothing evens out.
    fn delay(&mut self) {
        let asked = Duration::from_millis(20);
        for (direction, way) in [(Direction::Egress, "out"), (Direction::Ingress, "in")] {
            self.put(direction, asked);
            let (from, to, address) = if direction == Direction::Egress {
                (&self.world.a, &self.world.b, B)
            } else {
                (&self.world.b, &self.world.a, A)
            };
            let Late { mean, p99, lost } = one_way(from, to, address, 1_000, 5, asked);
            self.row(
                &format!("20 ms on the way {way}, 1 000 packets/s"),
                format!("mean {mean:+.3} ms, p99 {p99:+.3} ms off, {lost} lost"),
                "mean within 0.5 ms, p99 within 1 ms",
            );
        }
    }

    fn force(&mut self) {
        let mut slowest = Duration::ZERO;
        for ms in 1..=50 {
            let begun = Instant::now();
            self.put(Direction::Both, Duration::from_millis(ms));
            slowest = slowest.max(begun.elapsed());
        }
        self.row(
            "in force after being asked for (slowest of 50)",
            format!("{:.2} ms", slowest.as_secs_f64() * 1e3),
            "5 ms",
        );
    }

    fn streams(&mut self) {
        for host in [&self.world.a, &self.world.b] {
            widen(host);
        }
        for ms in [0, 20] {
            self.put(Direction::Both, Duration::from_millis(ms));
            for (from, to, address, way) in [
                (&self.world.a, &self.world.b, B, "out"),
                (&self.world.b, &self.world.a, A, "in"),
            ] {
                let speed = stream(from, to, address, Duration::from_secs(5));
                self.row(
                    &format!("one TCP stream {way}, {ms} ms each way"),
                    format!("{:.2} Gbit/s", speed / GIGABIT),
                    if ms == 0 { "-" } else { "1 Gbit/s" },
                );
            }
        }
    }

    fn packets(&mut self) {
        self.put(Direction::Both, Duration::ZERO);
        for (from, to, address, way) in [
            (&self.world.a, &self.world.b, B, "out"),
            (&self.world.b, &self.world.a, A, "in"),
        ] {
            let Flood { sent, came, rate } = flood(from, to, address, 100_000, 5);
            self.row(
                &format!("small packets {way}, no delay"),
                format!("{rate:.0}/s, {came} of {sent} came"),
                "100 000/s",
            );
        }
    }
}

fn delayed(direction: Direction, latency: Duration) -> chaosrun::impairment::Impairment {
    let flow = Flow {
        direction,
        peers: Vec::new(),
        ports: Vec::new(),
        protocol: None,
        at: Vec::new(),
    };
    let line = Line {
        delay: Some(Delay {
            latency,
            jitter: Duration::ZERO,
            correlation: 0.0,
            distribution: Distribution::Uniform,
        }),
        ..Line::default()
    };
    one(flow, Effect::Line(Box::new(line)))
}

/// What a stream of a gigabit at 40 ms has under way is more than a host's own limits may let it have.
fn widen(host: &str) {
    let sizes = "4096 131072 67108864";
    inside(host, || {
        std::fs::write("/proc/sys/net/ipv4/tcp_rmem", sizes).unwrap();
        std::fs::write("/proc/sys/net/ipv4/tcp_wmem", sizes).unwrap();
    });
}
