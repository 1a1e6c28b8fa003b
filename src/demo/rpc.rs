//! The receiving end of [`super::peers`].

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::node::Node;
use super::types::Types;

/// A snapshot comes in chunks of 256 KiB, whose JSON is some four times as long.
const LARGEST: usize = 16 * 1024 * 1024;

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/node", get(who))
        .route("/raft/{to}/append", post(append))
        .route("/raft/{to}/vote", post(vote))
        .route("/raft/{to}/snapshot", post(snapshot))
        .layer(DefaultBodyLimit::max(LARGEST))
}

async fn who(State(node): State<Arc<Node>>) -> String {
    node.id.to_string()
}

async fn append(State(node): State<Arc<Node>>, Path(to): Path<u64>, body: Bytes) -> Response {
    answer(&node, to, &body, async |request| {
        node.raft.append_entries(request).await
    })
    .await
}

async fn vote(State(node): State<Arc<Node>>, Path(to): Path<u64>, body: Bytes) -> Response {
    answer(&node, to, &body, async |request| {
        node.raft.vote(request).await
    })
    .await
}

async fn snapshot(State(node): State<Arc<Node>>, Path(to): Path<u64>, body: Bytes) -> Response {
    type Request = openraft::raft::InstallSnapshotRequest<Types>;
    answer(&node, to, &body, async |request: Request| {
        node.raft.install_snapshot(request).await
    })
    .await
}

/// Raft's own errors are answers, too; only what is not for this node, or no request at all, is refused.
async fn answer<Q, A>(node: &Node, to: u64, body: &[u8], act: impl AsyncFnOnce(Q) -> A) -> Response
where
    Q: DeserializeOwned,
    A: Serialize,
{
    if to != node.id {
        return (
            StatusCode::MISDIRECTED_REQUEST,
            format!("this is node {}", node.id),
        )
            .into_response();
    }
    match serde_json::from_slice(body) {
        Ok(request) => axum::Json(act(request).await).into_response(),
        Err(e) => (StatusCode::BAD_REQUEST, e.to_string()).into_response(),
    }
}
