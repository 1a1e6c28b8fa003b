//! Every kind of fault. A fault is a compiler: it lowers, purely, to actions.

use std::time::Duration;

use crate::action::Action;
use crate::inventory::Instance;

#[derive(Debug, Clone, PartialEq)]
pub enum Fault {}

impl Fault {
    /// Its key in a scenario: `kill`.
    pub fn kind(&self) -> &'static str {
        match *self {}
    }

    /// The name of the target that it hits.
    pub fn target(&self) -> &str {
        match *self {}
    }

    /// How long it lasts when the step has no `for`.
    pub fn default_hold(&self) -> Duration {
        match *self {}
    }

    /// What to do to one instance.
    ///
    /// # Errors
    /// A sentence saying why this instance cannot be hit in this way, and what to do.
    pub fn lower(&self, _instance: &Instance) -> Result<Vec<Action>, String> {
        match *self {}
    }
}
