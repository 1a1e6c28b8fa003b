//! A container to start a test from.

use std::collections::BTreeMap;

use crate::inventory::{Endpoint, Health, Instance, RestartPolicy, State};

/// A running container with this name (and `<name>-id` as its id) in network `net`, that no policy restarts.
pub fn instance(name: &str) -> Instance {
    let endpoint = Endpoint {
        network_id: "net-id".into(),
        address: "10.0.0.1".into(),
        aliases: vec![name.into()],
        ..Endpoint::default()
    };
    Instance {
        id: format!("{name}-id"),
        name: name.into(),
        image: "image:1".into(),
        image_id: "sha256:0".into(),
        labels: BTreeMap::new(),
        project: None,
        service: None,
        number: None,
        state: State::Running,
        health: Health::Unchecked,
        pid: Some(100),
        started_at: "2026-01-01T00:00:00Z".into(),
        restart_count: 0,
        restart_policy: RestartPolicy::No,
        auto_remove: false,
        networks: BTreeMap::from([("net".into(), endpoint)]),
        network_mode: "net".into(),
        impaired: None,
    }
}
