//! From separate nodes to a cluster, and who may call an election when.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Sabotage;
use super::directory::Directory;
use super::types::Raft;

const PAUSE: Duration = Duration::from_millis(50);

/// A node that comes back would elect itself, and so unseat a working primary, if it were not found again before its first
/// time-out. It waits for two rounds of its peers' directories instead.
const BE_FOUND: Duration = Duration::from_secs(1);

/// Once everybody has been seen, the one with the smallest number forms the cluster; a node with a past does nothing.
///
/// # Errors
/// Raft has stopped, or refuses the members.
pub(super) async fn form(id: u64, raft: &Raft, directory: &Directory) -> Result<(), String> {
    loop {
        if raft.is_initialized().await.map_err(|e| e.to_string())? {
            return Ok(());
        }
        if let Some(all) = directory.everybody()
            && all.first() == Some(&id)
        {
            let members: BTreeMap<u64, ()> = all.into_iter().map(|id| (id, ())).collect();
            return raft
                .initialize(members)
                .await
                .map_err(|e| format!("forming the cluster: {e}"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Holds elections back where they would do harm, or where the sabotage says so.
///
/// # Errors
/// Raft has stopped.
pub(super) async fn limit_elections(raft: &Raft, sabotage: Option<Sabotage>) -> Result<(), String> {
    let never_again = sabotage == Some(Sabotage::NoFailover);
    if raft.is_initialized().await.map_err(|e| e.to_string())? {
        raft.runtime_config().elect(false);
        tokio::time::sleep(BE_FOUND).await;
        raft.runtime_config().elect(!never_again);
    } else if never_again {
        raft.wait(None)
            .metrics(|now| now.current_leader.is_some(), "first primary")
            .await
            .map_err(|e| e.to_string())?;
        raft.runtime_config().elect(false);
    }
    Ok(())
}
