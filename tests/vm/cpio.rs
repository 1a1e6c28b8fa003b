//! Files in the form in which the kernel takes its first file system: an archive of the "newc" kind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<PathBuf>,
    entries: u32,
}

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const DEVICE: u32 = 0o020_600;

impl Archive {
    pub(super) fn folder(&mut self, path: &Path) {
        let path = relative(path);
        for folder in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if !folder.as_os_str().is_empty() && self.folders.insert(folder.to_path_buf()) {
                self.entry(folder, FOLDER, [0, 0], &[]);
            }
        }
    }

    /// Executable. With every folder above it.
    pub(super) fn file(&mut self, path: &Path, content: &[u8]) {
        if let Some(folder) = path.parent() {
            self.folder(folder);
        }
        self.entry(relative(path), PROGRAM, [0, 0], content);
    }

    /// A character device.
    pub(super) fn device(&mut self, path: &Path, major: u32, minor: u32) {
        self.entry(relative(path), DEVICE, [major, minor], &[]);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry(Path::new("TRAILER!!!"), 0, [0, 0], &[]);
        self.bytes
    }

    fn entry(&mut self, path: &Path, mode: u32, device: [u32; 2], content: &[u8]) {
        self.entries += 1;
        let name = path.to_str().unwrap();
        let size = u32::try_from(content.len()).unwrap();
        let length = u32::try_from(name.len()).unwrap() + 1;
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            device[0],
            device[1],
            length,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}
