//! Who is cut off from whom.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{lowered, scene, world};
use crate::fault::Scene;
use crate::fault::testing::problems;
use crate::impairment::{Direction, Effect};
use crate::inventory::Instance;

#[test]
fn partitions_that_make_no_sense() {
    let partition = |more: &str| problems(&format!("partition = {{ target = \"t\"{more} }}"));
    assert_eq!(
        partition(""),
        [
            "fault `partition` does not say who cannot reach whom (add `shape = \"halves\"`, or `to = \"NAME\"`)"
        ]
    );
    for itself in [", to = \"t\"", ", from = \"x\", to = [\"y\", \"x\"]"] {
        assert_eq!(
            partition(itself),
            [
                "a group cannot be cut off from itself (name two groups, or say `shape = \"halves\"`)"
            ]
        );
    }
    assert_eq!(
        partition(", shape = \"one\", from = \"x\""),
        ["a partition has either a `shape` or groups (keep one of them)"]
    );
    assert_eq!(
        partition(", shape = \"ring\", one_way = true"),
        [
            "a ring has no sides, one of which could go unheard (remove `one_way`, or take another `shape`)"
        ]
    );
    for (shape, hit, told) in [
        ("ring", 3, 4),
        ("bridge", 2, 3),
        ("majority", 2, 3),
        ("one", 1, 2),
    ] {
        let scene = scene(world(3), hit);
        let fault = format!("partition = {{ target = \"t\", shape = \"{shape}\" }}");
        let why = lowered(&fault, &scene.hit[0], &scene).unwrap_err();
        let told = format!("cannot partition node-1: `{shape}` needs at least {told} members");
        assert!(why.starts_with(&told), "{why}");
    }
}

fn phrases(fault: &str, scene: &Scene) -> Vec<String> {
    let one = |one: &Instance| match lowered(fault, one, scene) {
        Ok(found) => found.map_or_else(|| "nothing".into(), |found| found.phrase()),
        Err(why) => why,
    };
    scene.hit.iter().map(one).collect()
}

#[test]
fn two_groups_and_those_in_neither() {
    let v4 = || {
        let mut all = world(3);
        all.iter_mut()
            .flat_map(|one| one.networks.values_mut())
            .for_each(|at| at.address_v6.clear());
        all.iter_mut()
            .for_each(|one| drop(one.networks.remove("shop_back")));
        all
    };
    let scene = |hit| scene(v4(), hit);
    assert_eq!(
        phrases(
            "partition = { target = \"t\", from = \"node-1\", to = \"node-2\" }",
            &scene(3)
        ),
        [
            "drop all packets to and from 10.0.0.2 (both ways)",
            "drop all packets to and from 10.0.0.1 (both ways)",
            "nothing",
        ]
    );
    assert_eq!(
        phrases(
            "partition = { target = \"t\", to = \"node-3\", one_way = true }",
            &scene(3)
        ),
        [
            "nothing",
            "nothing",
            "drop all packets from 10.0.0.1, 10.0.0.2 (ingress)"
        ]
    );
    // Whoever is no member cannot drop anything.
    assert_eq!(
        phrases(
            "partition = { target = \"t\", to = \"redis\", one_way = true, ports = 6379 }",
            &scene(1)
        ),
        ["drop all packets to 10.0.0.50 (egress, port 6379)"]
    );
    assert_eq!(
        phrases(
            "partition = { target = \"t\", from = \"redis\", one_way = true }",
            &scene(1)
        ),
        ["drop all packets from 10.0.0.50 (ingress)"]
    );
    // The target is one of the service that it is cut off from.
    assert_eq!(
        phrases("partition = { target = \"t\", to = \"node\" }", &scene(1)),
        ["drop all packets to and from 10.0.0.2, 10.0.0.3 (both ways)"]
    );
    assert_eq!(
        phrases(
            "partition = { target = \"t\", from = [\"node-1\", \"node-2\"], to = \"10.0.0.2\" }",
            &scene(3)
        )[0],
        "cannot partition node-1: node-2 would be on both sides"
    );
    assert_eq!(
        phrases(
            "partition = { target = \"t\", to = [\"9.9.9.0/24\", \"10.0.0.3\"] }",
            &scene(2)
        ),
        vec!["drop all packets to and from 9.9.9.0/24, 10.0.0.3 (both ways)"; 2]
    );
}

fn cut(scene: &Scene, fault: &str) -> BTreeSet<(String, String)> {
    let mut cut = BTreeSet::new();
    for me in &scene.hit {
        let Ok(Some(impairment)) = lowered(fault, me, scene) else {
            continue;
        };
        for rule in &impairment.rules {
            assert_eq!(rule.effect, Effect::Drop);
            for other in &scene.hit {
                let at: std::net::IpAddr = other.networks["shop_default"].address.parse().unwrap();
                if !rule.flow.peers.iter().any(|net| net.contains(&at)) {
                    continue;
                }
                let (me, other) = (me.identity(), other.identity());
                if rule.flow.direction != Direction::Ingress {
                    cut.insert((me.clone(), other.clone()));
                }
                if rule.flow.direction != Direction::Egress {
                    cut.insert((other, me));
                }
            }
        }
    }
    cut
}

proptest! {
    #[test]
    fn a_shape_covers_both_ends_whatever_the_order(shape in 0usize..5, n in 4u8..10, seed: u64, turn in 0usize..10) {
        let word = ["halves", "one", "majority", "ring", "bridge"][shape];
        let fault = format!("partition = {{ target = \"t\", shape = \"{word}\" }}");
        let mut scene = scene(world(n), n.into());
        scene.seed = seed;
        let found = cut(&scene, &fault);
        prop_assert!(!found.is_empty());
        for (a, b) in &found {
            prop_assert!(a != b);
            prop_assert!(found.contains(&(b.clone(), a.clone())), "{a} {b}");
        }
        let size = scene.hit.len();
        scene.hit.rotate_left(turn % size);
        prop_assert_eq!(&found, &cut(&scene, &fault));
    }

    #[test]
    fn one_way_is_lost_one_way_only(n in 3u8..10, seed: u64) {
        for word in ["halves", "one", "majority", "bridge"] {
            let fault = format!("partition = {{ target = \"t\", shape = \"{word}\", one_way = true }}");
            let mut scene = scene(world(n), n.into());
            scene.seed = seed;
            let found = cut(&scene, &fault);
            prop_assert!(!found.is_empty());
            for (a, b) in &found {
                prop_assert!(!found.contains(&(b.clone(), a.clone())));
            }
        }
    }
}
