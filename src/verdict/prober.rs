//! Did the prober do what it planned? One that fell behind measured itself, not the system.

use super::recovery::ms;
use super::window::Range;
use crate::history::{ProbeRecord, Tally};
use crate::units::{Micros, format_duration};
use std::time::Duration;

/// So late a request may always be sent.
const LATENESS: Micros = 50_000;

/// Why what it measured in this window says nothing about the system; `None`: it kept its schedule.
pub(super) fn fell_behind(
    probe: &ProbeRecord,
    tally: &Tally,
    range: Range,
    during: &str,
) -> Option<String> {
    let name = &probe.name;
    let allowed = allowed_lateness(probe);
    let late = |us: Micros| format_duration(Duration::from_micros(us));
    let p99 = tally.lateness.quantile(0.99).unwrap_or(0);
    if p99 > allowed {
        return Some(format!(
            "the prober itself fell behind: during {during} the requests of {name} were sent {} late (p99), and at most {} is allowed; give it more CPU or a lower rate",
            late(p99),
            late(allowed)
        ));
    }
    let unsent = tally.planned.saturating_sub(tally.sent);
    let most = tally.lateness.max().unwrap_or(0);
    if unsent > 0 && most > allowed {
        return Some(format!(
            "the prober itself fell behind: during {during} {unsent} of {} requests of {name} were never sent, and others up to {} late",
            tally.planned,
            late(most)
        ));
    }
    off_schedule(probe, tally, range).map(|expected| {
        format!(
            "the prober lost its schedule: during {during} ({}) about {expected} requests of {name} were due and {} were planned",
            super::objective::milliseconds(ms(range.to - range.from)),
            tally.planned
        )
    })
}

/// A tenth of the time to the next request is no harm, as long as it is short against the timeout.
fn allowed_lateness(probe: &ProbeRecord) -> Micros {
    let gap = 1e6 / probe.rate;
    let tenth = gap.min(probe.timeout.as_micros() as f64) / 10.0;
    // A rate that is no number leaves the constant.
    LATENESS.max(tenth as Micros)
}

/// How many samples the rate asks for, if the record is far from it.
fn off_schedule(probe: &ProbeRecord, tally: &Tally, range: Range) -> Option<u64> {
    let expected = probe.rate * range.seconds();
    // Starting and stopping takes its moment.
    let slack = (expected * 0.1).max(probe.rate * 0.5).max(2.0);
    ((tally.planned as f64 - expected).abs() > slack || !expected.is_finite())
        .then_some(expected as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{RecordedProbe, Sample};

    const SECOND: Micros = 1_000_000;

    fn verdict(rate: f64, lateness: impl Fn(u64) -> Option<Micros>) -> Option<String> {
        let probe = ProbeRecord::from(&RecordedProbe {
            name: "write".into(),
            kind: "http".into(),
            rate,
            timeout: Duration::from_secs(1),
        });
        let mut tally = Tally::default();
        for k in 0..200 {
            let due = k * SECOND / 20;
            let sent = lateness(k).map(|late| due + late);
            tally.record(&Sample {
                due,
                sent,
                done: due + 1_000,
                fault: sent.is_none().then(|| "unsent".into()),
            });
        }
        let range = Range {
            from: 0,
            to: 10 * SECOND,
        };
        fell_behind(&probe, &tally, range, "kill")
    }

    #[test]
    fn a_prober_on_time_is_fine() {
        assert_eq!(verdict(20.0, |_| Some(300)), None);
        assert_eq!(
            verdict(20.0, |k| Some(if k == 7 { 900_000 } else { 0 })),
            None
        );
    }

    #[test]
    fn a_late_prober_is_named_with_its_lateness() {
        let why = verdict(20.0, |k| Some(if k < 5 { 180_000 } else { 0 })).unwrap();
        assert!(
            why.contains("write were sent 180") && why.contains("50ms"),
            "{why}"
        );
    }

    #[test]
    fn unsent_requests_are_the_systems_fault_only_while_the_prober_is_on_time() {
        assert_eq!(verdict(20.0, |k| (k % 10 != 0).then_some(100)), None);
        let why = verdict(20.0, |k| {
            (k % 10 != 0).then_some(if k == 5 { 70_000 } else { 0 })
        });
        assert!(why.unwrap().contains("20 of 200 requests"));
    }

    #[test]
    fn a_schedule_that_was_not_kept_is_told() {
        let why = verdict(25.0, |_| Some(0)).unwrap();
        assert!(
            why.contains("about 250 requests") && why.contains("200 were planned"),
            "{why}"
        );
        assert!(verdict(f64::NAN, |_| Some(0)).is_some());
    }
}
