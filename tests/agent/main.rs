//! The agent's network job, as the real process between real network namespaces: each effect with the same check failing without it, and
//! every way in which it ends. Needs root and `ip`.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]
#![expect(clippy::disallowed_methods, reason = "the time is what is tested")]

mod cases;
mod ends;
mod lines;
mod listing;
mod names;
mod selections;
mod sequence;
mod talk;
mod traffic;
mod world;
