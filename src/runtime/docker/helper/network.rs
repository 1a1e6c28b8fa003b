//! What is done to a target's packets, through the agent in its network.
//!
//! Nothing is taken for granted: what is in force is what the agent counts, and what was taken back is looked for once more.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::back_end::first_that_takes_it;
use super::keeper::{LEASE, Reply};
use super::sidecar::{JOB, LOOK, Life, Sidecar, Slot};
use super::wire::{late, unexpected};
use crate::action::{Change, Subject};
use crate::agent::protocol::{Request, Response};
use crate::impairment::expect::Series;
use crate::impairment::{BackEnd, Impaired, Impairment};
use crate::inventory::Instance;
use crate::runtime::docker::call::refused;
use crate::runtime::docker::{Docker, image, observe, sweep};
use crate::runtime::{Made, Result, RuntimeError};

/// Agents that are started at once: more only wait for each other.
const AT_ONCE: usize = 8;

/// Starts an agent for each that runs, and makes sure that a back end works.
pub(super) async fn prepare(docker: &Docker, subjects: Vec<Subject>) -> Result<()> {
    if subjects.is_empty() {
        return Ok(());
    }
    // One that does not run may do so by the time of its fault; the image is what takes long.
    image::ensure(docker).await?;
    stream::iter(subjects)
        .map(|subject| make_ready(docker, subject))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn make_ready(docker: &Docker, subject: Subject) -> Result<()> {
    let seen = observe::look(docker, &subject.id).await?;
    if seen.as_ref().and_then(Life::of).is_some() {
        let tried = format!("{}: could not prepare faults of its network", subject.name);
        running(docker, &subject).await?.back_ends(&tried).await?;
    }
    Ok(())
}

pub(in crate::runtime::docker) async fn impair(
    docker: &Docker,
    subject: &Subject,
    impairment: &Impairment,
) -> Result<()> {
    let change = Change::Impair {
        impairment: Box::new(impairment.clone()),
    };
    let tried = subject.could_not(&change);
    let mut current = Current::of(docker, subject);
    current.is_urgent = true;
    if let Some(sidecar) = current.sidecar.clone()
        && current
            .only(put_in_force(&tried, &sidecar, impairment))
            .await?
            .is_some()
    {
        return Ok(());
    }
    let sidecar = running(docker, subject).await?;
    put_in_force(&tried, &sidecar, impairment).await
}

async fn put_in_force(tried: &str, sidecar: &Sidecar, impairment: &Impairment) -> Result<()> {
    let back_ends = sidecar.back_ends(tried).await?;
    first_that_takes_it(back_ends, |back_end| {
        put_through(tried, sidecar, impairment, back_end)
    })
    .await
}

async fn put_through(
    tried: &str,
    sidecar: &Sidecar,
    impairment: &Impairment,
    back_end: BackEnd,
) -> Result<()> {
    let request = Request::Impair {
        impairment: impairment.clone(),
        back_end,
        lease: LEASE,
    };
    match sidecar.ask(tried, request).await?.response {
        Response::Done => Ok(()),
        other => Err(unexpected(tried, &other)),
    }
}

/// Until this has seen that nothing is in force, nobody is told so.
pub(in crate::runtime::docker) async fn relieve(
    docker: &Docker,
    subject: &Subject,
) -> Result<Made> {
    let slot = docker.sidecars.slot(&subject.id);
    slot.doubt(true);
    let made = take_back(docker, subject).await?;
    slot.doubt(false);
    Ok(made)
}

async fn take_back(docker: &Docker, subject: &Subject) -> Result<Made> {
    let tried = subject.could_not(&Change::Relieve);
    let current = Current::of(docker, subject);
    if let Some(sidecar) = current.sidecar.clone()
        && let Some((held, left)) = current.only(clear(&tried, &sidecar)).await?
    {
        return clean(&tried, &left, held);
    }
    // What an agent that is no more has left goes with it, or is found by the next one.
    sweep::agents(docker, JOB, &subject.id).await?;
    let seen = observe::look(docker, &subject.id).await?;
    if seen.as_ref().and_then(Life::of).is_none() {
        // Its network is gone with it.
        return Ok(Made::Already);
    }
    let sidecar = running(docker, subject).await?;
    if found(&tried, &sidecar).await?.is_empty() {
        return Ok(Made::Already);
    }
    let (_, left) = clear(&tried, &sidecar).await?;
    clean(&tried, &left, true)
}

/// Did the agent hold something, and what is left?
async fn clear(tried: &str, sidecar: &Sidecar) -> Result<(bool, Vec<String>)> {
    let reply = sidecar.ask(tried, Request::Relieve).await?;
    Ok((reply.held.is_some(), found(tried, sidecar).await?))
}

fn clean(tried: &str, left: &[String], held: bool) -> Result<Made> {
    if left.is_empty() {
        return Ok(if held { Made::Now } else { Made::Already });
    }
    let left = left.join(", ");
    Err(refused(
        tried,
        format!("this is still in force in its network: {left}"),
    ))
}

/// What of chaosrun's is in this network, by whomever it was put there.
async fn found(tried: &str, sidecar: &Sidecar) -> Result<Vec<String>> {
    match sidecar.ask(tried, Request::Inspect).await?.response {
        Response::Found { ours } => Ok(ours),
        other => Err(unexpected(tried, &other)),
    }
}

/// What the agent in its network says is in force there. An agent of an earlier life of the container's is ended.
pub(in crate::runtime::docker) async fn impaired(
    docker: &Docker,
    instance: &Instance,
) -> Result<Option<Box<Impaired>>> {
    let Some(slot) = docker.sidecars.find(&instance.id) else {
        return Ok(None);
    };
    let life = Life::of(instance);
    let seen = match slot.sidecar() {
        Some(sidecar) if sidecar.is_of(life.as_ref()) => {
            count(&instance.identity(), &slot, &sidecar).await?
        }
        stale => {
            stale.iter().for_each(|sidecar| slot.end_this(sidecar));
            None
        }
    };
    if seen.is_none() && life.is_some() && slot.is_doubtful() {
        let tried = format!("{}: looking at its network", instance.identity());
        return Err(refused(tried, "it is not yet known whether it is relieved"));
    }
    Ok(seen)
}

async fn count(name: &str, slot: &Slot, sidecar: &Arc<Sidecar>) -> Result<Option<Box<Impaired>>> {
    let tried = format!("{name}: asking the agent in its network what is in force");
    let asked = tokio::time::timeout(LOOK, sidecar.ask(&tried, Request::Count));
    match asked.await {
        Err(_) => Err(late(&tried, LOOK)),
        Ok(Ok(Reply {
            response: Response::Counted { counts },
            held,
        })) => Ok(held.filter(|_| !counts.is_empty()).map(|held| {
            Box::new(Impaired {
                digest: held.digest,
                back_end: held.back_end,
                counts,
            })
        })),
        Ok(Ok(Reply { response, .. })) => Err(unexpected(&tried, &response)),
        // It has nothing to count.
        Ok(Err(RuntimeError::Refused { .. })) => Ok(None),
        Ok(Err(_)) => {
            // Its keeper has made sure that it is no more, and whatever it held has gone with it.
            slot.end_this(sidecar);
            Ok(None)
        }
    }
}

/// Whatever else is asked of the agent meanwhile is answered afterwards.
pub(in crate::runtime::docker) async fn measure(
    docker: &Docker,
    subject: &Subject,
    (peer, port): (IpAddr, Option<u16>),
    series: Series,
) -> Result<Vec<Option<Duration>>> {
    let tried = format!("{}: measuring round trips to {peer}", subject.name);
    let request = Request::Measure { peer, port, series };
    let current = Current::of(docker, subject);
    if let Some(sidecar) = current.sidecar.clone()
        && let Some(reply) = current.only(sidecar.ask(&tried, request.clone())).await?
    {
        return measured(&tried, reply);
    }
    let sidecar = running(docker, subject).await?;
    measured(&tried, sidecar.ask(&tried, request).await?)
}

fn measured(tried: &str, reply: Reply) -> Result<Vec<Option<Duration>>> {
    match reply.response {
        Response::Measured { round_trips } => Ok(round_trips),
        other => Err(unexpected(tried, &other)),
    }
}

/// The agent that is there, if there is one.
struct Current<'a> {
    docker: &'a Docker,
    subject: &'a Subject,
    slot: Arc<Slot>,
    sidecar: Option<Arc<Sidecar>>,
    /// A fault is due now, and its proof would find out that it has gone wrong.
    is_urgent: bool,
}

impl<'a> Current<'a> {
    fn of(docker: &'a Docker, subject: &'a Subject) -> Self {
        let slot = docker.sidecars.slot(&subject.id);
        Self {
            docker,
            subject,
            sidecar: slot.sidecar(),
            slot,
            is_urgent: false,
        }
    }

    /// What it answers, asked at once; meanwhile the target is looked at, unless it was just now and time
    /// presses. `None`: the agent is not in the network that the target
    /// has now, or was lost on the way.
    async fn only<T>(self, answer: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        let Some(sidecar) = self.sidecar else {
            return Ok(None);
        };
        let look = async {
            if self.is_urgent && sidecar.is_confirmed() {
                return Ok(true);
            }
            let seen = observe::look(self.docker, &self.subject.id).await?;
            Ok::<_, RuntimeError>(sidecar.is_of(seen.as_ref().and_then(Life::of).as_ref()))
        };
        let (answer, is_current) = tokio::join!(answer, look);
        if !is_current? {
            self.slot.end_this(&sidecar);
            return Ok(None);
        }
        match answer {
            Err(error) if !matches!(error, RuntimeError::Refused { .. }) && sidecar.has_ended() => {
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }
}

/// The target's agent, started if need be.
async fn running(docker: &Docker, subject: &Subject) -> Result<Arc<Sidecar>> {
    let slot = docker.sidecars.slot(&subject.id);
    let _one_at_a_time = slot.starting.lock().await;
    if let Some(sidecar) = slot.sidecar() {
        return Ok(sidecar);
    }
    let sidecar = Arc::new(Sidecar::start(docker, subject).await?);
    slot.put(Arc::clone(&sidecar));
    Ok(sidecar)
}
