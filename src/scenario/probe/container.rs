//! `container`: what the engine says of a target's containers.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | whose containers |
//!
//! *Good*: as many run as there were at the beginning, unless `expect` says otherwise: `state` (`"running"`, `"paused"`,
//! `"exited"`), `health` (`"healthy"`, `"unhealthy"`), `replicas` (so many of them at least rather than all).
//!
//! ```toml
//! container = { target = "workers" }
//! expect    = { health = "healthy", replicas = 2 }
//! ```

use crate::scenario::entry::Entry;
use crate::scenario::model::{ContainerProbe, ExpectedHealth, ExpectedState};

const STATES: &[(&str, ExpectedState)] = &[
    ("running", ExpectedState::Running),
    ("paused", ExpectedState::Paused),
    ("exited", ExpectedState::Exited),
];
const HEALTHS: &[(&str, ExpectedHealth)] = &[
    ("healthy", ExpectedHealth::Healthy),
    ("unhealthy", ExpectedHealth::Unhealthy),
];

pub(super) fn read(kind: &Entry<'_>, expect: Option<&Entry<'_>>) -> Option<ContainerProbe> {
    let mut table = kind.table("`container`", "{ target = \"primary\" }")?;
    let target = table.required("target", "target = \"primary\"");
    let target = target.and_then(|target| target.target());
    table.finish();
    let (mut state, mut health, mut replicas) = (None, None, None);
    if let Some(mut table) = expect
        .and_then(|expect| expect.table("`expect` of a container probe", "{ state = \"running\" }"))
    {
        state = table.get("state").and_then(|state| state.choice(STATES));
        health = table
            .get("health")
            .and_then(|health| health.choice(HEALTHS));
        replicas = table
            .get("replicas")
            .and_then(|replicas| replicas.number(1..=100_000));
        table.finish();
    }
    if state.is_none() && health.is_none() {
        state = Some(ExpectedState::Running);
    }
    Some(ContainerProbe {
        target: target?,
        state,
        health,
        replicas: replicas.and_then(|replicas| usize::try_from(replicas).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::ProbeKind;
    use crate::scenario::testing::{check, problems};

    fn container(expect: &str) -> ContainerProbe {
        let text = format!(
            "[probes.p]\ncontainer = {{ target = \"t\" }}\n{expect}\n[targets.t]\nservice = \"s\""
        );
        match check(&text).probes.remove(0).kind {
            ProbeKind::Container(container) => container,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn running_is_expected_unless_something_else_is() {
        assert_eq!(container("").state, Some(ExpectedState::Running));
        let healthy = container("expect = { health = \"healthy\", replicas = 2 }");
        assert_eq!(healthy.state, None);
        assert_eq!(healthy.health, Some(ExpectedHealth::Healthy));
        assert_eq!(healthy.replicas, Some(2));
    }

    #[test]
    fn states_have_names() {
        assert_eq!(
            problems("[probes.p]\ncontainer = {}\nexpect = { state = \"runing\", replicas = 0 }"),
            [
                "2: `container` has no `target` (add `target = \"primary\"`)",
                "3: `state` cannot be `runing` [expected `running`, `paused` or `exited`] (did you mean `running`?)",
                "3: `replicas` cannot be `0` [expected a whole number from 1 to 100000]",
            ]
        );
    }
}
