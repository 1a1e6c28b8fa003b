//! History → verdict. A verdict is `passed` only when every SLO held *and* nothing is left that could make this a false claim:
//! the system was healthy before, each fault is proven to have had its effect, the probes sent what they planned, there are
//! samples enough for what is claimed, and the world is again what it was. Whatever else is found is a sentence with its
//! numbers, and the heaviest finding decides.

mod baseline;
pub mod compare;
mod finding;
mod measure;
mod objective;
mod percentile;
mod prober;
mod recovery;
mod report;
mod rows;
mod series;
mod slo;
mod steered;
mod window;

pub use baseline::unhealthy;
pub use measure::measure;
pub use objective::{amount, during, holds, milliseconds, name, phrase};
pub use report::*;
pub use series::{RunRow, SERIES_VERSION, Series, SeriesRow, series};
pub use slo::ranked;
pub use steered::in_words as steering_in_words;
pub use window::{Range, range};

use crate::action::NOT_UNDONE;
use crate::history::{Header, Record, StepRecord};
use crate::units::Signal;
use finding::Findings;

/// The report of a run. Total: a record of whatever kind gets one.
pub fn judge(record: &Record) -> Report {
    let promises = record
        .header
        .as_ref()
        .map_or(&[][..], |header| &header.slos);
    let slos: Vec<_> = promises.iter().map(|slo| slo::judge(record, slo)).collect();
    let findings = Findings::of(record, &slos);
    let verdict = findings.verdict();
    let reasons: Vec<_> = findings.all.into_iter().map(|found| found.text).collect();
    let header = record.header.as_deref();
    let text = |of: fn(&Header) -> &String| header.map(of).cloned().unwrap_or_default();
    let slos: Vec<_> = slos.into_iter().map(|judged| judged.row).collect();
    Report {
        version: REPORT_VERSION,
        scenario: text(|header| &header.scenario),
        title: header.and_then(|header| header.title.clone()),
        verdict,
        exit_code: exit_code(verdict, record),
        summary: summary(record, verdict, &reasons, slos.len()),
        reasons,
        run: text(|header| &header.run),
        seed: header.map_or(0, |header| header.seed),
        chaosrun: text(|header| &header.chaosrun),
        began: text(|header| &header.began),
        duration_ms: recovery::ms(record.ended.unwrap_or(record.last)),
        engine: record.facts.clone(),
        instances: rows::instances(record),
        vars: header.map(|header| header.vars.clone()).unwrap_or_default(),
        phases: rows::phases(record),
        steps: rows::steps(record),
        slos,
        probes: rows::probes(record),
        guards: rows::guards(record),
        differences: rows::differences(record),
        torn_down: record.torn_down.as_ref().map(rows::checked),
        events: rows::events(record),
        events_dropped: record.events.dropped,
        notes: steered::notes(record),
        commands: steered::rows(record),
        roles: rows::roles(record),
        interruptions: rows::texts(&record.interruptions),
        impediments: rows::impediments(record),
        torn: record.torn,
    }
}

/// An interruption is told by its first signal.
fn exit_code(verdict: Verdict, record: &Record) -> u8 {
    match verdict {
        Verdict::Passed => 0,
        Verdict::Failed => 1,
        Verdict::Inconclusive => 3,
        Verdict::Aborted => 4,
        Verdict::Dirty => 5,
        Verdict::Interrupted => {
            let first = record.interruptions.first.first();
            let signal = first.and_then(|(_, by)| by.parse::<Signal>().ok());
            128 + signal.unwrap_or(Signal::INT).number() as u8
        }
    }
}

/// The exit code of several scenarios: the worst one decides. None at all shows nothing, which is `inconclusive`.
pub fn worst(codes: &[u8]) -> u8 {
    let rank = |code: u8| match code {
        0 => 0,
        3 => 1,
        1 => 2,
        4 => 3,
        2 => 4,
        5 => 7,
        128.. => 6,
        _ => 5,
    };
    codes
        .iter()
        .copied()
        .max_by_key(|code| rank(*code))
        .unwrap_or(3)
}

fn summary(record: &Record, verdict: Verdict, reasons: &[String], slos: usize) -> String {
    let word = verdict.word();
    let Some((first, rest)) = reasons.split_first() else {
        return format!("{word}: {}", held(record, slos));
    };
    match rest.len() {
        0 => format!("{word}: {first}"),
        1 => format!("{word}: {first} (and one reason more)"),
        more => format!("{word}: {first} (and {more} reasons more)"),
    }
}

fn held(record: &Record, slos: usize) -> String {
    let injected = || {
        let steps = record.steps.iter();
        steps.filter(|step| step.injecting.is_some())
    };
    let left = injected().filter(|step| is_left(step)).count();
    let slos = match slos {
        1 => "the SLO held".to_owned(),
        n => format!("all {n} SLOs held"),
    };
    let by_hand = if record.steering.is_empty() {
        ""
    } else {
        "; people had a hand in its timeline"
    };
    let faults = match (injected().count(), record.steps.len()) {
        (_, 0) => "no step was asked for".into(),
        (1, 1) if left > 0 => "the fault had its effect and was to be left".into(),
        (1, 1) => "the fault had its effect and was undone".into(),
        (n, all) => {
            let undone = match left {
                0 => "were undone".into(),
                all if all == n => "were to be left".into(),
                some => format!("were undone, but for {some} to be left"),
            };
            if n == all {
                format!("all {n} faults had their effect and {undone}")
            } else {
                format!("{n} of {all} faults were injected, had their effect and {undone}")
            }
        }
    };
    format!("{slos}; {faults}{by_hand}")
}

/// Did the scenario want nothing of it taken back?
fn is_left(step: &StepRecord) -> bool {
    let evidence = step.reverted.as_ref().map(|(_, proof)| &proof.evidence);
    evidence.is_some_and(|evidence| evidence.contains(NOT_UNDONE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Record;

    #[test]
    fn the_worst_scenario_decides() {
        assert_eq!(worst(&[0, 0]), 0);
        assert_eq!(worst(&[0, 3, 0]), 3);
        assert_eq!(worst(&[3, 1, 0]), 1);
        assert_eq!(worst(&[1, 4, 3]), 4);
        assert_eq!(worst(&[4, 70, 1]), 70);
        assert_eq!(worst(&[70, 130, 4]), 130);
        assert_eq!(worst(&[143, 5, 70]), 5);
        assert_eq!(worst(&[]), 3);
    }

    #[test]
    fn an_empty_record_is_inconclusive() {
        let report = judge(&Record::default());
        assert_eq!(
            (report.verdict, report.exit_code),
            (Verdict::Inconclusive, 3)
        );
        assert!(
            report.reasons[0].contains("no start"),
            "{:?}",
            report.reasons
        );
    }
}
