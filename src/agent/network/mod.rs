//! The job of making a container's network worse, from within its network namespace.
//!
//! One thread reads requests, one writes responses, one decides; packets are handled by one more. Everything that is in force is
//! held by a lease, and by sockets of this process: it goes with whichever ends first.

mod control;
mod flow;
mod force;
mod kernel;
mod measure;
mod mtu;
mod netem;
mod netlink;
mod nft;
mod queue;
mod ruleset;
mod sockets;

use std::process::ExitCode;

/// `chaosrun agent network`: blocks until stdin ends.
pub(super) fn main() -> ExitCode {
    match control::run(std::io::stdin(), std::io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever could read a complaint is gone; the code alone says that something was left.
        Err(_) => ExitCode::FAILURE,
    }
}
