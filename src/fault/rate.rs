//! `rate`: a line carries so much and no more.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `rate` | | in bits per second, of whole packets: `"512kbit"`, `"10mbit"`, `"1gbit"`; at least `"12kbit"`, one packet a second |
//! | `direction` | `"egress"` | of what the target sends |
//!
//! Packets wait for their turn. What waits is bounded: beyond the limit packets are dropped, and counted as overflowed.
//!
//! *Effect*: the agent has it in force, and packets have passed through it by the end. *Undo*: everything is taken out of the
//! container's network. *Lasts* for the step's `for`, 5 s without one.
//!
//! ```toml
//! fault.rate = { target = "replica", rate = "1mbit" }
//! ```

use super::network::Network;
use super::network::line::read_rate;
use super::{Fault, Kind};
use crate::impairment::Line;
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "rate",
    summary: "a line carries so many bits per second at most",
    aimed: true,
    read,
};

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    Network::of_line(KIND.name, table, |table| {
        let rate = table.required("rate", "rate = \"1mbit\"")?;
        let rate = Some(read_rate(&rate)?);
        Some(Line {
            rate,
            ..Line::default()
        })
    })
}
