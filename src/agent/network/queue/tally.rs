//! What became of the packets of each rule.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::impairment::Counts;

pub(super) struct Tally(Vec<Row>);

#[derive(Default)]
pub(super) struct Row {
    pub(super) packets: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) delayed: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) corrupted: AtomicU64,
    pub(super) duplicated: AtomicU64,
    pub(super) reordered: AtomicU64,
    pub(super) reset: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) overflowed: AtomicU64,
}

impl Tally {
    pub(super) fn new(rules: usize) -> Self {
        Self((0..rules).map(|_| Row::default()).collect())
    }

    pub(super) fn row(&self, rule: usize) -> Option<&Row> {
        self.0.get(rule)
    }

    pub(super) fn counts(&self) -> Vec<Counts> {
        self.0.iter().map(Row::counts).collect()
    }
}

/// One more.
pub(super) fn count(one: &AtomicU64) {
    add(one, 1);
}

pub(super) fn add(to: &AtomicU64, more: u64) {
    to.fetch_add(more, Ordering::Relaxed);
}

impl Row {
    fn counts(&self) -> Counts {
        let read = |one: &AtomicU64| one.load(Ordering::Relaxed);
        Counts {
            packets: read(&self.packets),
            bytes: read(&self.bytes),
            delayed: read(&self.delayed),
            dropped: read(&self.dropped),
            corrupted: read(&self.corrupted),
            duplicated: read(&self.duplicated),
            reordered: read(&self.reordered),
            reset: read(&self.reset),
            answered: read(&self.answered),
            overflowed: read(&self.overflowed),
        }
    }
}
