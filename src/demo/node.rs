//! One node: its parts, and how long they live.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::batch::Batch;
use super::directory::Directory;
use super::peers::{Peers, client};
use super::store::Store;
use super::types::Raft;
use super::{Args, Sabotage, api, bootstrap, rpc};

/// For Raft to end in good order.
const FAREWELL: Duration = Duration::from_millis(500);

pub(super) struct Node {
    pub(super) id: u64,
    pub(super) raft: Raft,
    pub(super) store: Store,
    pub(super) directory: Arc<Directory>,
    pub(super) client: reqwest::Client,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) batch: Batch,
}

/// Runs a node until it is told to stop.
///
/// # Errors
/// A sentence: what could not be opened, or why the node could not go on.
pub(super) async fn serve(args: &Args) -> Result<(), String> {
    // Before anything else: the first process of a container has no default handlers.
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    let node = Arc::new(Node::open(args).await?);
    let mut tasks = node.clone().start(args).await?;
    let ended = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        why = first_failure(&mut tasks) => Err(why),
    };
    tasks.abort_all();
    // Late or not: everything acknowledged is on file already.
    drop(tokio::time::timeout(FAREWELL, node.raft.shutdown()).await);
    ended
}

impl Node {
    async fn open(args: &Args) -> Result<Self, String> {
        let id = args.identity()?;
        let sabotage = args.sabotage()?;
        let client = client()?;
        let directory = Directory::new(args.peers.clone(), args.nodes, client.clone());
        let directory = Arc::new(directory);
        let store = Store::open(&args.data.join(format!("{id:012x}")))?;
        let (log, state) = store.views();
        let peers = Peers {
            client: client.clone(),
            directory: directory.clone(),
        };
        let config = Arc::new(args.raft_config(sabotage)?);
        let raft = Raft::new(id, config, peers, log, state)
            .await
            .map_err(|e| format!("starting raft: {e}"))?;
        Ok(Self {
            id,
            raft,
            store,
            directory,
            client,
            sabotage,
            batch: Batch::default(),
        })
    }

    /// Every task ends only by failing, or having nothing left to do.
    async fn start(self: Arc<Self>, args: &Args) -> Result<JoinSet<Result<(), String>>, String> {
        let listener = TcpListener::bind(args.listen)
            .await
            .map_err(|e| format!("listening on {}: {e}", args.listen))?;
        let app = api::routes().merge(rpc::routes()).with_state(self.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let served = axum::serve(listener, app).await;
            served.map_err(|e| format!("serving: {e}"))
        });
        let node = self.clone();
        tasks.spawn(async move { bootstrap::limit_elections(&node.raft, node.sabotage).await });
        let node = self.clone();
        tasks.spawn(async move { bootstrap::form(node.id, &node.raft, &node.directory).await });
        let node = self.clone();
        tasks.spawn(async move {
            node.directory.keep_fresh().await;
            Ok(())
        });
        let node = self.clone();
        tasks.spawn(async move {
            node.batch.drain(&node.raft).await;
            Ok(())
        });
        tasks.spawn(async move { raft_stops(&self.raft).await });
        Ok(tasks)
    }
}

/// A node whose Raft has stopped (its disk is full, say) must end, not linger.
async fn raft_stops(raft: &Raft) -> Result<(), String> {
    let mut metrics = raft.metrics();
    loop {
        metrics
            .borrow_and_update()
            .running_state
            .clone()
            .map_err(|e| format!("raft has stopped: {e}"))?;
        metrics
            .changed()
            .await
            .map_err(|_| "raft has stopped".to_owned())?;
    }
}

async fn first_failure(tasks: &mut JoinSet<Result<(), String>>) -> String {
    loop {
        match tasks.join_next().await {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(why))) => return why,
            Some(Err(panicked)) => return panicked.to_string(),
            None => return "every task has ended".into(),
        }
    }
}
