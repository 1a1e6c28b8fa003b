//! chaosrun: does this containerised system keep its promises while a named fault is happening?
//!
//! The modules, in the order in which data flows through them. Those marked PURE decide and never act: no runtime, no
//! network, no file system, no clock, no ambient randomness (`tests/architecture.rs` holds them to it).

pub mod action; // PURE  the closed vocabulary of changes, their conditions and undos
pub mod agent; // the helper that runs next to a target
pub mod cli;
pub mod clock; // the one clock of a run
pub mod demo; // the built-in system under test
pub mod engine; // drives a run: the one loop that owns its state
pub mod fault; // PURE  one file a fault: its keys, its manual page, its lowering to actions
pub mod history; // PURE  the append-only record of a run, and its fold
pub mod inventory; // PURE  what a system consists of, as observed
pub mod plan; // PURE  scenario + inventory + seed -> who is hit, when, and how it is undone
pub mod probe; // open-loop request streams
pub mod report; // PURE  one file a format
pub mod runtime; // the only door to an engine: observe, change, watch
pub mod scenario; // PURE  TOML -> checked scenario, or every problem at once
pub mod units; // PURE  durations, shares, rates, signals: text <-> value
pub mod verdict; // PURE  history -> passed, failed, inconclusive, aborted, dirty // one file a command; the only module that prints
