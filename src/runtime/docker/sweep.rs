//! Taking away what was made, found by its labels. Doing it twice does no harm.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::ImageSummary;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
    RemoveVolumeOptionsBuilder,
};
use futures_util::{TryStreamExt as _, stream};

use super::call::{Answer, Fault, READ, REMOVE, call, refused};
use super::observe::short;
use super::{Docker, PROJECT_LABEL, filter};
use crate::inventory::{AGENT_LABEL, RUN_LABEL};
use crate::runtime::Result;

const AT_ONCE: usize = 16;

/// Removals that somebody else had begun are waited for this often; the pauses double from 10 ms.
const ROUNDS: u32 = 10;

type Filters = HashMap<String, Vec<String>>;

/// Everything of a Compose project, images that were built for it included.
pub(super) async fn down(docker: &Docker, project: &str) -> Result<()> {
    let label = filter("label", format!("{PROJECT_LABEL}={project}"));
    containers(docker, &label).await?;
    networks(docker, &label).await?;
    volumes(docker, &label).await?;
    built_images(docker, project).await
}

/// The run's agents, networks, volumes and image. A stack on that image inherits the run's label; it is left to [`down`], and keeps
/// the image for as long as it is kept itself.
pub(super) async fn sweep(docker: &Docker, run: &str) -> Result<()> {
    if run == docker.run {
        // Its control stream ends here, and so does it.
        docker.crasher.lock().await.take();
    }
    let label = format!("{RUN_LABEL}={run}");
    let agents = HashMap::from([("label".into(), vec![label.clone(), AGENT_LABEL.into()])]);
    containers(docker, &agents).await?;
    let label = filter("label", label);
    networks(docker, &label).await?;
    volumes(docker, &label).await?;
    labelled_images(docker, &label).await
}

async fn containers(docker: &Docker, filters: &Filters) -> Result<()> {
    let mut left = Vec::new();
    for round in 0..ROUNDS {
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(filters);
        let list = docker.client.list_containers(Some(options.build()));
        let listed = call("listing the containers to remove", READ, list).await?;
        left = listed.into_iter().filter_map(|c| c.id).collect();
        if left.is_empty() {
            return Ok(());
        }
        stream::iter(left.iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |id| container(docker, id))
            .await?;
        if round > 0 {
            tokio::time::sleep(Duration::from_millis(10 << round)).await;
        }
    }
    Err(refused(
        "removing containers",
        format!("the engine still lists {}", left.join(", ")),
    ))
}

/// One that is being removed already is no error: the list is read again.
pub(super) async fn container(docker: &Docker, id: &str) -> Result<()> {
    let tried = format!("removing container {}", short(id));
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true);
    let work = docker.client.remove_container(id, Some(options.build()));
    unless(call(tried, REMOVE, work).await, |f| {
        f.is_gone() || f.is_conflict()
    })
}

async fn networks(docker: &Docker, filters: &Filters) -> Result<()> {
    let options = ListNetworksOptionsBuilder::new().filters(filters);
    let list = docker.client.list_networks(Some(options.build()));
    let listed = call("listing the networks to remove", READ, list).await?;
    stream::iter(listed.into_iter().filter_map(|n| n.id).map(Ok))
        .try_for_each_concurrent(AT_ONCE, |id| async move {
            let tried = format!("removing network {}", short(&id));
            let work = docker.client.remove_network(&id);
            unless(call(tried, REMOVE, work).await, Fault::is_gone)
        })
        .await
}

async fn volumes(docker: &Docker, filters: &Filters) -> Result<()> {
    let options = ListVolumesOptionsBuilder::new().filters(filters);
    let list = docker.client.list_volumes(Some(options.build()));
    let listed = call("listing the volumes to remove", READ, list).await?;
    for volume in listed.volumes.unwrap_or_default() {
        let tried = format!("removing volume {}", volume.name);
        let options = RemoveVolumeOptionsBuilder::new().force(true).build();
        let work = docker.client.remove_volume(&volume.name, Some(options));
        unless(call(tried, REMOVE, work).await, Fault::is_gone)?;
    }
    Ok(())
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
