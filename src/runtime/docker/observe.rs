//! What the engine says about containers, as [`Instance`]s. Whatever it leaves out has a value that promises nothing.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum as Status, EndpointSettings,
    HealthStatusEnum, RestartPolicyNameEnum, SystemInfo, SystemVersion,
};
use bollard::query_parameters::ListContainersOptionsBuilder;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::call::{Fault, READ, call};
use super::{Docker, PROJECT_LABEL, filter};
use crate::inventory::{EngineFacts, Health, Instance, Inventory, RestartPolicy, State};
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

pub(super) async fn one(docker: &Docker, id: &str) -> Result<Option<Instance>> {
    let tried = format!("inspecting container {}", short(id));
    match call(tried, READ, docker.client.inspect_container(id, None)).await {
        Ok(answer) => Ok(Some(instance(answer))),
        Err(fault) if fault.is_gone() => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

async fn list(docker: &Docker, scope: &Scope) -> Result<Vec<String>> {
    let mut options = ListContainersOptionsBuilder::new().all(true);
    if let Scope::Project(project) = scope {
        options = options.filters(&filter("label", format!("{PROJECT_LABEL}={project}")));
    }
    let list = docker.client.list_containers(Some(options.build()));
    let answer = call("listing the containers", READ, list).await?;
    Ok(answer.into_iter().filter_map(|c| c.id).collect())
}

/// Asked once: an engine does not change its kernel.
async fn facts(docker: &Docker) -> Result<EngineFacts> {
    let ask = async {
        let (version, info) = tokio::try_join!(
            call("asking the engine's version", READ, docker.client.version()),
            call("asking the engine about itself", READ, docker.client.info()),
        )?;
        Ok::<_, Fault>(EngineFacts {
            endpoint: docker.endpoint(),
            api_version: docker.client.client_version().to_string(),
            ..describe(version, info)
        })
    };
    Ok(docker.facts.get_or_try_init(|| ask).await?.clone())
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

fn instance(answer: ContainerInspectResponse) -> Instance {
    let config = answer.config.unwrap_or_default();
    let host = answer.host_config.unwrap_or_default();
    let state = answer.state.unwrap_or_default();
    let labels: BTreeMap<_, _> = config.labels.unwrap_or_default().into_iter().collect();
    let compose = |key: &str| labels.get(&format!("com.docker.compose.{key}")).cloned();
    let alive = matches!(lifecycle(&state), State::Running | State::Paused);
    let networks = answer.network_settings.and_then(|n| n.networks);
    Instance {
        id: answer.id.unwrap_or_default(),
        name: answer
            .name
            .unwrap_or_default()
            .trim_start_matches('/')
            .into(),
        image: config.image.unwrap_or_default(),
        image_id: answer.image.unwrap_or_default(),
        project: compose("project"),
        service: compose("service"),
        number: compose("container-number").and_then(|n| n.parse().ok()),
        labels,
        state: lifecycle(&state),
        health: health(&state),
        pid: state
            .pid
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|pid| alive && *pid > 0),
        started_at: state.started_at.unwrap_or_default(),
        restart_count: answer.restart_count.unwrap_or_default().unsigned_abs(),
        restart_policy: restart_policy(host.restart_policy),
        networks: networks
            .unwrap_or_default()
            .into_iter()
            .map(|(name, settings)| (name, endpoint(settings)))
            .collect(),
        network_mode: match host.network_mode.unwrap_or_default().as_str() {
            "default" | "" => "bridge".into(),
            mode => mode.into(),
        },
    }
}

fn lifecycle(state: &ContainerState) -> State {
    let code = state.exit_code.unwrap_or_default();
    match state.status.unwrap_or(Status::EMPTY) {
        Status::CREATED => State::Created,
        // A container that is asked to stop runs until it has stopped.
        Status::RUNNING | Status::STOPPING => State::Running,
        Status::PAUSED => State::Paused,
        Status::RESTARTING => State::Restarting,
        Status::REMOVING => State::Removing,
        Status::EXITED => State::Exited { code },
        Status::DEAD => State::Dead,
        Status::EMPTY if state.paused == Some(true) => State::Paused,
        Status::EMPTY if state.restarting == Some(true) => State::Restarting,
        Status::EMPTY if state.running == Some(true) => State::Running,
        Status::EMPTY if state.dead == Some(true) => State::Dead,
        Status::EMPTY => State::Exited { code },
    }
}

fn health(state: &ContainerState) -> Health {
    match state.health.as_ref().and_then(|h| h.status) {
        Some(HealthStatusEnum::STARTING) => Health::Starting,
        Some(HealthStatusEnum::HEALTHY) => Health::Healthy,
        Some(HealthStatusEnum::UNHEALTHY) => Health::Unhealthy,
        Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) | None => Health::Unchecked,
    }
}

fn restart_policy(policy: Option<bollard::models::RestartPolicy>) -> RestartPolicy {
    let policy = policy.unwrap_or_default();
    match policy.name {
        Some(RestartPolicyNameEnum::ALWAYS) => RestartPolicy::Always,
        Some(RestartPolicyNameEnum::UNLESS_STOPPED) => RestartPolicy::UnlessStopped,
        Some(RestartPolicyNameEnum::ON_FAILURE) => RestartPolicy::OnFailure {
            at_most: policy
                .maximum_retry_count
                .unwrap_or_default()
                .unsigned_abs(),
        },
        Some(RestartPolicyNameEnum::NO | RestartPolicyNameEnum::EMPTY) | None => RestartPolicy::No,
    }
}

fn endpoint(settings: EndpointSettings) -> crate::inventory::Endpoint {
    let fixed = settings.ipam_config.unwrap_or_default();
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    crate::inventory::Endpoint {
        network_id: settings.network_id.unwrap_or_default(),
        address: settings.ip_address.unwrap_or_default(),
        address_v6: settings.global_ipv6_address.unwrap_or_default(),
        mac: settings.mac_address.unwrap_or_default(),
        aliases: settings.aliases.unwrap_or_default(),
        links: settings.links.unwrap_or_default(),
        fixed_address: some(fixed.ipv4_address),
        fixed_address_v6: some(fixed.ipv6_address),
        driver_opts: sorted(settings.driver_opts),
    }
}

fn sorted(map: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
    map.unwrap_or_default().into_iter().collect()
}

/// The first twelve digits, as people know an id.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Instance {
        instance(serde_json::from_str(json).unwrap())
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
