//! `loss`: packets are lost at random.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `percent` | | this share of the packets, unless there is a `model` |
//! | `correlation` | `"0%"` | how much each outcome leans on the one before: losses come in bursts, and as many as without |
//! | `model` | | `{ gilbert_elliott = { p, r, bad, good } }` or `{ markov = { p13, p31, p32, p23, p14 } }` |
//! | `direction` | `"egress"` | of what the target sends |
//!
//! In the Gilbert–Elliott model a line is good or bad: with each packet it gets bad with probability `p` and good again with `r`; while bad
//! it loses `bad` of the packets (default `"100%"`), while good `good` of them (`"0%"`).
//! In the Markov model (of netem) it has four states: 1 good, 2 good within a burst of losses, 3 lost within a burst, 4 lost alone; `p13` is the
//! probability to go from 1 to 3. Without the others, `p31` is what `p13` leaves, `p23` is `"100%"`, `p32` and `p14` are `"0%"`.
//!
//! *Effect*: the agent has it in force, and has dropped packets by the end. *Undo*: everything is taken out of the container's network.
//! *Lasts* for the step's `for`, 5 s without one.
//!
//! ```toml
//! fault.loss = { target = "replica", percent = "10%", correlation = "25%" }
//! fault.loss = { target = "replica", model = { markov = { p13 = "5%" } } }
//! ```

use super::network::Network;
use super::network::line::read_loss;
use super::{Fault, Kind};
use crate::impairment::Line;
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "loss",
    summary: "packets are lost at random, one by one or in bursts",
    aimed: true,
    read,
};

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    Network::of_line(KIND.name, table, |table| {
        // Known to the schema whichever of them is there.
        table.get("percent");
        table.get("correlation");
        let loss = Some(read_loss(table)?);
        Some(Line {
            loss,
            ..Line::default()
        })
    })
}
