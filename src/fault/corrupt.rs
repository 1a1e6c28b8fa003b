//! `corrupt`: one bit of a packet is flipped at random.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `percent` | | this share of the packets |
//! | `correlation` | `"0%"` | how much each outcome leans on the one before; the share stays |
//! | `direction` | `"egress"` | of what the target sends |
//!
//! The checksum of what carries it no longer fits, so the receiving side drops such a packet: to TCP it is a loss that comes late.
//!
//! *Effect*: the agent has it in force, and has changed packets by the end. *Undo*: everything is taken out of the container's network.
//! *Lasts* for the step's `for`, 5 s without one.
//!
//! ```toml
//! fault.corrupt = { target = "replica", to = "primary", percent = "5%" }
//! ```

use super::network::Network;
use super::network::line::read_chance;
use super::{Fault, Kind};
use crate::impairment::Line;
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "corrupt",
    summary: "a bit is flipped in some packets",
    aimed: true,
    read,
};

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    Network::of_line(KIND.name, table, |table| {
        let corrupt = Some(read_chance(table)?);
        Some(Line {
            corrupt,
            ..Line::default()
        })
    })
}
