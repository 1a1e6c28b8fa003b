//! Probes: open-loop streams of requests.
//!
//! Request *k* is due at `start + k/rate`, whatever happened to the ones before it. Its latency counts from when it was due,
//! it has a timeout, and one that could not be sent counts as bad. A prober keeps no samples: it sends [`Reading`]s.

mod collector;
mod container;
mod exec;
mod http;
mod names;
mod pacer;
mod pool;
mod prober;
mod resolver;
mod saturate;
mod scheduler;
mod shot;
mod tcp;
#[cfg(test)]
mod testing;
mod tls;

pub use prober::{Prober, start};
pub use saturate::saturate;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::history::{Bucket, Tally};
use crate::inventory::Inventory;
use crate::runtime::Runtime;
use crate::scenario::{Secrets, Target};
use crate::units::Micros;

/// What every probe of a run shares.
#[derive(Clone)]
pub struct Context {
    pub clock: Clock,
    pub runtime: Arc<dyn Runtime>,
    /// The system as last seen; follows the engine's events. Service names resolve through it.
    pub world: watch::Receiver<Arc<Inventory>>,
    /// The scenario's, for probes that look at or into containers.
    pub targets: Arc<[Target]>,
    pub secrets: Arc<Secrets>,
    pub readings: mpsc::Sender<Reading>,
}

/// What a prober tells the engine; `probe` is its place in the scenario.
#[derive(Debug, Clone)]
pub enum Reading {
    /// Every sample due in that stretch has its result. In order, without gaps.
    Bucket { probe: usize, bucket: Bucket },
    /// Five times a second.
    Pulse { probe: usize, pulse: Pulse },
    /// It cannot do its work, whatever the system does (`redis-cli` is not installed, a host name that never resolved).
    Broken { probe: usize, why: String },
}

/// For guards, steadiness and the live display.
#[derive(Debug, Clone)]
pub struct Pulse {
    pub at: Micros,
    /// Samples that got their result since the last pulse, in the order in which they got it.
    pub tally: Tally,
    /// Every sample due before this has its result.
    pub settled: Micros,
    /// Requests under way.
    pub in_flight: usize,
    /// When each of them was due, in order.
    pub unanswered: Vec<Micros>,
}
