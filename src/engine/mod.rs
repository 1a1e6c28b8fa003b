//! Drives a run. Everything that is done to a system is done from here, and written down before.

pub mod journal;
pub mod lock;
pub mod signals;
pub mod undo;
