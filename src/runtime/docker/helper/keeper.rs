//! The task that talks to one sidecar for as long as that lives. It renews the lease, and sees at once when the agent ends.
//!
//! A request that its asker gives up on is carried through all the same: a fault does not end because somebody stopped looking.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, Sleep, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::wire::{ANSWER, Ear, Voice, Wire, late, lost};
use crate::action::Subject;
use crate::agent::protocol::{Request, Response};
use crate::impairment::BackEnd;
use crate::runtime::docker::Docker;
use crate::runtime::docker::{sweep, watch::Watchers};
use crate::runtime::{Notice, Result, RuntimeError};

/// An impairment is held for so long after chaosrun was last heard of.
pub(super) const LEASE: Duration = Duration::from_secs(3);

const RENEW_EVERY: Duration = Duration::from_secs(1);

/// Nobody has so many answers to come from an agent that works.
const MOST_ASKED: usize = 64;

/// An agent whose answer to this is late does not do its work any more.
const PROMPT: Duration = Duration::from_secs(3);

/// What is in force, as far as the agent has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) digest: String,
    pub(super) back_end: BackEnd,
}

pub(super) struct Reply {
    pub(super) response: Response,
    /// Before this answer.
    pub(super) held: Option<Held>,
}

/// A request, and who wants the answer: nobody, where it is the keeper's own.
pub(super) struct Order {
    pub(super) request: Request,
    pub(super) reply: Option<oneshot::Sender<Result<Reply>>>,
}

pub(super) struct Keeper {
    voice: Voice,
    ear: Ear,
    orders: mpsc::UnboundedReceiver<Order>,
    /// Said and not yet answered, oldest first: answers come in the order of the questions.
    asked: VecDeque<Order>,
    /// How long the oldest is waited for.
    patience: Pin<Box<Sleep>>,
    renewal: Interval,
    held: Option<Held>,
    grave: Grave,
}

/// What remains to be done when an agent is lost.
struct Grave {
    client: bollard::Docker,
    watchers: Arc<Watchers>,
    stop: CancellationToken,
    /// The agent's container.
    id: String,
    target: Subject,
    tried: String,
}

impl Keeper {
    pub(super) fn new(
        docker: &Docker,
        target: &Subject,
        (id, wire): (String, Wire),
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Self {
        let mut renewal = interval(RENEW_EVERY);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            voice: wire.voice,
            ear: wire.ear,
            orders,
            asked: VecDeque::new(),
            patience: Box::pin(sleep(ANSWER)),
            renewal,
            held: None,
            grave: Grave {
                client: docker.client.clone(),
                watchers: Arc::clone(&docker.watchers),
                stop: docker.stop.clone(),
                id,
                target: target.clone(),
                tried: format!("{}: asking the agent in its network", target.name),
            },
        }
    }

    /// Until nobody wants the agent any more, or it is lost.
    pub(super) async fn run(mut self) {
        let stop = self.grave.stop.clone();
        let end = tokio::select! {
            () = stop.cancelled() => return,
            end = self.talk() => end,
        };
        if let Err(error) = end {
            self.bury(&error).await;
        }
    }

    async fn talk(&mut self) -> Result<()> {
        loop {
            tokio::select! {
                biased;
                response = self.ear.response(&self.grave.tried) => self.on_response(response?).await?,
                order = self.orders.recv() => match order {
                    Some(order) => self.say(order).await?,
                    None => return Ok(()),
                },
                () = &mut self.patience, if !self.asked.is_empty() => {
                    return Err(late(&self.grave.tried, self.asked.front().map_or(ANSWER, |o| patience(&o.request))));
                }
                _ = self.renewal.tick(), if self.held.is_some() => self.renew().await?,
            }
        }
    }

    /// Heard at once, though answered in its turn: after a measurement that takes long.
    async fn renew(&mut self) -> Result<()> {
        if self.asked.len() >= MOST_ASKED {
            return Ok(());
        }
        let (request, reply) = (Request::Renew, None);
        self.say(Order { request, reply }).await
    }

    async fn say(&mut self, order: Order) -> Result<()> {
        let said = self.voice.say(&self.grave.tried, &order.request);
        let said = timeout(ANSWER, said).await;
        self.asked.push_back(order);
        if self.asked.len() == 1 {
            self.wait_for_next();
        }
        said.unwrap_or_else(|_| Err(late(&self.grave.tried, ANSWER)))
    }

    fn wait_for_next(&mut self) {
        if let Some(next) = self.asked.front() {
            self.patience = Box::pin(sleep(patience(&next.request)));
        }
    }

    async fn on_response(&mut self, response: Response) -> Result<()> {
        let Some(Order { request, reply }) = self.asked.pop_front() else {
            let said = format!("it said something unasked: {response:?}");
            return Err(lost(&self.grave.tried, said));
        };
        self.wait_for_next();
        let now = next(self.held.as_ref(), &request, &response);
        let before = std::mem::replace(&mut self.held, now);
        let ran_out = request == Request::Renew && before.is_some() && self.held.is_none();
        if let Some(asker) = reply {
            let held = before;
            // Whoever has given up does not need it.
            asker.send(Ok(Reply { response, held })).ok();
        }
        if ran_out {
            // The agent lives, but what it had in force is gone: so it is with a machine that slept.
            self.grave.tell().await;
        }
        Ok(())
    }

    /// A broken agent is ended first: what is asked of the next one must not meet what this one has in force.
    async fn bury(mut self, error: &RuntimeError) {
        drop((self.voice, self.ear));
        let removed = sweep::container(&self.grave.client, &self.grave.id);
        // What is left of it is found by its labels.
        timeout(ANSWER, removed).await.ok();
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            self.asked.push_back(order);
        }
        for reply in self.asked.into_iter().filter_map(|order| order.reply) {
            reply.send(Err(error.clone())).ok();
        }
        drop(self.orders);
        self.grave.tell().await;
    }
}

impl Grave {
    /// The target is what is to be looked at again.
    async fn tell(&self) {
        let notice = Notice {
            id: self.target.id.clone(),
            name: self.target.name.clone(),
            what: Notice::AGENT_LOST.into(),
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.watchers.tell(&notice) => {}
        }
    }
}

/// What is in force after this answer.
fn next(held: Option<&Held>, request: &Request, response: &Response) -> Option<Held> {
    match (request, response) {
        (
            Request::Impair {
                impairment,
                back_end,
                ..
            },
            Response::Done,
        ) => Some(Held {
            digest: impairment.digest(),
            back_end: *back_end,
        }),
        (Request::Relieve, Response::Done) => None,
        // It has nothing in force, or would have said how it fares.
        (Request::Renew | Request::Count, Response::Refused { .. }) => None,
        (Request::Count, Response::Counted { counts }) if counts.is_empty() => None,
        _ => held.cloned(),
    }
}

fn patience(request: &Request) -> Duration {
    match request {
        Request::Renew | Request::Count => PROMPT,
        Request::Measure { series, .. } => ANSWER.saturating_add(series.lasts()),
        _ => ANSWER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impairment::expect::Series;
    use crate::impairment::{Counts, Impairment};

    fn impair(seed: u64) -> Request {
        Request::Impair {
            impairment: Impairment {
                rules: Vec::new(),
                seed,
            },
            back_end: BackEnd::Queue,
            lease: LEASE,
        }
    }

    fn refused() -> Response {
        Response::Refused { why: "no".into() }
    }

    #[test]
    fn what_is_in_force_is_what_the_agent_said_done_to() {
        let first = next(None, &impair(1), &Response::Done);
        assert!(first.is_some());
        let second = next(first.as_ref(), &impair(2), &Response::Done);
        assert_ne!(first, second);
        assert_eq!(next(first.as_ref(), &impair(2), &refused()), first);
        assert_eq!(next(first.as_ref(), &Request::Relieve, &refused()), first);
        assert_eq!(
            next(first.as_ref(), &Request::Relieve, &Response::Done),
            None
        );
        assert_eq!(next(None, &impair(1), &refused()), None);
    }

    #[test]
    fn an_agent_that_renews_nothing_has_nothing_in_force() {
        let held = next(None, &impair(1), &Response::Done);
        assert_eq!(next(held.as_ref(), &Request::Renew, &Response::Done), held);
        assert_eq!(next(held.as_ref(), &Request::Renew, &refused()), None);
        assert_eq!(next(held.as_ref(), &Request::Count, &refused()), None);
        let none = Response::Counted { counts: Vec::new() };
        assert_eq!(next(held.as_ref(), &Request::Count, &none), None);
        let some = Response::Counted {
            counts: vec![Counts::default()],
        };
        assert_eq!(next(held.as_ref(), &Request::Count, &some), held);
    }

    #[test]
    fn a_measurement_may_take_its_time() {
        let measure = Request::Measure {
            peer: std::net::IpAddr::from([127, 0, 0, 1]),
            port: None,
            series: Series {
                times: 11,
                apart: Duration::from_secs(1),
                patience: Duration::from_secs(2),
            },
        };
        assert_eq!(patience(&measure), ANSWER + Duration::from_secs(12));
        assert!(patience(&Request::Renew) <= LEASE);
    }
}
