//! What can be compared of a run: every SLO's metric, every step's recovery, and each probe over the whole run.

use std::collections::BTreeMap;

use super::rank::{Part, Span};
use crate::scenario::Metric;
use crate::verdict::{ProbeRow, RecoveryRow, Report, StepRow, Verdict, name};

/// Names a measure in every run of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) probe: String,
    pub(crate) during: String,
    pub(crate) metric: String,
}

/// One run's value, such that more is worse: a share of *bad* samples, milliseconds, or what a rate lacks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Value {
    pub(crate) span: Span,
    /// In the metric's own unit, as a report shows it; infinite for a recovery that never came.
    pub(crate) shown: f64,
    /// Of a share: the bad samples.
    pub(crate) bad: Option<Part>,
}

/// Can this run be held against another? Not one that proves nothing about the system, or was cut short.
pub(crate) fn is_comparable(report: &Report) -> bool {
    matches!(report.verdict, Verdict::Passed | Verdict::Failed)
}

/// In the order in which a report tells them.
pub(crate) fn of(report: &Report) -> Vec<(Key, Value)> {
    let mut found = Measures {
        all: Vec::new(),
        doubtful: report
            .slos
            .iter()
            .filter(|slo| slo.met.is_none())
            .map(|slo| slo.probe.as_str())
            .collect(),
    };
    for slo in &report.slos {
        found.add(&slo.probe, &slo.during, &slo.metric, slo_value(slo));
    }
    for step in &report.steps {
        for (probe, row) in recoveries(report, step) {
            let recovery = recovery(row);
            found.add(probe, &step.name, name(Metric::Recovery), Some(recovery));
        }
    }
    for probe in &report.probes {
        for (metric, value) in overall(probe) {
            found.add(&probe.name, "all", name(metric), Some(value));
        }
    }
    found.all
}

struct Measures<'a> {
    all: Vec<(Key, Value)>,
    /// Probes about which not everything could be judged: nothing of theirs is compared.
    doubtful: Vec<&'a str>,
}

impl Measures<'_> {
    fn add(&mut self, probe: &str, during: &str, metric: &str, value: Option<Value>) {
        let key = Key {
            probe: probe.into(),
            during: during.into(),
            metric: metric.into(),
        };
        let known = self.all.iter().any(|(known, _)| *known == key);
        if let (Some(value), false, false) = (value, known, self.doubtful.contains(&probe)) {
            self.all.push((key, value));
        }
    }
}

fn slo_value(slo: &crate::verdict::SloRow) -> Option<Value> {
    let metric = metric(&slo.metric)?;
    match metric {
        Metric::Success => Some(share(slo.measured?, slo.samples)),
        Metric::Recovery => Some(match slo.interval_ms {
            Some(interval) => between(interval),
            None => exactly(slo.measured?),
        }),
        Metric::Throughput => Some(Value {
            span: Span::exactly(-slo.measured?),
            shown: slo.measured?,
            bad: None,
        }),
        _ => Some(exactly(slo.measured?)),
    }
}

/// Of a step that was injected, by the probes that had samples.
fn recoveries<'a>(
    report: &'a Report,
    step: &'a StepRow,
) -> impl Iterator<Item = (&'a str, &'a RecoveryRow)> {
    let sampled = |name: &str| {
        let mut probes = report.probes.iter();
        probes.any(|probe| probe.name == name && probe.planned > 0)
    };
    let injected = step.injecting_ms.is_some();
    let rows: &BTreeMap<_, _> = &step.probes;
    rows.iter()
        .filter(move |(name, _)| injected && sampled(name))
        .map(|(name, row)| (name.as_str(), row))
}

fn recovery(row: &RecoveryRow) -> Value {
    row.from_injection.map_or(exactly(0.0), between)
}

fn between((bad, good): (f64, Option<f64>)) -> Value {
    let high = good.unwrap_or(f64::INFINITY);
    Value {
        span: Span { low: bad, high },
        shown: high,
        bad: None,
    }
}

fn exactly(shown: f64) -> Value {
    Value {
        span: Span::exactly(shown),
        shown,
        bad: None,
    }
}

fn share(good: f64, of: u64) -> Value {
    let bad = ((1.0 - good) * of as f64).round() as u64;
    Value {
        span: Span::exactly(1.0 - good),
        shown: good,
        bad: Some(Part { count: bad, of }),
    }
}

fn overall(probe: &ProbeRow) -> Vec<(Metric, Value)> {
    if probe.planned == 0 {
        return Vec::new();
    }
    let success = probe.good as f64 / probe.planned as f64;
    let mut found = vec![(Metric::Success, share(success, probe.planned))];
    if let Some(latency) = &probe.latency_ms {
        found.push((Metric::P50, exactly(latency.p50)));
        found.push((Metric::P95, exactly(latency.p95)));
        found.push((Metric::P99, exactly(latency.p99)));
    }
    found
}

/// A metric by the name that a scenario gives it.
pub(crate) fn metric(text: &str) -> Option<Metric> {
    const ALL: [Metric; 10] = [
        Metric::Success,
        Metric::P50,
        Metric::P90,
        Metric::P95,
        Metric::P99,
        Metric::P999,
        Metric::Max,
        Metric::Throughput,
        Metric::Outage,
        Metric::Recovery,
    ];
    ALL.into_iter().find(|metric| name(*metric) == text)
}

/// The middle one, or the mean of the middle two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let high = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(high);
    }
    Some((values.get(middle.checked_sub(1)?)? + high) / 2.0)
}
