//! Gathers the manual pages: the `//!` documentation on top of each fault's and each probe's file, so that page and code cannot
//! diverge and a new file needs no second entry.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let mut out = String::new();
    for (name, folder) in [("FAULTS", "src/fault"), ("PROBES", "src/scenario/probe")] {
        println!("cargo:rerun-if-changed={folder}");
        let mut files = Vec::new();
        walk(Path::new(folder), &mut files)?;
        files.sort();
        let pages = files.iter().map(|file| page(file));
        let pages: Vec<String> = pages.collect::<std::io::Result<_>>()?;
        let _fits = writeln!(out, "pub(super) static {name}: &[&str] = &{pages:?};");
    }
    let target = std::env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    std::fs::write(target.join("pages.rs"), out)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn page(file: &Path) -> std::io::Result<String> {
    let text = std::fs::read_to_string(file)?;
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<&str> = lines
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    Ok(lines.join("\n"))
}
