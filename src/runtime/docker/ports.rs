//! The TCP ports of a container that its image or its author speaks of.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Docker;
use super::call::read;
use super::observe::short;
use crate::runtime::Result;

/// One port, and where it is published on the engine's host, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    pub number: u16,
    pub published: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspection {
    config: Option<Config>,
    network_settings: Option<Settings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    ports: Option<BTreeMap<String, Option<Vec<Binding>>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    host_port: Option<String>,
}

/// Exposed or published, in order. None of a container that is gone.
pub(super) async fn of(docker: &Docker, id: &str) -> Result<Vec<Port>> {
    let tried = format!("inspecting container {}", short(id));
    match read::<Inspection>(docker, tried, &format!("/containers/{id}/json")).await {
        Ok(found) => Ok(ports(found)),
        Err(fault) if fault.is_gone() => Ok(Vec::new()),
        Err(fault) => Err(fault.into()),
    }
}

fn ports(found: Inspection) -> Vec<Port> {
    let exposed = found.config.and_then(|config| config.exposed_ports);
    let bound = found.network_settings.and_then(|settings| settings.ports);
    let mut ports: BTreeMap<u16, Option<u16>> = BTreeMap::new();
    for name in exposed.unwrap_or_default().keys() {
        if let Some(number) = tcp(name) {
            ports.entry(number).or_default();
        }
    }
    for (name, bindings) in bound.unwrap_or_default() {
        let published = bindings.iter().flatten().find_map(|binding| {
            let port = binding.host_port.as_ref()?;
            port.parse().ok()
        });
        if let Some(number) = tcp(&name) {
            *ports.entry(number).or_default() = published;
        }
    }
    ports
        .into_iter()
        .map(|(number, published)| Port { number, published })
        .collect()
}

/// `8080/tcp`.
fn tcp(name: &str) -> Option<u16> {
    let (number, protocol) = name.split_once('/')?;
    let number = number.parse().ok().filter(|number| *number > 0);
    number.filter(|_| protocol == "tcp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposed_and_published_ports() {
        let found: Inspection = serde_json::from_str(
            r#"{"Config": {"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "odd": {}}},
                "NetworkSettings": {"Ports": {"80/tcp": null, "443/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8443"}]}}}"#,
        )
        .unwrap();
        let port = |number, published| Port { number, published };
        assert_eq!(ports(found), [port(80, None), port(443, Some(8443))]);
        assert_eq!(ports(Inspection::default()), []);
    }
}
