//! What agents have counted: read when a fault is shown to be in force, and once more just before it is taken back.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::timeout;

use super::trip::impairments;
use super::undo::AT_ONCE;
use crate::action::{Action, Subject};
use crate::history::{Event, Packets, Proof};
use crate::impairment::met::met;
use crate::impairment::{Counts, Effect, Impaired, Impairment};
use crate::runtime::Runtime;

/// What an agent said, by the container's id.
pub(super) type Counted = BTreeMap<String, Result<Impaired, String>>;

/// Asks all at the same time.
pub(super) async fn count(runtime: &dyn Runtime, actions: &[Action], within: Duration) -> Counted {
    let all: Vec<(String, String)> = impairments(actions)
        .map(|(subject, impairment)| (subject.id.clone(), impairment.digest()))
        .collect();
    stream::iter(all)
        .map(|(id, digest)| async move {
            let asked = timeout(within, runtime.observe(&id)).await;
            let said = match asked {
                Err(_) => Err("its agent did not say in time what it has counted".into()),
                Ok(Err(error)) => Err(format!(
                    "what it has counted is not known: {}",
                    error.said()
                )),
                Ok(Ok(None)) => Err("the container is gone".into()),
                Ok(Ok(Some(now))) => match now.impaired {
                    Some(impaired) if impaired.digest == digest => Ok(*impaired),
                    _ => Err("it was no longer in force".into()),
                },
            };
            (id, said)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// What counts begins when a fault is in force, except for the packets that measured it: `sent` of them at most, between `first`
/// and `then`.
pub(super) fn without(first: Counted, then: Counted, sent: impl Fn(&str) -> u64) -> Counted {
    let mut first = first;
    let mut start = then;
    for (id, then) in &mut start {
        let Some(Ok(first)) = first.remove(id) else {
            continue;
        };
        if let Ok(then) = then.as_mut()
            && then.digest == first.digest
        {
            for (then, first) in then.counts.iter_mut().zip(first.counts) {
                *then = then.at_most(first, sent(id));
            }
        }
    }
    start
}

/// For the record: what has happened since it was shown to be in force.
pub(super) fn event(
    step: &str,
    (subject, impairment): (&Subject, &Impairment),
    start: Option<&Impaired>,
    said: Result<Impaired, String>,
) -> Event {
    let (packets, met) = match said {
        Err(why) => (None, Err(why)),
        Ok(impaired) => {
            let since = since(impairment, &impaired, start);
            let total = since.iter().copied().fold(Counts::default(), Counts::and);
            let packets = Packets {
                back_end: impaired.back_end,
                counts: total,
            };
            let met = met(impairment, &since, impaired.back_end);
            (Some(packets), met)
        }
    };
    Event::Counted {
        step: step.into(),
        subject: subject.clone(),
        packets,
        effect: Proof {
            holds: met.is_ok(),
            evidence: met.unwrap_or_else(|why| why),
        },
    }
}

/// Without the packets that measured it. Resets and questions are measured by none: what they did at once is their effect.
fn since(impairment: &Impairment, now: &Impaired, start: Option<&Impaired>) -> Vec<Counts> {
    let start = start.filter(|start| start.digest == now.digest);
    let before = start
        .map(|start| start.counts.as_slice())
        .unwrap_or_default();
    let before = before
        .iter()
        .copied()
        .chain(std::iter::repeat(Counts::default()));
    now.counts
        .iter()
        .zip(before)
        .zip(&impairment.rules)
        .map(|((now, before), rule)| match rule.effect {
            Effect::Reset | Effect::Dns { .. } => *now,
            Effect::Line(_) | Effect::Drop => now.since(before),
        })
        .collect()
}
