//! The append-only record of a run: versioned events, one a line, and their fold. Verdict and reports are functions of it.

mod bucket;
mod course;
mod event;
mod kept;
mod latency;
mod read;
mod record;
mod step;
mod timeline;

pub use bucket::{Bucket, MAX_REASONS, OTHER, Sample, Span, Tally};
pub use course::{ProbeRecord, SLACK};
pub use event::*;
pub use kept::{Kept, MAX_KEPT};
pub use latency::Latencies;
pub use read::{HistoryError, MAX_LINE, Reader, fold, parse};
pub use record::Record;
pub use step::StepRecord;
pub use timeline::{MAX_POINTS, Point, Timeline};
