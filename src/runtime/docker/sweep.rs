//! Taking away what was made, found by its labels. Doing it twice does no harm.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::ImageSummary;
use bollard::query_parameters::{
    ListImagesOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, RemoveVolumeOptionsBuilder,
};
use futures_util::{StreamExt as _, stream};

use super::call::{Answer, Fault, READ, REMOVE, call};
use super::observe::{self, short};
use super::{Docker, PROJECT_LABEL, filter, helper};
use crate::inventory::{AGENT_LABEL, RUN_LABEL, TARGET_LABEL};
use crate::runtime::Result;

const AT_ONCE: usize = 16;

/// What is refused is tried again this often; the pauses double from 10 ms, which makes about five seconds.
const ROUNDS: u32 = 9;

type Filters = HashMap<String, Vec<String>>;

/// Everything of a Compose project, images that were built for it included.
pub(super) async fn down(docker: &Docker, project: &str) -> Result<()> {
    let label = filter("label", format!("{PROJECT_LABEL}={project}"));
    let removed = [
        clear(docker, Kind::Container, &label).await,
        clear(docker, Kind::Network, &label).await,
        clear(docker, Kind::Volume, &label).await,
        built_images(docker, project).await,
    ];
    // Each is tried, whatever became of the others.
    removed.into_iter().collect()
}

/// The run's agents, networks, volumes and image. A stack on that image inherits the run's label; it is left to [`down`], and keeps
/// the image for as long as it is kept itself.
pub(super) async fn sweep(docker: &Docker, run: &str) -> Result<()> {
    if run == docker.run {
        // Their control streams end here, and so do they.
        helper::end_all(docker).await;
        super::image::settle(docker).await;
    }
    let label = format!("{RUN_LABEL}={run}");
    let agents = HashMap::from([("label".into(), vec![label.clone(), AGENT_LABEL.into()])]);
    let label = filter("label", label);
    let removed = [
        clear(docker, Kind::Container, &agents).await,
        clear(docker, Kind::Network, &label).await,
        clear(docker, Kind::Volume, &label).await,
        labelled_images(docker, &label).await,
    ];
    removed.into_iter().collect()
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Container,
    Network,
    Volume,
}

/// Until there are none left: what cannot be removed now, because somebody else is removing it or what it is used by, may be gone
/// or free in a moment.
async fn clear(docker: &Docker, kind: Kind, filters: &Filters) -> Result<()> {
    let mut round = 0;
    loop {
        let found = list(docker, kind, filters).await?;
        let removed = stream::iter(found)
            .map(|id| async move { remove(&docker.client, kind, &id).await })
            .buffer_unordered(AT_ONCE)
            .filter_map(|answer| async { answer.err().filter(|fault| !fault.is_gone()) })
            .collect::<Vec<_>>()
            .await;
        let Some(fault) = removed.into_iter().next() else {
            return Ok(());
        };
        if !fault.is_refusal() || round == ROUNDS {
            return Err(fault.error);
        }
        tokio::time::sleep(Duration::from_millis(10 << round)).await;
        round += 1;
    }
}

async fn list(docker: &Docker, kind: Kind, filters: &Filters) -> Result<Vec<String>> {
    let client = &docker.client;
    let ids = match kind {
        Kind::Container => observe::ids(docker, filters).await?,
        Kind::Network => {
            let options = ListNetworksOptionsBuilder::new().filters(filters);
            let list = client.list_networks(Some(options.build()));
            let listed = call("listing the networks to remove", READ, list).await?;
            listed.into_iter().filter_map(|n| n.id).collect()
        }
        Kind::Volume => {
            let options = ListVolumesOptionsBuilder::new().filters(filters);
            let list = client.list_volumes(Some(options.build()));
            let listed = call("listing the volumes to remove", READ, list).await?;
            let volumes = listed.volumes.unwrap_or_default();
            volumes.into_iter().map(|v| v.name).collect()
        }
    };
    Ok(ids)
}

async fn remove(client: &bollard::Docker, kind: Kind, id: &str) -> Answer<()> {
    match kind {
        Kind::Container => {
            let tried = format!("removing container {}", short(id));
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true);
            let work = client.remove_container(id, Some(options.build()));
            call(tried, REMOVE, work).await
        }
        Kind::Network => {
            let tried = format!("removing network {}", short(id));
            call(tried, REMOVE, client.remove_network(id)).await
        }
        Kind::Volume => {
            let tried = format!("removing volume {id}");
            let options = RemoveVolumeOptionsBuilder::new().force(true).build();
            call(tried, REMOVE, client.remove_volume(id, Some(options))).await
        }
    }
}

/// One container, in so far as it is there.
pub(super) async fn container(client: &bollard::Docker, id: &str) -> Result<()> {
    unless(remove(client, Kind::Container, id).await, Fault::is_gone)
}

/// The run's agents of one job for one target, however they are doing.
pub(super) async fn agents(docker: &Docker, job: &str, target: &str) -> Result<()> {
    let labels = [
        format!("{RUN_LABEL}={}", docker.run),
        format!("{AGENT_LABEL}={job}"),
        format!("{TARGET_LABEL}={target}"),
    ];
    let filters = HashMap::from([("label".into(), labels.to_vec())]);
    clear(docker, Kind::Container, &filters).await
}

/// Images that Compose built for the project. By name, never by id: an image of the same content may have other names, and they
/// are not ours.
async fn built_images(docker: &Docker, project: &str) -> Result<()> {
    for prefix in [format!("{project}_"), format!("{project}-")] {
        let listed = images(docker, &filter("reference", format!("{prefix}*"))).await?;
        let names = listed.into_iter().flat_map(|image| image.repo_tags);
        for name in names.filter(|name| name.starts_with(&prefix)) {
            image(docker, &name).await?;
        }
    }
    Ok(())
}

async fn labelled_images(docker: &Docker, label: &Filters) -> Result<()> {
    for found in images(docker, label).await? {
        image(docker, &found.id).await?;
    }
    Ok(())
}

async fn images(docker: &Docker, filters: &Filters) -> Result<Vec<ImageSummary>> {
    let options = ListImagesOptionsBuilder::new().filters(filters);
    let list = docker.client.list_images(Some(options.build()));
    Ok(call("listing the images to remove", READ, list).await?)
}

async fn image(docker: &Docker, name: &str) -> Result<()> {
    let tried = format!("removing image {name}");
    let options = RemoveImageOptionsBuilder::new().force(true).build();
    let work = docker.client.remove_image(name, Some(options), None);
    let answer = call(tried, REMOVE, work).await.map(|_| ());
    unless(answer, |f| f.is_gone() || f.is_conflict())
}

fn unless(answer: Answer<()>, harmless: impl Fn(&Fault) -> bool) -> Result<()> {
    match answer {
        Err(fault) if !harmless(&fault) => Err(fault.error),
        _ => Ok(()),
    }
}
