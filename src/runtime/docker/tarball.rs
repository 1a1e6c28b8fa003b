//! Files as an image, in the form that `docker load` takes. Nothing is read here, and the same files give the same bytes.

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

const BLOCK: usize = 512;

/// What an image holds, and how it is started.
#[derive(Debug, Clone, Default)]
pub(super) struct Contents {
    /// Executable files, by their absolute paths.
    pub(super) files: Vec<(PathBuf, Bytes)>,
    /// Symbolic links: where, and to what.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    /// Empty folders that anybody may write to.
    pub(super) folders: Vec<PathBuf>,
    pub(super) entrypoint: String,
    pub(super) env: Vec<String>,
    pub(super) label: (String, String),
    /// As Docker calls it: `amd64`.
    pub(super) architecture: String,
}

/// The image's bytes, in pieces, so that a large executable is in memory once.
pub(super) fn image(contents: &Contents, tag: &str) -> std::io::Result<Vec<Bytes>> {
    let layer = layer(contents)?;
    let mut digest = Sha256::new();
    layer.iter().for_each(|piece| digest.update(piece));
    let layer_digest = hex(&digest.finalize());
    let config = config(contents, &layer_digest);
    let config_name = format!("{}.json", hex(&Sha256::digest(&config)));
    let layer_name = format!("{layer_digest}.tar");
    let manifest = json!([{ "Config": config_name, "RepoTags": [tag], "Layers": [layer_name] }]);

    let mut pieces = Vec::new();
    file(&mut pieces, Path::new(&config_name), 0o644, vec![config])?;
    file(&mut pieces, Path::new(&layer_name), 0o644, layer)?;
    let manifest = vec![Bytes::from(manifest.to_string())];
    file(&mut pieces, Path::new("manifest.json"), 0o644, manifest)?;
    pieces.push(end());
    Ok(pieces)
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn config(contents: &Contents, layer_digest: &str) -> Bytes {
    let (key, value) = &contents.label;
    let config = json!({
        "architecture": contents.architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Entrypoint": [contents.entrypoint],
            "Env": contents.env,
            "Labels": { key: value },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "chaosrun" }],
    });
    Bytes::from(config.to_string())
}

fn layer(contents: &Contents) -> std::io::Result<Vec<Bytes>> {
    let mut pieces = Vec::new();
    for folder in parents(contents) {
        pieces.push(header(&folder, EntryType::Directory, 0o755, 0, None)?);
    }
    for folder in &contents.folders {
        pieces.push(header(folder, EntryType::Directory, 0o1777, 0, None)?);
    }
    for (path, bytes) in &contents.files {
        file(&mut pieces, path, 0o755, vec![bytes.clone()])?;
    }
    for (path, target) in &contents.links {
        pieces.push(header(path, EntryType::Symlink, 0o777, 0, Some(target))?);
    }
    pieces.push(end());
    Ok(pieces)
}

/// Every folder above a file or link, outermost first.
fn parents(contents: &Contents) -> std::collections::BTreeSet<PathBuf> {
    let files = contents.files.iter().map(|(path, _)| path);
    let links = contents.links.iter().map(|(path, _)| path);
    files
        .chain(links)
        .flat_map(|path| path.ancestors().skip(1))
        .filter(|path| path.parent().is_some())
        .map(Path::to_path_buf)
        .collect()
}

fn file(
    pieces: &mut Vec<Bytes>,
    path: &Path,
    mode: u32,
    content: Vec<Bytes>,
) -> std::io::Result<()> {
    let size: usize = content.iter().map(Bytes::len).sum();
    pieces.push(header(path, EntryType::Regular, mode, size, None)?);
    pieces.extend(content);
    pieces.push(zeros(size.next_multiple_of(BLOCK) - size));
    Ok(())
}

fn header(
    path: &Path,
    kind: EntryType,
    mode: u32,
    size: usize,
    target: Option<&Path>,
) -> std::io::Result<Bytes> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_path(path.strip_prefix("/").unwrap_or(path))?;
    if let Some(target) = target {
        header.set_link_name(target)?;
    }
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Ok(Bytes::copy_from_slice(header.as_bytes()))
}

fn end() -> Bytes {
    zeros(2 * BLOCK)
}

fn zeros(count: usize) -> Bytes {
    BytesMut::zeroed(count).freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn contents() -> Contents {
        Contents {
            files: vec![
                ("/chaosrun".into(), Bytes::from_static(b"binary")),
                ("/lib/deep/libc.so.6".into(), Bytes::from(vec![7; 600])),
            ],
            links: vec![("/lib64/ld.so".into(), "/lib/deep/libc.so.6".into())],
            folders: vec!["/tmp".into()],
            entrypoint: "/chaosrun".into(),
            label: ("chaosrun".into(), "run-1".into()),
            architecture: "amd64".into(),
            ..Contents::default()
        }
    }

    fn unpack(bytes: &[u8]) -> Vec<(String, EntryType, Vec<u8>)> {
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().unwrap();
        entries
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                let path = entry.path().unwrap().display().to_string();
                (path, entry.header().entry_type(), bytes)
            })
            .collect()
    }

    #[test]
    fn the_layer_holds_every_folder_before_what_is_in_it() {
        let layer = layer(&contents()).unwrap().concat();
        let shown: Vec<_> = unpack(&layer)
            .into_iter()
            .map(|(path, kind, bytes)| format!("{path} {kind:?} {}", bytes.len()))
            .collect();
        assert_eq!(
            shown,
            [
                "lib Directory 0",
                "lib/deep Directory 0",
                "lib64 Directory 0",
                "tmp Directory 0",
                "chaosrun Regular 6",
                "lib/deep/libc.so.6 Regular 600",
                "lib64/ld.so Symlink 0",
            ]
        );
    }

    #[test]
    fn the_manifest_names_config_and_layer_and_their_digests_fit() {
        let image = image(&contents(), "chaosrun/agent:run-1").unwrap().concat();
        let parts = unpack(&image);
        let [config, layer, manifest] = parts.as_slice() else {
            panic!("{} entries", parts.len());
        };
        let read: serde_json::Value = serde_json::from_slice(&manifest.2).unwrap();
        assert_eq!(read[0]["Config"], config.0.as_str());
        assert_eq!(read[0]["Layers"][0], layer.0.as_str());
        assert_eq!(read[0]["RepoTags"][0], "chaosrun/agent:run-1");
        assert_eq!(
            config.0,
            format!("{}.json", hex(&Sha256::digest(&config.2)))
        );
        let read: serde_json::Value = serde_json::from_slice(&config.2).unwrap();
        let diff = format!("sha256:{}", hex(&Sha256::digest(&layer.2)));
        assert_eq!(read["rootfs"]["diff_ids"][0], diff.as_str());
        assert_eq!(read["config"]["Entrypoint"][0], "/chaosrun");
        assert_eq!(read["config"]["Labels"]["chaosrun"], "run-1");
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let once = image(&contents(), "a:b").unwrap().concat();
        assert_eq!(once, image(&contents(), "a:b").unwrap().concat());
    }

    #[test]
    fn a_path_that_no_archive_can_hold_is_an_error() {
        let mut contents = contents();
        contents.files[0].0 = format!("/{}", "x".repeat(300)).into();
        assert!(image(&contents, "a:b").is_err());
    }
}
