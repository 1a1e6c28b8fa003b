//! `success = ">= 95%"`: a metric, a relation and a value, for SLOs and guards.

use std::time::Duration;

use super::cursor::Cursor;
use super::entry::Entry;
use super::hint::quote;
use super::model::{Metric, Objective, Probe, Relation};
use crate::units::{Rate, Share, format_duration, parse_duration};

pub(super) const METRICS: &[(&str, Metric)] = &[
    ("success", Metric::Success),
    ("p50", Metric::P50),
    ("p90", Metric::P90),
    ("p95", Metric::P95),
    ("p99", Metric::P99),
    ("p999", Metric::P999),
    ("max", Metric::Max),
    ("throughput", Metric::Throughput),
    ("outage", Metric::Outage),
    ("recovery", Metric::Recovery),
];

/// A promise that should hold, or an alarm that should not go off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Slo,
    Guard,
}

/// Every metric that the table has, with the entry it stands in.
pub(super) fn read_all<'a>(
    table: &mut Cursor<'a>,
    purpose: Purpose,
    metrics: &[(&'static str, Metric)],
) -> Vec<(Entry<'a>, Option<Objective>)> {
    let mut found: Vec<_> = metrics
        .iter()
        .filter_map(|(key, metric)| {
            let entry = table.get(key)?;
            let objective = read(&entry, *metric, purpose);
            Some((entry, objective))
        })
        .collect();
    found.sort_by_key(|(entry, _)| entry.key_span.start);
    found
}

fn read(entry: &Entry<'_>, metric: Metric, purpose: Purpose) -> Option<Objective> {
    let objective = entry.parse(|text| parse(text, metric, purpose))?;
    let up = matches!(objective.relation, Relation::AtLeast | Relation::MoreThan);
    let wants_up = is_good_when_high(metric) == (purpose == Purpose::Slo);
    if up == wants_up {
        return Some(objective);
    }
    let text = entry.text().unwrap_or_default();
    let turned = turn(&text);
    let problem = match purpose {
        Purpose::Slo => entry
            .problem(format!(
                "{} {} is no promise",
                quote(entry.key),
                quote(&text)
            ))
            .expected(if wants_up {
                "it gets better upwards"
            } else {
                "it gets better downwards"
            })
            .hint(format!("did you mean \"{turned}\"?")),
        Purpose::Guard => entry
            .problem(format!(
                "{} {} would stop a healthy run",
                quote(entry.key),
                quote(&text)
            ))
            .expected("a guard stops the run when this holds")
            .hint(format!("did you mean \"{turned}\"?")),
    };
    entry.report(problem);
    None
}

fn is_good_when_high(metric: Metric) -> bool {
    matches!(metric, Metric::Success | Metric::Throughput)
}

fn turn(text: &str) -> String {
    let text = text.trim();
    match text.split_at_checked(1) {
        Some(("<", rest)) => format!(">{rest}"),
        Some((_, rest)) => format!("<{rest}"),
        None => String::new(),
    }
}

fn parse(text: &str, metric: Metric, purpose: Purpose) -> Result<Objective, String> {
    let (relation, value) = split(text).ok_or_else(|| expectation(metric, purpose))?;
    let value = match metric {
        Metric::Success => value.parse::<Share>()?.0,
        Metric::Throughput => value.parse::<Rate>()?.0,
        _ => parse_duration(value)?.as_secs_f64() * 1e3,
    };
    Ok(Objective {
        metric,
        relation,
        value,
    })
}

fn split(text: &str) -> Option<(Relation, &str)> {
    let text = text.trim();
    [
        (">=", Relation::AtLeast),
        ("<=", Relation::AtMost),
        (">", Relation::MoreThan),
        ("<", Relation::LessThan),
    ]
    .into_iter()
    .find_map(|(sign, relation)| Some((relation, text.strip_prefix(sign)?.trim())))
}

fn expectation(metric: Metric, purpose: Purpose) -> String {
    let value = match (metric, purpose) {
        (Metric::Success, Purpose::Slo) => ">= 99%",
        (Metric::Success, Purpose::Guard) => "< 20%",
        (Metric::Throughput, Purpose::Slo) => ">= 40/s",
        (Metric::Throughput, Purpose::Guard) => "< 5/s",
        (_, Purpose::Slo) => "<= 250ms",
        (_, Purpose::Guard) => "> 2s",
    };
    format!("expected a relation and a value, such as \"{value}\"")
}

/// Reports an objective that this probe can only meet or only miss, whatever the system does.
pub(super) fn check_range(entry: &Entry<'_>, objective: &Objective, probe: &Probe) {
    let Objective {
        metric,
        relation,
        value,
    } = *objective;
    let (always, never, why) = match metric {
        Metric::Success => (
            value <= 0.0 && relation == Relation::AtLeast,
            value >= 1.0 && relation == Relation::MoreThan
                || value <= 0.0 && relation == Relation::LessThan,
            "a share is from 0% to 100%".to_owned(),
        ),
        Metric::Throughput => (
            false,
            relation == Relation::AtLeast && value > probe.rate.0
                || relation == Relation::MoreThan && value >= probe.rate.0,
            format!("probe `{}` sends {}", probe.name, probe.rate),
        ),
        Metric::Outage | Metric::Recovery => (
            false,
            value <= 0.0 && relation == Relation::LessThan,
            "no time is less than none".to_owned(),
        ),
        _ => {
            let timeout = probe.timeout.as_secs_f64() * 1e3;
            let upwards = matches!(relation, Relation::AtLeast | Relation::MoreThan);
            (
                value > timeout && !upwards,
                value > timeout && upwards || value <= 0.0 && !upwards,
                format!(
                    "requests of probe `{}` are given up after {}",
                    probe.name,
                    format_duration(probe.timeout)
                ),
            )
        }
    };
    if metric == Metric::Success && relation == Relation::AtLeast && value >= 1.0 {
        let problem = entry.problem("no number of samples can support this");
        return entry.report(problem.expected("less than 100%: 2995 good samples support 99.9%"));
    }
    let message = match (always, never) {
        (true, _) => "this holds whatever the system does",
        (_, true) => "this cannot hold whatever the system does",
        _ => return,
    };
    let problem = entry.problem(message).expected(why);
    entry.report(match metric {
        Metric::Success | Metric::Outage | Metric::Recovery => problem,
        Metric::Throughput => problem.hint(format!("raise the `rate` of probe `{}`", probe.name)),
        _ if value <= 0.0 => problem,
        _ => problem.hint(format!(
            "raise the `timeout` of probe `{}` above {}",
            probe.name,
            format_duration(Duration::from_secs_f64(value / 1e3))
        )),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_relation_and_value_in_the_metrics_unit() {
        let read = |text, metric| {
            let objective = parse(text, metric, Purpose::Slo).unwrap();
            (objective.relation, objective.value)
        };
        assert_eq!(read(">= 95%", Metric::Success), (Relation::AtLeast, 0.95));
        assert_eq!(read(">30/m", Metric::Throughput), (Relation::MoreThan, 0.5));
        assert_eq!(read("<=1.5s", Metric::P99), (Relation::AtMost, 1500.0));
        assert_eq!(
            read(" < 250ms ", Metric::Outage),
            (Relation::LessThan, 250.0)
        );
    }

    #[test]
    fn a_relation_and_a_unit_are_required() {
        for (text, metric) in [
            ("99%", Metric::Success),
            (">= 0.99", Metric::Success),
            ("<= 250", Metric::P99),
            ("= 1s", Metric::Max),
            ("", Metric::Recovery),
        ] {
            assert!(parse(text, metric, Purpose::Slo).is_err(), "{text}");
        }
    }
}
