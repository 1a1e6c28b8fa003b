//! The built-in system under test: one node of a small replicated key-value service, so that `scenarios/` runs from a fresh
//! clone without pulling anything. Three of them, started as `chaosrun quorum-node`, elect a primary by Raft.
//!
//! | request | answer |
//! |---|---|
//! | `PUT /kv/{key}` | 200 once a majority holds the value; 503 with the reason, within a second, when that cannot be had |
//! | `GET /kv/{key}` | the value, never a stale one; 404 when there is none; 503 as above |
//! | `GET /role` | `primary`, `replica` or `candidate`; `primary` only after a majority has just confirmed it |
//! | `GET /health` | 200 once this node knows a primary |
//! | `GET /status` | what it knows, as JSON |
//!
//! Any node takes any request; a replica passes it on to the primary. [`Sabotage`] breaks the service on purpose: a verdict is
//! only to be trusted once it has said "failed" for the right reason.

mod api;
mod args;
mod batch;
mod bootstrap;
mod check;
mod directory;
mod forward;
mod ledger;
mod node;
mod peers;
mod rpc;
mod store;

pub use args::{Args, Sabotage};

/// Serves until SIGTERM or SIGINT, or, with `--check`, asks a running node once whether it is healthy; with `--ledger` it is a
/// running node's client.
///
/// # Errors
/// A sentence saying what could not be done: the address is taken, the data cannot be opened, the node is not healthy, or an
/// acknowledged write is gone.
pub async fn run(args: Args) -> Result<(), String> {
    match (&args.check, args.ledger) {
        (Some(url), _) => check::ask(url).await,
        (None, Some(number)) => {
            let here = format!("127.0.0.1:{}", args.listen.port());
            ledger::keep(number, &here, &args.data).await
        }
        (None, None) => node::serve(&args).await,
    }
}

/// What the nodes agree on.
mod types {
    use serde::{Deserialize, Serialize};

    /// One log entry: values to set, in order. More than one only where [`super::Sabotage::AckEarly`] batches them.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) struct Command {
        pub(crate) set: Vec<(String, String)>,
    }

    openraft::declare_raft_types!(
        pub(crate) Types:
            D = Command,
            R = (),
            NodeId = u64,
            // Addresses change when a container restarts, so they are looked up, not agreed upon.
            Node = (),
            Entry = openraft::Entry<Types>,
            SnapshotData = std::io::Cursor<Vec<u8>>,
            AsyncRuntime = openraft::TokioRuntime,
    );

    pub(crate) type Raft = openraft::Raft<Types>;
    pub(crate) type StorageError = openraft::StorageError<u64>;
    pub(crate) type LogId = openraft::LogId<u64>;
}
