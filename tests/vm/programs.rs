//! Programs of this machine with the libraries that they need, small enough to be carried over.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cpio::Archive;

/// Puts programs where they are here, so that whatever names one by its path finds it.
pub(super) fn add(archive: &mut Archive, programs: &[PathBuf]) -> Result<(), String> {
    let mut libraries = BTreeSet::new();
    for program in programs {
        archive.file(program, &stripped(program)?);
        libraries.extend(needed_by(program)?);
    }
    for library in libraries {
        let content = fs::read(&library).map_err(|e| format!("{}: {e}", library.display()))?;
        archive.file(&library, &content);
    }
    Ok(())
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
