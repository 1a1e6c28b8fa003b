//! History → verdict → report, on histories as runs write them. Pure: runs anywhere.

mod comparing;
mod goldens;
mod inconclusive;
#[path = "../support/long.rs"]
mod long;
mod probing;
mod properties;
mod repeating;
mod run;
mod slos;
mod verdicts;
