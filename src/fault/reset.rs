//! `reset`: TCP connections are reset, and new ones refused.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `direction` | `"both"` | of what the target sends and what it is sent |
//!
//! Both ends learn of it. Other protocols pass.
//!
//! *Effect*: the agent has it in force, and connections were reset or refused by the end. *Undo*: everything is taken out of the
//! container's network. *Lasts* for the step's `for`, 5 s without one.
//!
//! ```toml
//! fault.reset = { target = "api", to = "redis", ports = "6379" }
//! ```

use super::network::Network;
use super::network::keys::read_aim;
use super::{Fault, Kind, read_target};
use crate::impairment::{Direction, Effect};
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "reset",
    summary: "TCP connections are reset, and new ones refused",
    aimed: true,
    read,
};

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    let target = read_target(table);
    let aim = read_aim(table, Direction::Both);
    Network::of(KIND.name, target, aim, Some(Effect::Reset))
}
