//! How a report's values are written, the same in every format.

use std::num::NonZeroU64;

use super::text::plain;
use crate::action::GONE;
use crate::impairment::Counts;
use crate::inventory::EngineFacts;
use crate::scenario::Metric;
pub(super) use crate::verdict::milliseconds;
use crate::verdict::{
    CommandRow, NoteRow, PacketsRow, ProbeRow, RecoveryRow, SloRow, StepRow, amount, ranked,
};

/// What stands where there is nothing.
pub(super) const NONE: &str = "-";

/// `137.7ms .. 741ms`, or `> 20s` for what never came back.
pub(super) fn interval((bad, good): (f64, Option<f64>)) -> String {
    match good {
        Some(good) => format!("{} .. {}", milliseconds(bad), milliseconds(good)),
        None => format!("> {}", milliseconds(bad)),
    }
}

/// A moment of the run: `+10.003s`.
pub(super) fn at(ms: f64) -> String {
    format!("+{}", milliseconds(ms))
}

/// An interval, for recovery.
pub(super) fn measured(slo: &SloRow) -> String {
    let value = || or_none(slo.measured.map(|value| of_metric(slo, value)));
    slo.interval_ms.map_or_else(value, interval)
}

pub(super) fn bound(slo: &SloRow) -> String {
    or_none(slo.bound.map(|value| of_metric(slo, value)))
}

/// With its sign: what is on the wrong side is negative.
pub(super) fn margin(slo: &SloRow) -> String {
    let signed = |value: f64| {
        let sign = if value < 0.0 { '-' } else { '+' };
        // A difference of shares is no share.
        let text = of_metric(slo, value.abs()).replace('%', " pp");
        format!("{sign}{text}")
    };
    or_none(slo.margin.map(signed))
}

pub(super) fn met(slo: &SloRow) -> &'static str {
    match slo.met {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "?",
    }
}

/// What became of a step's effect, and whether that is as it should be; `None`: there is nothing to say.
pub(super) fn effect(step: &StepRow) -> (String, Option<bool>) {
    match (&step.skipped, &step.effect) {
        (Some(skipped), _) => (format!("skipped: {}", skipped.why), None),
        (None, Some(effect)) if effect.proven => ("proven".into(), Some(true)),
        (None, Some(_)) => ("NOT PROVEN".into(), Some(false)),
        (None, None) => (NONE.into(), None),
    }
}

/// What became of whose packets: `node-1, queue: 1200 packets, 600 delayed`.
pub(super) fn packets(step: &StepRow) -> Vec<String> {
    let row = |row: &PacketsRow| format!("{}, {}", row.instance, row.evidence);
    step.packets.iter().map(row).collect()
}

/// The same of all together, short: `queue: 2400 packets, 50 dropped`.
pub(super) fn all_packets(step: &StepRow) -> Option<String> {
    let ends = step
        .packets
        .iter()
        .filter_map(|row| row.back_end.as_deref());
    let ends: std::collections::BTreeSet<&str> = ends.collect();
    let sum = |of: fn(&PacketsRow) -> u64| step.packets.iter().map(of).fold(0, u64::saturating_add);
    let counts = Counts {
        packets: sum(|row| row.packets),
        bytes: sum(|row| row.bytes),
        delayed: sum(|row| row.delayed),
        dropped: sum(|row| row.dropped),
        corrupted: sum(|row| row.corrupted.unwrap_or_default()),
        duplicated: sum(|row| row.duplicated.unwrap_or_default()),
        reordered: sum(|row| row.reordered.unwrap_or_default()),
        reset: sum(|row| row.reset),
        answered: sum(|row| row.answered),
        overflowed: sum(|row| row.overflowed),
    };
    let ends: Vec<&str> = ends.into_iter().collect();
    (!ends.is_empty()).then(|| format!("{}: {}", ends.join(" and "), counts.phrase()))
}

pub(super) fn revert(step: &StepRow) -> (String, Option<bool>) {
    match (&step.revert, step.injecting_ms) {
        (Some(revert), _) if revert.verified && revert.gone => {
            (format!("nothing left to undo: {GONE}"), None)
        }
        (Some(revert), _) if revert.verified => ("verified".into(), Some(true)),
        (None, None) => (NONE.into(), None),
        _ => ("NOT VERIFIED".into(), Some(false)),
    }
}

pub(super) fn recovery(row: &RecoveryRow, step: &StepRow) -> String {
    match row.from_injection {
        Some(found) => interval(found),
        None if step.injecting_ms.is_some() => "never bad".into(),
        None => NONE.into(),
    }
}

/// Of all that were planned.
pub(super) fn good_share(planned: u64, good: u64) -> String {
    if planned == 0 {
        return NONE.into();
    }
    amount(Metric::Success, good as f64 / planned as f64)
}

/// The three most frequent reasons.
pub(super) fn bad(probe: &ProbeRow) -> String {
    let reasons: Vec<_> = ranked(&probe.reasons)
        .into_iter()
        .take(3)
        .map(|(reason, count)| format!("{count} × {reason}"))
        .collect();
    reasons.join(", ")
}

/// With where it was written.
pub(super) fn note(note: &NoteRow) -> String {
    match &note.by {
        Some(by) => format!("note from the {by}: {}", note.text),
        None => format!("note: {}", note.text),
    }
}

pub(super) fn command(command: &CommandRow) -> String {
    format!("{}, from the {}", command.what, command.by)
}

pub(super) fn or_none(text: Option<String>) -> String {
    text.unwrap_or_else(|| NONE.into())
}

/// What a run is called.
pub(super) fn name(report: &crate::verdict::Report) -> String {
    plain(report.title.as_ref().unwrap_or(&report.scenario))
}

/// The verdict's sentence without the verdict, as it came.
pub(super) fn lead(report: &crate::verdict::Report) -> &str {
    match report.reasons.first() {
        Some(first) => first,
        None => report.summary.split_once(": ").map_or("", |(_, text)| text),
    }
}

/// The machine under an engine: `Debian 12, x86_64, 2 CPUs, 23.5 GiB of memory, kernel 6.1, cgroup v2`.
pub(super) fn machine(facts: &EngineFacts) -> String {
    let gibibytes = |bytes: NonZeroU64| {
        format!(
            "{:.1} GiB of memory",
            bytes.get() as f64 / f64::from(1 << 30)
        )
    };
    let parts = [
        Some(facts.os.clone()),
        Some(facts.arch.clone()),
        facts.cpus.map(|count| match count.get() {
            1 => "1 CPU".into(),
            count => format!("{count} CPUs"),
        }),
        facts.memory_bytes.map(gibibytes),
        Some(format!("kernel {}", facts.kernel)),
        Some(format!("cgroup v{}", facts.cgroup_version)),
    ];
    let told: Vec<_> = parts.into_iter().flatten().collect();
    told.join(", ")
}

fn of_metric(slo: &SloRow, value: f64) -> String {
    let metric = match slo.metric.as_str() {
        "success" => Metric::Success,
        "throughput" => Metric::Throughput,
        // All others are times.
        _ => Metric::Max,
    };
    amount(metric, value)
}
