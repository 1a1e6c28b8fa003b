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
    ctx: Context,
}

impl Containers {
    pub(super) fn new(probe: &ContainerProbe, ctx: &Context) -> Result<Self, String> {
        Ok(Self {
            probe: probe.clone(),
            target: target_of(ctx, &probe.target)?,
            ctx: ctx.clone(),
        })
    }
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
        let ids: Vec<String> = {
            let world = self.ctx.world.borrow();
            let all = world.instances.iter();
            all.filter(|instance| select::matches(&self.target, instance))
                .map(|instance| instance.id.clone())
                .collect()
        };
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
        // Of no container at all, none is as expected.
        let wanted = self.probe.replicas.unwrap_or(ids.len().max(1));
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
