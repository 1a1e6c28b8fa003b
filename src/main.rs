//! The command line's door. Until `cli` is there, only the demo system's.

use clap::Parser;

#[derive(Parser)]
#[command(name = "chaosrun")]
enum Command {
    /// One node of the built-in demo system
    #[command(hide = true)]
    QuorumNode(chaosrun::demo::Args),
}

fn main() -> Result<(), String> {
    let Command::QuorumNode(args) = Command::parse();
    let runtime = tokio::runtime::Runtime::new().map_err(|e| e.to_string())?;
    let ended = runtime.block_on(chaosrun::demo::run(args));
    // A name that is still being resolved must not hold up a node that was told to stop.
    runtime.shutdown_background();
    ended
}
