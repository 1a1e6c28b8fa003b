//! What the engine says about one container, as an [`Instance`].
//!
//! Whatever it leaves out has a value that promises nothing, and no word that it uses is unknown.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::inventory::{Endpoint, Health, Instance, RestartPolicy, State};

/// As Go writes it: what is empty may be null.
type Maybe<T> = Option<T>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Inspection {
    id: Maybe<String>,
    name: Maybe<String>,
    image: Maybe<String>,
    restart_count: Maybe<u64>,
    state: Maybe<Standing>,
    config: Maybe<Config>,
    host_config: Maybe<Host>,
    network_settings: Maybe<Settings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Standing {
    status: Maybe<String>,
    running: Maybe<bool>,
    paused: Maybe<bool>,
    restarting: Maybe<bool>,
    dead: Maybe<bool>,
    pid: Maybe<i64>,
    exit_code: Maybe<i64>,
    started_at: Maybe<String>,
    health: Maybe<Checked>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Checked {
    status: Maybe<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    image: Maybe<String>,
    labels: Maybe<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Host {
    network_mode: Maybe<String>,
    restart_policy: Maybe<Policy>,
    auto_remove: Maybe<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    name: Maybe<String>,
    maximum_retry_count: Maybe<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    networks: Maybe<BTreeMap<String, Maybe<Place>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Place {
    #[serde(rename = "NetworkID")]
    network_id: Maybe<String>,
    #[serde(rename = "IPAddress")]
    address: Maybe<String>,
    #[serde(rename = "GlobalIPv6Address")]
    address_v6: Maybe<String>,
    mac_address: Maybe<String>,
    aliases: Maybe<Vec<String>>,
    links: Maybe<Vec<String>>,
    #[serde(rename = "IPAMConfig")]
    fixed: Maybe<Fixed>,
    driver_opts: Maybe<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
struct Fixed {
    #[serde(rename = "IPv4Address")]
    address: Maybe<String>,
    #[serde(rename = "IPv6Address")]
    address_v6: Maybe<String>,
}

impl Inspection {
    pub(super) fn instance(self) -> Instance {
        let config = self.config.unwrap_or_default();
        let host = self.host_config.unwrap_or_default();
        let standing = self.state.unwrap_or_default();
        let labels = config.labels.unwrap_or_default();
        let compose = |key: &str| labels.get(&format!("com.docker.compose.{key}")).cloned();
        let state = standing.state();
        let alive = matches!(state, State::Running | State::Paused);
        let pid = standing.pid.and_then(|pid| u32::try_from(pid).ok());
        let networks = self.network_settings.and_then(|s| s.networks);
        let name = self.name.unwrap_or_default();
        Instance {
            id: self.id.unwrap_or_default(),
            name: name.trim_start_matches('/').into(),
            image: config.image.unwrap_or_default(),
            image_id: self.image.unwrap_or_default(),
            project: compose("project"),
            service: compose("service"),
            number: compose("container-number").and_then(|n| n.parse().ok()),
            labels,
            state,
            health: standing.health(),
            pid: pid.filter(|pid| alive && *pid > 0),
            started_at: standing.started_at.unwrap_or_default(),
            restart_count: self.restart_count.unwrap_or_default(),
            restart_policy: host.restart_policy.unwrap_or_default().read(),
            auto_remove: host.auto_remove.unwrap_or_default(),
            networks: networks
                .unwrap_or_default()
                .into_iter()
                .map(|(name, place)| (name, place.unwrap_or_default().endpoint()))
                .collect(),
            impaired: None,
            network_mode: match host.network_mode.unwrap_or_default().as_str() {
                "default" | "" => "bridge".into(),
                mode => mode.into(),
            },
        }
    }
}

impl Standing {
    fn state(&self) -> State {
        let is = |flag: Maybe<bool>| flag == Some(true);
        let code = self.exit_code.unwrap_or_default();
        match self.status.as_deref().unwrap_or_default() {
            "created" | "configured" | "initialized" => State::Created,
            "paused" => State::Paused,
            "restarting" => State::Restarting,
            "removing" => State::Removing,
            "dead" => State::Dead,
            // One that is being stopped runs until it has stopped.
            "running" | "stopping" => State::Running,
            "exited" | "stopped" => State::Exited { code },
            _ if is(self.paused) => State::Paused,
            _ if is(self.restarting) => State::Restarting,
            _ if is(self.running) => State::Running,
            _ if is(self.dead) => State::Dead,
            _ => State::Exited { code },
        }
    }

    fn health(&self) -> Health {
        let checked = self.health.as_ref().and_then(|h| h.status.as_deref());
        match checked.unwrap_or_default() {
            "starting" => Health::Starting,
            "healthy" => Health::Healthy,
            "unhealthy" => Health::Unhealthy,
            _ => Health::Unchecked,
        }
    }
}

impl Policy {
    fn read(self) -> RestartPolicy {
        match self.name.as_deref().unwrap_or_default() {
            "always" => RestartPolicy::Always,
            "unless-stopped" => RestartPolicy::UnlessStopped,
            "on-failure" => RestartPolicy::OnFailure {
                at_most: self.maximum_retry_count.unwrap_or_default(),
            },
            _ => RestartPolicy::No,
        }
    }
}

impl Place {
    fn endpoint(self) -> Endpoint {
        let fixed = self.fixed.unwrap_or_default();
        let some = |text: Maybe<String>| text.filter(|text| !text.is_empty());
        Endpoint {
            network_id: self.network_id.unwrap_or_default(),
            address: self.address.unwrap_or_default(),
            address_v6: self.address_v6.unwrap_or_default(),
            mac: self.mac_address.unwrap_or_default(),
            aliases: self.aliases.unwrap_or_default(),
            links: self.links.unwrap_or_default(),
            fixed_address: some(fixed.address),
            fixed_address_v6: some(fixed.address_v6),
            driver_opts: self.driver_opts.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Instance {
        serde_json::from_str::<Inspection>(json).unwrap().instance()
    }

    #[test]
    fn an_empty_answer_promises_nothing() {
        let seen = read("{}");
        assert_eq!(seen.state, State::Exited { code: 0 });
        assert_eq!(seen.health, Health::Unchecked);
        assert_eq!(seen.restart_policy, RestartPolicy::No);
        assert_eq!((seen.pid, seen.network_mode.as_str()), (None, "bridge"));
    }

    #[test]
    fn a_compose_container_is_read_whole() {
        let seen = read(
            r#"{"Id":"abc","Name":"/shop_node_2","RestartCount":3,"Image":"sha256:1",
            "State":{"Status":"running","Running":true,"Pid":42,"StartedAt":"2026-01-01T00:00:00Z",
                     "Health":{"Status":"healthy"}},
            "HostConfig":{"NetworkMode":"shop_default","RestartPolicy":{"Name":"on-failure","MaximumRetryCount":5}},
            "Config":{"Image":"node:1","Labels":{"com.docker.compose.project":"shop",
                "com.docker.compose.service":"node","com.docker.compose.container-number":"2"}},
            "NetworkSettings":{"Networks":{"shop_default":{"NetworkID":"n1","IPAddress":"10.0.0.2",
                "Aliases":["node","abc"],"IPAMConfig":{"IPv4Address":"10.0.0.2"}}}}}"#,
        );
        assert_eq!(seen.identity(), "node-2");
        assert_eq!(seen.name, "shop_node_2");
        assert_eq!((seen.pid, seen.restart_count), (Some(42), 3));
        assert_eq!(seen.health, Health::Healthy);
        assert_eq!(seen.restart_policy, RestartPolicy::OnFailure { at_most: 5 });
        let endpoint = &seen.networks["shop_default"];
        assert_eq!(endpoint.aliases, ["node", "abc"]);
        assert_eq!(endpoint.fixed_address.as_deref(), Some("10.0.0.2"));
        assert_eq!(endpoint.fixed_address_v6, None);
    }

    #[test]
    fn every_status_has_its_state() {
        for (status, state) in [
            ("created", State::Created),
            ("running", State::Running),
            ("stopping", State::Running),
            ("paused", State::Paused),
            ("restarting", State::Restarting),
            ("removing", State::Removing),
            ("exited", State::Exited { code: 137 }),
            ("stopped", State::Exited { code: 137 }),
            ("a word to come", State::Exited { code: 137 }),
            ("dead", State::Dead),
        ] {
            let json = format!(r#"{{"State":{{"Status":"{status}","ExitCode":137,"Pid":7}}}}"#);
            let seen = read(&json);
            assert_eq!(seen.state, state);
            let alive = matches!(state, State::Running | State::Paused);
            assert_eq!(seen.pid, alive.then_some(7));
        }
        let old = read(r#"{"State":{"Running":true,"Paused":true}}"#);
        assert_eq!(old.state, State::Paused);
    }

    #[test]
    fn null_is_as_good_as_nothing() {
        let seen = read(
            r#"{"Id":"abc","State":{"Health":null},"Config":{"Labels":null},"HostConfig":{"RestartPolicy":null},
            "NetworkSettings":{"Networks":{"none":{"Aliases":null,"IPAMConfig":null},"odd":null}}}"#,
        );
        assert_eq!(seen.networks.len(), 2);
        assert_eq!(seen.networks["none"], Endpoint::default());
    }
}
