//! Scenario + inventory + seed → who is hit, when, and how it is undone. Decides, and does nothing.

pub mod blast;
pub mod lower;
pub mod pick;
pub mod preview;
pub mod scene;
pub mod select;
pub mod shared;
pub mod support;
mod told;
pub mod way;

/// The first few, and how many more.
pub(crate) fn list(items: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 6;
    let more = items.len().saturating_sub(SHOWN);
    let mut text = items.take(SHOWN).collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::inventory::{Health, Instance, Inventory, RestartPolicy, State};
    use std::collections::BTreeMap;

    /// A running container of a Compose service: `node-2`.
    pub(crate) fn instance(identity: &str) -> Instance {
        let (service, number) = identity.rsplit_once('-').expect("service-number");
        Instance {
            id: format!("id-{identity}"),
            name: format!("shop_{service}_{number}"),
            image: format!("{service}:1"),
            image_id: "sha256:0".into(),
            labels: BTreeMap::new(),
            project: Some("shop".into()),
            service: Some(service.into()),
            number: number.parse().ok(),
            state: State::Running,
            health: Health::Unchecked,
            pid: Some(100),
            started_at: "2026-01-01T00:00:00Z".into(),
            restart_count: 0,
            restart_policy: RestartPolicy::No,
            auto_remove: false,
            networks: BTreeMap::new(),
            network_mode: "shop_default".into(),
            impaired: None,
        }
    }

    pub(crate) fn inventory(identities: &[&str]) -> Inventory {
        Inventory {
            instances: identities.iter().map(|i| instance(i)).collect(),
            ..Inventory::default()
        }
    }
}
