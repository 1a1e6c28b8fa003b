//! `reorder`: packets overtake one another.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `percent` | | this share of the packets is sent at once, past the others |
//! | `correlation` | `"0%"` | how much each outcome leans on the one before; the share stays |
//! | `gap` | 1 | at most every so many packets: with `gap = 5` four are delayed before one may overtake |
//! | `latency` | | by how much all the others are delayed, and so overtaken |
//! | `direction` | `"egress"` | of what the target sends |
//!
//! *Effect*: the agent has it in force, and packets have overtaken others by the end. *Undo*: everything is taken out of the
//! container's network. *Lasts* for the step's `for`, 5 s without one.
//!
//! ```toml
//! fault.reorder = { target = "replica", percent = "25%", latency = "10ms" }
//! ```

use super::network::Network;
use super::network::line::{read_latency, read_reorder};
use super::{Fault, Kind};
use crate::impairment::Line;
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "reorder",
    summary: "some packets overtake the others",
    aimed: true,
    read,
};

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    Network::of_line(KIND.name, table, |table| {
        let reorder = read_reorder(table);
        let delay = Some(read_latency(table)?);
        Some(Line {
            delay,
            reorder: Some(reorder?),
            ..Line::default()
        })
    })
}
