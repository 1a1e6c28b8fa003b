//! What the engine says about containers, as [`Instance`]s. Whatever it leaves out has a value that promises nothing.

use std::collections::HashMap;
use std::num::NonZeroU64;

use bollard::models::{SystemInfo, SystemVersion};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::call::{Answer, READ, call, read};
use super::inspection::Inspection;
use super::{Docker, PROJECT_LABEL, filter, helper, raw, stuck};
use crate::inventory::{EngineFacts, Instance, Inventory};
use crate::runtime::{Result, Scope};

/// Enough to keep the engine busy, too few to exhaust its file descriptors.
const AT_ONCE: usize = 16;

pub(super) async fn inventory(docker: &Docker, scope: &Scope) -> Result<Inventory> {
    let instances = async {
        let ids = list(docker, scope).await?;
        let found = stream::iter(ids)
            .map(|id| async move { one(docker, &id).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        // One that was removed since it was listed is not there.
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        found.sort_by_cached_key(|i: &Instance| (i.identity(), i.id.clone()));
        Ok(found)
    };
    let (facts, instances) = tokio::try_join!(facts(docker), instances)?;
    Ok(Inventory { facts, instances })
}

/// With what is done to its packets.
pub(super) async fn one(docker: &Docker, id: &str) -> Result<Option<Instance>> {
    let Some(mut seen) = look(docker, id).await? else {
        return Ok(None);
    };
    seen.impaired = helper::impaired(docker, &seen).await?;
    Ok(Some(seen))
}

/// What the engine alone says.
pub(super) async fn look(docker: &Docker, id: &str) -> Result<Option<Instance>> {
    let tried = format!("inspecting container {}", short(id));
    let path = format!("/containers/{id}/json");
    let work = read::<Inspection>(docker, tried, &path);
    let answer = if docker.paused.has(id) {
        stuck::freeing(docker, id, work).await
    } else {
        work.await
    };
    match answer {
        Ok(answer) => Ok(Some(answer.instance())),
        Err(fault) if fault.is_gone() => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

async fn list(docker: &Docker, scope: &Scope) -> Answer<Vec<String>> {
    let filters = match scope {
        Scope::Project(project) => filter("label", format!("{PROJECT_LABEL}={project}")),
        Scope::Engine => HashMap::new(),
    };
    ids(docker, &filters).await
}

/// Of every container that passes, running or not.
pub(super) async fn ids(
    docker: &Docker,
    filters: &HashMap<String, Vec<String>>,
) -> Answer<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Listed {
        #[serde(rename = "Id")]
        id: String,
    }
    let filters = serde_json::json!(filters).to_string();
    let path = format!("/containers/json?all=1&filters={}", raw::encode(&filters));
    let listed: Vec<Listed> = read(docker, "listing the containers", &path).await?;
    Ok(listed.into_iter().map(|container| container.id).collect())
}

/// Asked once: an engine does not change its kernel.
pub(super) async fn facts(docker: &Docker) -> Result<EngineFacts> {
    let ask = || ask(docker.client.clone(), docker.endpoint());
    Ok(docker.facts.get_or_try_init(ask).await?.clone())
}

/// What the engine says about itself, which takes it longer than anything else.
pub(super) async fn ask(client: bollard::Docker, endpoint: String) -> Answer<EngineFacts> {
    let (version, info) = tokio::try_join!(
        call("asking the engine's version", READ, client.version()),
        call("asking the engine about itself", READ, client.info()),
    )?;
    Ok(EngineFacts {
        endpoint,
        api_version: client.client_version().to_string(),
        ..describe(version, info)
    })
}

fn describe(version: SystemVersion, info: SystemInfo) -> EngineFacts {
    let components = version.components.unwrap_or_default();
    let is_podman = components.iter().any(|c| c.name.contains("Podman"));
    let security = info.security_options.unwrap_or_default();
    EngineFacts {
        engine: if is_podman { "podman" } else { "docker" }.into(),
        version: version.version.unwrap_or_default(),
        kernel: version
            .kernel_version
            .or(info.kernel_version)
            .unwrap_or_default(),
        os: info.operating_system.or(version.os).unwrap_or_default(),
        cpus: count(info.ncpu).and_then(|count| count.try_into().ok()),
        memory_bytes: count(info.mem_total),
        arch: version.arch.or(info.architecture).unwrap_or_default(),
        cgroup_version: info
            .cgroup_version
            .map(|v| v.to_string())
            .unwrap_or_default(),
        rootless: security.iter().any(|option| option.contains("rootless")),
        api_version: String::new(),
        endpoint: String::new(),
    }
}

/// An engine that does not know says 0.
fn count(said: Option<i64>) -> Option<NonZeroU64> {
    NonZeroU64::new(said?.try_into().ok()?)
}

/// The first twelve digits, as people know an id.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_is_not_told_is_left_out() {
        let facts = |info| {
            describe(
                SystemVersion::default(),
                serde_json::from_str(info).unwrap(),
            )
        };
        let told = facts(r#"{"NCPU":2,"MemTotal":25254309888}"#);
        assert_eq!(
            (told.cpus.map(u32::from), told.memory_bytes.map(u64::from)),
            (Some(2), Some(25_254_309_888))
        );
        let silent = facts(r#"{"NCPU":0,"MemTotal":-1}"#);
        assert_eq!((silent.cpus, silent.memory_bytes), (None, None));
        assert_eq!(facts("{}").cpus, None);
    }

    #[test]
    fn podman_and_rootless_are_told_apart() {
        let version = serde_json::from_str(
            r#"{"Version":"4.3.1","Components":[{"Name":"Podman Engine","Version":"4.3.1"}]}"#,
        );
        let info = serde_json::from_str(r#"{"SecurityOptions":["name=rootless"]}"#);
        let facts = describe(version.unwrap(), info.unwrap());
        assert_eq!((facts.engine.as_str(), facts.rootless), ("podman", true));
        let facts = describe(SystemVersion::default(), SystemInfo::default());
        assert_eq!((facts.engine.as_str(), facts.rootless), ("docker", false));
    }
}
