//! What must outlive a restart: vote, log, and the key-value state, in one redb file.
//!
//! Functions here are synchronous and short; each is one transaction.

mod backend;
mod log;
mod state;

use std::path::Path;
use std::sync::Arc;

use openraft::{AnyError, StorageIOError};
use redb::{Database, ReadableDatabase, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::types::StorageError;

pub(super) use log::LogStore;
pub(super) use state::StateStore;

/// Vote, last purged log id, last applied log id with its membership, the last snapshot: by name, as JSON.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
const VALUES: TableDefinition<'_, &str, &str> = TableDefinition::new("values");

#[derive(Debug, Clone)]
pub(super) struct Store {
    db: Arc<Database>,
}

type Result<T> = std::result::Result<T, Box<redb::Error>>;

impl Store {
    /// Opens or makes the file in this folder; both views share it.
    ///
    /// # Errors
    /// A sentence: the folder cannot be made, or the file is damaged.
    pub(super) fn open(folder: &Path) -> std::result::Result<Self, String> {
        let file = folder.join("node.redb");
        let failed = |e: &dyn std::fmt::Display| format!("opening {}: {e}", file.display());
        std::fs::create_dir_all(folder).map_err(|e| failed(&e))?;
        let backend = backend::PageCache::open(&file).map_err(|e| failed(&e))?;
        let db = Database::builder()
            .create_with_backend(backend)
            .map_err(|e| failed(&e))?;
        let store = Self { db: Arc::new(db) };
        store.make_tables().map_err(|e| failed(&e))?;
        Ok(store)
    }

    pub(super) fn views(&self) -> (LogStore, StateStore) {
        (LogStore(self.clone()), StateStore(self.clone()))
    }

    /// The value as last applied here.
    ///
    /// # Errors
    /// What redb says.
    pub(super) fn value(&self, key: &str) -> std::result::Result<Option<String>, String> {
        let read = || -> Result<_> {
            let tx = self.db.begin_read().map_err(any)?;
            let table = tx.open_table(VALUES).map_err(any)?;
            let value = table.get(key).map_err(any)?;
            Ok(value.map(|value| value.value().to_owned()))
        };
        read().map_err(|e| format!("reading {key:?}: {e}"))
    }

    /// So that readers always find them.
    fn make_tables(&self) -> Result<()> {
        self.write(|tx| {
            tx.open_table(META).map_err(any)?;
            tx.open_table(LOG).map_err(any)?;
            tx.open_table(VALUES).map_err(any)?;
            Ok(())
        })
    }

    fn write<T>(&self, work: impl FnOnce(&redb::WriteTransaction) -> Result<T>) -> Result<T> {
        let tx = self.db.begin_write().map_err(any)?;
        let done = work(&tx)?;
        tx.commit().map_err(any)?;
        Ok(done)
    }

    fn meta<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let tx = self.db.begin_read().map_err(any)?;
        let table = tx.open_table(META).map_err(any)?;
        match table.get(name).map_err(any)? {
            Some(bytes) => decode(bytes.value()).map(Some),
            None => Ok(None),
        }
    }

    fn set_meta<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        self.write(|tx| put_meta(tx, name, value))
    }
}

fn put_meta<T: Serialize>(tx: &redb::WriteTransaction, name: &str, value: &T) -> Result<()> {
    let mut table = tx.open_table(META).map_err(any)?;
    table.insert(name, encode(value)?.as_slice()).map_err(any)?;
    Ok(())
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| any(std::io::Error::other(e)))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| any(std::io::Error::other(e)))
}

/// One type for redb's several; boxed, as it is large.
fn any(error: impl Into<redb::Error>) -> Box<redb::Error> {
    Box::new(error.into())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "fits map_err without a closure"
)]
fn failed(error: Box<redb::Error>) -> StorageError {
    StorageIOError::write(AnyError::new(error.as_ref())).into()
}

#[cfg(test)]
mod tests {
    use openraft::testing::{StoreBuilder, Suite};

    use super::*;
    use crate::demo::types::Types;

    struct Builder;

    impl StoreBuilder<Types, LogStore, StateStore, tempfile::TempDir> for Builder {
        async fn build(
            &self,
        ) -> std::result::Result<(tempfile::TempDir, LogStore, StateStore), StorageError> {
            let folder = tempfile::tempdir().unwrap();
            let (log, state) = Store::open(folder.path()).unwrap().views();
            Ok((folder, log, state))
        }
    }

    /// The conformance tests that openraft ships for its stores.
    #[test]
    fn does_what_openraft_expects_of_a_store() {
        Suite::test_all(Builder).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error = Store::open(Path::new("/proc/nowhere")).unwrap_err();
        assert!(
            error.starts_with("opening /proc/nowhere/node.redb: "),
            "{error}"
        );
    }
}
