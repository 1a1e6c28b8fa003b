//! Where chaosrun keeps what must outlive it, and how it names a run.

use std::path::PathBuf;

use crate::clock;

/// Journals: `$CHAOSRUN_STATE`, else `$XDG_STATE_HOME/chaosrun`, else `~/.local/state/chaosrun`, else the temporary folder.
pub(super) fn state_dir() -> PathBuf {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("CHAOSRUN_STATE")
        .or_else(|| Some(set("XDG_STATE_HOME")?.join("chaosrun")))
        .or_else(|| Some(set("HOME")?.join(".local/state/chaosrun")))
        .unwrap_or_else(|| std::env::temp_dir().join("chaosrun"))
}

/// This very program, even where its file has been replaced since it was started.
pub(super) fn executable() -> PathBuf {
    let itself = PathBuf::from("/proc/self/exe");
    if itself.exists() {
        itself
    } else {
        std::env::current_exe().unwrap_or(itself)
    }
}

/// Unique, and sorts by time: `20260131t101530-9f3a`. May be part of a Compose project's name.
pub(super) fn run_id() -> String {
    format!(
        "{}-{:04x}",
        clock::wall().strftime("%Y%m%dt%H%M%S"),
        rand::random::<u16>()
    )
}

/// A seed for a scenario that has none; it is printed and recorded. Short enough to be typed.
pub(super) fn seed() -> u64 {
    u64::from(rand::random::<u32>())
}

/// Unguessable: 256 bits in hexadecimal.
pub(super) fn key() -> String {
    let bytes = rand::random::<[u8; 32]>();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
