//! chaosrun: does this containerised system keep its promises while a named fault is happening?
//!
//! The modules, in the order in which data flows through them. Those marked PURE decide and never act: no runtime, no
//! network, no file system, no clock, no ambient randomness (`tests/architecture.rs` holds them to it).
//!
//! | module | | what it is |
//! |---|---|---|
//! | [`units`] | PURE | durations, shares, rates, signals: text ↔ value |
//! | [`scenario`] | PURE | TOML → checked scenario, or every problem at once |
//! | [`inventory`] | PURE | what a system consists of, as observed |
//! | [`impairment`] | PURE | what is done to which packets of a container |
//! | [`action`] | PURE | the closed vocabulary of changes, their conditions and undos |
//! | [`fault`] | PURE | one file a fault: its keys, its manual page, its lowering to actions |
//! | [`plan`] | PURE | scenario + inventory + seed → who is hit, when, and how it is undone |
//! | [`engine`] | | drives a run: the one loop that owns its state |
//! | [`clock`] | | the one clock of a run |
//! | [`probe`] | | open-loop request streams |
//! | [`runtime`] | | the only door to an engine: observe, change, watch |
//! | [`agent`] | | the helper that runs next to a target |
//! | [`history`] | PURE | the append-only record of a run, and its fold |
//! | [`verdict`] | PURE | history → passed, failed, inconclusive, aborted, dirty |
//! | [`report`] | PURE | one file a format |
//! | [`serve`] | | the live page of a run |
//! | [`demo`] | | the built-in system under test |
//! | [`cli`] | | one file a command; the only module that prints |

pub mod action;
pub mod agent;
pub mod cli;
pub mod clock;
pub mod demo;
pub mod engine;
pub mod fault;
pub mod history;
pub mod impairment;
pub mod inventory;
pub mod plan;
pub mod probe;
pub mod report;
pub mod runtime;
pub mod scenario;
pub mod serve;
pub mod units;
pub mod verdict;
