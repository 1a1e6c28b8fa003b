//! History → verdict → report, on histories as runs write them. Pure: runs anywhere.

mod goldens;
mod inconclusive;
mod probing;
mod properties;
mod run;
mod slos;
mod verdicts;
