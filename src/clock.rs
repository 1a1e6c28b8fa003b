//! The one clock of a run. Everything that happens is placed on it, in microseconds since the run began.

use std::time::Duration;

use tokio::time::Instant;

use crate::units::Micros;

/// Monotonic; follows tokio's paused clock in tests.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that shows zero now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that reads the clock"
    )]
    pub fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    pub fn now(&self) -> Micros {
        self.origin.elapsed().as_micros() as Micros
    }

    /// The same, to the nanosecond.
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The instant that a reading stands for.
    pub fn instant(&self, at: Micros) -> Instant {
        self.origin + Duration::from_micros(at)
    }
}

/// Wall-clock time, for what people read: file names and the head of a report.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the module that reads the clock"
)]
pub fn wall() -> jiff::Timestamp {
    jiff::Timestamp::try_from(std::time::SystemTime::now()).unwrap_or_default()
}
