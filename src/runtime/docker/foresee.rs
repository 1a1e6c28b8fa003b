//! What a Compose stack will consist of, before it is brought up: from its configuration, as the Compose tool resolves it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::call::refused;
use super::{Docker, compose, observe};
use crate::inventory::{Endpoint, Health, Instance, Inventory, RestartPolicy, State, to_come};
use crate::runtime::{Result, Scope};
use crate::scenario::{Scenario, System};

/// The containers that a scenario will find: those that are there, or those that its Compose file asks for.
pub(super) async fn foresee(docker: &Docker, scenario: &Scenario) -> Result<Inventory> {
    let file = match &scenario.system {
        System::Engine => return observe::inventory(docker, &Scope::Engine).await,
        System::Project { name } => {
            return observe::inventory(docker, &Scope::Project(name.clone())).await;
        }
        System::Compose { file, .. } => scenario.beside(file),
    };
    let tried = format!("reading {}", file.display());
    let text = compose::config(docker, &file).await?;
    let config: Value = serde_saphyr::from_str(&text).map_err(|e| {
        refused(
            tried.as_str(),
            format!("the compose tool's answer is not yaml: {e}"),
        )
    })?;
    // Nobody has asked the engine anything yet: that it lets us in is part of the answer.
    let facts = observe::inventory(docker, &Scope::Project(String::new()))
        .await?
        .facts;
    Ok(Inventory {
        facts,
        instances: instances(&config),
    })
}

fn instances(config: &Value) -> Vec<Instance> {
    let services = config.get("services").and_then(Value::as_object);
    let mut all: Vec<Instance> = services
        .into_iter()
        .flatten()
        .flat_map(|(name, service)| {
            (1..=replicas(service)).map(move |n| instance(name, n, service))
        })
        .collect();
    // Who can reach whom is known before anybody has an address.
    let endpoints = all.iter_mut().flat_map(|one| one.networks.values_mut());
    for (endpoint, number) in endpoints.zip(1..) {
        endpoint.address = to_come(number).to_string();
    }
    all
}

fn replicas(service: &Value) -> u32 {
    service
        .get("scale")
        .or_else(|| service.pointer("/deploy/replicas"))
        .and_then(Value::as_u64)
        .map_or(1, |n| n.min(10_000) as u32)
}

/// As it will be once it runs, without what only the engine can say.
fn instance(service: &str, number: u32, spec: &Value) -> Instance {
    let text = |key: &str| spec.get(key).and_then(Value::as_str).map(str::to_owned);
    Instance {
        id: format!("{service}-{number}"),
        name: text("container_name").unwrap_or_else(|| format!("{service}_{number}")),
        image: text("image").unwrap_or_else(|| format!("{service} (built)")),
        image_id: String::new(),
        labels: labels(spec),
        project: Some(String::new()),
        service: Some(service.into()),
        number: Some(number),
        state: State::Running,
        health: if spec.get("healthcheck").is_some() {
            Health::Healthy
        } else {
            Health::Unchecked
        },
        pid: None,
        started_at: String::new(),
        restart_count: 0,
        restart_policy: policy(text("restart").as_deref()),
        auto_remove: false,
        networks: networks(spec),
        network_mode: text("network_mode").unwrap_or_default(),
        impaired: None,
    }
}

/// Compose takes a list of `key=value` as well as a table.
fn labels(spec: &Value) -> BTreeMap<String, String> {
    let word = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    match spec.get("labels") {
        Some(Value::Object(table)) => table
            .iter()
            .map(|(key, value)| (key.clone(), word(value)))
            .collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(|label| label.split_once('=').unwrap_or((label, "")))
            .map(|(key, value)| (key.into(), value.into()))
            .collect(),
        _ => BTreeMap::new(),
    }
}

fn networks(spec: &Value) -> BTreeMap<String, Endpoint> {
    let names: Vec<String> = match spec.get("networks") {
        Some(Value::Object(table)) => table.keys().cloned().collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => vec!["default".into()],
    };
    names
        .into_iter()
        .map(|name| (name, Endpoint::default()))
        .collect()
}

fn policy(word: Option<&str>) -> RestartPolicy {
    match word {
        Some("always") => RestartPolicy::Always,
        Some("unless-stopped") => RestartPolicy::UnlessStopped,
        Some(word) if word.starts_with("on-failure") => RestartPolicy::OnFailure {
            at_most: word
                .split_once(':')
                .and_then(|(_, n)| n.parse().ok())
                .unwrap_or(0),
        },
        _ => RestartPolicy::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreseen(yaml: &str) -> Vec<Instance> {
        instances(&serde_saphyr::from_str(yaml).unwrap())
    }

    #[test]
    fn replicas_become_numbered_instances() {
        let found = foreseen(
            "services:\n  node:\n    image: kv:1\n    scale: 3\n    restart: always\n    labels: [tier=data]\n  web:\n    image: nginx\n    networks: {front: null}\n",
        );
        let names: Vec<_> = found.iter().map(Instance::identity).collect();
        assert_eq!(names, ["node-1", "node-2", "node-3", "web-1"]);
        assert_eq!(found[0].restart_policy, RestartPolicy::Always);
        assert_eq!(found[0].labels["tier"], "data");
        assert!(found[3].networks.contains_key("front"));
    }

    #[test]
    fn a_file_without_services_has_no_instances() {
        assert!(foreseen("version: '2.4'\n").is_empty());
    }
}
