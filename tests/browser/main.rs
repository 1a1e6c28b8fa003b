//! Pages in a real browser.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chrome;
#[path = "../support/game.rs"]
mod game;
mod live;
#[path = "../support/long.rs"]
mod long;
mod report;
