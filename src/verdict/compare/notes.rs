//! What a reader should know before believing a comparison: in what else the two sides differ.

use super::{ComparisonRow, Played, gather, side};

pub(super) fn notes(before: &[Played], after: &[Played], rows: &[ComparisonRow]) -> Vec<String> {
    let mut notes = Vec::new();
    // Where there is no run, there is nothing to differ.
    if before.is_empty() || after.is_empty() {
        return notes;
    }
    let (a, b) = (side(before), side(after));
    let mut differ = |what: &str, a: String, b: String| {
        if a != b {
            notes.push(format!("{what} differ: {a} and {b}"));
        }
    };
    differ("the scenarios", a.scenario, b.scenario);
    differ("the versions of chaosrun", a.chaosrun, b.chaosrun);
    differ("the engines", engines(before), engines(after));
    differ("the variables", vars(before), vars(after));
    let text = |runs: &[Played]| runs.first().map(|run| run.source.clone());
    if before
        .iter()
        .chain(after)
        .any(|run| Some(&run.source) != text(before).as_ref())
    {
        notes.push("the scenario's text is not the same in all runs".into());
    }
    let only = |here: &[Played], there: &[Played]| {
        let there = gather(there);
        gather(here)
            .into_iter()
            .filter(|(key, _)| !there.iter().any(|(other, _)| other == key))
            .map(|(key, _)| format!("{} {} during {}", key.probe, key.metric, key.during))
            .collect::<Vec<_>>()
            .join(", ")
    };
    for (name, missing) in [("A", only(before, after)), ("B", only(after, before))] {
        if !missing.is_empty() {
            notes.push(format!("only {name} has {missing}"));
        }
    }
    if before.len() == 1 && after.len() == 1 && !rows.is_empty() {
        notes.push(
            "one run a side says nothing of how much runs differ: only success rates were tested; \
             three runs are the fewest that can tell, five are better"
                .into(),
        );
    }
    notes
}

fn engines(runs: &[Played]) -> String {
    let facts = runs.iter().filter_map(|run| run.report.engine.as_ref());
    let mut all: Vec<String> = facts
        .map(|facts| format!("{} {} on {}", facts.engine, facts.version, facts.kernel))
        .collect();
    all.sort();
    all.dedup();
    all.join(", ")
}

fn vars(runs: &[Played]) -> String {
    let pairs = |run: &Played| {
        let vars = run.report.vars.iter();
        vars.map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut all: Vec<String> = runs.iter().map(pairs).collect();
    all.sort();
    all.dedup();
    all.join(", ")
}
