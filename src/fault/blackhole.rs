//! `blackhole`: packets vanish; nothing is answered.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `direction` | `"both"` | of what the target sends and what it is sent |
//!
//! Connections stay open and time out, as with a firewall that drops, or a cable that was pulled.
//!
//! *Effect*: the agent has it in force, and a peer that answered before answers no longer. *Undo*: everything is taken out of the
//! container's network. *Lasts* for the step's `for`, 5 s without one.
//!
//! ```toml
//! fault.blackhole = { target = "api", to = "redis", ports = "6379" }
//! ```

use super::network::Network;
use super::network::keys::read_aim;
use super::{Fault, Kind, read_target};
use crate::impairment::{Direction, Effect};
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "blackhole",
    summary: "packets vanish and nothing is answered",
    aimed: true,
    read,
};

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    let target = read_target(table);
    let aim = read_aim(table, Direction::Both);
    Network::of(KIND.name, target, aim, Some(Effect::Drop))
}
