//! What is there: containers that stand in for each other, and the ports behind which somebody answers.

use std::collections::BTreeMap;

use super::ask::ask;
use super::draft::{Door, Group, Subject};
use crate::inventory::{Instance, Inventory};
use crate::runtime::Result;
use crate::runtime::docker::{Docker, Port};

/// By project and service; what has none stands alone.
type Key = (Option<String>, Option<String>, String);

pub(super) async fn at(
    docker: &Docker,
    inventory: &Inventory,
    subject: &Subject,
) -> Result<Vec<Group>> {
    let mut members: BTreeMap<Key, Vec<&Instance>> = BTreeMap::new();
    for instance in &inventory.instances {
        members.entry(key(instance)).or_default().push(instance);
    }
    let mut groups = Vec::new();
    for ((project, service, name), instances) in &members {
        let Some(first) = instances.first() else {
            continue;
        };
        let alone = members
            .keys()
            .filter(|(_, other, _)| other == service)
            .count()
            == 1;
        let host = host(first, service.as_ref().filter(|_| alone));
        let mut doors = Vec::new();
        for port in docker.ports(&first.id).await? {
            doors.extend(door(&host, first, port).await);
        }
        groups.push(Group {
            by: if service.is_some() {
                "service"
            } else {
                "container"
            },
            name: service.clone().unwrap_or_else(|| name.clone()),
            project: project.clone().filter(|_| *subject == Subject::Everything),
            replicas: instances.len(),
            vanishes: instances.iter().any(|instance| instance.auto_remove),
            doors,
        });
    }
    Ok(groups)
}

fn key(instance: &Instance) -> Key {
    match (&instance.project, &instance.service) {
        (Some(project), Some(service)) => {
            (Some(project.clone()), Some(service.clone()), String::new())
        }
        _ => (None, None, instance.name.clone()),
    }
}

/// A name that leads to the containers wherever they are next time; their address where a name cannot be one of a host.
fn host(first: &Instance, service: Option<&String>) -> String {
    let fits = |name: &&String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !name.is_empty() && name.chars().all(plain)
    };
    let names = service.into_iter().chain([&first.name]);
    let name = names.into_iter().find(fits).cloned();
    name.or_else(|| address(first)).unwrap_or_default()
}

fn address(instance: &Instance) -> Option<String> {
    let mut endpoints = instance.networks.values();
    endpoints
        .find(|endpoint| !endpoint.address.is_empty())
        .map(|endpoint| endpoint.address.clone())
}

/// Asked at the container's own address, as probes do; where that cannot be reached, where it is published.
async fn door(host: &str, instance: &Instance, port: Port) -> Option<Door> {
    if let Some(address) = address(instance)
        && let Some(answer) = ask(&address, port.number).await
    {
        return Some(Door {
            host: host.to_owned(),
            port: port.number,
            answer,
        });
    }
    let published = port.published?;
    let answer = ask("127.0.0.1", published).await?;
    Some(Door {
        host: "127.0.0.1".into(),
        port: published,
        answer,
    })
}
