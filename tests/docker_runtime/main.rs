//! The Docker runtime on a real engine. Needs one, `busybox-static`, a Compose tool, root, `nft`, `tc`, `ip`,
//! `ss` and `nsenter`.
//!
//! What is expected is read back with the `docker` client, not with the code under test.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod agent;
mod changes;
#[path = "../support/client.rs"]
mod client;
mod compose;
mod connecting;
mod exec;
#[path = "../support/netns.rs"]
mod netns;
mod network;
mod network_ends;
mod stage;
mod watching;
