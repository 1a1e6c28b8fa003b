//! One run owns a container at a time: a lock file per container, which the kernel lets go of when its owner dies.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::action::Subject;

/// Held for as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Another user's file in a shared folder stays; locked or not is all that counts.
        let _stays = std::fs::remove_file(&self.path);
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error(
        "{container} belongs to another run ({owner}); wait for it to end, or take other targets"
    )]
    Taken { container: String, owner: String },
    #[error("locking {container} in {}: {source}", dir.display())]
    Failed {
        container: String,
        dir: PathBuf,
        source: io::Error,
    },
}

/// Where the locks of every user of this machine are.
pub fn directory() -> PathBuf {
    std::env::temp_dir().join("chaosrun-locks")
}

/// Takes the container for this run.
///
/// # Errors
/// Another run has it, or the lock file cannot be made.
pub fn take(dir: &Path, subject: &Subject, run: &str) -> Result<Lock, LockError> {
    let failed = |source| LockError::Failed {
        container: subject.name.clone(),
        dir: dir.into(),
        source,
    };
    let path = dir.join(&subject.id);
    let mut file = open(dir, &path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) if is_at(&file, &path).map_err(failed)? => {}
        // Its last owner removed it between our opening and our locking it.
        Ok(()) => return take(dir, subject, run),
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // Who it is only makes the message better: without it, it is still taken.
            let _read = file.read_to_string(&mut owner);
            let owner = if owner.is_empty() {
                "its name is not known".into()
            } else {
                owner
            };
            return Err(LockError::Taken {
                container: subject.name.clone(),
                owner,
            });
        }
        Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{run}, pid {}", std::process::id()))
        .map_err(failed)?;
    Ok(Lock { _file: file, path })
}

/// Another run that has the container now, if one has.
pub fn other(dir: &Path, subject: &Subject, run: &str) -> Option<String> {
    let mut file = File::open(dir.join(&subject.id)).ok()?;
    // Let go of at once: it is not to be taken.
    let Err(std::fs::TryLockError::WouldBlock) = file.try_lock_shared() else {
        return None;
    };
    let mut owner = String::new();
    file.read_to_string(&mut owner).ok()?;
    let is_this = owner.split(',').next() == Some(run);
    (!is_this).then_some(owner)
}

/// Is this file the one that others find at the path?
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Shared by all users: whoever may talk to the engine must see the others' locks.
fn open(dir: &Path, path: &Path) -> io::Result<File> {
    if !dir.exists() {
        std::fs::create_dir_all(dir)?;
        std::fs::set_permissions(dir, Permissions::from_mode(0o1777))?;
    }
    let existed = path.exists();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)?;
    if !existed {
        file.set_permissions(Permissions::from_mode(0o666))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(n: u32) -> Subject {
        Subject {
            id: format!("id{n}"),
            name: format!("node-{n}"),
        }
    }

    #[test]
    fn a_second_run_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = take(dir.path(), &node(1), "run-a").unwrap();
        let error = take(dir.path(), &node(1), "run-b").unwrap_err().to_string();
        assert!(
            error.contains("node-1 belongs to another run (run-a, pid "),
            "{error}"
        );
        take(dir.path(), &node(2), "run-b").unwrap();
        drop(first);
        take(dir.path(), &node(1), "run-b").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn whoever_only_looks_sees_other_runs_that_live() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(other(dir.path(), &node(1), "run-b"), None);
        let first = take(dir.path(), &node(1), "run-a").unwrap();
        let seen = other(dir.path(), &node(1), "run-b").unwrap();
        assert!(seen.starts_with("run-a, pid "), "{seen}");
        assert_eq!(other(dir.path(), &node(1), "run-a"), None);
        drop(first);
        // As a run that was killed leaves it.
        std::fs::write(dir.path().join("id1"), "run-a, pid 7").unwrap();
        assert_eq!(other(dir.path(), &node(1), "run-b"), None);
        let _taken = take(dir.path(), &node(1), "run-b").unwrap();
    }

    #[test]
    fn a_file_that_its_owner_removed_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id1");
        let stale = open(dir.path(), &path).unwrap();
        assert!(is_at(&stale, &path).unwrap());
        drop(take(dir.path(), &node(1), "run-a").unwrap());
        assert!(!is_at(&stale, &path).unwrap());
        let _new = take(dir.path(), &node(1), "run-b").unwrap();
        assert!(!is_at(&stale, &path).unwrap());
    }
}
