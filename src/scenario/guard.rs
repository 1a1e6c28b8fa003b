//! `[[guards]]`: conditions that stop the run at once.

use std::time::Duration;

use super::cursor::Cursor;
use super::entry::Entry;
use super::hint::either;
use super::model::{Guard, Metric, Probe};
use super::objective::{METRICS, Purpose, check_range, read_all as read_objectives};

const OVER: Duration = Duration::from_secs(5);

pub(super) fn read_all(root: &mut Cursor<'_>, probes: &[Probe]) -> Vec<Guard> {
    let section = root.get("guards");
    let tables = section.map(|section| section.items("[[guards]]"));
    tables
        .iter()
        .flatten()
        .filter_map(|entry| read(entry, probes))
        .collect()
}

fn read(entry: &Entry<'_>, probes: &[Probe]) -> Option<Guard> {
    let mut table = entry.table("this guard", "[[guards]]")?;
    let probe = table.required("probe", "probe = \"NAME\"");
    let probe = probe.and_then(|probe| probe.probe());
    let over = table.duration("over").unwrap_or(OVER);
    refuse_slow(&mut table);
    let objectives = read_objectives(&mut table, Purpose::Guard, &METRICS[..8]);
    let slow = ["outage", "recovery"].iter().any(|key| table.has(key));
    let keys: Vec<&str> = watchable().collect();
    if objectives.is_empty() && !slow && !table.has_misspelt(&keys) {
        table.report(
            table
                .problem("this guard watches nothing")
                .expected(format!("expected one of {}", either(watchable())))
                .hint("add `success = \"< 20%\"`")
                .absence(),
        );
    }
    if let [(first, _), others @ ..] = objectives.as_slice() {
        for (other, _) in others {
            let problem = other.key_problem("a guard watches one metric");
            table.report(
                problem
                    .also(first.key_span.clone(), "the first one")
                    .hint("give each its own `[[guards]]`"),
            );
        }
    }
    table.finish();
    let (entry, objective) = objectives.into_iter().next()?;
    let (probe, trips) = (probe?, objective?);
    if let Some(probe) = probes.iter().find(|known| known.name == probe) {
        check_range(&entry, &trips, probe);
    }
    Some(Guard { probe, trips, over })
}

fn watchable() -> impl Iterator<Item = &'static str> {
    METRICS[..8].iter().map(|(key, _)| *key)
}

/// A guard looks at the last few seconds, which tells neither.
fn refuse_slow(table: &mut Cursor<'_>) {
    for (key, metric) in METRICS {
        if matches!(metric, Metric::Outage | Metric::Recovery)
            && let Some(entry) = table.get(key)
        {
            table.report(
                entry
                    .key_problem(format!("a guard cannot watch `{key}`"))
                    .expected(format!("expected one of {}", either(watchable()))),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Relation;
    use crate::scenario::testing::{check, problems};

    const BASE: &str = "[probes.p]\ntcp = { address = \"a:1\" }\n[[guards]]\n";

    #[test]
    fn a_guard_trips_when_its_condition_holds() {
        let guards = check(&format!("{BASE}probe = \"p\"\nsuccess = \"< 20%\"\n")).guards;
        assert_eq!(guards[0].over, OVER);
        assert_eq!(guards[0].trips.relation, Relation::LessThan);
        assert_eq!(guards[0].trips.value, 0.2);
    }

    #[test]
    fn guards_that_make_no_sense() {
        let text = format!(
            "{BASE}probe = \"q\"\nsuccess = \">= 20%\"\np99 = \"> 2s\"\noutage = \"> 1s\"\n[[guards]]\nprobe = \"p\"\np99 = \"> 2s\"\n"
        );
        assert_eq!(
            problems(&text),
            [
                "4: no probe named `q` (known here: `p`)",
                "5: `success` `>= 20%` would stop a healthy run [a guard stops the run when this holds] (did you mean \"<= 20%\"?)",
                "6: a guard watches one metric (give each its own `[[guards]]`)",
                "7: a guard cannot watch `outage` [expected one of `success`, `p50`, `p90`, `p95`, `p99`, `p999`, `max` or `throughput`]",
                "10: this cannot hold whatever the system does [requests of probe `p` are given up after 1s] (raise the `timeout` of probe `p` above 2s)",
            ]
        );
    }
}
