//! Whole runs on an engine in memory, with a paused clock: what is done to the system, in which order, and what is said of it.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod applying;
mod choosing;
mod interrupted;
mod journal;
mod network;
mod passing;
mod stage;
mod steering;
mod surprises;
mod timeline;
mod undoing;
