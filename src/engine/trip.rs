//! Round trips between a target and a peer: before a fault, while it is in force, and after. They show its effect beside the agent's
//! own word.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::{sleep, timeout};

use super::undo::AT_ONCE;
use crate::action::{Action, Change, Subject};
use crate::fault::Scene;
use crate::impairment::expect::{Expectation, Finding, Series, Trip, round_trips};
use crate::impairment::{Effect, Impairment};
use crate::plan::way::{Way, ways};
use crate::runtime::Runtime;
use crate::units::format_duration;

/// So many before the fault, and at most so many in it.
const TIMES: u32 = 10;
const FEWEST: u32 = 3;
/// Between containers of one machine an answer takes far less.
const PATIENCE: Duration = Duration::from_secs(1);
/// No measurement takes longer than an agent lets it.
const LONGEST: Duration = Duration::from_secs(290);
/// What no longer passes is not waited for as long.
const SILENCE: (u32, Duration) = (3, Duration::from_millis(300));
/// Where round trips take longer together, a few have to do: each is a packet that the system has not sent.
const BUDGET: Duration = Duration::from_secs(2);
/// One begins so long after another: with nothing in force that is back by then, and not only by then where packets overtake.
const APART: Duration = Duration::from_millis(5);
/// Packets of one round trip that are seen at either end, at most: an echo and its reply, or a connection that is asked for again and again.
const PACKETS: (u64, u64) = (2, 40);
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
    apart: Duration,
    /// Something else may be the matter with its peer: then it says nothing about an undo.
    pub excused: bool,
}

/// Measures these ways, as they are now.
pub(super) async fn measure_all(runtime: &dyn Runtime, ways: Vec<Way>) -> Before {
    stream::iter(ways)
        .map(|way| async move {
            let mut trips = measure(runtime, &way, quick(FEWEST)).await.ok()?;
            if trips.iter().any(Option::is_some) {
                let more = measure(runtime, &way, quick(TIMES - FEWEST)).await;
                trips.extend(more.unwrap_or_default());
            }
            Some((way, trips))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

fn quick(times: u32) -> Series {
    Series {
        times,
        apart: APART,
        patience: PATIENCE,
    }
}

async fn measure(
    runtime: &dyn Runtime,
    way: &Way,
    series: Series,
) -> Result<Vec<Option<Duration>>, String> {
    let all = series.lasts() + PATIENCE * 2;
    let peer = (way.peer, way.port);
    match timeout(all, runtime.measure(&way.subject, peer, series)).await {
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
        apart: apart([Some(near), far].into_iter().flatten()),
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

/// So that none waits for the one before it where packets leave one by one.
fn apart<'a>(in_force: impl Iterator<Item = &'a Impairment>) -> Duration {
    let rules = in_force.flat_map(|impairment| &impairment.rules);
    let rates = rules.filter_map(|rule| match &rule.effect {
        Effect::Line(line) => line.rate,
        _ => None,
    });
    let bits = f64::from(Series::LONGEST_PACKET) * 8.0;
    let on_the_line = |rate: u64| Duration::from_secs_f64(bits / rate as f64);
    rates.min().map_or(APART, on_the_line).max(APART)
}

impl Check {
    fn tells(&self) -> bool {
        matches!(
            self.expected,
            Expectation::Rise { .. } | Expectation::Silence
        )
    }

    /// What shows it, if anything does.
    fn series(&self) -> Option<Series> {
        let (times, patience) = match &self.expected {
            Expectation::Silence => SILENCE,
            // A delay that is twice what it should be is told by its length.
            Expectation::Rise {
                at_least, at_most, ..
            } => {
                let longest = at_most.unwrap_or(*at_least * 2) * 2 + PATIENCE;
                (times(&self.expected), longest.min(LONGEST))
            }
            Expectation::Unchanged | Expectation::Unknown { .. } => return None,
        };
        Some(Series {
            times,
            apart: self.apart,
            patience,
        })
    }

    /// Packets that proving it sends through the network of this container, at most.
    pub(super) fn sends(&self, id: &str) -> u64 {
        let mut ends = std::iter::once(&self.way.subject).chain(&self.way.whose);
        let Some(series) = self.series().filter(|_| ends.any(|end| end.id == id)) else {
            return 0;
        };
        let each = match self.way.port {
            None => PACKETS.0,
            Some(_) => PACKETS.1,
        };
        u64::from(series.times) * each
    }

    /// `None`: a round trip says nothing about this.
    async fn prove(&self, runtime: &dyn Runtime) -> Option<(bool, String)> {
        if let Expectation::Unknown { why } = &self.expected {
            return Some((true, self.named(why)));
        }
        let found = match measure(runtime, &self.way, self.series()?).await {
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

    /// After the undo: are round trips as they were? `None`: nothing can be said against it, nor for it. Where they are not and the
    /// peer is another run's, as `of_another` says, that run may well be why.
    ///
    /// # Errors
    /// They are not, with the numbers.
    pub(super) async fn is_as_before(
        &self,
        runtime: &dyn Runtime,
        of_another: impl Fn(&Subject) -> Option<String>,
    ) -> Option<Result<String, String>> {
        if !self.before.iter().any(Option::is_some) {
            return None;
        }
        let mut last = None;
        for turn in 0..AGAIN.0 {
            if turn > 0 {
                sleep(AGAIN.1).await;
            }
            let now = measure(runtime, &self.way, quick(FEWEST)).await.ok()?;
            let text = match Expectation::Unchanged.judge(&self.before, &now) {
                Finding::Shown(text) => return Some(Ok(self.named(&text))),
                Finding::Missing(text) => self.named(&text),
                Finding::Open(_) => return None,
            };
            if self.excused {
                return None;
            }
            let peer = self.way.whose.as_ref();
            if let Some((peer, owner)) = peer.and_then(|peer| Some((peer, of_another(peer)?))) {
                let name = &peer.name;
                return Some(Ok(format!(
                    "{text}, which says nothing: {name} belongs to another run ({owner})"
                )));
            }
            last = Some(Err(text));
        }
        last
    }
}

/// Measures all of these at the same time; what each has shown. Where something else in the system was changed meanwhile, as
/// `disturbed` says in the end, none can show that an effect is missing.
pub(super) async fn prove_all(
    runtime: &dyn Runtime,
    checks: &[Check],
    disturbed: impl Fn() -> bool,
) -> Vec<(bool, String)> {
    let mut shown: Vec<(bool, String)> = stream::iter(checks.to_vec())
        .map(|check| async move { check.prove(runtime).await })
        .buffered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    if disturbed() {
        for (holds, text) in shown.iter_mut().filter(|(holds, _)| !holds) {
            *holds = true;
            text.push_str(", which says nothing: another step began or ended meanwhile");
        }
    }
    shown
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impairment::{Direction, Flow, Line, Rule};

    fn limited(rate: Option<u64>) -> Impairment {
        let flow = Flow {
            direction: Direction::Both,
            peers: Vec::new(),
            ports: Vec::new(),
            protocol: None,
            at: Vec::new(),
        };
        let line = Line {
            rate,
            ..Line::default()
        };
        let effect = Effect::Line(Box::new(line));
        Impairment {
            rules: vec![Rule { flow, effect }],
            seed: 0,
        }
    }

    #[test]
    fn round_trips_do_not_queue_behind_each_other() {
        let slow = limited(Some(12_800));
        for (in_force, expected) in [
            (vec![], APART),
            (vec![limited(None)], APART),
            (vec![limited(Some(1_000_000_000))], APART),
            (
                vec![limited(Some(1_000_000)), slow],
                Duration::from_millis(80),
            ),
        ] {
            assert_eq!(apart(in_force.iter()), expected);
        }
    }
}
