//! Debian's stock kernel out of its package, and its modules in the order in which they can be loaded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// What network faults and their tests want; nothing loads modules inside the machine when it turns out that one is missing.
const WANTED: &[&str] = &[
    "nf_tables",
    "nft_queue",
    "nft_compat",
    "xt_NFQUEUE",
    "nfnetlink_queue",
    "nft_reject_ipv4",
    "nft_reject_ipv6",
    "nft_fwd_netdev",
    "nft_dup_ipv4",
    "nft_dup_ipv6",
    "nft_numgen",
    "nft_ct",
    "nft_hash",
    "nft_chain_nat",
    "nft_nat",
    "nft_redir",
    "sch_netem",
    "sch_prio",
    "sch_ingress",
    "sch_htb",
    "cls_u32",
    "act_mirred",
    "ifb",
    "veth",
    "dummy",
    "bridge",
    "tcp_diag",
    "af_packet_diag",
];

/// Its package, which always means the newest version.
const PACKAGE: &str = if cfg!(target_arch = "aarch64") {
    "linux-image-cloud-arm64"
} else {
    "linux-image-cloud-amd64"
};

pub(super) struct Kernel {
    pub(super) image: PathBuf,
    pub(super) modules: Vec<Module>,
}

pub(super) struct Module {
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

pub(super) fn get() -> Result<Kernel, String> {
    /// The first test downloads it for all.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let one = ONE_AT_A_TIME.lock();
    let root = unpacked()?;
    drop(one);
    let boot = fs::read_dir(root.join("boot")).map_err(|e| format!("{}: {e}", root.display()))?;
    let image = boot
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.display().to_string().contains("vmlinuz"))
        .ok_or_else(|| format!("{} holds no kernel", root.display()))?;
    let files = Files::below(&root.join("lib/modules"));
    let mut modules = Vec::new();
    for name in WANTED {
        files.load(name, &mut modules)?;
    }
    Ok(Kernel { image, modules })
}

/// The package's files. They are kept below `target/`; `CHAOSRUN_VM_KERNEL` may name another package.
fn unpacked() -> Result<PathBuf, String> {
    let cache = super::machine::folder();
    if let Some(given) = std::env::var_os("CHAOSRUN_VM_KERNEL").map(PathBuf::from) {
        let stem = given.file_stem().unwrap_or_default().to_owned();
        let package = fs::canonicalize(&given).map_err(|e| format!("{}: {e}", given.display()))?;
        return unpack(&package, &cache.join(stem));
    }
    let newest = cache.join(PACKAGE);
    if newest.exists() {
        return Ok(newest);
    }
    let depends = command("apt-cache", &["depends", "--important", PACKAGE], &cache)
        .map_err(|e| format!("{e}; `tests/all` brings the package lists up to date"))?;
    let name = depends
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "))
        .filter(|name| name.starts_with("linux-image-"))
        .ok_or_else(|| {
            format!(
                "apt knows no {PACKAGE}: on anything but Debian, name the package file of a Debian kernel in \
                 CHAOSRUN_VM_KERNEL"
            )
        })?;
    command("apt-get", &["download", "-qq", name], &cache)?;
    let package = fs::read_dir(&cache)
        .map_err(|e| e.to_string())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.display().to_string().contains(&format!("{name}_")))
        .ok_or_else(|| format!("apt-get left no {name} in {}", cache.display()))?;
    unpack(&package, &newest)?;
    fs::remove_file(&package).map_err(|e| e.to_string())?;
    Ok(newest)
}

/// All or nothing: whoever comes later finds the whole of it.
fn unpack(package: &Path, to: &Path) -> Result<PathBuf, String> {
    if to.exists() {
        return Ok(to.to_path_buf());
    }
    let half = to.with_extension(format!("half-{}", std::process::id()));
    let names = [package, &half].map(|path| path.display().to_string());
    command("dpkg-deb", &["-x", &names[0], &names[1]], Path::new("/"))?;
    match fs::rename(&half, to) {
        Ok(()) => {}
        // Somebody else was faster.
        Err(_) if to.exists() => fs::remove_dir_all(&half).map_err(|e| e.to_string())?,
        Err(e) => return Err(format!("{}: {e}", to.display())),
    }
    Ok(to.to_path_buf())
}

fn command(program: &str, arguments: &[&str], folder: &Path) -> Result<String, String> {
    let bytes = output(program, arguments, folder)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn output(program: &str, arguments: &[&str], folder: &Path) -> Result<Vec<u8>, String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("LC_ALL", "C")
        .output()
        .map_err(|e| format!("{program}: {e}; `tests/all` installs it"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        let words = String::from_utf8_lossy(&output.stderr);
        Err(format!("{program} {}: {words}", arguments.join(" ")))
    }
}

/// Where each module's file is, by its name.
struct Files(BTreeMap<String, PathBuf>);

impl Files {
    fn below(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let name = entry.file_name().to_string_lossy().into_owned();
                if path.is_dir() {
                    folders.push(path);
                } else if let Some((name, _)) = name.split_once(".ko") {
                    files.insert(name.replace('-', "_"), path);
                }
            }
        }
        Self(files)
    }

    /// What it depends on comes before it. One that is built into this kernel has no file.
    fn load(&self, name: &str, loaded: &mut Vec<Module>) -> Result<(), String> {
        let Some(path) = self.0.get(name) else {
            return Ok(());
        };
        if loaded.iter().any(|module| module.name == name) {
            return Ok(());
        }
        let content = read(path)?;
        for needed in depends(&content) {
            self.load(&needed.replace('-', "_"), loaded)?;
        }
        loaded.push(Module {
            name: name.into(),
            content,
        });
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display().to_string();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => output("xz", &["-dc", &shown], Path::new("/")),
        Some("zst") => output("zstd", &["-dcq", &shown], Path::new("/")),
        _ => fs::read(path).map_err(|e| format!("{shown}: {e}")),
    }
}

/// What a module says of itself.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let rest = &module[at + KEY.len()..];
    let end = rest.iter().position(|byte| *byte == 0).unwrap_or_default();
    String::from_utf8_lossy(&rest[..end])
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
