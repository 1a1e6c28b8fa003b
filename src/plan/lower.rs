//! A step on everyone whom it hits: what is done to whom, and who is passed over.

use crate::action::Action;
use crate::fault::Scene;
use crate::inventory::Instance;
use crate::scenario::Step;

/// The actions of a step on everyone whom it hits.
///
/// # Errors
/// Why one of them cannot be hit in this way, or that none has a part in it.
pub fn all(step: &Step, scene: &Scene) -> Result<Vec<Action>, String> {
    let mut actions = Vec::new();
    for instance in &scene.hit {
        actions.extend(one(step, instance, scene)?);
    }
    if actions.is_empty() {
        return Err(nobody(step, scene));
    }
    Ok(actions)
}

/// Its actions on one of them.
///
/// # Errors
/// Why that one cannot be hit in this way.
pub fn one(step: &Step, instance: &Instance, scene: &Scene) -> Result<Vec<Action>, String> {
    let lowered = step.fault.lower(instance, scene);
    lowered.map_err(|why| format!("{}: {why}", instance.identity()))
}

/// Why none of those can be hit to whom this is what the step does; `None`: one can.
pub fn why_nobody(
    step: &Step,
    scene: &Scene,
    each: &[Result<Vec<Action>, String>],
) -> Option<String> {
    let is_hit =
        |one: &Result<Vec<Action>, String>| matches!(one, Ok(actions) if !actions.is_empty());
    if each.iter().any(is_hit) {
        return None;
    }
    let refusal = each.iter().find_map(|one| one.as_ref().err());
    Some(refusal.cloned().unwrap_or_else(|| nobody(step, scene)))
}

fn nobody(step: &Step, scene: &Scene) -> String {
    let kind = step.fault.kind();
    let passed_over = super::list(passed_over(step, scene).into_iter());
    format!("nobody whom it hits has a part in its `{kind}` ({passed_over})")
}

/// Whom and what the step passes over that its scenario names, a sentence each.
pub fn passed_over(step: &Step, scene: &Scene) -> Vec<String> {
    let told = |one: &Instance| {
        let why = step.fault.left_out(one, scene).into_iter();
        let name = one.identity();
        why.map(move |why| format!("{name}: {why}"))
    };
    scene.hit.iter().flat_map(told).collect()
}
