//! `--ledger`: what a careful client does. It writes down what was acknowledged, and looks later whether that is still there.
//!
//! What is written down lies in the folder that all nodes share, so any of them can be asked, on whichever side of a partition.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::call;

/// What was acknowledged so long ago is no longer on its way.
const SETTLED: Duration = Duration::from_secs(2);
/// Looked for in one go; more than one, so that what had to wait for a majority is caught up with.
const AT_ONCE: usize = 2;

/// Writes value `number` through the node at this authority, notes it once it is acknowledged, and looks for older ones.
///
/// # Errors
/// One that was acknowledged is gone, or the notes cannot be kept. That the node refuses is no error.
pub(super) async fn keep(number: u64, authority: &str, data: &Path) -> Result<(), String> {
    let notes = data.join("ledger");
    let note = notes.join(number.to_string());
    let failed = |what: &'static str| move |e: std::io::Error| format!("{what}: {e}");
    fs::create_dir_all(&notes).map_err(failed("making the ledger's folder"))?;
    let text = number.to_string();
    if let Ok((200, _)) = call("PUT", authority, &path(number), &text).await {
        fs::write(&note, "").map_err(failed("noting a write"))?;
    }
    for (number, note) in settled(&notes).map_err(failed("reading the ledger"))? {
        match fs::remove_file(&note) {
            Ok(()) => look(number, authority, &note).await?,
            // Another node is looking for it.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(failed("taking a note")(e)),
        }
    }
    Ok(())
}

fn path(number: u64) -> String {
    format!("/kv/ledger-{number}")
}

async fn look(number: u64, authority: &str, note: &Path) -> Result<(), String> {
    match call("GET", authority, &path(number), "").await {
        Ok((200, value)) if value == number.to_string() => Ok(()),
        Ok((200, value)) => Err(format!(
            "write {number} was acknowledged, and is now {value:?}"
        )),
        Ok((404, _)) => Err(format!("write {number} was acknowledged, and is gone")),
        // Nobody knows, without a majority: it stays on the list.
        _ => fs::write(note, "").map_err(|e| format!("noting a write again: {e}")),
    }
}

/// The oldest notes.
fn settled(notes: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(notes)? {
        let entry = entry?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        // One that is gone by now was taken by another node.
        let age = entry.metadata().and_then(|data| data.modified());
        if let (Some(number), Ok(since)) = (number, age)
            && since.elapsed().is_ok_and(|age| age >= SETTLED)
        {
            found.push((number, entry.path()));
        }
    }
    found.sort_unstable();
    found.truncate(AT_ONCE);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::extract::{Path as Key, State};
    use axum::http::StatusCode;
    use axum::routing::get;

    use super::*;

    type Values = Arc<Mutex<BTreeMap<String, String>>>;

    /// A store that keeps values in memory; returns where, and the values.
    async fn store() -> (String, Values, tokio::task::JoinSet<()>) {
        let read = async |State(values): State<Values>, Key(key): Key<String>| {
            let value = values.lock().unwrap().get(&key).cloned();
            value.ok_or(StatusCode::NOT_FOUND)
        };
        let write = async |State(values): State<Values>, Key(key): Key<String>, value: String| {
            values.lock().unwrap().insert(key, value);
        };
        let values = Values::default();
        let app = Router::new()
            .route("/kv/{key}", get(read).put(write))
            .with_state(values.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        (authority, values, tasks)
    }

    fn age(data: &Path, number: u64) {
        let note = data.join("ledger").join(number.to_string());
        let file = fs::File::options().write(true).open(note).unwrap();
        let before = file.metadata().unwrap().modified().unwrap() - SETTLED;
        file.set_modified(before).unwrap();
    }

    #[tokio::test]
    async fn what_is_kept_is_found_and_what_is_lost_is_missed_once() {
        let (authority, values, _tasks) = store().await;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        assert_eq!(keep(1, &authority, data).await, Ok(()));
        assert_eq!(keep(2, &authority, data).await, Ok(()));
        values.lock().unwrap().remove("ledger-2");
        age(data, 1);
        assert_eq!(keep(3, &authority, data).await, Ok(()), "1 is there");
        age(data, 2);
        let gone = "write 2 was acknowledged, and is gone".to_owned();
        assert_eq!(keep(4, &authority, data).await, Err(gone));
        assert_eq!(keep(5, &authority, data).await, Ok(()));
    }

    #[tokio::test]
    async fn a_silent_node_is_asked_again_later() {
        let (authority, values, _tasks) = store().await;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        assert_eq!(keep(1, &authority, data).await, Ok(()));
        age(data, 1);
        assert_eq!(keep(2, "127.0.0.1:1", data).await, Ok(()));
        values.lock().unwrap().insert("ledger-1".into(), "x".into());
        age(data, 1);
        let wrong = "write 1 was acknowledged, and is now \"x\"".to_owned();
        assert_eq!(keep(3, &authority, data).await, Err(wrong));
    }
}
