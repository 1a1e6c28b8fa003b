//! For the tests of each fault: one read from TOML, and a container to lower it to.

use super::{Fault, Kind};
use crate::inventory::{Endpoint, Health, Instance, RestartPolicy, State};
use crate::scenario::testing;

fn scenario(fault: &str) -> String {
    format!(
        "[probes.p]\ntcp = {{ address = \"a:1\" }}\n[targets.t]\nservice = \"s\"\n[[slos]]\nprobe = \"p\"\nsuccess = \">= 1%\"\n[[steps]]\nfault.{fault}\n"
    )
}

pub(super) fn read(fault: &str) -> Fault {
    testing::check(&scenario(fault)).steps.remove(0).fault
}

/// A fault with what it needs and no more.
pub(super) fn least(kind: &Kind) -> String {
    let more = match kind.name {
        "delay" | "network" => ", latency = \"50ms\"",
        "loss" | "corrupt" | "duplicate" => ", percent = \"1%\"",
        "reorder" => ", percent = \"25%\", latency = \"50ms\"",
        "rate" => ", rate = \"1mbit\"",
        "partition" => ", shape = \"one\"",
        "dns" => ", names = \"redis\"",
        _ => "",
    };
    format!("{} = {{ target = \"t\"{more} }}", kind.name)
}

/// All of them are on line 9.
pub(super) fn problems(fault: &str) -> Vec<String> {
    testing::problems(&scenario(fault))
        .iter()
        .map(|problem| problem.trim_start_matches("9: ").to_owned())
        .collect()
}

/// `node-1`, running, in one network.
pub(super) fn instance() -> Instance {
    Instance {
        id: "c1".into(),
        name: "shop-node-1".into(),
        image: "node:1".into(),
        image_id: "sha256:1".into(),
        labels: Default::default(),
        project: Some("shop".into()),
        service: Some("node".into()),
        number: Some(1),
        state: State::Running,
        health: Health::Unchecked,
        pid: Some(100),
        started_at: "2026-01-01T00:00:00Z".into(),
        restart_count: 0,
        restart_policy: RestartPolicy::No,
        auto_remove: false,
        networks: [("shop_default".to_owned(), endpoint("10.0.0.2"))].into(),
        network_mode: "shop_default".into(),
        impaired: None,
    }
}

pub(super) fn endpoint(address: &str) -> Endpoint {
    Endpoint {
        network_id: "n1".into(),
        address: address.into(),
        aliases: vec!["node".into()],
        ..Endpoint::default()
    }
}
