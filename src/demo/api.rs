//! What clients see.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use openraft::ServerState;
use serde_json::json;

use super::forward::{Failure, LIMIT, Outcome, PASSED_ON_HEADER, Request};
use super::node::Node;

const LARGEST_VALUE: usize = 64 * 1024;

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/kv/{key}", get(read).put(write))
        .route("/role", get(role))
        .route("/health", get(health))
        .route("/status", get(status))
        .layer(DefaultBodyLimit::max(LARGEST_VALUE))
}

async fn read(
    State(node): State<Arc<Node>>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Response {
    let outcome = carry_out(&node, Request::Read { key }, &headers).await;
    match outcome {
        Ok(Some(value)) => value.into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "no value\n").into_response(),
        Err(failure) => refusal(failure),
    }
}

async fn write(
    State(node): State<Arc<Node>>,
    Path(key): Path<String>,
    headers: HeaderMap,
    value: String,
) -> Response {
    let outcome = carry_out(&node, Request::Write { key, value }, &headers).await;
    match outcome {
        Ok(_) => StatusCode::OK.into_response(),
        Err(failure) => refusal(failure),
    }
}

async fn carry_out(node: &Node, request: Request, headers: &HeaderMap) -> Outcome {
    if headers.contains_key(PASSED_ON_HEADER) {
        node.here(&request).await
    } else {
        node.perform(&request).await
    }
}

fn refusal(failure: Failure) -> Response {
    match failure {
        // Only other nodes get to see this one.
        Failure::NotHere(why) => (StatusCode::MISDIRECTED_REQUEST, why).into_response(),
        Failure::Unknown(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

async fn role(State(node): State<Arc<Node>>) -> &'static str {
    node.role().await
}

async fn health(State(node): State<Arc<Node>>) -> Response {
    match node.known_primary() {
        Some(id) => format!("the primary is {id}\n").into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "no primary is known\n").into_response(),
    }
}

async fn status(State(node): State<Arc<Node>>) -> axum::Json<serde_json::Value> {
    let role = node.role().await;
    let metrics = node.raft.metrics().borrow().clone();
    axum::Json(json!({
        "id": node.id,
        "role": role,
        "state": metrics.state,
        "term": metrics.current_term,
        "primary": metrics.current_leader,
        "last_log_index": metrics.last_log_index,
        "applied_index": metrics.last_applied.map(|id| id.index),
        "snapshot_index": metrics.snapshot.map(|id| id.index),
        "nodes": node.directory.snapshot(),
        "sabotage": node.sabotage.map(|what| format!("{what:?}")),
    }))
}

impl Node {
    /// `primary` only when a majority confirms it now: one that was deposed while it was paused does not know yet.
    async fn role(&self) -> &'static str {
        let state = self.raft.metrics().borrow().state;
        match state {
            ServerState::Leader => {
                let asked = tokio::time::timeout(LIMIT, self.raft.ensure_linearizable()).await;
                match asked {
                    Ok(Ok(_)) => "primary",
                    _ => "candidate",
                }
            }
            ServerState::Candidate => "candidate",
            _ => "replica",
        }
    }

    /// One that this node could also reach.
    fn known_primary(&self) -> Option<u64> {
        let primary = self.raft.metrics().borrow().current_leader?;
        (primary == self.id || self.directory.address(primary).is_some()).then_some(primary)
    }
}
