//! Taking an action back: idempotent, retried, bounded, verified. The same code serves a run and a recovery.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::{sleep, timeout};

use crate::action::{Action, Change, Condition, GONE, NOT_UNDONE, Subject, Undo};
use crate::clock::Clock;
use crate::history::Proof;
use crate::inventory::Instance;
use crate::runtime::{Made, Runtime, RuntimeError};
use crate::units::format_duration;

/// All that one undo may take, whatever happens to the run.
pub const BUDGET: Duration = Duration::from_secs(30);

/// All that one look may take: a runtime has its own limits, and this one holds if they do not.
pub const LOOK_WITHIN: Duration = Duration::from_secs(10);

/// A call that hangs is not to use up all the time that there is for trying again.
const TRY_WITHIN: Duration = Duration::from_secs(14);

/// Between looks, at first and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// How an undo went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    pub proof: Proof,
    /// What the system itself should have done and did not.
    pub shortcoming: Option<String>,
    /// The container is no more, and with it whatever could have been undone: trying again is of no use.
    pub gone: bool,
    /// What was seen when it turned out that nothing had to be done.
    pub idle: Option<String>,
}

impl Undone {
    fn verified(evidence: String) -> Self {
        Self {
            proof: Proof {
                holds: true,
                evidence,
            },
            shortcoming: None,
            gone: false,
            idle: None,
        }
    }

    fn unverified(evidence: String) -> Self {
        Self {
            proof: Proof {
                holds: false,
                evidence,
            },
            shortcoming: None,
            gone: false,
            idle: None,
        }
    }
}

/// Containers that are worked on at once.
pub const AT_ONCE: usize = 16;

/// Takes these back, newest first: those of one container in that order, different containers at the same time. The answers
/// come in the order of the actions.
pub async fn undo_all(
    runtime: &dyn Runtime,
    newest_first: &[Action],
    patient: bool,
) -> Vec<Undone> {
    let mut by_subject: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, action) in newest_first.iter().enumerate() {
        by_subject
            .entry(&action.subject.id)
            .or_default()
            .push(index);
    }
    let mut undone: Vec<(usize, Undone)> = stream::iter(by_subject.into_values())
        .map(|indexes| async move {
            let mut done = Vec::new();
            for index in indexes {
                done.push((index, undo(runtime, &newest_first[index], patient).await));
            }
            done
        })
        .buffer_unordered(AT_ONCE)
        .concat()
        .await;
    undone.sort_by_key(|(index, _)| *index);
    undone.into_iter().map(|(_, undone)| undone).collect()
}

/// Takes `action` back. `patient`: may the system be given its time to do it by itself ([`Undo::Await`])?
pub async fn undo(runtime: &dyn Runtime, action: &Action, patient: bool) -> Undone {
    match &action.undo {
        Undo::None { why } => Undone::verified(format!("{NOT_UNDONE}: {why}")),
        Undo::Change { change, until } => make(runtime, &action.subject, change, until).await,
        Undo::Await {
            until,
            within,
            otherwise,
        } => {
            let within = if patient { *within } else { Duration::ZERO };
            wait(
                runtime,
                &action.subject,
                until,
                (within, patient),
                otherwise,
            )
            .await
        }
    }
}

async fn wait(
    runtime: &dyn Runtime,
    subject: &Subject,
    until: &Condition,
    (within, patient): (Duration, bool),
    otherwise: &Change,
) -> Undone {
    let seen = match wait_for(runtime, subject, until, within).await {
        Ok(evidence) => return Undone::verified(evidence),
        Err(seen) => seen,
    };
    // It never went down: there was nothing for its policy to do.
    if let Look::Holds(evidence) = look(runtime, subject, &Condition::Running).await {
        return Undone::verified(evidence);
    }
    let mut undone = make(runtime, subject, otherwise, &Condition::Running).await;
    undone.shortcoming = patient.then(|| {
        format!(
            "its restart policy had not brought it back after {} ({seen}); {}",
            format_duration(within),
            if undone.proof.holds {
                "chaosrun did"
            } else {
                "nor could chaosrun"
            }
        )
    });
    undone
}

/// Repeats the change until the condition is seen to hold.
async fn make(
    runtime: &dyn Runtime,
    subject: &Subject,
    change: &Change,
    until: &Condition,
) -> Undone {
    let mut last = String::from("nothing was tried");
    let attempts = async {
        let first = match without_looking(runtime, subject, change, until).await {
            Tried::Worked(evidence) => return Undone::verified(evidence),
            Tried::Nothing => 0,
            Tried::Something(said) => {
                last = said;
                1
            }
        };
        for turn in first.. {
            match look(runtime, subject, until).await {
                Look::Holds(evidence) => {
                    let idle = (turn == 0).then(|| evidence.clone());
                    return Undone {
                        idle,
                        ..Undone::verified(evidence)
                    };
                }
                Look::Gone => {
                    let why = format!(
                        "{} is gone: it cannot be undone ({})",
                        subject.name,
                        change.phrase()
                    );
                    return Undone {
                        gone: true,
                        ..Undone::unverified(why)
                    };
                }
                Look::Not(_) => {}
            }
            last = match timeout(TRY_WITHIN, runtime.apply(subject, change)).await {
                Err(_) => format!("no answer within {}", format_duration(TRY_WITHIN)),
                Ok(Err(error)) => error.to_string(),
                Ok(Ok(_)) => {
                    match wait_for(runtime, subject, until, Duration::from_secs(5)).await {
                        Ok(evidence) => return Undone::verified(evidence),
                        Err(seen) => seen,
                    }
                }
            };
            sleep(LOOK.1).await;
        }
        Undone::unverified(last.clone())
    };
    match timeout(BUDGET, attempts).await {
        Ok(undone) => undone,
        Err(_) => Undone::unverified(format!(
            "tried to {} for {}, and still: {last}",
            change.phrase(),
            format_duration(BUDGET)
        )),
    }
}

enum Tried {
    /// With the evidence.
    Worked(String),
    /// The engine refused, or does not say by itself what is so already.
    Nothing,
    /// With what was seen instead.
    Something(String),
}

/// One look less, where the engine itself says whether there was anything to undo.
async fn without_looking(
    runtime: &dyn Runtime,
    subject: &Subject,
    change: &Change,
    until: &Condition,
) -> Tried {
    if !change.is_refused_when_so() {
        return Tried::Nothing;
    }
    match timeout(TRY_WITHIN, runtime.apply(subject, change)).await {
        Ok(Ok(Made::Now)) => wait_for(runtime, subject, until, Duration::from_secs(5))
            .await
            .map_or_else(Tried::Something, Tried::Worked),
        Ok(Ok(Made::Already) | Err(RuntimeError::Refused { .. })) => Tried::Nothing,
        Ok(Err(error)) => Tried::Something(error.to_string()),
        Err(_) => Tried::Something(format!("no answer within {}", format_duration(TRY_WITHIN))),
    }
}

enum Look {
    Holds(String),
    Not(String),
    Gone,
}

async fn look(runtime: &dyn Runtime, subject: &Subject, condition: &Condition) -> Look {
    match timeout(LOOK_WITHIN, runtime.observe(&subject.id)).await {
        Err(_) => Look::Not(format!("no answer within {}", format_duration(LOOK_WITHIN))),
        Ok(Err(error)) => Look::Not(error.to_string()),
        Ok(Ok(now)) => judge(condition, now.as_ref()),
    }
}

fn judge(condition: &Condition, now: Option<&Instance>) -> Look {
    match condition.check(now) {
        Ok(evidence) => Look::Holds(evidence),
        Err(_) if now.is_none() => Look::Gone,
        Err(seen) => Look::Not(seen),
    }
}

/// Looks until the condition holds, at least once; the last thing seen when it does not within the time.
///
/// # Errors
/// What was seen instead.
pub async fn wait_for(
    runtime: &dyn Runtime,
    subject: &Subject,
    condition: &Condition,
    within: Duration,
) -> Result<String, String> {
    let clock = Clock::start();
    let mut pause = LOOK.0;
    loop {
        let seen = match look(runtime, subject, condition).await {
            Look::Holds(evidence) => return Ok(evidence),
            Look::Gone => return Err(GONE.into()),
            Look::Not(seen) => seen,
        };
        if u128::from(clock.now()) >= within.as_micros() {
            return Err(seen);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LOOK.1);
    }
}
