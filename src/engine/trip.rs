//! Round trips between a target and a peer: before a fault, while it is in force, and after. They show its effect beside the agent's
//! own word.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::{sleep, timeout};

use super::undo::AT_ONCE;
use crate::action::{Action, Change, Subject};
use crate::fault::Scene;
use crate::impairment::Impairment;
use crate::impairment::expect::{Expectation, Finding, Trip, round_trips};
use crate::plan::way::{Way, ways};
use crate::runtime::Runtime;
use crate::units::format_duration;

/// So many before the fault, and at most so many in it.
const TIMES: u32 = 10;
const FEWEST: u32 = 3;
/// Between containers of one machine an answer takes far less.
const PATIENCE: Duration = Duration::from_secs(1);
/// What no longer passes is not waited for as long.
const SILENCE: (u32, Duration) = (3, Duration::from_millis(300));
/// All that measuring one way may take.
const BUDGET: Duration = Duration::from_secs(2);
/// After an undo: so often, and with such pauses, before it counts as not undone.
const AGAIN: (u32, Duration) = (6, Duration::from_millis(500));

/// What was measured while nothing was in force.
pub(super) type Before = BTreeMap<Way, Vec<Option<Duration>>>;

/// What is measured to show the effect of one action.
#[derive(Debug, Clone)]
pub(super) struct Check {
    pub way: Way,
    before: Vec<Option<Duration>>,
    expected: Expectation,
    /// Something else may be the matter with its peer: then it says nothing about an undo.
    pub excused: bool,
}

/// Measures these ways, as they are now.
pub(super) async fn measure_all(runtime: &dyn Runtime, ways: Vec<Way>) -> Before {
    stream::iter(ways)
        .map(|way| async move {
            let mut trips = measure(runtime, &way, FEWEST, PATIENCE).await.ok()?;
            if trips.iter().any(Option::is_some) {
                let more = measure(runtime, &way, TIMES - FEWEST, PATIENCE).await;
                trips.extend(more.unwrap_or_default());
            }
            Some((way, trips))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

async fn measure(
    runtime: &dyn Runtime,
    way: &Way,
    times: u32,
    patience: Duration,
) -> Result<Vec<Option<Duration>>, String> {
    let all = patience * times + PATIENCE * 2;
    let peer = (way.peer, way.port);
    match timeout(all, runtime.measure(&way.subject, peer, times, patience)).await {
        Ok(Ok(trips)) => Ok(trips),
        Ok(Err(error)) => Err(error.said()),
        Err(_) => Err(format!("no answer within {}", format_duration(all))),
    }
}

/// What is in force in whose network.
pub(super) type InForce = BTreeMap<String, Impairment>;

/// One way for each action by which its effect can be seen, if there is one.
pub(super) fn checks(
    actions: &[Action],
    scene: &Scene,
    before: &Before,
    in_force: &InForce,
) -> Vec<Check> {
    let check = |action: &Action| {
        let Change::Impair { impairment } = &action.change else {
            return None;
        };
        let instance = scene.hit.iter().find(|one| one.id == action.subject.id)?;
        let possible = ways(impairment, instance, &scene.world);
        let possible = possible.into_iter().filter_map(|way| {
            let before = before.get(&way)?;
            Some(expect(way, before, impairment, in_force))
        });
        let mut possible: Vec<Check> = possible.collect();
        possible.sort_by_key(|check| !check.tells());
        possible.into_iter().next()
    };
    actions.iter().filter_map(check).collect()
}

fn expect(way: Way, before: &[Option<Duration>], near: &Impairment, in_force: &InForce) -> Check {
    let far = way.whose.as_ref().and_then(|peer| in_force.get(&peer.id));
    let trip = Trip {
        near: Some(near),
        far,
        from: Some(way.from),
        peer: way.peer,
        port: way.port,
    };
    let mut before = before.to_vec();
    let mut expected = round_trips(&trip, &before);
    // Where each takes long, few are measured, and few say less.
    let times = times(&expected) as usize;
    if times < before.len() {
        before.truncate(times);
        expected = round_trips(&trip, &before);
    }
    Check {
        way,
        before,
        expected,
        excused: false,
    }
}

/// How often it pays to measure.
fn times(expected: &Expectation) -> u32 {
    match expected {
        Expectation::Rise {
            at_least, at_most, ..
        } => {
            let each = at_most
                .unwrap_or(*at_least * 2)
                .max(Duration::from_millis(1));
            let fit = (BUDGET.as_secs_f64() / each.as_secs_f64()) as u32;
            fit.clamp(FEWEST, TIMES)
        }
        _ => TIMES,
    }
}

impl Check {
    fn tells(&self) -> bool {
        matches!(
            self.expected,
            Expectation::Rise { .. } | Expectation::Silence
        )
    }

    /// `None`: a round trip says nothing about this.
    async fn prove(&self, runtime: &dyn Runtime) -> Option<(bool, String)> {
        let (times, patience) = match &self.expected {
            Expectation::Silence => SILENCE,
            Expectation::Rise {
                at_least, at_most, ..
            } => (
                times(&self.expected),
                at_most.unwrap_or(*at_least * 3) * 2 + PATIENCE,
            ),
            Expectation::Unchanged => return None,
            Expectation::Unknown { why } => return Some((true, self.named(why))),
        };
        let found = match measure(runtime, &self.way, times, patience).await {
            Ok(now) => self.expected.judge(&self.before, &now),
            Err(why) => Finding::Open(format!("the round trip could not be measured: {why}")),
        };
        let holds = !matches!(found, Finding::Missing(_));
        Some((holds, self.named(found.text())))
    }

    fn named(&self, text: &str) -> String {
        let peer = match &self.way.whose {
            Some(peer) => peer.name.clone(),
            None => self.way.peer.to_string(),
        };
        let port = self.way.port.map(|port| format!(" port {port}"));
        format!(
            "{} to {peer}{}: {text}",
            self.way.subject.name,
            port.unwrap_or_default()
        )
    }

    /// After the undo: are round trips as they were? `None`: nothing can be said against it, nor for it.
    ///
    /// # Errors
    /// They are not, with the numbers.
    pub(super) async fn is_as_before(
        &self,
        runtime: &dyn Runtime,
    ) -> Option<Result<String, String>> {
        if !self.before.iter().any(Option::is_some) {
            return None;
        }
        let mut last = None;
        for turn in 0..AGAIN.0 {
            if turn > 0 {
                sleep(AGAIN.1).await;
            }
            let now = measure(runtime, &self.way, FEWEST, PATIENCE).await.ok()?;
            match Expectation::Unchanged.judge(&self.before, &now) {
                Finding::Shown(text) => return Some(Ok(self.named(&text))),
                Finding::Missing(text) => last = Some(Err(self.named(&text))),
                Finding::Open(_) => return None,
            }
            if self.excused {
                return None;
            }
        }
        last
    }
}

/// Measures all of these at the same time; what each has shown.
pub(super) async fn prove_all(runtime: &dyn Runtime, checks: &[Check]) -> Vec<(bool, String)> {
    stream::iter(checks.to_vec())
        .map(|check| async move { check.prove(runtime).await })
        .buffered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// The impairments of these actions, by whose network they are in.
pub(super) fn impairments<'a>(
    actions: impl IntoIterator<Item = &'a Action>,
) -> impl Iterator<Item = (&'a Subject, &'a Impairment)> {
    let impairment = |action: &'a Action| match &action.change {
        Change::Impair { impairment } => Some((&action.subject, &**impairment)),
        _ => None,
    };
    actions.into_iter().filter_map(impairment)
}
