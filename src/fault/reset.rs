//! `reset`: TCP connections are reset, and new ones refused.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | who is hit |
//! | `direction` | `"both"` | of what the target sends and what it is sent |
//!
//! Both ends learn of it where both directions are meant. With one, only whoever sends what is refused is told: the other end sees no more
//! than that nothing comes back, and times out. Other protocols pass.
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
use crate::impairment::{Direction, Effect, Protocol};
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
    if matches!(aim.protocol, Some(Protocol::Udp | Protocol::Icmp))
        && let Some(entry) = table.get("protocol")
    {
        let problem = entry.key_problem("only TCP connections can be reset");
        entry.report(problem.hint("remove `protocol`, or take `blackhole`"));
    }
    Network::of(KIND.name, target, aim, Some(Effect::Reset))
}

#[cfg(test)]
mod tests {
    use super::super::testing::problems;

    #[test]
    fn only_tcp_can_be_reset() {
        for protocol in ["udp", "icmp"] {
            let fault = format!("reset = {{ target = \"t\", protocol = \"{protocol}\" }}");
            let found = problems(&fault);
            assert!(
                found[0].starts_with("only TCP connections can be reset"),
                "{found:?}"
            );
        }
        let tcp = "reset = { target = \"t\", protocol = \"tcp\" }";
        assert!(problems(tcp).is_empty());
    }
}
