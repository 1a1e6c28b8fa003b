//! One SLO: what was measured, what the samples support, and whether it was met.

use super::objective::{amount, beside, during, holds, margin, name, phrase, wants_more};
use super::recovery::{self, Course};
use super::report::SloRow;
use super::{percentile, prober, steered, window};
use crate::history::{Record, Tally};
use crate::plan::support;
use crate::scenario::{Metric, Objective, Slo, Window};
use crate::units::{Micros, Share};

/// How one SLO came out.
pub(super) struct Judged {
    pub(super) row: SloRow,
    pub(super) outcome: Outcome,
    pub(super) of_baseline: bool,
}

/// The worse, the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Held,
    /// Nothing was measured.
    Absent,
    /// Nothing can be said.
    Open,
    Breached,
}

/// A part of a row: number, bound, outcome and sentence.
pub(super) struct Finding {
    pub(super) measured: Option<f64>,
    pub(super) bound: Option<f64>,
    pub(super) interval: Option<(f64, Option<f64>)>,
    pub(super) outcome: Outcome,
    pub(super) detail: String,
}

pub(super) fn judge(record: &Record, slo: &Slo) -> Judged {
    let whole = judge_but(record, slo, &[]);
    let shares = !matches!(
        slo.objective.metric,
        Metric::Max | Metric::Outage | Metric::Recovery
    );
    let range = window::range(record, &slo.during).filter(|_| shares);
    let idle = range.map_or_else(Vec::new, |range| steered::idle(record, range));
    if idle.is_empty() {
        return whole;
    }
    // Good samples while nothing happened, for as long as a person likes, must not make up for bad ones under a fault.
    let mut lean = judge_but(record, slo, &idle);
    if lean.outcome != Outcome::Held {
        lean.row.detail += ", not counting the time in which people held the timeline";
    }
    if whole.outcome > lean.outcome {
        whole
    } else {
        lean
    }
}

/// Over the SLO's window without these stretches of it.
fn judge_but(record: &Record, slo: &Slo, but: &[(Micros, Micros)]) -> Judged {
    let range = window::range(record, &slo.during);
    let left_out = window::seconds(but);
    let tally = range.map_or_else(Tally::default, |range| {
        record.tally_but(&slo.probe, (range.from, range.to), but)
    });
    let mut finding = match range {
        None => absent(slo, "never happened"),
        Some(_) if tally.planned == 0 => absent(slo, "holds no sample"),
        Some(range) => match slo.objective.metric {
            Metric::Success => success(slo, &tally),
            Metric::Max => plain(slo, &tally, tally.latency.max().map(recovery::ms)),
            Metric::Outage => plain(slo, &tally, Some(recovery::ms(tally.outage(range.to)))),
            Metric::Throughput => plain(
                slo,
                &tally,
                Some(tally.good as f64 / (range.seconds() - left_out)),
            ),
            Metric::Recovery => recovered(record, slo),
            _ => percentile::judge(record, slo, &tally),
        },
    };
    if let (Some(range), Some(probe)) = (range.filter(|_| but.is_empty()), record.probe(&slo.probe))
    {
        // What a prober measured that fell behind says something about the prober.
        if let Some(why) = prober::fell_behind(probe, &tally, range, during(&slo.during))
            && finding.outcome != Outcome::Absent
        {
            finding.outcome = Outcome::Open;
            finding.detail = why;
        }
    }
    let samples = tally.planned;
    Judged {
        outcome: finding.outcome,
        of_baseline: slo.during == Window::Baseline,
        row: row(slo, finding, samples),
    }
}

fn row(slo: &Slo, finding: Finding, samples: u64) -> SloRow {
    SloRow {
        probe: slo.probe.clone(),
        during: during(&slo.during).into(),
        metric: name(slo.objective.metric).into(),
        objective: phrase(&slo.objective),
        measured: finding.measured,
        bound: finding.bound,
        samples,
        needed: support::samples_needed(&slo.objective),
        met: match finding.outcome {
            Outcome::Held => Some(true),
            Outcome::Breached => Some(false),
            Outcome::Open | Outcome::Absent => None,
        },
        margin: finding
            .measured
            .map(|measured| margin(&slo.objective, measured)),
        interval_ms: finding.interval,
        detail: finding.detail,
        line: slo.line,
    }
}

/// `write success during kill`
pub(super) fn subject(slo: &Slo) -> String {
    format!(
        "{} {} during {}",
        slo.probe,
        name(slo.objective.metric),
        during(&slo.during)
    )
}

pub(super) fn absent(slo: &Slo, why: &str) -> Finding {
    Finding {
        measured: None,
        bound: None,
        interval: None,
        outcome: Outcome::Absent,
        detail: format!("{} could not be measured: the window {why}", subject(slo)),
    }
}

/// A metric that is what it is: no claim about a share.
fn plain(slo: &Slo, tally: &Tally, measured: Option<f64>) -> Finding {
    let Some(value) = measured else {
        return absent(slo, "holds no sample");
    };
    let outcome = if holds(&slo.objective, value) {
        Outcome::Held
    } else {
        Outcome::Breached
    };
    Finding {
        measured,
        bound: None,
        interval: None,
        outcome,
        detail: compared(slo, value, outcome, &blame(tally)),
    }
}

fn success(slo: &Slo, tally: &Tally) -> Finding {
    let (good, of) = (tally.good, tally.planned);
    let measured = good as f64 / of as f64;
    let (as_claimed, bound) = if wants_more(&slo.objective) {
        (good, support::lower_bound(good, of))
    } else {
        let bad = of.saturating_sub(good);
        (bad, 1.0 - support::lower_bound(bad, of))
    };
    claim(slo, tally, measured, Some(bound), as_claimed)
}

/// A claim about a share of the samples: it must hold for what was measured, and for what that supports.
pub(super) fn claim(
    slo: &Slo,
    tally: &Tally,
    measured: f64,
    bound: Option<f64>,
    as_claimed: u64,
) -> Finding {
    let objective = &slo.objective;
    let outcome = if !holds(objective, measured) {
        Outcome::Breached
    } else if bound.is_some_and(|bound| holds(objective, bound)) {
        Outcome::Held
    } else {
        Outcome::Open
    };
    let detail = if outcome == Outcome::Open {
        unsupported(slo, tally, measured, as_claimed)
    } else {
        compared(slo, measured, outcome, &blame(tally))
    };
    Finding {
        measured: Some(measured),
        bound,
        interval: None,
        outcome,
        detail,
    }
}

/// Measured well, but with too few samples to say so.
fn unsupported(slo: &Slo, tally: &Tally, measured: f64, as_claimed: u64) -> String {
    let objective = &slo.objective;
    let of = tally.planned;
    let share = support::claimed_share(objective).unwrap_or(1.0);
    let head = format!(
        "{} was {}, but that is not enough to claim {}",
        subject(slo),
        amount(objective.metric, measured),
        phrase(objective)
    );
    let Some(needed) = support::samples_needed(objective) else {
        return format!(
            "{head}: no number of samples can support {}, write the share you need",
            Share(share)
        );
    };
    if of < needed || as_claimed == of {
        let kind = match (objective.metric, wants_more(objective)) {
            (Metric::Success, true) => "good samples",
            (Metric::Success, false) => "bad samples",
            (_, true) => "samples beyond it",
            (_, false) => "samples within it",
        };
        return format!("{head} at 95% confidence: it needs {needed} {kind}, had {as_claimed}");
    }
    let supported = Share(support::lower_bound(as_claimed, of));
    let more = support::samples_needed_at(as_claimed, of, share).map_or_else(
        || "no number of samples would do at this share".into(),
        |n| format!("at this share it needs about {n} samples, had {of}"),
    );
    format!(
        "{head} at 95% confidence: {as_claimed} of {of} samples as wanted support {supported} and {} is claimed; {more}",
        Share(share)
    )
}

fn compared(slo: &Slo, measured: f64, outcome: Outcome, blame: &str) -> String {
    let objective = &slo.objective;
    let verdict = match (outcome, wants_more(objective)) {
        (Outcome::Held, _) => "within",
        (_, true) => "below",
        (_, false) => "above",
    };
    format!(
        "{} was {}{blame}, {verdict} the objective {}",
        subject(slo),
        beside(objective, measured),
        phrase(objective)
    )
}

/// ` (37 of 540 bad: 30 × timed out, 7 × status 503)`; nothing when none is bad.
pub(super) fn blame(tally: &Tally) -> String {
    let bad = tally.planned.saturating_sub(tally.good);
    if bad == 0 {
        return String::new();
    }
    let reasons: Vec<_> = ranked(&tally.reasons)
        .into_iter()
        .map(|(reason, count)| format!("{count} × {reason}"))
        .collect();
    let colon = if reasons.is_empty() { "" } else { ": " };
    format!(
        " ({bad} of {} bad{colon}{})",
        tally.planned,
        reasons.join(", ")
    )
}

/// The most frequent first.
pub fn ranked(reasons: &std::collections::BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let mut ranked: Vec<_> = reasons
        .iter()
        .map(|(name, n)| (name.as_str(), *n))
        .collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    ranked
}

/// Every step in the window is judged by itself; the worst decides, and of equals the slowest.
fn recovered(record: &Record, slo: &Slo) -> Finding {
    let steps = record.steps.iter().filter(|step| match &slo.during {
        Window::Step(name) => step.name == *name,
        Window::Baseline => false,
        Window::Fault | Window::Recovery | Window::All => true,
    });
    let rank = |finding: &Finding| match finding.outcome {
        Outcome::Breached => 3,
        Outcome::Open => 2,
        Outcome::Absent => 1,
        Outcome::Held => 0,
    };
    steps
        .filter(|step| step.injecting.is_some())
        .map(|step| {
            let course = recovery::course(record, step, &slo.probe);
            came_back(slo, &step.name, course)
        })
        .reduce(|a, b| {
            let slower = b.measured.unwrap_or(f64::MAX) > a.measured.unwrap_or(f64::MAX);
            if (rank(&b), slower) > (rank(&a), false) {
                b
            } else {
                a
            }
        })
        .unwrap_or_else(|| absent(slo, "holds no injection"))
}

fn came_back(slo: &Slo, step: &str, course: Option<Course>) -> Finding {
    let Some(course) = course else {
        return absent(
            slo,
            &format!("holds no sample after the injection of {step}"),
        );
    };
    let objective = &slo.objective;
    let (low, high) = match course {
        Course::NeverBad => (0.0, Some(0.0)),
        Course::Back { bad, good } => (recovery::ms(bad), Some(recovery::ms(good))),
        Course::Away { watched, .. } => (recovery::ms(watched), None),
    };
    let outcome = between(objective, low, high);
    Finding {
        measured: high,
        bound: None,
        interval: course.interval(),
        outcome,
        detail: recovery_text(slo, step, course, outcome),
    }
}

/// The true time lies in the interval (without its end: beyond its beginning).
fn between(objective: &Objective, low: f64, high: Option<f64>) -> Outcome {
    // Of two numbers that both keep an upper or a lower limit, all in between do.
    match (
        holds(objective, low),
        high.map(|high| holds(objective, high)),
    ) {
        (true, Some(true)) => Outcome::Held,
        (false, Some(false)) => Outcome::Breached,
        (false, None) if !wants_more(objective) => Outcome::Breached,
        (true, None) if wants_more(objective) => Outcome::Held,
        _ => Outcome::Open,
    }
}

fn recovery_text(slo: &Slo, step: &str, course: Course, outcome: Outcome) -> String {
    let objective = phrase(&slo.objective);
    let time = |us| amount(Metric::Recovery, recovery::ms(us));
    let probe = &slo.probe;
    let took = match course {
        Course::NeverBad => format!("{probe} was never bad after the injection of {step}"),
        Course::Back { bad, good } => format!(
            "{probe} recovered between {} and {} after the injection of {step}",
            time(bad),
            time(good)
        ),
        Course::Away { watched, .. } => format!(
            "{probe} took > {} to recover from {step}: it had not come back when the watch ended",
            time(watched)
        ),
    };
    match (outcome, course) {
        (Outcome::Held, _) => format!("{took}, within the objective {objective}"),
        (Outcome::Breached, _) if wants_more(&slo.objective) => {
            format!("{took}, below the objective {objective}")
        }
        (Outcome::Breached, _) => format!("{took}, above the objective {objective}"),
        (_, Course::Away { .. }) => format!(
            "{took}, before the objective {objective} could be judged: raise `recovery` in [timing]"
        ),
        _ => format!(
            "{took}, and the objective {objective} lies in between: raise the probe's rate to tell"
        ),
    }
}
