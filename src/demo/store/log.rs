//! Raft's log and vote. What is committed need not be kept: the state itself outlives a restart.

use std::fmt::Debug;
use std::ops::RangeBounds;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{Entry, LogState, OptionalSend, RaftLogId, RaftLogReader, Vote};
use redb::{ReadableDatabase, ReadableTable};

use super::{LOG, Result, Store, any, decode, encode, failed, put_meta};
use crate::demo::types::{LogId, StorageError, Types};

const VOTE: &str = "vote";
const PURGED: &str = "purged";

#[derive(Debug, Clone)]
pub(in crate::demo) struct LogStore(pub(super) Store);

impl LogStore {
    fn entries(&self, range: impl RangeBounds<u64>) -> Result<Vec<Entry<Types>>> {
        let tx = self.0.db.begin_read().map_err(any)?;
        let table = tx.open_table(LOG).map_err(any)?;
        let mut entries = Vec::new();
        for row in table.range(range).map_err(any)? {
            let (_, bytes) = row.map_err(any)?;
            entries.push(decode(bytes.value())?);
        }
        Ok(entries)
    }

    fn last(&self) -> Result<Option<LogId>> {
        let tx = self.0.db.begin_read().map_err(any)?;
        let table = tx.open_table(LOG).map_err(any)?;
        let Some((_, bytes)) = table.last().map_err(any)? else {
            return self.0.meta(PURGED);
        };
        let entry: Entry<Types> = decode(bytes.value())?;
        Ok(Some(*entry.get_log_id()))
    }

    fn remove(tx: &redb::WriteTransaction, range: impl RangeBounds<u64>) -> Result<()> {
        let mut table = tx.open_table(LOG).map_err(any)?;
        table.retain_in(range, |_, _| false).map_err(any)
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> std::result::Result<Vec<Entry<Types>>, StorageError> {
        self.entries(range).map_err(failed)
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> std::result::Result<LogState<Types>, StorageError> {
        Ok(LogState {
            last_purged_log_id: self.0.meta(PURGED).map_err(failed)?,
            last_log_id: self.last().map_err(failed)?,
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> std::result::Result<(), StorageError> {
        self.0.set_meta(VOTE, vote).map_err(failed)
    }

    async fn read_vote(&mut self) -> std::result::Result<Option<Vote<u64>>, StorageError> {
        self.0.meta(VOTE).map_err(failed)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        flushed: LogFlushed<Types>,
    ) -> std::result::Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.0
            .write(|tx| {
                let mut table = tx.open_table(LOG).map_err(any)?;
                for entry in entries {
                    let bytes = encode(&entry)?;
                    table
                        .insert(entry.log_id.index, bytes.as_slice())
                        .map_err(any)?;
                }
                Ok(())
            })
            .map_err(failed)?;
        flushed.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, from: LogId) -> std::result::Result<(), StorageError> {
        self.0
            .write(|tx| Self::remove(tx, from.index..))
            .map_err(failed)
    }

    async fn purge(&mut self, upto: LogId) -> std::result::Result<(), StorageError> {
        self.0
            .write(|tx| {
                put_meta(tx, PURGED, &upto)?;
                Self::remove(tx, ..=upto.index)
            })
            .map_err(failed)
    }
}
