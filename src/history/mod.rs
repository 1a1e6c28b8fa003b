//! The append-only record of a run: versioned events, one a line, and their fold. Verdict and reports are functions of it.

mod bucket;
mod event;
mod latency;

pub use bucket::{Bucket, MAX_REASONS, OTHER, Sample, Span, Tally};
pub use event::*;
pub use latency::Latencies;
