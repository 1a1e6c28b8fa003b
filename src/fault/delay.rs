//! `delay`: packets arrive later.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `latency` | | so much later, at most `"60s"`, and (jitter apart) less than the step's `for` |
//! | `jitter` | none | up to so much more or less, at random; not more than `latency` |
//! | `correlation` | `"0%"` | how much each delay leans on the one before; the spread stays |
//! | `distribution` | `"uniform"` | of the jitter: `"uniform"`, `"normal"`, `"pareto"` or `"paretonormal"` |
//! | `direction` | `"egress"` | what the target sends: a round trip takes `latency` longer; with `"both"` it counts twice |
//!
//! With jitter packets may overtake one another, as on a real line.
//!
//! *Effect*: the agent has it in force, and round trips to a peer, sent together, take so much longer than before. *Undo*:
//! everything is taken out of the container's network; a round trip takes as long as before. *Lasts* for the step's `for`, 5 s without
//! one, from when the agent has it in force; where round trips take longer than that, until they have come back.
//!
//! ```toml
//! fault.delay = { target = "a", to = "b", latency = "200ms", jitter = "20ms" }
//! ```

use super::network::Network;
use super::network::line::read_delay;
use super::{Fault, Kind};
use crate::impairment::Line;
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "delay",
    summary: "packets arrive later, by a fixed or a random time",
    aimed: true,
    read,
};

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    Network::of_line(KIND.name, table, |table| {
        table.required("latency", "latency = \"100ms\"");
        let delay = Some(read_delay(table)?);
        Some(Line {
            delay,
            ..Line::default()
        })
    })
}
