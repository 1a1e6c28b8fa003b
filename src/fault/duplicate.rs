//! `duplicate`: packets arrive twice.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `percent` | | this share of the packets |
//! | `correlation` | `"0%"` | how much each outcome leans on the one before; the share stays |
//! | `direction` | `"egress"` | of what the target sends |
//!
//! TCP throws the second one away; what is built on UDP may not.
//!
//! *Effect*: the agent has it in force, and has sent packets twice by the end. *Undo*: everything is taken out of the container's network.
//! *Lasts* for the step's `for`, 5 s without one.
//!
//! ```toml
//! fault.duplicate = { target = "replica", to = "primary", percent = "5%" }
//! ```

use super::network::Network;
use super::network::line::read_chance;
use super::{Fault, Kind};
use crate::impairment::Line;
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "duplicate",
    summary: "some packets arrive twice",
    aimed: true,
    read,
};

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    Network::of_line(KIND.name, table, |table| {
        let duplicate = Some(read_chance(table)?);
        Some(Line {
            duplicate,
            ..Line::default()
        })
    })
}
