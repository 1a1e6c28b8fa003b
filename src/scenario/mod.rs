//! The scenario language: TOML text → [`Scenario`], or every problem of the file at once.

mod model;
mod template;

pub use model::*;
pub use template::{Bindings, Part, Secrets, Template};
