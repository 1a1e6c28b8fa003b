//! Measured round trips against what they must be.

use std::time::Duration;

use super::Expectation;
use crate::units::format_duration;

/// With the numbers, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// As it must be.
    Shown(String),
    /// Not as it must be.
    Missing(String),
    /// Nothing can be told.
    Open(String),
}

/// Round trips that must be left to say how long they are.
const FEWEST: usize = 3;

/// What chance does less often than this has another cause.
const UNLIKELY: f64 = 0.001;

impl Expectation {
    /// `before`: what [`super::round_trips`] was given.
    pub fn judge(&self, before: &[Option<Duration>], now: &[Option<Duration>]) -> Finding {
        let (was, is) = (answered(before), answered(now));
        let told = told(before, now);
        match self {
            Self::Unknown { why } => Finding::Open(format!("{told}: {why}")),
            _ if now.is_empty() => Finding::Open("no round trip was measured".into()),
            _ if was.is_empty() => Finding::Open(format!("{told}: nothing to compare with")),
            Self::Silence if is.is_empty() => Finding::Shown(told),
            Self::Silence => Finding::Missing(format!("{told}, where none should")),
            Self::Rise { may_lose: true, .. } if is.len() < FEWEST.min(now.len()) => {
                Finding::Open(format!("{told}: too few came back"))
            }
            _ if is.is_empty() => Finding::Missing(format!("{told}, where they should")),
            Self::Rise {
                at_least,
                overtaking,
                ..
            } if *overtaking > 0 && late(&was, &is, *at_least).len() < FEWEST => {
                few_late(&was, &is, (*at_least, *overtaking), told)
            }
            Self::Rise {
                at_least,
                at_most,
                overtaking,
                ..
            } => {
                // What overtook says nothing of how long the others took.
                let is = match overtaking {
                    0 => is,
                    _ => late(&was, &is, *at_least),
                };
                rise(&was, &is, *at_least, *at_most, told)
            }
            Self::Unchanged => {
                let allowed = (median(&was) / 5).max(Duration::from_millis(5));
                rise(&was, &is, Duration::ZERO, Some(allowed), told)
            }
        }
    }
}

/// Those that took longer by as much as they should.
fn late(was: &[Duration], is: &[Duration], at_least: Duration) -> Vec<Duration> {
    let base = median(was);
    let is_late = |trip: &&Duration| trip.saturating_sub(base) >= at_least;
    is.iter().filter(is_late).copied().collect()
}

/// Are there so many quick ones that they cannot all have overtaken?
fn few_late(
    was: &[Duration],
    is: &[Duration],
    (at_least, overtaking): (Duration, u32),
    told: String,
) -> Finding {
    let quick = is.len() - late(was, is, at_least).len();
    let all_overtook = (f64::from(overtaking) / 1e6).powi(i32::try_from(quick).unwrap_or(i32::MAX));
    if quick == is.len() && all_overtook < UNLIKELY {
        let bounds = format!("at least {} more of some", format_duration(at_least));
        return Finding::Missing(format!("{told}; expected {bounds}"));
    }
    Finding::Open(format!("{told}: too few were late to tell"))
}

fn rise(
    was: &[Duration],
    is: &[Duration],
    at_least: Duration,
    at_most: Option<Duration>,
    told: String,
) -> Finding {
    let base = median(was);
    let bounds = match at_most {
        Some(most) if at_least.is_zero() => format!("at most {} more", format_duration(most)),
        Some(most) => format!(
            "{} to {} more",
            format_duration(at_least),
            format_duration(most)
        ),
        None => format!("at least {} more", format_duration(at_least)),
    };
    if median(is).saturating_sub(base) < at_least {
        return Finding::Missing(format!("{told}; expected {bounds}"));
    }
    // The quick ones tell how long the way is; the slow ones also how busy the machine is.
    let quick = is[(is.len() - 1) / 4].saturating_sub(base);
    if at_most.is_some_and(|most| quick > most) {
        return Finding::Missing(format!("{told}; expected {bounds}"));
    }
    Finding::Shown(format!("{told}; expected {bounds}"))
}

/// `round trips of 102us before, 50.21ms now (20 of 20 answered)`.
fn told(before: &[Option<Duration>], now: &[Option<Duration>]) -> String {
    let (was, is) = (answered(before), answered(now));
    let about = |trips: &[Duration]| match trips {
        [] => "no answer".to_owned(),
        _ => format!("round trips of {}", format_duration(median(trips))),
    };
    let (before, total, count) = (about(&was), now.len(), is.len());
    let now = match is.as_slice() {
        [] => "no answer".to_owned(),
        trips => format_duration(median(trips)),
    };
    format!("{before} before, {now} now ({count} of {total} answered)")
}

/// The answered ones, the quickest first.
pub(super) fn answered(trips: &[Option<Duration>]) -> Vec<Duration> {
    let mut trips: Vec<_> = trips.iter().copied().flatten().collect();
    trips.sort_unstable();
    trips
}

/// Of sorted ones; the lower of the two in the middle.
pub(super) fn median(trips: &[Duration]) -> Duration {
    trips
        .len()
        .checked_sub(1)
        .map_or(Duration::ZERO, |last| trips[last / 2])
}

impl Finding {
    pub fn text(&self) -> &str {
        match self {
            Self::Shown(text) | Self::Missing(text) | Self::Open(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn trips(times: &[u64]) -> Vec<Option<Duration>> {
        times.iter().map(|time| Some(ms(*time))).collect()
    }

    #[test]
    fn what_overtakes_hides_no_wrong_delay() {
        let rise = Expectation::Rise {
            at_least: ms(160),
            at_most: Some(ms(270)),
            may_lose: false,
            overtaking: 300_000,
        };
        let judged = |now: &[u64]| rise.judge(&trips(&[0, 0, 0]), &trips(now));
        let shown = judged(&[0, 0, 0, 0, 0, 0, 200, 200, 201, 202]);
        assert!(matches!(shown, Finding::Shown(_)), "{shown:?}");
        for wrong in [
            &[0, 0, 0, 400, 401, 401, 402][..],
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[400, 400, 400],
        ] {
            let missing = judged(wrong);
            assert!(matches!(missing, Finding::Missing(_)), "{missing:?}");
        }
        for few in [&[0, 0, 0][..], &[0, 0, 0, 0, 0, 0, 0, 0, 200, 200]] {
            let open = judged(few);
            assert!(matches!(open, Finding::Open(_)), "{open:?}");
        }
    }
}
