//! What a running process needs to run elsewhere: its executable and, if that is dynamic, its loader and libraries.
//!
//! Read from `/proc`, so it is what runs, even where the file was replaced or deleted since.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::tarball::Contents;

/// Where the executable is put.
pub(super) const PATH: &str = "/chaosrun";

/// Files and links of the process with this folder in `/proc`.
pub(super) fn collect(process: &Path) -> io::Result<Contents> {
    let exe = process.join("exe");
    let program = Bytes::from(std::fs::read(&exe)?);
    let loader = loader(&program).map_err(io::Error::other)?;
    let mut contents = Contents {
        files: vec![(PATH.into(), program)],
        entrypoint: PATH.into(),
        ..Contents::default()
    };
    let Some(loader) = loader else {
        return Ok(contents);
    };
    let own = std::fs::read_link(&exe)?;
    let maps = std::fs::read_to_string(process.join("maps"))?;
    for library in libraries(&maps).filter(|path| *path != own) {
        contents.links.extend(names_of(&library));
        contents.files.push((library.clone(), read(&library)?));
    }
    // The kernel looks for the loader under the very name that the executable gives, which may be a link here.
    contents.links.retain(|(path, _)| *path != loader);
    if !contents.files.iter().any(|(path, _)| *path == loader) {
        contents.files.push((loader.clone(), read(&loader)?));
    }
    // Where this machine's loader has its libraries from a cache, that one has none.
    let folders: std::collections::BTreeSet<_> = contents.files[1..]
        .iter()
        .filter_map(|(path, _)| path.parent())
        .map(|folder| folder.display().to_string())
        .collect();
    let folders: Vec<_> = folders.into_iter().collect();
    contents
        .env
        .push(format!("LD_LIBRARY_PATH={}", folders.join(":")));
    Ok(contents)
}

fn read(path: &Path) -> io::Result<Bytes> {
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    std::fs::read(path).map(Bytes::from).map_err(named)
}

/// The files that the process has mapped to run code from.
fn libraries(maps: &str) -> impl Iterator<Item = PathBuf> {
    let paths = maps.lines().filter_map(|line| {
        let path = line.find('/')?;
        let runs = line.split_whitespace().nth(1)?.contains('x');
        runs.then(|| line[path..].trim_end_matches(" (deleted)").into())
    });
    let once: std::collections::BTreeSet<PathBuf> = paths.collect();
    once.into_iter()
}

/// The links to a library in its own folder: a program asks for `libz.so.1`, and `libz.so.1.3` is what is mapped.
fn names_of(library: &Path) -> Vec<(PathBuf, PathBuf)> {
    let (Some(folder), Some(file)) = (library.parent(), library.file_name()) else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut links: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| std::fs::read_link(path).is_ok_and(|target| target == Path::new(file)))
        .map(|path| (path, PathBuf::from(file)))
        .collect();
    links.sort();
    links
}

/// The loader that an ELF executable asks for; `None` for a static one.
fn loader(elf: &[u8]) -> Result<Option<PathBuf>, &'static str> {
    const INTERPRETER: u32 = 3;
    const BROKEN: &str = "the executable's headers are broken";
    const FOREIGN: &str = "the executable is no linux program of 64 bits, low byte first";
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return Err(FOREIGN);
    }
    let number = |at: usize, size: usize| -> Result<usize, &'static str> {
        let bytes = elf.get(at..at + size).ok_or(BROKEN)?;
        let value = bytes
            .iter()
            .rev()
            .fold(0_u64, |n, b| n << 8 | u64::from(*b));
        usize::try_from(value).map_err(|_| BROKEN)
    };
    let (table, entry_size, entries) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for entry in 0..entries {
        let at = table
            .checked_add(entry * entry_size)
            .filter(|at| *at < elf.len())
            .ok_or(BROKEN)?;
        if number(at, 4)? == INTERPRETER as usize {
            let (offset, size) = (number(at + 8, 8)?, number(at + 32, 8)?);
            let end = offset.checked_add(size).ok_or(BROKEN)?;
            let name = elf.get(offset..end).ok_or(BROKEN)?;
            let name = std::str::from_utf8(name).map_err(|_| BROKEN)?;
            return Ok(Some(name.trim_end_matches('\0').into()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers of an executable with one entry of this kind.
    fn elf(kind: u8, interpreter: &[u8]) -> Vec<u8> {
        let mut elf = vec![0; 64 + 56];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (elf[32], elf[54], elf[56]) = (64, 56, 1);
        elf[64] = kind;
        elf[64 + 8] = 120;
        elf[64 + 32] = interpreter.len() as u8;
        elf.extend_from_slice(interpreter);
        elf
    }

    #[test]
    fn a_dynamic_executable_names_its_loader_and_a_static_one_does_not() {
        let dynamic = elf(3, b"/lib64/ld.so\0");
        assert_eq!(loader(&dynamic), Ok(Some("/lib64/ld.so".into())));
        assert_eq!(loader(&elf(1, b"")), Ok(None));
    }

    #[test]
    fn what_is_no_executable_is_refused_and_never_read_beyond_its_end() {
        assert!(loader(b"#!/bin/sh").is_err());
        assert!(loader(b"\x7fELF\x02\x01").is_err());
        let whole = elf(3, b"/lib64/ld.so\0");
        for length in 0..whole.len() {
            assert!(loader(&whole[..length]).is_err(), "{length}");
        }
        let mut wild = whole;
        wild[64 + 8..64 + 16].fill(0xff);
        assert!(loader(&wild).is_err());
    }

    #[test]
    fn only_files_that_code_runs_from_count_each_once() {
        let maps = "\
7f00-7f01 r--p 0000 fe:00 12 /usr/lib/libc.so.6
7f01-7f02 r-xp 1000 fe:00 12 /usr/lib/libc.so.6
7f02-7f03 r-xp 2000 fe:00 12 /usr/lib/libc.so.6
7f03-7f04 r--p 0000 fe:00 13 /usr/lib/locale/locale-archive
7f04-7f05 r-xp 0000 00:00 0  [vdso]
7f05-7f06 r-xp 0000 fe:00 14 /opt/a b/libz.so.1 (deleted)
";
        let found: Vec<_> = libraries(maps).collect();
        let expected = ["/opt/a b/libz.so.1", "/usr/lib/libc.so.6"];
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn this_very_process_is_collected() {
        let contents = collect(Path::new("/proc/self")).unwrap();
        assert_eq!(contents.files[0].0, Path::new(PATH));
        assert!(contents.files[0].1.starts_with(b"\x7fELF"));
        assert_eq!(contents.files.len() == 1, contents.env.is_empty());
    }
}
