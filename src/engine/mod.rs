//! Drives a run. Everything that is done to a system is done from here, and written down before.
//!
//! [`run`] goes from a checked scenario to a folded record; [`drive`] is the loop that owns the state in between.

pub mod control;
mod drive;
mod inject;
pub mod journal;
pub mod lock;
mod ready;
pub mod reaper;
mod recorder;
pub mod recover;
mod role;
mod run;
pub mod signals;
mod tally;
mod teardown;
mod trip;
pub mod undo;
mod vitals;
mod world;

pub use recorder::Observer;
pub use run::{Finished, Setup, run};
