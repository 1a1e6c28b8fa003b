//! Raft's calls to the other nodes: JSON over HTTP, each with its own time limit, so a paused peer holds nothing up.

use std::sync::Arc;
use std::time::Duration;

use openraft::error::{InstallSnapshotError, NetworkError, RPCError, RaftError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::directory::Directory;
use super::types::Types;

/// A container that is gone does not refuse a connection, it says nothing.
const CONNECT: Duration = Duration::from_millis(100);

/// One client for all peers: plain HTTP, no proxy, connections kept.
///
/// # Errors
/// The client cannot be built.
pub(super) fn client() -> Result<reqwest::Client, String> {
    // reqwest wants a TLS provider even where no TLS is spoken; whoever came first has set the same one.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    reqwest::Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .build()
        .map_err(|e| format!("making an http client: {e:?}"))
}

#[derive(Debug, Clone)]
pub(super) struct Peers {
    pub(super) client: reqwest::Client,
    pub(super) directory: Arc<Directory>,
}

impl RaftNetworkFactory<Types> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, _node: &()) -> Peer {
        Peer {
            target,
            peers: self.clone(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Peer {
    target: u64,
    peers: Peers,
}

#[derive(Debug, thiserror::Error)]
#[error("no address is known for node {0}")]
struct NoAddress(u64);

type Failure<E> = RPCError<u64, (), RaftError<u64, E>>;

impl Peer {
    async fn call<Q, A, E>(&self, what: &str, request: &Q, ttl: Duration) -> Result<A, Failure<E>>
    where
        Q: Serialize,
        A: DeserializeOwned,
        E: std::error::Error + DeserializeOwned,
    {
        let target = self.target;
        let address = self
            .peers
            .directory
            .address(target)
            .ok_or_else(|| Unreachable::new(&NoAddress(target)))?;
        // The number is part of the path: another node at this address refuses, instead of answering in the wrong name.
        let url = format!("http://{address}/raft/{target}/{what}");
        let body = serde_json::to_vec(request).map_err(|e| NetworkError::new(&e))?;
        let exchange = async {
            let request = self.peers.client.post(url).timeout(ttl).body(body);
            request.send().await?.error_for_status()?.bytes().await
        };
        // Unreachable rather than NetworkError: openraft then waits before it tries again.
        let bytes = exchange.await.map_err(|e| Unreachable::new(&e))?;
        let answer: Result<A, RaftError<u64, E>> =
            serde_json::from_slice(&bytes).map_err(|e| NetworkError::new(&e))?;
        answer.map_err(|e| RPCError::RemoteError(openraft::error::RemoteError::new(self.target, e)))
    }
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, (), RaftError<u64>>> {
        self.call("append", &request, option.hard_ttl()).await
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<Types>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, RPCError<u64, (), RaftError<u64, InstallSnapshotError>>>
    {
        self.call("snapshot", &request, option.hard_ttl()).await
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, (), RaftError<u64>>> {
        self.call("vote", &request, option.hard_ttl()).await
    }

    /// A heartbeat's time: a peer that is back must hear of its primary before it elects.
    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(Duration::from_millis(100)))
    }
}
