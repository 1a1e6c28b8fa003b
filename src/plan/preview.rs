//! What a run would do, said before it does anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::blast::{self, Hit};
use super::{lower, pick, scene, select, shared, support, told};
use crate::action::Action;
use crate::fault::Scene;
use crate::inventory::{Instance, Inventory};
use crate::scenario::{OnEmpty, Pick, Scenario, Slo, Step, Target, Trigger, Window};
use crate::units::{Rate, format_duration};

/// The whole plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    pub steps: Vec<StepPreview>,
    pub claims: Vec<Claim>,
    /// What would stop the run before anything is done.
    pub problems: Vec<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepPreview {
    pub name: String,
    pub fault: String,
    /// `10s after the baseline`, `after kill`, …
    pub when: String,
    /// `5s`, or `until undone by itself`.
    pub hold: String,
    /// Whom it may hit. Where there is a role, the choice is made when the step starts.
    pub candidates: Vec<String>,
    /// How many of them it hits.
    pub hits: usize,
    /// Is it decided already which?
    pub decided: bool,
    /// Of the containers in the system, for the blast radius.
    pub of: usize,
    /// What is done to the first of them, what shows the effect, and how it is undone.
    pub actions: Vec<[String; 3]>,
    /// Whom and what it passes over that the scenario names, a sentence each.
    pub passed_over: Vec<String>,
}

/// Can an objective be supported by the samples that there will be?
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub slo: Slo,
    /// Good samples needed; `None`: the objective needs none.
    pub needed: Option<u64>,
    /// Samples that its window brings at least, and at most.
    pub planned: (u64, u64),
    /// How long the window must be at this probe's rate.
    pub long_enough: Option<Duration>,
}

impl Claim {
    /// Not even the longest window is long enough.
    pub fn is_hopeless(&self) -> bool {
        self.needed.is_some_and(|needed| needed > self.planned.1)
    }
}

/// Resolves the scenario against what is there.
pub fn preview(scenario: &Scenario, inventory: &Inventory, seed: u64) -> Preview {
    let mut problems = Vec::new();
    let mut steps = Vec::new();
    let mut ever = BTreeSet::new();
    for (index, step) in scenario.steps.iter().enumerate() {
        let Some(target) = scenario.target(step.fault.target()) else {
            continue;
        };
        match preview_step(
            scenario,
            inventory,
            (seed, &mut ever),
            (index, step),
            target,
        ) {
            Ok(preview) => steps.push(preview),
            Err(why) => problems.push(format!("step {}: {why}", step.name)),
        }
    }
    let claims: Vec<Claim> = scenario
        .slos
        .iter()
        .map(|slo| claim(scenario, slo))
        .collect();
    for claim in claims.iter().filter(|claim| claim.is_hopeless()) {
        problems.push(hopeless(claim));
    }
    Preview {
        steps,
        claims,
        problems,
    }
}

fn hopeless(claim: &Claim) -> String {
    format!(
        "line {}: probe {} sends {} requests at most in that window, and this objective needs {} good ones: {} at its rate",
        claim.slo.line,
        claim.slo.probe,
        claim.planned.1,
        claim.needed.unwrap_or_default(),
        claim.long_enough.map_or_else(String::new, format_duration)
    )
}

fn preview_step(
    scenario: &Scenario,
    inventory: &Inventory,
    (seed, ever): (u64, &mut BTreeSet<String>),
    (index, step): (usize, &Step),
    target: &Target,
) -> Result<StepPreview, String> {
    let candidates = candidates(target, inventory, &scenario.limits, &BTreeMap::new())?;
    let names: Vec<String> = candidates.iter().map(Instance::identity).collect();
    let picked = foresee(
        scenario,
        inventory,
        target,
        (seed, index),
        &candidates,
        ever,
    )?;
    let decided = target.role.is_none();
    let shown = if decided { &picked } else { &candidates };
    let scene = scene::foresee(scenario, inventory, (seed, index), shown);
    let actions = match decided {
        true if shown.is_empty() => Vec::new(),
        true => lower::all(step, &scene)?,
        false => of_anyone(scenario, index, &scene)?,
    };
    let of_first = |action: &&Action| action.subject == actions[0].subject;
    Ok(StepPreview {
        name: step.name.clone(),
        fault: step.fault.kind().into(),
        when: when(&step.trigger),
        hold: hold(step),
        candidates: if decided {
            picked.iter().map(Instance::identity).collect()
        } else {
            names
        },
        hits: picked.len(),
        decided,
        of: inventory
            .instances
            .iter()
            .filter(|instance| instance.is_fair_game())
            .count(),
        actions: actions
            .iter()
            .filter(of_first)
            .map(|action| {
                [
                    told::change(action, &actions, inventory),
                    told::proof(action, &actions, &scene),
                    action.undo.phrase(),
                ]
            })
            .collect(),
        passed_over: match decided {
            true => lower::passed_over(step, &scene),
            false => Vec::new(),
        },
    })
}

/// What is done to the first of those who can be hit, where it is decided later who is.
fn of_anyone(scenario: &Scenario, index: usize, all: &Scene) -> Result<Vec<Action>, String> {
    let step = &scenario.steps[index];
    let of_one = |one: &Instance| {
        let turn = (all.seed, index);
        let scene = scene::foresee_one(scenario, &all.world, turn, &all.hit, one);
        lower::one(step, one, &scene)
    };
    let each: Vec<_> = all.hit.iter().map(of_one).collect();
    if let Some(why) = lower::why_nobody(step, all, &each) {
        return Err(why);
    }
    let mut able = each.into_iter().flatten();
    Ok(able.find(|actions| !actions.is_empty()).unwrap_or_default())
}

/// Whom the step at this index picks, within the limits of the whole run: `ever` takes in whom its steps hit for sure. With a role
/// the choice is made later, of fewer: one is all that is certain.
///
/// # Errors
/// It picks nobody, or more than the limits allow.
pub fn foresee(
    scenario: &Scenario,
    inventory: &Inventory,
    target: &Target,
    (seed, index): (u64, usize),
    candidates: &[Instance],
    ever: &mut BTreeSet<String>,
) -> Result<Vec<Instance>, String> {
    if target.on_empty == OnEmpty::Error {
        enough(target, candidates.len())?;
    }
    let picked = pick::pick(candidates.to_vec(), target.pick, seed, index);
    if picked.is_empty() && target.on_empty == OnEmpty::Error {
        let (name, of) = (&target.name, candidates.len());
        return Err(format!("target {name}: its pick takes none of {of}"));
    }
    let nobody = BTreeSet::new();
    let now = &nobody;
    if target.role.is_some() {
        let one = &picked[..picked.len().min(1)];
        blast::check(&scenario.limits, inventory, Hit { ever: now, now }, one)?;
    } else {
        blast::check(&scenario.limits, inventory, Hit { ever, now }, &picked)?;
        ever.extend(picked.iter().map(|instance| instance.id.clone()));
    }
    let step = &scenario.steps[index];
    if target.role.is_some() {
        // Whoever has it: if none of them can be hit, nobody can.
        let turn = (seed, index);
        let spared: Vec<_> = candidates
            .iter()
            .map(|one| {
                let scene = scene::foresee_one(scenario, inventory, turn, candidates, one);
                shared::foresee(step, &scene, std::slice::from_ref(one))
            })
            .collect();
        if spared.iter().all(Result::is_err) {
            spared.into_iter().collect::<Result<(), _>>()?;
        }
    } else {
        let scene = scene::foresee(scenario, inventory, (seed, index), &picked);
        shared::foresee(step, &scene, &picked)?;
    }
    Ok(picked)
}

/// Are these as many as the target asks for? Hitting fewer would be a weaker experiment than the one that was asked for.
///
/// # Errors
/// They are not.
pub fn enough(target: &Target, matches: usize) -> Result<(), String> {
    match target.pick {
        Pick::Count(wanted) if matches < wanted => Err(format!(
            "target {} asks for {wanted}, and {matches} match",
            target.name
        )),
        _ => Ok(()),
    }
}

/// Running containers that the target's selectors match and that may be touched. `held` says of those that do not run what
/// this run has done to them, by id: `is paused by step s`.
///
/// # Errors
/// There is none: what there is instead.
pub fn candidates(
    target: &Target,
    inventory: &Inventory,
    limits: &crate::scenario::Limits,
    held: &BTreeMap<String, String>,
) -> Result<Vec<Instance>, String> {
    let matching: Vec<&Instance> = inventory
        .instances
        .iter()
        .filter(|i| select::matches(target, i))
        .collect();
    let allowed: Vec<&Instance> = matching
        .iter()
        .copied()
        .filter(|i| !blast::is_off_limits(i, limits))
        .collect();
    let running: Vec<Instance> = allowed
        .iter()
        .copied()
        .filter(|i| i.is_running())
        .cloned()
        .collect();
    if !running.is_empty() {
        return Ok(running);
    }
    Err(match (matching.len(), allowed.len()) {
        (0, _) => format!(
            "target {} matches none of the system's {} containers ({})",
            target.name,
            inventory.instances.len(),
            super::list(inventory.instances.iter().map(Instance::identity))
        ),
        (n, 0) => format!(
            "target {} matches {n}, and all of them are protected",
            target.name
        ),
        (_, n) => format!(
            "target {} matches {n}, and none of them runs ({})",
            target.name,
            super::list(allowed.iter().map(|one| {
                let state = held.get(&one.id).cloned();
                let state = state.unwrap_or_else(|| one.state.phrase());
                format!("{} {state}", one.identity())
            }))
        ),
    })
}

fn when(trigger: &Trigger) -> String {
    match trigger {
        Trigger::At(offset) => format!("{} after the baseline", format_duration(*offset)),
        Trigger::After(step) => format!("after {step}"),
        Trigger::Steady {
            probe,
            steady,
            within,
        } => format!(
            "once {probe} is steady for {} (within {})",
            format_duration(*steady),
            format_duration(*within)
        ),
    }
}

fn length(step: &Step) -> Duration {
    step.hold.unwrap_or_else(|| step.fault.default_hold())
}

fn hold(step: &Step) -> String {
    match length(step) {
        Duration::ZERO => "until it is back".into(),
        long => format_duration(long),
    }
}

fn claim(scenario: &Scenario, slo: &Slo) -> Claim {
    let rate = scenario
        .probe(&slo.probe)
        .map_or(Rate(0.0), |probe| probe.rate);
    let (least, most) = window(scenario, &slo.during);
    let samples = |long: Duration| (long.as_secs_f64() * rate.0).round() as u64;
    Claim {
        slo: slo.clone(),
        needed: support::samples_needed(&slo.objective),
        planned: (samples(least), samples(most)),
        long_enough: support::how_long(&slo.objective, rate),
    }
}

/// How long a window is at least and at most, as far as that is known beforehand.
fn window(scenario: &Scenario, window: &Window) -> (Duration, Duration) {
    let timing = scenario.timing;
    let fault = fault_length(scenario);
    let recovery = (timing.steady.min(timing.recovery), timing.recovery);
    match window {
        Window::Baseline => (timing.baseline, timing.baseline),
        Window::Fault => fault,
        Window::Recovery => recovery,
        Window::All => (
            timing.baseline + fault.0 + recovery.0,
            timing.baseline + fault.1 + recovery.1,
        ),
        Window::Step(name) => {
            let own = scenario.step(name).map_or(Duration::ZERO, length);
            (own, own + fault.1 + recovery.1)
        }
    }
}

/// Steps one after the other at most, side by side at least; what waits, waits as long as it may.
fn fault_length(scenario: &Scenario) -> (Duration, Duration) {
    let mut least = Duration::ZERO;
    let mut most = Duration::ZERO;
    for step in &scenario.steps {
        let (start, wait) = match &step.trigger {
            Trigger::At(offset) => (*offset, *offset),
            Trigger::After(_) => (Duration::ZERO, Duration::ZERO),
            Trigger::Steady { steady, within, .. } => (*steady, *within),
        };
        least = least.max(start + length(step));
        most += wait + length(step);
    }
    (least, most)
}
