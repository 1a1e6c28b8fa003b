//! What a node is told, and the timing that follows from it.

use std::net::SocketAddr;
use std::path::PathBuf;

use openraft::{Config, SnapshotPolicy};

/// One node of the built-in demo system
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Ask the node at this URL whether it is healthy, and end
    #[arg(long, value_name = "URL")]
    pub check: Option<String>,
    /// Write this numbered value to a node that listens here and note it once it is acknowledged; fail if one noted before is gone
    #[arg(long, value_name = "NUMBER")]
    pub ledger: Option<u64>,
    /// Where to listen
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Where nodes are found: `host:port`, several with commas; a name may stand for several addresses
    #[arg(long, value_delimiter = ',', default_value = "node:8080")]
    pub peers: Vec<String>,
    /// How many nodes there are; none starts alone
    #[arg(long, default_value_t = 3)]
    pub nodes: usize,
    /// This node's number; by default made from the container's own host name, which outlives a restart
    #[arg(long)]
    pub id: Option<u64>,
    /// Folder that keeps what must outlive a restart, in a folder for each node
    #[arg(long, default_value = "/data")]
    pub data: PathBuf,
    /// Break the system on purpose; also taken from the environment variable QUORUM_FAULT
    #[arg(long, value_enum)]
    pub fault: Option<Sabotage>,
    /// Entries between snapshots, after which the log is cut
    #[arg(long, default_value_t = 10_000)]
    pub snapshot_every: u64,
}

/// A defect to switch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    /// No election after the first one
    NoFailover,
    /// An election takes eight seconds
    SlowFailover,
    /// A write is acknowledged before any other node has it
    AckEarly,
}

impl Args {
    /// The defect from `--fault` or the environment.
    ///
    /// # Errors
    /// Says which values there are.
    pub(super) fn sabotage(&self) -> Result<Option<Sabotage>, String> {
        match (self.fault, std::env::var("QUORUM_FAULT")) {
            (None, Ok(text)) if !text.is_empty() => clap::ValueEnum::from_str(&text, true)
                .map(Some)
                .map_err(|_| {
                    format!(
                        "reading QUORUM_FAULT: expected no-failover, slow-failover or ack-early, not {text:?}"
                    )
                }),
            (given, _) => Ok(given),
        }
    }

    /// `--id`, or the leading hexadecimal digits of the host name, which Docker makes from the container's id.
    ///
    /// # Errors
    /// The host name is of another shape.
    pub(super) fn identity(&self) -> Result<u64, String> {
        const HOST: &str = "/proc/sys/kernel/hostname";
        if let Some(id) = self.id {
            return Ok(id);
        }
        let name = std::fs::read_to_string(HOST).map_err(|e| format!("reading {HOST}: {e}"))?;
        parse_identity(name.trim()).ok_or_else(|| {
            format!(
                "making a number from the host name {:?}: it is no container id; give --id",
                name.trim()
            )
        })
    }

    /// Raft's timing. Followers wait for the lease (`election_timeout_max`) and then for a random time between the two before
    /// they elect, so a lost primary is replaced after 630 to 760 ms of silence, plus up to one tick of 150 ms.
    ///
    /// # Errors
    /// Only if the numbers here contradict each other.
    pub(super) fn raft_config(&self, sabotage: Option<Sabotage>) -> Result<Config, String> {
        let (election_timeout_min, election_timeout_max) = match sabotage {
            Some(Sabotage::SlowFailover) => (3900, 4100),
            _ => (250, 380),
        };
        Config {
            cluster_name: "quorum".into(),
            heartbeat_interval: 100,
            election_timeout_min,
            election_timeout_max,
            install_snapshot_timeout: 5000,
            snapshot_max_chunk_size: 256 * 1024,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_every),
            max_in_snapshot_log_to_keep: self.snapshot_every / 2,
            replication_lag_threshold: self.snapshot_every * 2,
            ..Config::default()
        }
        .validate()
        .map_err(|e| e.to_string())
    }
}

/// At most 48 bits, so that the number survives any JSON reader.
fn parse_identity(host: &str) -> Option<u64> {
    let digits = host.get(..12)?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_id_is_a_number() {
        assert_eq!(parse_identity("0000000000ff"), Some(255));
        assert_eq!(parse_identity("3f2a9c0d11e2"), Some(0x3f2a_9c0d_11e2));
    }

    #[test]
    fn another_host_name_is_none() {
        assert_eq!(parse_identity("laptop"), None);
        assert_eq!(parse_identity("my-own-hostname"), None);
    }

    #[test]
    fn slow_failover_takes_about_eight_seconds() {
        let args = <Wrapper as clap::Parser>::parse_from(["x"]).args;
        let config = args.raft_config(Some(Sabotage::SlowFailover)).unwrap();
        let shortest = config.election_timeout_max + config.election_timeout_min;
        assert!((7_500..=8_500).contains(&shortest), "{shortest}");
        let config = args.raft_config(None).unwrap();
        assert!(config.election_timeout_max * 2 < 1_000);
    }

    #[derive(clap::Parser)]
    struct Wrapper {
        #[command(flatten)]
        args: Args,
    }
}
