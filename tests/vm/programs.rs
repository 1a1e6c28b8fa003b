//! Programs of this machine with the libraries that they need, small enough to be carried over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use super::cpio::Archive;

/// Puts programs where they are here, so that whatever names one by its path finds it.
pub(super) fn add(archive: &mut Archive, programs: &[PathBuf]) -> Result<(), String> {
    let mut libraries = BTreeSet::new();
    for program in programs {
        archive.file(program, &small(program)?);
        libraries.extend(needed_by(program)?);
    }
    for library in libraries {
        let content = fs::read(&library).map_err(|e| format!("{}: {e}", library.display()))?;
        archive.file(&library, &content);
    }
    Ok(())
}

/// Each is made small once.
fn small(program: &Path) -> Result<Arc<Vec<u8>>, String> {
    static MADE: Mutex<BTreeMap<PathBuf, Arc<Vec<u8>>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().map_err(|e| e.to_string())?;
    if let Some(there) = made.get(program) {
        return Ok(Arc::clone(there));
    }
    let content = Arc::new(stripped(program)?);
    made.insert(program.to_path_buf(), Arc::clone(&content));
    Ok(content)
}

/// Without what only a debugger reads: that is nine tenths of a test executable.
fn stripped(program: &Path) -> Result<Vec<u8>, String> {
    let copy = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    let output = Command::new("strip")
        .arg("-o")
        .args([copy.path(), program])
        .output()
        .map_err(|e| format!("strip: {e}; `tests/all` installs it"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("strip {}: {words}", program.display()));
    }
    fs::read(copy.path()).map_err(|e| e.to_string())
}

/// The loader says so itself: under the names by which the program will ask for them.
fn needed_by(program: &Path) -> Result<Vec<PathBuf>, String> {
    let listed = Command::new(program)
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .output()
        .map_err(|e| format!("{}: {e}", program.display()))?;
    let text = String::from_utf8_lossy(&listed.stdout);
    // `libc.so.6 => /lib/libc.so.6 (0x…)`, `/lib64/ld.so (0x…)`, `linux-vdso.so.1 (0x…)`
    let paths = text.lines().filter_map(|line| {
        let path = line.rsplit("=> ").next()?.split_whitespace().next()?;
        path.starts_with('/').then(|| PathBuf::from(path))
    });
    Ok(paths.collect())
}

/// Where a program of this machine is.
pub(super) fn find(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is not here; `tests/all` installs it"))
}

/// The executable of another of this package's tests. Whoever runs all tests has built it already.
pub(super) fn test(name: &str) -> Result<PathBuf, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["test", "--no-run", "--message-format=json", "--test", name])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    // What the cargo that runs this test says of its package would have build scripts run again, and all that depends on them.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    let output = cargo.output().map_err(|e| format!("cargo: {e}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the test {name} cannot be built: {words}"));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| format!("cargo names no executable of the test {name}"))
}
