//! Objectives as people write them, and what they mean for a number.

use std::time::Duration;

use crate::scenario::{Metric, Objective, Relation, Window};
use crate::units::{Rate, Share, format_duration};

/// Numbers that differ by less are the same: `99.9%` is no exact float.
const NEARLY: f64 = 1e-9;

/// Does this value keep it?
pub fn holds(objective: &Objective, value: f64) -> bool {
    let slack = NEARLY * objective.value.abs().max(1.0);
    match objective.relation {
        Relation::AtLeast => value >= objective.value - slack,
        Relation::AtMost => value <= objective.value + slack,
        Relation::MoreThan => value > objective.value + slack,
        Relation::LessThan => value < objective.value - slack,
    }
}

/// How far a value is on the right side, in the metric's unit.
pub(super) fn margin(objective: &Objective, value: f64) -> f64 {
    if wants_more(objective) {
        value - objective.value
    } else {
        objective.value - value
    }
}

pub(super) fn wants_more(objective: &Objective) -> bool {
    matches!(objective.relation, Relation::AtLeast | Relation::MoreThan)
}

/// Is the objective that things are well? "At most 1 % succeed" is not: it says how broken something must be.
pub(super) fn wants_health(objective: &Objective) -> bool {
    let more_is_better = matches!(objective.metric, Metric::Success | Metric::Throughput);
    wants_more(objective) == more_is_better
}

/// `>= 95%`
pub fn phrase(objective: &Objective) -> String {
    let relation = match objective.relation {
        Relation::AtLeast => ">=",
        Relation::MoreThan => ">",
        Relation::AtMost => "<=",
        Relation::LessThan => "<",
    };
    format!("{relation} {}", written(objective.metric, objective.value))
}

/// A measured value with its unit: `93.2%`, `312ms`, `41.2/s`.
pub fn amount(metric: Metric, value: f64) -> String {
    match metric {
        _ if !value.is_finite() => "unknown".into(),
        Metric::Success | Metric::Throughput => written(metric, value),
        _ => milliseconds(value),
    }
}

/// A measured value, with as many digits as it takes to tell it from the objective.
pub(super) fn beside(objective: &Objective, value: f64) -> String {
    let (metric, bare) = (objective.metric, written(objective.metric, objective.value));
    let text = amount(metric, value);
    if text != bare || (value - objective.value).abs() < NEARLY {
        return text;
    }
    match metric {
        Metric::Success => format!("{:.6}%", value * 100.0),
        Metric::Throughput => format!("{value:.6}/s"),
        _ => format!("{value:.3}ms"),
    }
}

/// A duration with four significant digits: more is noise.
pub fn milliseconds(value: f64) -> String {
    let digits = value.max(1e-3).log10().floor() as i32;
    let unit = 10_f64.powi((digits - 3).max(-3));
    duration((value / unit).round() * unit)
}

fn written(metric: Metric, value: f64) -> String {
    match metric {
        _ if !value.is_finite() => "unknown".into(),
        Metric::Success => Share(value).to_string(),
        Metric::Throughput if value > 0.0 => Rate(value).to_string(),
        Metric::Throughput => "0/s".into(),
        _ => duration(value),
    }
}

fn duration(ms: f64) -> String {
    format_duration(Duration::from_micros((ms * 1e3).round() as u64))
}

pub fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::Success => "success",
        Metric::P50 => "p50",
        Metric::P90 => "p90",
        Metric::P95 => "p95",
        Metric::P99 => "p99",
        Metric::P999 => "p999",
        Metric::Max => "max",
        Metric::Throughput => "throughput",
        Metric::Outage => "outage",
        Metric::Recovery => "recovery",
    }
}

/// A window as a scenario names it.
pub fn during(window: &Window) -> &str {
    match window {
        Window::Baseline => "baseline",
        Window::Fault => "fault",
        Window::Recovery => "recovery",
        Window::All => "all",
        Window::Step(name) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objective(metric: Metric, relation: Relation, value: f64) -> Objective {
        Objective {
            metric,
            relation,
            value,
        }
    }

    #[test]
    fn a_share_that_is_no_exact_float_is_met_exactly() {
        let slo = objective(Metric::Success, Relation::AtLeast, 99.9 / 100.0);
        assert!(holds(&slo, 999.0 / 1_000.0));
        assert!(!holds(&slo, 998.0 / 1_000.0));
        let above = objective(Metric::Success, Relation::MoreThan, 0.3);
        assert!(!holds(&above, 0.1 + 0.2));
        assert!(holds(&above, 0.301));
    }

    #[test]
    fn phrases_are_as_a_scenario_writes_them() {
        let phrase = |metric, relation, value| phrase(&objective(metric, relation, value));
        assert_eq!(phrase(Metric::Success, Relation::AtLeast, 0.95), ">= 95%");
        assert_eq!(phrase(Metric::P99, Relation::AtMost, 250.0), "<= 250ms");
        assert_eq!(
            phrase(Metric::Recovery, Relation::LessThan, 5_000.0),
            "< 5s"
        );
        assert_eq!(
            phrase(Metric::Throughput, Relation::MoreThan, 45.0),
            "> 45/s"
        );
        assert_eq!(
            phrase(Metric::P99, Relation::AtMost, 1_234.567),
            "<= 1.235s"
        );
        assert_eq!(amount(Metric::Throughput, 0.0), "0/s");
        assert_eq!(amount(Metric::Max, f64::NAN), "unknown");
    }

    #[test]
    fn measured_times_have_four_digits() {
        let of = |value| amount(Metric::P99, value);
        assert_eq!([of(0.0), of(0.8), of(9.74)], ["0s", "800us", "9.74ms"]);
        assert_eq!([of(823.807), of(999.99)], ["823.8ms", "1s"]);
        assert_eq!([of(5_579.4), of(61_234.0)], ["5.579s", "1m1s"]);
    }

    #[test]
    fn what_misses_by_a_hair_does_not_look_as_if_it_did_not() {
        let p99 = objective(Metric::P99, Relation::AtMost, 250.0);
        assert_eq!(beside(&p99, 250.0), "250ms");
        assert_eq!(beside(&p99, 250.04), "250.040ms");
        let success = objective(Metric::Success, Relation::AtLeast, 0.95);
        assert_eq!(beside(&success, 0.94998), "94.998000%");
        assert_eq!(beside(&success, 0.93), "93%");
    }

    #[test]
    fn margins_are_positive_where_it_holds() {
        let least = objective(Metric::Success, Relation::AtLeast, 0.5);
        let most = objective(Metric::P99, Relation::AtMost, 250.0);
        assert_eq!((margin(&least, 0.75), margin(&least, 0.25)), (0.25, -0.25));
        assert_eq!((margin(&most, 200.0), margin(&most, 300.0)), (50.0, -50.0));
    }

    #[test]
    fn an_objective_may_want_things_broken() {
        assert!(wants_health(&objective(
            Metric::Success,
            Relation::AtLeast,
            0.5
        )));
        assert!(!wants_health(&objective(
            Metric::Success,
            Relation::AtMost,
            0.5
        )));
        assert!(wants_health(&objective(
            Metric::Outage,
            Relation::AtMost,
            5.0
        )));
        assert!(!wants_health(&objective(
            Metric::P99,
            Relation::AtLeast,
            5.0
        )));
    }
}
