//! Which back end carries an impairment out: the first that works here and takes it.

use crate::impairment::{BackEnd, Features};
use crate::runtime::docker::call::refused;
use crate::runtime::{Result, RuntimeError};

/// In the order in which they are asked: netem first, which costs least.
///
/// # Errors
/// None works, and what each lacks.
pub(super) fn order(tried: &str, features: Features) -> Result<Vec<BackEnd>> {
    let mut all = features.back_ends;
    all.sort_unstable();
    if !all.is_empty() {
        return Ok(all);
    }
    let missing: Vec<_> = features.missing.values().map(String::as_str).collect();
    Err(RuntimeError::Refused {
        tried: tried.into(),
        said: format!(
            "this kernel can do nothing to its packets: {}",
            missing.join("; ")
        ),
        hint: "`chaosrun doctor` says what is missing and what to do".into(),
    })
}

/// What one refuses, the next may do.
///
/// # Errors
/// All refuse, or something else went wrong.
pub(super) async fn first_that_takes_it<F: Future<Output = Result<()>>>(
    back_ends: &[BackEnd],
    ask: impl Fn(BackEnd) -> F,
) -> Result<()> {
    let mut refusals = Vec::new();
    for back_end in back_ends {
        match ask(*back_end).await {
            Err(error @ RuntimeError::Refused { .. }) => refusals.push(error),
            answer => return answer,
        }
    }
    let nobody = || refused("impairing a network", "no back end works here");
    Err(refusals.into_iter().reduce(both).unwrap_or_else(nobody))
}

/// What both say is said once.
fn both(first: RuntimeError, then: RuntimeError) -> RuntimeError {
    match (first, then) {
        (
            RuntimeError::Refused { said: before, .. },
            RuntimeError::Refused { tried, said, hint },
        ) if before != said => {
            let said = format!("{before}; {said}");
            RuntimeError::Refused { tried, said, hint }
        }
        (_, then) => then,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::time::Duration;

    const BOTH: [BackEnd; 2] = [BackEnd::Netem, BackEnd::Queue];

    fn no(said: &str) -> Result<()> {
        Err(refused("a: could not delay", said))
    }

    async fn asked(
        back_ends: &[BackEnd],
        answer: impl Fn(BackEnd) -> Result<()>,
    ) -> (Vec<BackEnd>, std::result::Result<(), String>) {
        let log = RefCell::new(Vec::new());
        let outcome = first_that_takes_it(back_ends, |back_end| {
            log.borrow_mut().push(back_end);
            std::future::ready(answer(back_end))
        });
        let outcome = outcome.await.map_err(|error| error.to_string());
        (log.into_inner(), outcome)
    }

    #[test]
    fn netem_comes_first_where_it_works_and_nothing_where_nothing_does() {
        let both = Features {
            back_ends: vec![BackEnd::Queue, BackEnd::Netem],
            missing: BTreeMap::new(),
        };
        assert_eq!(order("t", both).unwrap(), BOTH);
        let none = Features {
            back_ends: Vec::new(),
            missing: BTreeMap::from([
                ("netem".into(), "no sch_netem".into()),
                ("queue".into(), "no nfqueue".into()),
            ]),
        };
        let error = order("node-1: could not impair", none).unwrap_err();
        assert_eq!(
            error.to_string(),
            "node-1: could not impair: this kernel can do nothing to its packets: no sch_netem; no nfqueue"
        );
    }

    #[tokio::test]
    async fn what_netem_refuses_queue_is_asked_for() {
        assert_eq!(
            asked(&BOTH, |_| Ok(())).await,
            (vec![BackEnd::Netem], Ok(()))
        );
        let netem_cannot = |back_end| match back_end {
            BackEnd::Netem => no("netem's jitter ends at 2.1s"),
            BackEnd::Queue => Ok(()),
        };
        assert_eq!(asked(&BOTH, netem_cannot).await, (BOTH.to_vec(), Ok(())));
        let alone = asked(&BOTH[..1], netem_cannot).await;
        let why = "a: could not delay: netem's jitter ends at 2.1s".to_owned();
        assert_eq!(alone, (vec![BackEnd::Netem], Err(why)));
    }

    #[tokio::test]
    async fn each_refusal_is_told_once_and_anything_else_ends_it() {
        let each = asked(&BOTH, |back_end| no(&format!("{} cannot", back_end.name()))).await;
        let why = "a: could not delay: netem cannot; queue cannot".to_owned();
        assert_eq!(each.1, Err(why));
        let same = asked(&BOTH, |_| no("another agent is at work")).await;
        let why = "a: could not delay: another agent is at work".to_owned();
        assert_eq!(same.1, Err(why));
        let late = asked(&BOTH, |_| {
            Err(RuntimeError::TimedOut {
                tried: "a".into(),
                after: Duration::from_secs(1),
            })
        });
        assert_eq!(late.await.0, [BackEnd::Netem]);
    }
}
