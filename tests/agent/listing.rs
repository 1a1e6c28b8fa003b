//! What the kernel has of an impairment with a rule of each kind, in the words of `nft`.

use chaosrun::impairment::{
    Answer, BackEnd, Direction, Effect, Flow, Impairment, Ports, Protocol, Rule,
};

use crate::cases::{delay, flow, line};
use crate::talk::Agent;
use crate::world::{World, ip, run};

fn each_kind() -> Impairment {
    let selected = Flow {
        direction: Direction::Both,
        peers: vec![
            "10.99.0.2/32".parse().unwrap(),
            "192.0.2.64/26".parse().unwrap(),
            "fd99::/64".parse().unwrap(),
        ],
        ports: vec![
            Ports {
                first: 80,
                last: 80,
            },
            Ports {
                first: 7000,
                last: 7999,
            },
        ],
        protocol: None,
        at: vec![ip("10.99.0.1")],
    };
    let of = |protocol, direction| Flow {
        protocol: Some(protocol),
        ..flow(direction)
    };
    let dns = Effect::Dns {
        names: vec!["shop.example".into()],
        answer: Answer::Silence,
    };
    let rules = [
        (selected, line(delay(10, 0))),
        (of(Protocol::Icmp, Direction::Ingress), Effect::Drop),
        (flow(Direction::Egress), dns),
        (of(Protocol::Tcp, Direction::Both), Effect::Reset),
        (of(Protocol::Udp, Direction::Egress), Effect::Drop),
    ];
    let rules = rules.map(|(flow, effect)| Rule { flow, effect });
    Impairment {
        rules: rules.to_vec(),
        seed: 1,
    }
}

#[test]
fn the_kernel_has_what_was_meant() {
    let world = World::new();
    let mut agent = Agent::start(&world.a);
    agent.impair(each_kind(), BackEnd::Queue);
    let listed = run(&format!("ip netns exec {} nft list ruleset", world.a));
    // Who owns it, and what has been counted, differs each time.
    let stable: Vec<_> = listed
        .lines()
        .map(|line| match line.split_once("counter packets ") {
            Some((before, after)) => {
                let more: Vec<_> = after.split(' ').skip(3).collect();
                format!("{before}counter {}", more.join(" "))
                    .trim_end()
                    .to_owned()
            }
            None => line.split(" # ").next().unwrap().to_owned(),
        })
        .collect();
    insta::assert_snapshot!(stable.join("\n"));
}
