//! `container` probes: are a target's containers in the state that is expected, by the engine's own account?

use futures_util::future::join_all;

use super::Context;
use super::shot::{Miss, Shot, TIMED_OUT};
use crate::inventory::{Health, Instance, State};
use crate::plan::select;
use crate::runtime::RuntimeError;
use crate::scenario::{ContainerProbe, ExpectedHealth, ExpectedState, Target};

pub(super) struct Containers {
    probe: ContainerProbe,
    target: Target,
    /// How many are to be as expected: as many as there were at the beginning, one at least. One that is removed is missing.
    wanted: usize,
    ctx: Context,
}

impl Containers {
    pub(super) fn new(probe: &ContainerProbe, ctx: &Context) -> Result<Self, String> {
        let target = target_of(ctx, &probe.target)?;
        let there = ids_of(ctx, &target).len().max(1);
        Ok(Self {
            probe: probe.clone(),
            target,
            wanted: probe.replicas.unwrap_or(there),
            ctx: ctx.clone(),
        })
    }
}

fn ids_of(ctx: &Context, target: &Target) -> Vec<String> {
    let world = ctx.world.borrow();
    let all = world.instances.iter();
    all.filter(|instance| select::matches(target, instance))
        .map(|instance| instance.id.clone())
        .collect()
}

/// The scenario's target of this name.
pub(super) fn target_of(ctx: &Context, name: &str) -> Result<Target, String> {
    let known = ctx.targets.iter().find(|target| target.name == name);
    known
        .cloned()
        .ok_or_else(|| format!("there is no target \"{name}\""))
}

impl Shot for Containers {
    async fn shoot(&self, _seq: u64) -> Result<(), Miss> {
        let ids = ids_of(&self.ctx, &self.target);
        let seen = join_all(ids.iter().map(|id| self.ctx.runtime.observe(id))).await;
        let mut fitting = 0;
        for instance in seen {
            match instance {
                Ok(Some(instance)) if fits(&self.probe, &instance) => fitting += 1,
                Ok(_) => {}
                Err(RuntimeError::TimedOut { .. }) => return Err(TIMED_OUT),
                Err(RuntimeError::Unreachable { .. }) => {
                    return Err(Miss::bad("engine unreachable"));
                }
                Err(RuntimeError::Refused { .. }) => {
                    return Err(Miss::bad("refused by the engine"));
                }
            }
        }
        let wanted = self.wanted;
        if fitting >= wanted {
            Ok(())
        } else {
            Err(Miss::bad(format!("{fitting} of {wanted} as expected")))
        }
    }
}

/// Without an expected state it must run: the health of one that does not run means nothing.
fn fits(probe: &ContainerProbe, instance: &Instance) -> bool {
    let state = match probe.state.unwrap_or(ExpectedState::Running) {
        ExpectedState::Running => instance.state == State::Running,
        ExpectedState::Paused => instance.state == State::Paused,
        ExpectedState::Exited => matches!(instance.state, State::Exited { .. }),
    };
    let health = match probe.health {
        None => true,
        Some(ExpectedHealth::Healthy) => instance.health == Health::Healthy,
        Some(ExpectedHealth::Unhealthy) => instance.health == Health::Unhealthy,
    };
    state && health
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::probe::testing::{context, instance_at};

    /// A probe of three nodes in these states.
    async fn shoot(states: [State; 3], probe: ContainerProbe) -> Result<(), Miss> {
        let mut nodes: Vec<_> = ["node-1", "node-2", "node-3", "other-1"]
            .map(|name| instance_at(name, ""))
            .into();
        nodes.iter_mut().zip(states).for_each(|(node, state)| {
            node.state = state;
            node.health = Health::Healthy;
        });
        nodes[2].health = Health::Unhealthy;
        let (ctx, _world, _readings) = context(nodes);
        Containers::new(&probe, &ctx).unwrap().shoot(0).await
    }

    fn expecting(replicas: Option<usize>) -> ContainerProbe {
        ContainerProbe {
            target: "nodes".into(),
            state: None,
            health: None,
            replicas,
        }
    }

    const DOWN: State = State::Exited { code: 1 };

    #[tokio::test]
    async fn all_must_run_unless_fewer_are_enough() {
        use State::{Paused, Running};
        assert_eq!(shoot([Running; 3], expecting(None)).await, Ok(()));
        let two = [Running, DOWN, Running];
        let short = |text: &'static str| Err(Miss::bad(text));
        assert_eq!(
            shoot(two, expecting(None)).await,
            short("2 of 3 as expected")
        );
        assert_eq!(shoot(two, expecting(Some(2))).await, Ok(()));
        assert_eq!(
            shoot([Paused, DOWN, Running], expecting(Some(2))).await,
            short("1 of 2 as expected")
        );
    }

    #[tokio::test]
    async fn state_and_health_are_the_engines() {
        use State::{Paused, Running};
        let state = |state, replicas| ContainerProbe {
            state: Some(state),
            ..expecting(Some(replicas))
        };
        let mixed = [Paused, DOWN, Running];
        for (expected, count) in [
            (ExpectedState::Paused, 1),
            (ExpectedState::Exited, 1),
            (ExpectedState::Running, 1),
        ] {
            assert_eq!(shoot(mixed, state(expected, count)).await, Ok(()));
            assert!(shoot(mixed, state(expected, count + 1)).await.is_err());
        }
        let health = |health, replicas| ContainerProbe {
            health: Some(health),
            ..expecting(Some(replicas))
        };
        let running = [Running, DOWN, Running];
        let healthy = ExpectedHealth::Healthy;
        assert_eq!(shoot(running, health(healthy, 1)).await, Ok(()));
        assert!(shoot(running, health(healthy, 2)).await.is_err());
        let unhealthy = ExpectedHealth::Unhealthy;
        assert_eq!(shoot(running, health(unhealthy, 1)).await, Ok(()));
    }

    #[tokio::test]
    async fn one_that_was_removed_is_missing() {
        let nodes = |n: usize| -> Vec<Instance> {
            (1..=n)
                .map(|i| instance_at(&format!("node-{i}"), ""))
                .collect()
        };
        let (ctx, world, _readings) = context(nodes(3));
        let all = Containers::new(&expecting(None), &ctx).unwrap();
        assert_eq!(all.shoot(0).await, Ok(()));
        world.send_modify(|world| Arc::make_mut(world).instances = nodes(2));
        assert_eq!(all.shoot(1).await, Err(Miss::bad("2 of 3 as expected")));
        world.send_modify(|world| Arc::make_mut(world).instances = nodes(4));
        assert_eq!(all.shoot(2).await, Ok(()));
    }

    #[tokio::test]
    async fn none_at_all_is_bad() {
        let (ctx, _world, _readings) = context(vec![]);
        let none = Containers::new(&expecting(None), &ctx).unwrap();
        assert_eq!(none.shoot(0).await, Err(Miss::bad("0 of 1 as expected")));
        let mut dangling = expecting(None);
        dangling.target = "nobody".into();
        assert!(Containers::new(&dangling, &ctx).is_err());
    }
}
