//! What can repeat without end, kept up to a limit.

use crate::units::Micros;

/// Of each kind of thing that can repeat without end, so many are kept and the rest is counted.
pub const MAX_KEPT: usize = 500;

/// The first [`MAX_KEPT`] of something, each with its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept<T> {
    pub first: Vec<(Micros, T)>,
    /// How many more there were.
    pub dropped: u64,
}

impl<T> Kept<T> {
    pub fn push(&mut self, at: Micros, item: T) {
        if self.first.len() < MAX_KEPT {
            self.first.push((at, item));
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            first: Vec::new(),
            dropped: 0,
        }
    }
}
