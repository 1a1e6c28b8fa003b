//! What this engine lets chaosrun do, tried out. Whatever is made for that is removed again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::call::{read, refused};
use super::helper::{self, Tried};
use super::{Docker, compose, filter, image, observe, raw};
use crate::clock::{Clock, wall};
use crate::impairment::Features;
use crate::inventory::{AGENT_LABEL, EngineFacts, RUN_LABEL};
use crate::runtime::{Result, Runtime as _};

/// Each as it was found, or why it could not be.
#[derive(Debug, Clone)]
pub struct Findings {
    pub facts: EngineFacts,
    pub about: Result<About>,
    /// How long making it took.
    pub image: Result<Duration>,
    /// The helper that signals processes saw one.
    pub crash: Result<()>,
    pub features: Result<Features>,
    /// Runs of which there is an agent on this engine.
    pub agents_of: Result<Vec<String>>,
}

/// What the engine says about itself beyond [`EngineFacts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub cgroup_driver: String,
    /// How far its clock is ahead of ours, as far as one can tell from its answer; negative: behind.
    pub ahead_ms: i64,
    /// The answer took so long, and the clocks may differ by as much.
    pub unsure_ms: i64,
}

impl Docker {
    /// Tries out what a run needs.
    ///
    /// # Errors
    /// The engine says nothing about itself; everything else is among the findings.
    pub async fn examine(&self) -> Result<Findings> {
        let facts = observe::facts(self).await?;
        let about = about(self).await;
        // Before there is one of ours.
        let agents_of = agents_of(self).await;
        let clock = Clock::start();
        let image = image::ensure(self).await;
        let image = image.map(|_| Duration::from_micros(clock.now()));
        let (crash, features) = match &image {
            Ok(_) => {
                let Tried { crash, features } = helper::try_out(self).await;
                (crash, features)
            }
            Err(why) => (Err(why.clone()), Err(why.clone())),
        };
        let swept = self.sweep(&self.run).await;
        Ok(Findings {
            facts,
            about,
            image: swept.and(image),
            crash,
            features,
            agents_of,
        })
    }
}

/// The Compose tool and its version.
///
/// # Errors
/// There is none, or it does not work.
pub async fn compose_tool() -> Result<String> {
    compose::version().await
}

async fn about(docker: &Docker) -> Result<About> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Info {
        cgroup_driver: Option<String>,
        system_time: Option<String>,
    }
    let tried = "asking the engine about itself";
    let before = wall();
    let info: Info = read(docker, tried, "/info").await?;
    let after = wall();
    let told = info.system_time.unwrap_or_default();
    let theirs: jiff::Timestamp = told
        .parse()
        .map_err(|_| refused(tried, format!("its time is {told:?}")))?;
    let unsure_ms = after.as_millisecond() - before.as_millisecond();
    Ok(About {
        cgroup_driver: info.cgroup_driver.unwrap_or_default(),
        ahead_ms: theirs.as_millisecond() - before.as_millisecond() - unsure_ms / 2,
        unsure_ms,
    })
}

async fn agents_of(docker: &Docker) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Listed {
        #[serde(rename = "Labels")]
        labels: Option<BTreeMap<String, String>>,
    }
    let filters = serde_json::json!(filter("label", AGENT_LABEL)).to_string();
    let path = format!("/containers/json?all=1&filters={}", raw::encode(&filters));
    let listed: Vec<Listed> = read(docker, "listing the agents", &path).await?;
    let mut runs: Vec<String> = listed
        .into_iter()
        .filter_map(|one| one.labels?.remove(RUN_LABEL))
        .collect();
    runs.sort();
    runs.dedup();
    Ok(runs)
}
