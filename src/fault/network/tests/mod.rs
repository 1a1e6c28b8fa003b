//! Every fault of the network, from its text to what the agent is given, and what is refused.

mod nonsense;
mod partitions;

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{Change, Condition, Undo};
use crate::fault::testing::{endpoint, instance, problems, read};
use crate::fault::{KINDS, Scene};
use crate::impairment::Impairment;
use crate::inventory::{Instance, Inventory};

/// `node-1` to `node-n` in one network, the first two in another one as well, and `redis-1` in the first.
fn world(n: u8) -> Vec<Instance> {
    let mut all: Vec<Instance> = (1..=n)
        .map(|number| {
            let mut one = instance();
            one.id = format!("c{number}");
            one.name = format!("shop-node-{number}");
            one.number = Some(number.into());
            let mut at = endpoint(&format!("10.0.0.{number}"));
            at.address_v6 = format!("fd00::{number}");
            one.networks = BTreeMap::from([("shop_default".into(), at)]);
            if number <= 2 {
                let mut back = endpoint(&format!("10.9.0.{number}"));
                back.network_id = "n2".into();
                one.networks.insert("shop_back".into(), back);
            }
            one
        })
        .collect();
    let mut redis = instance();
    redis.id = "r1".into();
    redis.name = "shop-redis-1".into();
    redis.service = Some("redis".into());
    let mut at = endpoint("10.0.0.50");
    at.aliases = vec!["redis".into(), "cache".into()];
    redis.networks = BTreeMap::from([("shop_default".into(), at)]);
    all.push(redis);
    all
}

fn scene(instances: Vec<Instance>, hit: usize) -> Scene {
    Scene {
        hit: instances[..hit].to_vec(),
        // `t`, where it is named as a peer.
        named: BTreeMap::from([("t".into(), instances[..3].to_vec())]),
        world: Inventory {
            instances,
            ..Inventory::default()
        },
        seed: 7,
        step: 0,
    }
}

fn lower(fault: &str) -> Result<Impairment, String> {
    let scene = scene(world(3), 1);
    lowered(fault, &scene.hit[0], &scene).map(Option::unwrap)
}

fn lowered(fault: &str, one: &Instance, scene: &Scene) -> Result<Option<Impairment>, String> {
    let mut actions = read(fault).lower(one, scene)?;
    assert!(actions.len() <= 1);
    let Some(action) = actions.pop() else {
        return Ok(None);
    };
    let Change::Impair { impairment } = action.change else {
        panic!("{:?}", action.change);
    };
    let digest = impairment.digest();
    assert_eq!(action.effect, Condition::Impaired { digest });
    let relieve = Undo::Change {
        change: Change::Relieve,
        until: Condition::Relieved,
    };
    assert_eq!(action.undo, relieve);
    assert_eq!(action.subject.id, one.id);
    Ok(Some(*impairment))
}

#[track_caller]
fn is(fault: &str, phrase: &str) {
    let found = lower(fault).map(|impairment| impairment.phrase());
    assert_eq!(found, Ok(phrase.to_owned()));
}

#[test]
fn each_fault_in_words() {
    is(
        "delay = { target = \"t\", latency = \"50ms\", jitter = \"10ms\", correlation = \"25%\", distribution = \"normal\" }",
        "delay by 50ms ± 10ms (normal, 25% correlated) to everyone (egress)",
    );
    is(
        "loss = { target = \"t\", percent = \"10%\", correlation = \"12.3%\", direction = \"both\" }",
        "lose 10% (12.3% correlated) to and from everyone (both ways)",
    );
    is(
        "loss = { target = \"t\", model = { gilbert_elliott = { p = \"1%\", r = \"20%\" } } }",
        "lose 100% while bad and 0% while good (Gilbert–Elliott: bad with 1%, good again with 20%) to everyone (egress)",
    );
    is(
        "loss = { target = \"t\", model = { markov = { p13 = \"5%\" } } }",
        "lose in bursts (Markov: p13 5%, p31 95%, p32 0%, p23 100%, p14 0%) to everyone (egress)",
    );
    is(
        "corrupt = { target = \"t\", percent = \"0.1%\" }",
        "corrupt 0.1% to everyone (egress)",
    );
    is(
        "duplicate = { target = \"t\", percent = \"5%\", direction = \"ingress\" }",
        "duplicate 5% from everyone (ingress)",
    );
    is(
        "reorder = { target = \"t\", percent = \"25%\", gap = 5, latency = \"10ms\" }",
        "delay by 10ms, let 25% overtake of every 5 to everyone (egress)",
    );
    is(
        "rate = { target = \"t\", rate = \"1.5Mbit\", protocol = \"udp\" }",
        "carry at most 1.5mbit to everyone (egress, udp)",
    );
    is(
        "network = { target = \"t\", latency = \"80ms\", loss = \"1%\", corrupt = { percent = \"2%\", correlation = \"3%\" }, duplicate = \"4%\", reorder = \"5%\", rate = \"10mbit\" }",
        "delay by 80ms, lose 1%, corrupt 2% (3% correlated), duplicate 4%, let 5% overtake, carry at most 10mbit to everyone (egress)",
    );
    is(
        "blackhole = { target = \"t\", to = \"redis\", ports = 6379 }",
        "drop all packets to and from 10.0.0.50 (both ways, port 6379)",
    );
    is(
        "reset = { target = \"t\", to = \"redis\", ports = [\"6379\", \"8000-8100\"], protocol = \"tcp\" }",
        "reset TCP connections to and from 10.0.0.50 (both ways, tcp 6379, 8000-8100)",
    );
    is(
        "dns = { target = \"t\", names = [\"Redis.\", \"a.example.com\"], answer = \"no-such-name\" }",
        "answer DNS questions for a.example.com, redis with NXDOMAIN",
    );
    is(
        "dns = { target = \"t\", names = \"redis\", answer = [\"10.0.0.9\", \"fd00::9\"] }",
        "answer DNS questions for redis with 10.0.0.9, fd00::9",
    );
    for (word, phrase) in [
        ("nothing", "leave DNS questions for redis without an answer"),
        ("failure", "answer DNS questions for redis with SERVFAIL"),
    ] {
        is(
            &format!("dns = {{ target = \"t\", names = \"redis\", answer = \"{word}\" }}"),
            phrase,
        );
    }
}

#[test]
fn peers_are_where_they_share_a_network() {
    let to = |to: &str| {
        let fault = format!("delay = {{ target = \"t\", latency = \"1ms\", {to} }}");
        lower(&fault).map(|impairment| impairment.phrase().replace("delay by 1ms ", ""))
    };
    let ok = |text: &str| Ok(text.to_owned());
    for name in ["redis", "cache", "shop-redis-1", "redis-1"] {
        assert_eq!(to(&format!("to = \"{name}\"")), ok("to 10.0.0.50 (egress)"));
    }
    // The target itself is none of its peers.
    assert_eq!(
        to("to = \"t\""),
        ok("to 10.0.0.2, 10.0.0.3, 10.9.0.2, fd00::2, fd00::3 (egress)")
    );
    assert_eq!(
        to("to = \"t\", network = \"back\""),
        ok("to 10.9.0.2 (egress, at 10.9.0.1)")
    );
    assert_eq!(
        to("to = [\"9.9.9.9\", \"192.168.0.7/16\", \"fd00::/8\", \"redis\"]"),
        ok("to 9.9.9.9, 10.0.0.50, 192.168.0.0/16, fd00::/8 (egress)")
    );
    assert_eq!(
        to("network = \"shop_default\""),
        ok("to everyone (egress, at 10.0.0.1, fd00::1)")
    );
}

#[test]
fn who_cannot_be_told_from_others_is_refused() {
    let refusal = |fault: &str, change: &dyn Fn(&mut Vec<Instance>)| {
        let mut all = world(3);
        change(&mut all);
        let scene = scene(all, 1);
        lowered(fault, &scene.hit[0], &scene).unwrap_err()
    };
    let delay = |more: &str| format!("delay = {{ target = \"t\", latency = \"1ms\"{more} }}");
    for (mode, told) in [
        ("host", "it is on the host's own network"),
        ("container:abc", "it shares another container's network"),
        ("none", "it has no network"),
    ] {
        let why = refusal(&delay(""), &|all| all[0].network_mode = mode.into());
        assert!(
            why.starts_with("cannot delay node-1: ") && why.contains(told),
            "{why}"
        );
    }
    let quiet = |_: &mut Vec<Instance>| {};
    assert_eq!(
        refusal(&delay(", network = \"front\""), &quiet),
        "cannot delay node-1: it is not in network front, only in: shop_back, shop_default"
    );
    assert_eq!(
        refusal(&delay(", to = \"rdis\""), &quiet),
        "cannot delay node-1: no service, container or alias is named rdis (there are: node; redis)"
    );
    assert_eq!(
        refusal(&delay(", to = \"redis\", network = \"back\""), &quiet),
        "cannot delay node-1: redis-1 is not in network shop_back"
    );
    let down = |all: &mut Vec<Instance>| {
        all[3].state = crate::inventory::State::Exited { code: 1 };
        all[3]
            .networks
            .values_mut()
            .for_each(|at| at.address.clear());
    };
    assert_eq!(
        refusal(&delay(", to = \"redis\""), &down),
        "cannot delay node-1: redis-1 has no address: it has exited with code 1"
    );
    let host = |all: &mut Vec<Instance>| all[3].network_mode = "host".into();
    assert!(refusal(&delay(", to = \"redis\""), &host).contains("name the host's address instead"));
}

#[test]
fn a_target_is_no_peer_of_its_own() {
    let scene = scene(world(3), 2);
    let fault = "delay = { target = \"t\", latency = \"1ms\", to = \"node-1\" }";
    assert_eq!(lowered(fault, &scene.hit[0], &scene), Ok(None));
    let told = read(fault).left_out(&scene.hit[0], &scene);
    assert!(told[0].contains("the only peer that is named"), "{told:?}");
    let other = lowered(fault, &scene.hit[1], &scene).unwrap().unwrap();
    assert!(other.phrase().contains("10.0.0.1"), "{}", other.phrase());
    assert!(read(fault).left_out(&scene.hit[1], &scene).is_empty());
}

/// A peer in another container's network is where that one is.
#[test]
fn a_peer_without_a_network_of_its_own_is_at_its_owners_address() {
    let mut all = world(3);
    all[2].networks.clear();
    all[2].network_mode = "container:r1".into();
    let scene = scene(all, 1);
    let fault = "blackhole = { target = \"t\", to = \"shop-node-3\" }";
    let found = lowered(fault, &scene.hit[0], &scene).unwrap().unwrap();
    assert_eq!(
        found.phrase(),
        "drop all packets to and from 10.0.0.50 (both ways)"
    );
}

#[test]
fn each_container_and_step_has_numbers_of_its_own() {
    let mut scene = scene(world(3), 3);
    let fault = "loss = { target = \"t\", percent = \"1%\" }";
    let seed = |one: usize, scene: &Scene| {
        lowered(fault, &scene.hit[one], scene)
            .unwrap()
            .unwrap()
            .seed
    };
    let (first, second) = (seed(0, &scene), seed(1, &scene));
    scene.step = 1;
    let seeds = BTreeSet::from([first, second, seed(0, &scene)]);
    assert_eq!(seeds.len(), 3);
}

/// What is written into the journal and sent to an agent is what was lowered: a share reads back as the same number.
#[test]
fn an_impairment_reads_back_with_the_same_digest() {
    for percent in ["0.1%", "12.3%", "33.333333%", "7%"] {
        let fault = format!(
            "loss = {{ target = \"t\", percent = \"{percent}\", correlation = \"{percent}\" }}"
        );
        let impairment = lower(&fault).unwrap();
        let text = serde_json::to_string(&impairment).unwrap();
        let again: Impairment = serde_json::from_str(&text).unwrap();
        assert_eq!(again.digest(), impairment.digest());
        assert_eq!(again, impairment);
    }
}

#[test]
fn a_scene_follows_who_comes_back_elsewhere() {
    let mut scene = scene(world(3), 1);
    let fault = "blackhole = { target = \"t\", to = \"redis\" }";
    let mut now = scene.world.clone();
    now.instances[3]
        .networks
        .values_mut()
        .for_each(|at| at.address.clear());
    scene.move_on(&now);
    let at = |scene: &Scene| {
        lowered(fault, &scene.hit[0], scene)
            .unwrap()
            .unwrap()
            .phrase()
    };
    assert!(at(&scene).contains("10.0.0.50"), "it may come back there");
    now.instances[3].id = "r2".into();
    now.instances[3]
        .networks
        .values_mut()
        .for_each(|at| at.address = "10.0.0.51".into());
    now.instances[0]
        .networks
        .values_mut()
        .for_each(|at| at.address = "10.0.0.77".into());
    scene.move_on(&now);
    assert!(at(&scene).contains("10.0.0.51"));
    assert_eq!(scene.hit[0].networks["shop_default"].address, "10.0.0.77");
}

#[test]
fn those_that_are_aimed_say_so() {
    for kind in KINDS {
        let to = format!(
            "{}to = \"9.9.9.9\" }}",
            crate::fault::testing::least(kind)
                .trim_end_matches('}')
                .to_owned()
                + ", "
        );
        let takes = problems(&to).is_empty() && kind.name != "partition";
        assert_eq!(takes, kind.aimed, "{}", kind.name);
    }
}

/// Only where there is IPv6, and its own is not a peer's.
#[test]
fn a_peer_is_meant_by_its_address_on_the_link_too() {
    let mut all = world(3);
    for (number, one) in all.iter_mut().enumerate() {
        for at in one.networks.values_mut() {
            at.mac = format!("02:42:0a:00:00:0{number}");
        }
    }
    let scene = scene(all, 1);
    let told = |fault: &str| {
        let found = lowered(fault, &scene.hit[0], &scene).unwrap().unwrap();
        found.phrase()
    };
    assert_eq!(
        told(
            "blackhole = { target = \"t\", to = [\"shop-node-1\", \"shop-node-3\", \"redis\"], network = \"default\" }"
        ),
        "drop all packets to and from 10.0.0.3, 10.0.0.50, fd00::3, fe80::42:aff:fe00:2 \
         (both ways, at 10.0.0.1, fd00::1, fe80::42:aff:fe00:0)"
    );
}
