//! Percentiles: how fast all requests but a few were answered. A request that went wrong was not, however fast it did, unless the
//! scenario says how many may go wrong.

use super::objective::{holds, phrase, wants_more};
use super::recovery;
use super::slo::{Finding, Outcome, absent, blame, claim, subject};
use crate::history::{Record, Tally};
use crate::plan::support;
use crate::scenario::{Metric, Slo, Window};
use crate::units::Share;

pub(super) fn judge(record: &Record, slo: &Slo, tally: &Tally) -> Finding {
    let objective = &slo.objective;
    let of = tally.latency.count();
    let quantile = support::quantile(objective.metric).unwrap_or(1.0);
    let Some(measured) = tally.latency.quantile(quantile).map(recovery::ms) else {
        return absent(slo, "holds no sample");
    };
    let slos = record.header.as_ref().map(|header| &header.slos[..]);
    let most = answered(slos.unwrap_or_default(), slo, tally);
    if holds(objective, measured) && too_few(most, of, quantile) {
        return unanswered(slo, tally, most);
    }
    let threshold = (objective.value.max(0.0) * 1e3).round() as u64;
    let within = tally.latency.count_at_most(threshold).min(most);
    let more = wants_more(objective);
    let as_claimed = if more { of - within } else { within };
    // The quantile itself is bounded by the sample at which enough of them are below it, or above.
    let share = support::claimed_share(objective).unwrap_or(1.0);
    let needed = support::good_needed(of, share).filter(|k| more || *k <= most);
    let bound = needed.and_then(|k| {
        let rank = if more { of - k + 1 } else { k };
        tally.latency.quantile((rank as f64 - 0.5) / of as f64)
    });
    claim(slo, tally, measured, bound.map(recovery::ms), as_claimed)
}

/// So many samples at most may count as answered in time. Whoever promises how fast answers are, and nothing about bad ones,
/// promises that there are answers.
pub(super) fn answered<'a>(
    slos: impl IntoIterator<Item = &'a Slo>,
    slo: &Slo,
    tally: &Tally,
) -> u64 {
    let speaks_of_bad = |other: &Slo| {
        other.probe == slo.probe
            && other.objective.metric == Metric::Success
            && (other.during == slo.during || other.during == Window::All)
    };
    if wants_more(&slo.objective) || slos.into_iter().any(speaks_of_bad) {
        tally.planned
    } else {
        tally.good
    }
}

pub(super) fn too_few(answered: u64, of: u64, quantile: f64) -> bool {
    (answered as f64) < quantile * of as f64
}

fn unanswered(slo: &Slo, tally: &Tally, answered: u64) -> Finding {
    let good = Share(answered as f64 / tally.planned as f64);
    Finding {
        measured: None,
        bound: None,
        interval: None,
        outcome: Outcome::Breached,
        detail: format!(
            "{} was not {}: only {good} were good{}, and no SLO on the success of {} in that time says how many may be bad",
            subject(slo),
            phrase(&slo.objective),
            blame(tally),
            slo.probe
        ),
    }
}
