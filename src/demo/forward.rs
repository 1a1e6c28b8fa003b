//! Getting a request to the primary, wherever that is now, within a fixed time.
//!
//! A write is tried again only when it certainly had no effect. One whose fate is unknown is answered 503 at once: were it
//! repeated, it could undo a later write to the same key.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use openraft::ServerState;

use super::Sabotage;
use super::node::Node;
use super::types::Command;

/// A client gets its answer within this time, good or bad.
pub(super) const LIMIT: Duration = Duration::from_millis(800);
/// For the primary to answer a request that was passed on. Long for a write, which has only one try.
const WRITE_PASSED_ON: Duration = Duration::from_millis(700);
const READ_PASSED_ON: Duration = Duration::from_millis(300);
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Set on requests that were passed on already, so that they are never passed on again.
pub(super) const PASSED_ON_HEADER: &str = "x-quorum-passed-on";

#[derive(Debug, Clone)]
pub(super) enum Request {
    Read { key: String },
    Write { key: String, value: String },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It certainly had no effect: another node may be asked.
    NotHere(String),
    /// It failed, or nobody knows.
    Unknown(String),
}

/// What was read: nothing for a write and for a key without a value.
pub(super) type Outcome = Result<Option<String>, Failure>;

impl Node {
    /// Carries a client's request out.
    pub(super) async fn perform(&self, request: &Request) -> Outcome {
        let mut reason = String::new();
        let attempts = async {
            loop {
                match self.attempt(request).await {
                    Err(Failure::NotHere(why)) => reason = why,
                    settled => return settled,
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        };
        match tokio::time::timeout(LIMIT, attempts).await {
            Ok(outcome) => outcome,
            Err(_) if reason.is_empty() => Err(Failure::Unknown(format!(
                "no majority within {} ms",
                LIMIT.as_millis()
            ))),
            Err(_) => Err(Failure::Unknown(reason)),
        }
    }

    async fn attempt(&self, request: &Request) -> Outcome {
        let primary = self.raft.metrics().borrow().current_leader;
        match primary {
            None => Err(Failure::NotHere("there is no primary".into())),
            Some(id) if id == self.id => self.here(request).await,
            Some(id) => self.pass_on(id, request).await,
        }
    }

    /// As the primary.
    pub(super) async fn here(&self, request: &Request) -> Outcome {
        if !self.is_acknowledged() {
            return Err(Failure::NotHere("this node is not the primary".into()));
        }
        match request {
            Request::Read { key } => {
                // Reads have no effect, so a lost majority is always worth another try.
                let confirmed = self.raft.ensure_linearizable().await;
                confirmed.map_err(|e| Failure::NotHere(e.to_string()))?;
                self.store.value(key).map_err(Failure::Unknown)
            }
            Request::Write { key, value } => {
                let pair = (key.clone(), value.clone());
                if self.sabotage == Some(Sabotage::AckEarly) {
                    self.batch.add(pair);
                    return Ok(None);
                }
                let command = Command { set: vec![pair] };
                match tokio::time::timeout(LIMIT, self.raft.client_write(command)).await {
                    Ok(Ok(_)) => Ok(None),
                    Ok(Err(e)) => Err(Failure::Unknown(e.to_string())),
                    Err(_) => Err(Failure::Unknown(format!(
                        "no majority within {} ms",
                        LIMIT.as_millis()
                    ))),
                }
            }
        }
    }

    /// Has a majority followed this primary? One that was killed and comes back believes to be it until it hears otherwise.
    fn is_acknowledged(&self) -> bool {
        let metrics = self.raft.metrics();
        let now = metrics.borrow();
        now.state == ServerState::Leader && now.millis_since_quorum_ack.is_some()
    }

    async fn pass_on(&self, primary: u64, request: &Request) -> Outcome {
        let Some(address) = self.directory.address(primary) else {
            return Err(Failure::NotHere(
                "the primary's address is not known".into(),
            ));
        };
        let (method, patience, key, body) = match request {
            Request::Read { key } => (Method::GET, READ_PASSED_ON, key, String::new()),
            Request::Write { key, value } => (Method::PUT, WRITE_PASSED_ON, key, value.clone()),
        };
        let mut url = reqwest::Url::parse(&format!("http://{address}"))
            .map_err(|e| Failure::Unknown(e.to_string()))?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(["kv", key]);
        }
        let sent = self
            .client
            .request(method, url)
            .header(PASSED_ON_HEADER, self.id)
            .timeout(patience)
            .body(body)
            .send()
            .await;
        let answer = sent.map_err(|e| no_answer(request, &e))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|e| no_answer(request, &e))?;
        match (status, request) {
            (StatusCode::OK, Request::Read { .. }) => Ok(Some(text)),
            (StatusCode::OK, Request::Write { .. }) | (StatusCode::NOT_FOUND, _) => Ok(None),
            (StatusCode::MISDIRECTED_REQUEST, _) => Err(Failure::NotHere(text)),
            _ => Err(Failure::Unknown(text)),
        }
    }
}

fn no_answer(request: &Request, error: &reqwest::Error) -> Failure {
    let why = format!("the primary does not answer: {error}");
    match request {
        Request::Write { .. } if !error.is_connect() => Failure::Unknown(why),
        _ => Failure::NotHere(why),
    }
}
