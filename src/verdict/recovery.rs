//! How long a probe took to come back after a step: an interval, because between two samples nothing is known.

use std::time::Duration;

use super::report::RecoveryRow;
use super::window;
use crate::history::{Phase, Record, StepRecord};
use crate::scenario::Metric;
use crate::units::Micros;

/// What a probe did in a step's window, in microseconds from the injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    NeverBad,
    /// The last bad sample was due, and the first good answer after it came.
    Back {
        bad: Micros,
        good: Micros,
    },
    /// The last bad sample was due, and no good answer came until the watch ended.
    Away {
        bad: Micros,
        watched: Micros,
    },
}

/// `None`: the step was not injected, or there is no sample.
pub(super) fn course(record: &Record, step: &StepRecord, probe: &str) -> Option<Course> {
    let range = window::of_step(record, step)?;
    let span = record.span(probe, range.from, range.to);
    Some(match (span.last_bad, span.good_after) {
        // A sample is either good or bad.
        (None, None) => return None,
        (None, _) => Course::NeverBad,
        (Some(bad), Some(good)) => Course::Back {
            bad: bad.saturating_sub(range.from),
            good: good.max(bad).saturating_sub(range.from),
        },
        (Some(bad), None) => Course::Away {
            bad: bad.saturating_sub(range.from),
            watched: range.to - range.from,
        },
    })
}

impl Course {
    /// `[last bad, first good]` in milliseconds.
    pub(super) fn interval(self) -> Option<(f64, Option<f64>)> {
        match self {
            Self::NeverBad => None,
            Self::Back { bad, good } => Some((ms(bad), Some(ms(good)))),
            Self::Away { bad, .. } => Some((ms(bad), None)),
        }
    }

    /// From a moment `after` the injection; `None` if it was good again by then.
    fn interval_from(self, after: Micros) -> Option<(f64, Option<f64>)> {
        match self {
            Self::NeverBad => None,
            Self::Back { good, .. } if good <= after => None,
            Self::Back { bad, good } => {
                Some((ms(bad.saturating_sub(after)), Some(ms(good - after))))
            }
            Self::Away { bad, .. } => Some((ms(bad.saturating_sub(after)), None)),
        }
    }
}

/// One probe's row in a step.
pub(super) fn row(record: &Record, step: &StepRecord, probe: &str) -> RecoveryRow {
    let (Some(course), Some(injecting)) = (course(record, step, probe), step.injecting) else {
        return RecoveryRow::default();
    };
    let reverted = step
        .reverted
        .as_ref()
        .map(|(at, _)| at.saturating_sub(injecting));
    RecoveryRow {
        from_injection: course.interval(),
        from_revert: reverted.and_then(|after| course.interval_from(after)),
        first_bad: first_bad(record, step, probe).map(|bad| ms(bad.saturating_sub(injecting))),
    }
}

fn first_bad(record: &Record, step: &StepRecord, probe: &str) -> Option<Micros> {
    let range = window::of_step(record, step)?;
    record.span(probe, range.from, range.to).first_bad
}

/// The one that took longest; one that never came back takes longest of all.
pub(super) fn slowest<'a>(rows: impl Iterator<Item = &'a RecoveryRow>) -> RecoveryRow {
    let end = |interval: Option<(f64, Option<f64>)>| {
        interval.map_or(-1.0, |(_, good)| good.unwrap_or(f64::INFINITY))
    };
    rows.copied()
        .reduce(|a, b| RecoveryRow {
            from_injection: longer(a.from_injection, b.from_injection, end),
            from_revert: longer(a.from_revert, b.from_revert, end),
            first_bad: a.first_bad.into_iter().chain(b.first_bad).reduce(f64::min),
        })
        .unwrap_or_default()
}

fn longer<T: Copy>(a: T, b: T, end: impl Fn(T) -> f64) -> T {
    if end(b) > end(a) { b } else { a }
}

/// Probes that were bad without a break for at least the time that makes one steady, and still were when the whole recovery had
/// been watched; for how long. Where a recovery was promised, that promise says how long it may take.
pub(super) fn bad_to_the_end(record: &Record) -> Vec<(&str, Micros)> {
    let (Some(header), Some(from)) = (&record.header, record.phase_start(Phase::Recovery)) else {
        return Vec::new();
    };
    let end = record.end();
    let watched = Duration::from_micros(end.saturating_sub(from));
    if watched.as_secs_f64() < 0.9 * header.timing.recovery.as_secs_f64() {
        return Vec::new();
    }
    let steady = header.timing.steady.as_micros() as Micros;
    let bad_for = |name: &str| {
        let span = record.span(name, 0, Micros::MAX);
        end.saturating_sub(span.closes_bad.unwrap_or(end))
    };
    let promised = |name: &str| {
        let slos = header.slos.iter().filter(|slo| slo.probe == name);
        slos.into_iter()
            .any(|slo| slo.objective.metric == Metric::Recovery)
    };
    let probes = record.probes.iter().map(|probe| probe.name.as_str());
    probes
        .filter(|name| !promised(name))
        .map(|name| (name, bad_for(name)))
        .filter(|(_, long)| *long >= steady.max(1))
        .collect()
}

pub(super) fn ms(us: Micros) -> f64 {
    us as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_revert_only_what_lies_after_it_counts() {
        let back = Course::Back {
            bad: 4_000,
            good: 6_000,
        };
        assert_eq!(back.interval(), Some((4.0, Some(6.0))));
        assert_eq!(back.interval_from(1_000), Some((3.0, Some(5.0))));
        assert_eq!(back.interval_from(5_000), Some((0.0, Some(1.0))));
        assert_eq!(back.interval_from(6_000), None);
    }

    #[test]
    fn what_never_came_back_is_slowest() {
        let back = RecoveryRow {
            from_injection: Some((4.0, Some(6.0))),
            first_bad: Some(3.0),
            ..RecoveryRow::default()
        };
        let away = RecoveryRow {
            from_injection: Some((2.0, None)),
            first_bad: Some(1.0),
            ..RecoveryRow::default()
        };
        let slowest = slowest([back, away, RecoveryRow::default()].iter());
        assert_eq!(slowest.from_injection, Some((2.0, None)));
        assert_eq!(slowest.first_bad, Some(1.0));
    }
}
