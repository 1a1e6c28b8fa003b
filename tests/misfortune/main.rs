//! Bad input and bad luck, on a real engine and with the real executable: whatever happens, the exit code says the truth and
//! nothing is left behind.
//!
//! Needs root, `dockerd`, a Compose tool, `busybox-static`, `setpriv`, `nft`, `tc`, `ip` and `nsenter`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "in a test, a panic is the report"
)]

mod by_hand;
#[path = "../support/client.rs"]
mod client;
mod concurrent;
mod doctor;
mod drafting;
mod engine;
mod field;
#[path = "../support/netns.rs"]
mod netns;
mod network;
mod own_engine;
mod play;
mod preparing;
mod proxy;
mod repeating;
mod signals;
mod stacks;
mod stage;
mod storage;
mod targets;

/// A web server under one fault; `{project}` is the stage's own.
const BASE: &str = r#"
seed = 7

[system]
project = "{project}"

[timing]
baseline = "1s"
recovery = "4s"
steady   = "500ms"

[targets.web]
service = "web"

[probes.up]
rate    = "40/s"
timeout = "500ms"
http    = { url = "http://web:8080/" }

[[slos]]
probe   = "up"
during  = "all"
success = ">= 10%"
"#;

/// The base with this step, and whatever else.
fn with(step: &str) -> String {
    format!("{BASE}\n[[steps]]\nname = \"hit\"\n{step}\n")
}

const PAUSE: &str = "for = \"1s\"\nfault.pause = { target = \"web\" }";
