//! History → verdict → report, on histories as runs write them. Pure: runs anywhere.

mod comparing;
mod goldens;
mod inconclusive;
#[path = "../support/long.rs"]
mod long;
mod page;
mod probing;
mod properties;
mod repeating;
mod run;
mod samples;
mod slos;
mod verdicts;
