//! Before and after: what about the system is not as it was.

use std::collections::BTreeSet;

use crate::action::Subject;
use crate::history::Difference;
use crate::inventory::{Health, Instance, Inventory, State};

/// What differs between two snapshots, apart from what every restart changes (PIDs, times, addresses).
pub(super) fn differences(
    before: &Inventory,
    after: &Inventory,
    touched: &BTreeSet<String>,
) -> Vec<Difference> {
    before
        .instances
        .iter()
        .filter(|instance| instance.is_fair_game() || instance.is_protected())
        .flat_map(|was| {
            let now = after.by_id(&was.id).or_else(|| replacement(was, after));
            sentences(was, now).into_iter().map(|what| Difference {
                subject: Subject::of(was),
                touched: touched.contains(&was.id),
                what,
            })
        })
        .collect()
}

/// The system may have put another container in its place.
fn replacement<'a>(was: &Instance, after: &'a Inventory) -> Option<&'a Instance> {
    after
        .instances
        .iter()
        .find(|now| now.identity() == was.identity() && now.project == was.project)
}

fn sentences(was: &Instance, now: Option<&Instance>) -> Vec<String> {
    let name = was.identity();
    let Some(now) = now else {
        return vec![format!(
            "{name} was {} before and is gone now",
            state(was.state)
        )];
    };
    let mut found = Vec::new();
    if state(was.state) != state(now.state) {
        let code = match now.state {
            State::Exited { code } => format!(" with code {code}"),
            _ => String::new(),
        };
        found.push(format!(
            "{name} was {} before and is {}{code} now",
            state(was.state),
            state(now.state)
        ));
    } else if was.health == Health::Healthy && now.health != Health::Healthy {
        found.push(format!(
            "{name} was healthy before and is {} now",
            health(now.health)
        ));
    }
    for (network, endpoint) in &was.networks {
        match now.networks.get(network) {
            None => found.push(format!(
                "{name} was in network {network} before and is not now"
            )),
            Some(is) => found.extend(
                endpoint
                    .aliases
                    .iter()
                    // Every container is known by its own id's first twelve digits: a replacement has its own.
                    .filter(|alias| {
                        !is.aliases.contains(alias) && !was.id.starts_with(alias.as_str())
                    })
                    .map(|alias| format!("{name} has lost its alias {alias} in network {network}")),
            ),
        }
    }
    for network in now
        .networks
        .keys()
        .filter(|network| !was.networks.contains_key(*network))
    {
        found.push(format!(
            "{name} was not in network {network} before and is now"
        ));
    }
    found
}

fn state(state: State) -> &'static str {
    match state {
        State::Created => "created",
        State::Running => "running",
        State::Paused => "paused",
        State::Restarting => "restarting",
        State::Removing => "being removed",
        State::Exited { .. } => "exited",
        State::Dead => "dead",
    }
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Unchecked => "without a health check",
        Health::Starting => "starting",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Endpoint;
    use crate::plan::tests::inventory;

    fn told(change: impl Fn(&mut Inventory)) -> Vec<String> {
        let mut before = inventory(&["node-1", "node-2"]);
        let home = Endpoint {
            aliases: vec!["node".into()],
            ..Endpoint::default()
        };
        before.instances[0].networks.insert("home".into(), home);
        before.instances[0].health = Health::Healthy;
        let mut after = before.clone();
        change(&mut after);
        let touched = BTreeSet::from(["id-node-1".to_owned()]);
        let found = differences(&before, &after, &touched);
        assert!(
            found
                .iter()
                .all(|d| d.touched == (d.subject.name == "node-1"))
        );
        found
            .into_iter()
            .map(|difference| difference.what)
            .collect()
    }

    #[test]
    fn a_restart_alone_is_no_difference() {
        let none = told(|after| {
            after.instances[0].pid = Some(7);
            after.instances[0].started_at = "later".into();
            after.instances[0].restart_count = 3;
        });
        assert!(none.is_empty(), "{none:?}");
    }

    #[test]
    fn a_replacement_counts_as_the_same() {
        assert!(told(|after| after.instances[1].id = "new".into()).is_empty());
    }

    #[test]
    fn each_difference_is_a_sentence() {
        let one =
            |change: fn(&mut Instance)| told(|after| change(&mut after.instances[0])).join("; ");
        assert_eq!(
            one(|i| i.state = State::Exited { code: 1 }),
            "node-1 was running before and is exited with code 1 now"
        );
        assert_eq!(
            one(|i| i.state = State::Paused),
            "node-1 was running before and is paused now"
        );
        assert_eq!(
            one(|i| i.health = Health::Unhealthy),
            "node-1 was healthy before and is unhealthy now"
        );
        assert_eq!(
            one(|i| i.networks.clear()),
            "node-1 was in network home before and is not now"
        );
        assert_eq!(
            one(|i| i.networks.values_mut().for_each(|e| e.aliases.clear())),
            "node-1 has lost its alias node in network home"
        );
        assert_eq!(
            told(|after| drop(after.instances.pop())).join("; "),
            "node-2 was running before and is gone now"
        );
    }
}
