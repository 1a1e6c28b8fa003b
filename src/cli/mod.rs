//! cli

pub mod live;
