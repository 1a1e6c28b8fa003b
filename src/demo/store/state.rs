//! The key-value state that the log's entries add up to, and snapshots of it.

use std::io::Cursor;

use openraft::storage::{RaftStateMachine, Snapshot, SnapshotMeta};
use openraft::{Entry, EntryPayload, OptionalSend, RaftSnapshotBuilder, StoredMembership};
use redb::{ReadableDatabase, ReadableTable};
use serde::{Deserialize, Serialize};

use super::{META, Result, Store, VALUES, any, decode, encode, failed, put_meta};
use crate::demo::types::{LogId, StorageError, Types};

const APPLIED: &str = "applied";
const SNAPSHOT: &str = "snapshot";
const SNAPSHOT_BYTES: &str = "snapshot_bytes";

#[derive(Debug, Clone)]
pub(in crate::demo) struct StateStore(pub(super) Store);

/// Up to where the log is applied, and who belongs to the cluster there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Applied {
    last: Option<LogId>,
    membership: StoredMembership<u64, ()>,
}

impl StateStore {
    fn applied(&self) -> Result<Applied> {
        Ok(self.0.meta(APPLIED)?.unwrap_or_default())
    }

    fn apply_all(&self, entries: impl IntoIterator<Item = Entry<Types>>) -> Result<Vec<()>> {
        let mut applied = self.applied()?;
        let mut answers = Vec::new();
        self.0.write(|tx| {
            let mut values = tx.open_table(VALUES).map_err(any)?;
            for entry in entries {
                applied.last = Some(entry.log_id);
                answers.push(());
                match entry.payload {
                    EntryPayload::Blank => {}
                    EntryPayload::Membership(members) => {
                        applied.membership = StoredMembership::new(Some(entry.log_id), members);
                    }
                    EntryPayload::Normal(command) => {
                        for (key, value) in &command.set {
                            values.insert(key.as_str(), value.as_str()).map_err(any)?;
                        }
                    }
                }
            }
            put_meta(tx, APPLIED, &applied)
        })?;
        Ok(answers)
    }

    /// Reads state and position in one transaction, so that they belong together.
    fn take_snapshot(&self) -> Result<Snapshot<Types>> {
        let tx = self.0.db.begin_read().map_err(any)?;
        let applied: Applied = match tx
            .open_table(META)
            .map_err(any)?
            .get(APPLIED)
            .map_err(any)?
        {
            Some(bytes) => decode(bytes.value())?,
            None => Applied::default(),
        };
        let mut values: Vec<(String, String)> = Vec::new();
        for row in tx.open_table(VALUES).map_err(any)?.iter().map_err(any)? {
            let (key, value) = row.map_err(any)?;
            values.push((key.value().to_owned(), value.value().to_owned()));
        }
        let position = applied.last.map(|id| id.to_string()).unwrap_or_default();
        let meta = SnapshotMeta {
            last_log_id: applied.last,
            last_membership: applied.membership,
            snapshot_id: format!("at-{position}"),
        };
        let bytes = encode(&values)?;
        self.0.write(|tx| keep_snapshot(tx, &meta, &bytes))?;
        Ok(snapshot(meta, bytes))
    }

    fn restore(&self, meta: &SnapshotMeta<u64, ()>, bytes: &[u8]) -> Result<()> {
        let restored: Vec<(String, String)> = decode(bytes)?;
        let applied = Applied {
            last: meta.last_log_id,
            membership: meta.last_membership.clone(),
        };
        self.0.write(|tx| {
            let mut values = tx.open_table(VALUES).map_err(any)?;
            values.retain(|_, _| false).map_err(any)?;
            for (key, value) in &restored {
                values.insert(key.as_str(), value.as_str()).map_err(any)?;
            }
            put_meta(tx, APPLIED, &applied)?;
            keep_snapshot(tx, meta, bytes)
        })
    }

    fn last_snapshot(&self) -> Result<Option<Snapshot<Types>>> {
        let tx = self.0.db.begin_read().map_err(any)?;
        let table = tx.open_table(META).map_err(any)?;
        let (Some(meta), Some(bytes)) = (
            table.get(SNAPSHOT).map_err(any)?,
            table.get(SNAPSHOT_BYTES).map_err(any)?,
        ) else {
            return Ok(None);
        };
        Ok(Some(snapshot(
            decode(meta.value())?,
            bytes.value().to_vec(),
        )))
    }
}

fn snapshot(meta: SnapshotMeta<u64, ()>, bytes: Vec<u8>) -> Snapshot<Types> {
    Snapshot {
        meta,
        snapshot: Box::new(Cursor::new(bytes)),
    }
}

fn keep_snapshot(
    tx: &redb::WriteTransaction,
    meta: &SnapshotMeta<u64, ()>,
    bytes: &[u8],
) -> Result<()> {
    put_meta(tx, SNAPSHOT, meta)?;
    let mut table = tx.open_table(META).map_err(any)?;
    table.insert(SNAPSHOT_BYTES, bytes).map_err(any)?;
    Ok(())
}

impl RaftSnapshotBuilder<Types> for StateStore {
    async fn build_snapshot(&mut self) -> std::result::Result<Snapshot<Types>, StorageError> {
        self.take_snapshot().map_err(failed)
    }
}

impl RaftStateMachine<Types> for StateStore {
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> std::result::Result<(Option<LogId>, StoredMembership<u64, ()>), StorageError> {
        let applied = self.applied().map_err(failed)?;
        Ok((applied.last, applied.membership))
    }

    async fn apply<I>(&mut self, entries: I) -> std::result::Result<Vec<()>, StorageError>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.apply_all(entries).map_err(failed)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(
        &mut self,
    ) -> std::result::Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, ()>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> std::result::Result<(), StorageError> {
        self.restore(meta, snapshot.get_ref()).map_err(failed)
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> std::result::Result<Option<Snapshot<Types>>, StorageError> {
        self.last_snapshot().map_err(failed)
    }
}
