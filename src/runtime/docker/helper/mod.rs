//! Agents: chaosrun's own executable in containers beside the targets, each with the least privilege that its job needs.

mod back_end;
mod crash;
mod keeper;
mod network;
mod sidecar;
mod wire;

use std::collections::{BTreeSet, HashMap};

use bollard::models::{ContainerCreateBody, HostConfig};

pub(super) use self::crash::{crash, release};
pub(super) use self::network::{impair, impaired, measure, relieve};
pub(super) use self::sidecar::Sidecars;
pub(super) use self::wire::Wire;
use super::Docker;
use super::call::refused;
use crate::action::{Capability, Subject};
use crate::agent::protocol::{Request, Response};
use crate::impairment::Features;
use crate::inventory::{AGENT_LABEL, RUN_LABEL};
use crate::runtime::Result;

/// Starts what is needed, and makes sure that each agent can do its job.
pub(super) async fn prepare(docker: &Docker, needs: &[(Subject, Capability)]) -> Result<()> {
    // Steps may share a target.
    let of = |wanted: Capability| -> Vec<Subject> {
        let them = needs
            .iter()
            .filter(|(_, capability)| *capability == wanted)
            .map(|(subject, _)| subject.clone());
        them.collect::<BTreeSet<_>>().into_iter().collect()
    };
    crash::prepare(docker, &of(Capability::Crash)).await?;
    network::prepare(docker, of(Capability::Network)).await
}

/// What agents can do here.
pub(super) struct Tried {
    pub(super) crash: Result<()>,
    pub(super) features: Result<Features>,
}

/// One agent in an empty network namespace of its own is asked what it could do there, and another is to find its process.
pub(super) async fn try_out(docker: &Docker) -> Tried {
    let one = match sidecar::in_no_network(docker).await {
        Ok(one) => one,
        Err(why) => {
            let (crash, features) = (Err(why.clone()), Err(why));
            return Tried { crash, features };
        }
    };
    let (id, mut wire) = one;
    let name = "an agent".to_owned();
    let crash = crash::prepare(docker, &[Subject { id, name }]).await;
    let tried = "asking an agent what this kernel can do to packets";
    let features = match wire.ask(tried, &Request::Features).await {
        Ok(Response::Features { features }) => Ok(features),
        Ok(Response::Refused { why }) => Err(refused(tried, why)),
        Ok(other) => Err(wire::unexpected(tried, &other)),
        Err(why) => Err(why),
    };
    Tried { crash, features }
}

/// Ends the agents whose control streams this process holds.
pub(super) async fn end_all(docker: &Docker) {
    docker.crasher.lock().await.take();
    docker.sidecars.end_all();
}

/// What agents have in common: no rights, no network, nothing mounted, and an end with chaosrun.
fn body(run: &str, tag: &str, job: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(tag.into()),
        cmd: list(&["agent", job]),
        labels: Some(HashMap::from([
            (RUN_LABEL.into(), run.into()),
            (AGENT_LABEL.into(), job.into()),
        ])),
        user: Some("0:0".into()),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        // Its stdin ends with the connection that attached it: with chaosrun, however that ends.
        stdin_once: Some(true),
        host_config: Some(HostConfig {
            network_mode: Some("none".into()),
            cap_drop: list(&["ALL"]),
            security_opt: list(&["no-new-privileges"]),
            readonly_rootfs: Some(true),
            auto_remove: Some(true),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

fn list(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}
