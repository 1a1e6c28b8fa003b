//! The live page as a program meets it, byte by byte: whom it serves, what it refuses, and that a run does not mind.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "../support/game.rs"]
mod game;
mod http;
mod refusals;
mod running;
mod streams;
