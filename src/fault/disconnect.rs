//! `disconnect`: a container is taken out of a network, and put back with the same addresses and names.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `network` | the only one that the container is in | a network's name; for a Compose project also its short name (`net` for `shop_net`) |
//!
//! *Effect*: the container is no longer in the network. *Undo*: it is connected again as it was before (fixed addresses,
//! aliases, links, driver options), and is there with its aliases. Not possible for a container on the host's network or in
//! another container's. *Lasts* for the step's `for`, 5 s without one.
//!
//! ```toml
//! fault.disconnect = { target = "primary", network = "backend" }
//! ```

use super::{Fault, Kind, read_target};
use crate::action::{Action, Change, Condition, Subject, Undo};
use crate::inventory::{Endpoint, Instance};
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "disconnect",
    summary: "take a container out of a network",
    aimed: false,
    read,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Disconnect {
    pub target: String,
    /// `None`: the only one that it is in.
    pub network: Option<String>,
}

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    let target = read_target(table);
    let network = table.word("network");
    Some(Fault::Disconnect(Disconnect {
        target: target?,
        network,
    }))
}

impl Disconnect {
    pub(super) fn lower(&self, instance: &Instance) -> Result<Vec<Action>, String> {
        let (network, endpoint) = self.find(instance)?;
        Ok(vec![Action {
            subject: Subject::of(instance),
            change: Change::Disconnect {
                network: network.clone(),
            },
            effect: Condition::Disconnected {
                network: network.clone(),
            },
            undo: Undo::Change {
                change: Change::Connect {
                    network: network.clone(),
                    endpoint: Box::new(endpoint.clone()),
                },
                until: Condition::Connected {
                    network: network.clone(),
                    aliases: endpoint.aliases.clone(),
                },
            },
        }])
    }

    fn find<'a>(&self, instance: &'a Instance) -> Result<(&'a String, &'a Endpoint), String> {
        let refuse = |why: String| Err(format!("cannot disconnect {}: {why}", instance.identity()));
        let mode = instance.network_mode.as_str();
        if mode == "host" {
            return refuse(
                "it is on the host's own network; target a container that has one of its own"
                    .into(),
            );
        }
        if mode.starts_with("container:") {
            return refuse("it shares another container's network; target that one instead".into());
        }
        let names: Vec<&str> = instance.networks.keys().map(String::as_str).collect();
        let names = names.join(", ");
        match &self.network {
            Some(wanted) => match named(instance, wanted) {
                Some(found) => Ok(found),
                None if names.is_empty() => refuse("it is in no network".into()),
                None => refuse(format!("it is not in network {wanted}, only in: {names}")),
            },
            None => {
                let mut all = instance.networks.iter();
                match (all.next(), all.next()) {
                    (Some(only), None) => Ok(only),
                    (None, _) => refuse("it is in no network".into()),
                    _ => refuse(format!(
                        "it is in several networks, say which with `network`: {names}"
                    )),
                }
            }
        }
    }
}

/// By its full name, or by the one it has within the Compose project.
pub(super) fn named<'a>(
    instance: &'a Instance,
    wanted: &str,
) -> Option<(&'a String, &'a Endpoint)> {
    let in_project = || {
        let project = instance.project.as_ref()?;
        instance
            .networks
            .get_key_value(&format!("{project}_{wanted}"))
    };
    instance.networks.get_key_value(wanted).or_else(in_project)
}

#[cfg(test)]
mod tests {
    use super::super::Scene;
    use super::super::testing::{endpoint, instance, problems, read};
    use super::*;

    fn refusal(fault: &str, instance: &Instance) -> String {
        read(fault).lower(instance, &Scene::default()).unwrap_err()
    }

    #[test]
    fn the_only_network_needs_no_name_and_is_restored_as_it_was() {
        let instance = instance();
        let expected = Action {
            subject: Subject::of(&instance),
            change: Change::Disconnect {
                network: "shop_default".into(),
            },
            effect: Condition::Disconnected {
                network: "shop_default".into(),
            },
            undo: Undo::Change {
                change: Change::Connect {
                    network: "shop_default".into(),
                    endpoint: Box::new(endpoint("10.0.0.2")),
                },
                until: Condition::Connected {
                    network: "shop_default".into(),
                    aliases: vec!["node".into()],
                },
            },
        };
        for network in [
            "",
            ", network = \"default\"",
            ", network = \"shop_default\"",
        ] {
            let fault = read(&format!("disconnect = {{ target = \"t\"{network} }}"));
            assert_eq!(
                fault.lower(&instance, &Scene::default()).unwrap(),
                std::slice::from_ref(&expected)
            );
        }
    }

    #[test]
    fn among_several_networks_one_must_be_named() {
        let mut instance = instance();
        instance
            .networks
            .insert("shop_back".into(), endpoint("10.1.0.2"));
        assert_eq!(
            refusal("disconnect = { target = \"t\" }", &instance),
            "cannot disconnect node-1: it is in several networks, say which with `network`: shop_back, shop_default"
        );
        assert_eq!(
            refusal(
                "disconnect = { target = \"t\", network = \"front\" }",
                &instance
            ),
            "cannot disconnect node-1: it is not in network front, only in: shop_back, shop_default"
        );
        instance.networks.clear();
        assert!(refusal("disconnect = { target = \"t\" }", &instance).contains("in no network"));
    }

    #[test]
    fn a_network_that_is_not_its_own_is_left_alone() {
        let mut instance = instance();
        for (mode, expected) in [
            ("host", "host's own"),
            ("container:abc", "another container"),
        ] {
            instance.network_mode = mode.into();
            assert!(refusal("disconnect = { target = \"t\" }", &instance).contains(expected));
        }
    }

    #[test]
    fn a_network_has_a_name() {
        assert_eq!(
            problems("disconnect = { target = \"t\", network = \"\" }"),
            ["`network` cannot be `` [expected a text that is not empty]"]
        );
    }
}
