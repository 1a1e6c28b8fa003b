//! Pages in a real browser.

mod chrome;
#[path = "../support/long.rs"]
mod long;
mod report;
