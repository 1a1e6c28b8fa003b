//! What a system consists of, as its engine reports it: a snapshot, never a live handle.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU32, NonZeroU64};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::impairment::Impaired;

/// A container carrying this label is never selected, whatever the scenario says.
pub const PROTECT_LABEL: &str = "chaosrun.protect";

/// Carried, with the run's id as value, by every container, network and image that chaosrun makes.
pub const RUN_LABEL: &str = "chaosrun";

/// Carried by an agent's container, with its job as value. [`RUN_LABEL`] does not tell it apart: containers inherit the labels of
/// their image, so one in a stack that runs on chaosrun's own image has that one too.
pub const AGENT_LABEL: &str = "chaosrun.agent";

/// Carried by an agent that serves one container, with that one's id as value.
pub const TARGET_LABEL: &str = "chaosrun.target";

/// The engine and the machine under it, for reports and refusals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EngineFacts {
    /// `docker`, `podman`, …
    pub engine: String,
    pub version: String,
    pub api_version: String,
    pub kernel: String,
    pub os: String,
    pub arch: String,
    /// Of the machine; left out where the engine does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<NonZeroU32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<NonZeroU64>,
    /// `1` or `2`, as the engine says it.
    pub cgroup_version: String,
    pub rootless: bool,
    /// How it was reached, e.g. `unix:///var/run/docker.sock`.
    pub endpoint: String,
}

/// Every container in the system's scope.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    pub facts: EngineFacts,
    pub instances: Vec<Instance>,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The engine's full id: what changes and undos are addressed to.
    pub id: String,
    /// The engine's name, without a leading slash.
    pub name: String,
    /// As the container was started with, e.g. `redis:7`.
    pub image: String,
    /// Digest of that image.
    pub image_id: String,
    pub labels: BTreeMap<String, String>,
    /// Compose project, service and number within the service.
    pub project: Option<String>,
    pub service: Option<String>,
    pub number: Option<u32>,
    pub state: State,
    pub health: Health,
    /// Of its first process, in the host's PID namespace; only while it runs.
    pub pid: Option<u32>,
    /// RFC 3339, as the engine says it; changes with every start.
    pub started_at: String,
    /// How often the restart policy has started it again.
    pub restart_count: u64,
    pub restart_policy: RestartPolicy,
    /// The engine removes it once it ends (`docker run --rm`).
    #[serde(default)]
    pub auto_remove: bool,
    /// By network name.
    pub networks: BTreeMap<String, Endpoint>,
    /// `host`, `bridge`, `container:<id>`, or a network's name.
    pub network_mode: String,
    /// What is done to its packets, as the agent in its network says; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impaired: Option<Box<Impaired>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited { code: i64 },
    Dead,
}

impl State {
    /// As the rest of a sentence about a container: `is paused`.
    pub fn phrase(self) -> String {
        match self {
            Self::Created => "was created but never started".into(),
            Self::Running => "is running".into(),
            Self::Paused => "is paused".into(),
            Self::Restarting => "is restarting".into(),
            Self::Removing => "is being removed".into(),
            Self::Exited { code } => format!("has exited with code {code}"),
            Self::Dead => "is dead".into(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It has no health check.
    Unchecked,
    Starting,
    Healthy,
    Unhealthy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartPolicy {
    No,
    Always,
    UnlessStopped,
    OnFailure { at_most: u64 },
}

/// A container's place in one network: all that is needed to connect it again as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub network_id: String,
    /// Empty while the container does not run.
    pub address: String,
    pub address_v6: String,
    pub mac: String,
    /// Names by which its peers find it there.
    pub aliases: Vec<String>,
    pub links: Vec<String>,
    /// Addresses that the container's author fixed, if any.
    pub fixed_address: Option<String>,
    pub fixed_address_v6: Option<String>,
    pub driver_opts: BTreeMap<String, String>,
}

/// One of those that stand for an address which nobody has been given yet: none of these is ever a container's.
pub fn to_come(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(number & 0x00ff_ffff).into()
}

/// Does it stand for itself?
pub fn is_known(address: IpAddr) -> bool {
    !matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 0)
}

impl Endpoint {
    /// Of both kinds, as far as it has them.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let both = [&self.address, &self.address_v6];
        both.into_iter().filter_map(|text| text.parse().ok())
    }

    /// The one on its link alone, which a kernel derives from the MAC address (EUI-64) where there is IPv6. Whoever sends to it must name
    /// the link.
    pub fn link_local(&self) -> Option<IpAddr> {
        if self.address_v6.is_empty() {
            return None;
        }
        let bytes = self.mac.split(':').map(|byte| u8::from_str_radix(byte, 16));
        let bytes: Vec<u8> = bytes.collect::<Result<_, _>>().ok()?;
        let [a, b, c, d, e, f] = bytes[..] else {
            return None;
        };
        let (network, inverted) = ([0xfe, 0x80, 0, 0, 0, 0, 0, 0], a ^ 2);
        let host = [inverted, b, c, 0xff, 0xfe, d, e, f];
        let all: [u8; 16] = [network, host].concat().try_into().ok()?;
        Some(all.into())
    }
}

impl Instance {
    /// The name that stays the same from run to run: `service-number` for Compose, else the engine's name.
    pub fn identity(&self) -> String {
        match (&self.service, self.number) {
            (Some(service), Some(number)) => format!("{service}-{number}"),
            _ => self.name.clone(),
        }
    }

    pub fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// May a fault hit it? Not chaosrun's own helpers, and nothing that is protected.
    pub fn is_fair_game(&self) -> bool {
        !self.labels.contains_key(AGENT_LABEL) && !self.is_protected()
    }

    /// `chaosrun.protect`, unless its value says otherwise in so many words.
    pub fn is_protected(&self) -> bool {
        self.labels
            .get(PROTECT_LABEL)
            .is_some_and(|value| !matches!(value.as_str(), "false" | "0" | "no"))
    }
}

impl Inventory {
    /// What was seen of containers by id since; `None`: it is gone.
    pub fn take_in(&mut self, seen: Vec<(String, Option<Instance>)>) {
        for (id, now) in seen {
            self.instances.retain(|instance| instance.id != id);
            self.instances.extend(now);
        }
        self.instances.sort_by_key(Instance::identity);
    }

    /// Whose network namespace it lives in, where that is another container's: an engine names that one by id or as its author did, a
    /// Compose file by its service.
    pub fn owner_of_network(&self, instance: &Instance) -> Option<&Instance> {
        let (kind, of) = instance.network_mode.split_once(':')?;
        let is_owner = |one: &&Instance| match kind {
            "container" => of == one.id || of == one.name,
            "service" => one.service.as_deref() == Some(of) && one.project == instance.project,
            _ => false,
        };
        self.instances.iter().find(is_owner)
    }

    pub fn by_id(&self, id: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_local_address_is_derived_where_there_is_ipv6() {
        let at = |address_v6: &str, mac: &str| {
            let endpoint = Endpoint {
                address_v6: address_v6.into(),
                mac: mac.into(),
                ..Endpoint::default()
            };
            endpoint.link_local().map(|at| at.to_string())
        };
        let mac = "02:42:c0:a8:50:02";
        assert_eq!(at("fd00::2", mac).unwrap(), "fe80::42:c0ff:fea8:5002");
        assert_eq!(at("", mac), None);
        for wrong in ["", "02:42", "02:42:c0:a8:50:zz"] {
            assert_eq!(at("fd00::2", wrong), None);
        }
    }
}
