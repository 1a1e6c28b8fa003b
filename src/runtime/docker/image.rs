//! The agent image: chaosrun's own executable, loaded into the engine. No registry, no build, no shell.

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};

use bollard::query_parameters::ImportImageOptionsBuilder;

use super::call::{LOAD, call, refused};
use super::{Docker, executable, tarball};
use crate::inventory::RUN_LABEL;
use crate::runtime::{Result, RuntimeError};
use crate::units::kernel_words;

/// The run's image, loaded when it is first asked for.
pub(super) async fn ensure(docker: &Docker) -> Result<String> {
    let tag = docker
        .image
        .get_or_try_init(|| load(docker))
        .await
        .map(String::as_str)?;
    Ok(tag.to_owned())
}

async fn load(docker: &Docker) -> Result<String> {
    let tag = format!("chaosrun/agent:{}", docker.run);
    let tried = format!("loading chaosrun's own executable as image {tag}");
    let pieces = pieces(docker, tag.clone()).await.map_err(|e| {
        let hint =
            "the agent needs chaosrun as a linux executable; run it on linux, or in a container";
        RuntimeError::Refused {
            tried: tried.clone(),
            said: kernel_words(&e),
            hint: hint.into(),
        }
    })?;
    let body = stream::iter(pieces.into_iter().map(Ok::<Bytes, std::io::Error>));
    let options = ImportImageOptionsBuilder::new().quiet(true).build();
    let client = docker.client.clone();
    // The engine goes on with it even if nobody waits for it any more, and then it is still to be taken away.
    let load = docker.loads.spawn(async move {
        let answers = client.import_image_stream(options, body, None);
        call(tried, LOAD, answers.try_collect::<Vec<_>>()).await
    });
    match load.await {
        Ok(loaded) => loaded.map(|_| tag).map_err(Into::into),
        Err(error) => Err(refused(
            "loading chaosrun's own executable",
            error.to_string(),
        )),
    }
}

/// Whatever was begun has come to its end, so that it is found.
pub(super) async fn settle(docker: &Docker) {
    docker.loads.close();
    docker.loads.wait().await;
}

async fn pieces(docker: &Docker, tag: String) -> std::io::Result<Vec<Bytes>> {
    let process = docker.process.clone();
    let label = (RUN_LABEL.to_owned(), docker.run.clone());
    let work = move || {
        let mut contents = executable::collect(&process)?;
        contents.folders = vec!["/data".into(), "/tmp".into()];
        contents.label = label;
        contents.architecture = architecture().into();
        tarball::image(&contents, &tag)
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(std::io::Error::other)?
}

/// This executable's, in Docker's words.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}
