//! Pages in a real browser.

mod chrome;
mod report;
