//! `network`: several of `delay`, `loss`, `corrupt`, `duplicate`, `reorder` and `rate` at once, on the same packets.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `latency` | | packets arrive so much later |
//! | `jitter` | none | up to so much more or less, at random; not more than `latency` |
//! | `correlation` | `"0%"` | of the jitter |
//! | `distribution` | `"uniform"` | of the jitter: `"uniform"`, `"normal"`, `"pareto"` or `"paretonormal"` |
//! | `loss` | | a share, or a table with the keys of the fault `loss` |
//! | `corrupt` | | a share, or `{ percent, correlation }` |
//! | `duplicate` | | a share, or `{ percent, correlation }` |
//! | `reorder` | | a share, or `{ percent, correlation, gap }`; needs a `latency` |
//! | `rate` | | bits per second, such as `"10mbit"` |
//! | `direction` | `"egress"` | of what the target sends |
//!
//! A container has one network fault at a time: this is how several are had together.
//!
//! *Effect*: that of each. *Undo*: everything is taken out of the container's network. *Lasts* for the step's `for`, 5 s without one.
//!
//! ```toml
//! fault.network = { target = "a", to = "b", latency = "80ms", loss = "1%" }
//! ```

use super::network::Network;
use super::network::line::{
    read_chance, read_delay, read_loss, read_rate, read_reorder, share_or_table,
};
use super::{Fault, Kind};
use crate::impairment::{Chance, Line, Loss, Reorder};
use crate::scenario::cursor::Cursor;

pub(super) const KIND: Kind = Kind {
    name: "network",
    summary: "delay, loss and whatever else a bad line does, in one",
    aimed: true,
    read,
};

const PERCENT: &str = "{ percent = \"1%\" }";

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    Network::of_line(KIND.name, table, read_line)
}

fn read_line(table: &mut Cursor<'_>) -> Option<Line> {
    let written = ["latency", "loss", "corrupt", "duplicate", "reorder", "rate"];
    let some = written.iter().any(|key| table.has(key));
    let delay = read_delay(table);
    let loss = table.get("loss");
    let loss = loss.map(|entry| share_or_table(&entry, PERCENT, Loss::Random, read_loss));
    let mut chance = |key| {
        let entry = table.get(key)?;
        Some(share_or_table(
            &entry,
            PERCENT,
            |chance: Chance| chance,
            read_chance,
        ))
    };
    let (corrupt, duplicate) = (chance("corrupt"), chance("duplicate"));
    let reorder_entry = table.get("reorder");
    let at_random = |chance| Reorder { chance, gap: 1 };
    let reorder = reorder_entry
        .as_ref()
        .map(|entry| share_or_table(entry, PERCENT, at_random, read_reorder));
    let rate = table.get("rate").map(|entry| read_rate(&entry));
    if let Some(entry) = reorder_entry.filter(|_| !table.has("latency")) {
        let problem = entry.key_problem("`reorder` without `latency` says nothing");
        let problem = problem.expected("what is not delayed cannot be overtaken");
        entry.report(problem.hint("add `latency = \"10ms\"`"));
    }
    if !some && !table.has_misspelt(&written) {
        let problem = table.problem("fault `network` does nothing");
        table.report(
            problem
                .hint("add `latency = \"100ms\"`, `loss = \"1%\"` or another")
                .absence(),
        );
        return None;
    }
    // What was written and could not be read is a problem already.
    Some(Line {
        delay,
        loss: loss.flatten(),
        corrupt: corrupt.flatten(),
        duplicate: duplicate.flatten(),
        reorder: reorder.flatten(),
        rate: rate.flatten(),
    })
}
