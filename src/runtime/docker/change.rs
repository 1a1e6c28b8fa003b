//! One [`Change`] of one container.
//!
//! When the engine refuses, the container is looked at: what is so already is no error, in whatever words it was refused.

use std::time::Duration;

use bollard::models::{
    EndpointIpamConfig, EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest,
};
use bollard::query_parameters::{KillContainerOptionsBuilder, StopContainerOptionsBuilder};

use super::call::{Answer, CHANGE, call};
use super::{Docker, helper, observe, stuck};
use crate::action::{Change, Subject};
use crate::inventory::{Endpoint, Instance, State};
use crate::runtime::{Made, Result};
use crate::units::Signal;

pub(super) async fn apply(docker: &Docker, subject: &Subject, change: &Change) -> Result<Made> {
    // Agents look for themselves.
    match change {
        Change::Crash { signal } => {
            helper::crash(docker, subject, *signal).await?;
            return Ok(Made::Now);
        }
        Change::Impair { impairment } => {
            helper::impair(docker, subject, impairment).await?;
            return Ok(Made::Now);
        }
        Change::Relieve => return helper::relieve(docker, subject).await,
        _ => {}
    }
    let Err(fault) = ask(docker, subject, change).await else {
        return Ok(Made::Now);
    };
    if fault.is_refusal()
        && let Ok(Some(now)) = observe::look(docker, &subject.id).await
    {
        if is_so(&now, change) {
            return Ok(Made::Already);
        }
        if let Change::Connect { network, .. } = change
            && now.networks.contains_key(network)
        {
            // Something else connected it meanwhile, without its names or its address.
            let network = network.clone();
            ask(docker, subject, &Change::Disconnect { network }).await?;
            ask(docker, subject, change).await?;
            return Ok(Made::Now);
        }
    }
    Err(fault.error)
}

async fn ask(docker: &Docker, subject: &Subject, change: &Change) -> Answer<()> {
    let (id, client) = (subject.id.as_str(), &docker.client);
    let tried = subject.could_not(change);
    match change {
        Change::Signal { signal } => {
            let options = KillContainerOptionsBuilder::new().signal(signal.name());
            let work = client.kill_container(id, Some(options.build()));
            call(tried, CHANGE, work).await
        }
        Change::Stop { grace } => {
            let options = StopContainerOptionsBuilder::new().t(whole_seconds(*grace));
            let work = client.stop_container(id, Some(options.build()));
            call(tried, grace.saturating_add(CHANGE), work).await
        }
        Change::Start => call(tried, CHANGE, client.start_container(id, None)).await,
        Change::Pause => {
            docker.paused.add(id);
            call(tried, CHANGE, client.pause_container(id)).await
        }
        Change::Unpause => {
            let work = call(tried, CHANGE, client.unpause_container(id));
            let answer = stuck::freeing(docker, id, work).await;
            if answer.is_ok() {
                docker.paused.remove(id);
            }
            answer
        }
        Change::Disconnect { network } => {
            let request = NetworkDisconnectRequest {
                container: id.into(),
                force: Some(false),
            };
            call(tried, CHANGE, client.disconnect_network(network, request)).await
        }
        Change::Connect { network, endpoint } => {
            connect(docker, id, network, endpoint, tried).await
        }
        Change::Crash { .. } | Change::Impair { .. } | Change::Relieve => Ok(()),
    }
}

async fn connect(
    docker: &Docker,
    id: &str,
    network: &str,
    endpoint: &Endpoint,
    tried: String,
) -> Answer<()> {
    let request = || NetworkConnectRequest {
        container: id.into(),
        endpoint_config: Some(settings(network, endpoint)),
    };
    if !endpoint.network_id.is_empty() {
        let work = docker
            .client
            .connect_network(&endpoint.network_id, request());
        match call(tried.clone(), CHANGE, work).await {
            // The network was made anew under its name.
            Err(fault) if fault.is_gone() => {}
            answer => return answer,
        }
    }
    let work = docker.client.connect_network(network, request());
    call(tried, CHANGE, work).await
}

/// All that made the container known and reachable there. Not its MAC address: a derived one comes back with the address, and
/// asking for it would turn it into a fixed one.
fn settings(network: &str, endpoint: &Endpoint) -> EndpointSettings {
    let list = |names: &[String]| (!names.is_empty()).then(|| names.to_vec());
    let fixed = EndpointIpamConfig {
        ipv4_address: endpoint.fixed_address.clone(),
        ipv6_address: endpoint.fixed_address_v6.clone(),
        link_local_ips: None,
    };
    let is_fixed = fixed.ipv4_address.is_some() || fixed.ipv6_address.is_some();
    let options = &endpoint.driver_opts;
    EndpointSettings {
        // The default network knows no aliases and refuses a request that has some.
        aliases: list(&endpoint.aliases).filter(|_| network != "bridge"),
        links: list(&endpoint.links),
        ipam_config: is_fixed.then_some(fixed),
        driver_opts: (!options.is_empty()).then(|| options.clone().into_iter().collect()),
        ..EndpointSettings::default()
    }
}

/// Is what the change would bring about so already?
fn is_so(now: &Instance, change: &Change) -> bool {
    let is_down = matches!(
        now.state,
        State::Exited { .. } | State::Dead | State::Created
    );
    match change {
        Change::Signal { signal } => *signal == Signal::KILL && is_down,
        Change::Stop { .. } => is_down,
        Change::Start => now.state == State::Running,
        Change::Pause => now.state == State::Paused,
        Change::Unpause => now.state != State::Paused,
        Change::Disconnect { network } => !now.networks.contains_key(network),
        Change::Connect { network, endpoint } => now.networks.get(network).is_some_and(|is| {
            let named = |alias| is.aliases.contains(alias);
            endpoint.aliases.iter().all(named) && is.fixed_address == endpoint.fixed_address
        }),
        Change::Crash { .. } | Change::Impair { .. } | Change::Relieve => false,
    }
}

/// The engine counts whole seconds; none is left out.
fn whole_seconds(grace: Duration) -> i32 {
    let begun = u64::from(grace.subsec_nanos() > 0);
    let seconds = grace.as_secs().saturating_add(begun);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_grace_is_left_out() {
        for (ms, seconds) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(ms)), seconds);
        }
        assert_eq!(whole_seconds(Duration::MAX), i32::MAX);
    }

    #[test]
    fn a_place_in_a_network_is_asked_for_as_it_was() {
        let endpoint = Endpoint {
            aliases: vec!["node".into()],
            fixed_address: Some("10.0.0.2".into()),
            mac: "02:42:0a:00:00:02".into(),
            ..Endpoint::default()
        };
        let asked = settings("shop", &endpoint);
        assert_eq!(asked.aliases.unwrap(), ["node"]);
        let ipam = asked.ipam_config.unwrap();
        assert_eq!(ipam.ipv4_address.as_deref(), Some("10.0.0.2"));
        assert_eq!((asked.links, asked.mac_address), (None, None));
    }

    #[test]
    fn the_default_network_is_asked_for_no_aliases() {
        let endpoint = Endpoint {
            aliases: vec!["abc".into()],
            ..Endpoint::default()
        };
        let asked = settings("bridge", &endpoint);
        assert_eq!((asked.aliases, asked.ipam_config), (None, None));
    }
}
