//! Two sets of runs of a scenario, one before a change and one after: what got better, what worse, and what may be chance.
//!
//! A measure is worse when its median is beyond the stated margin *and* the runs are so far apart that chance would bring that
//! about in at most 5 % of all cases: a rank sum test over the runs, so the spread between runs counts and no shape of it is
//! assumed. Three runs a side are the fewest that can tell. Of single runs only success rates can be held against each other
//! (Fisher's exact test over the samples). What is beyond the margin and may be chance is `unclear`, never "the same".
//!
//! Comparing B with A gives the mirror image of comparing A with B.

pub(crate) mod measures;
mod notes;
mod rank;
mod row;

pub(crate) use self::measures::metric;
use self::measures::{Key, Value, is_comparable, median};
pub use self::row::*;
use super::objective::amount;
use crate::scenario::Metric;

/// What may go wrong: a difference that is none is told in so large a share of all cases.
const ALPHA: f64 = 0.05;

/// Shares that differ by less are the same: a tenth of a percentage point.
const LEAST_SHARE: f64 = 0.001;

/// Holds the runs after a change against those before it.
pub fn compare(before: &[Played], after: &[Played], margin: Margin) -> Comparison {
    let rows = rows(before, after, margin);
    let mut unusable = unusable_in("A", before);
    unusable.extend(unusable_in("B", after));
    if unusable.is_empty() && rows.is_empty() {
        unusable.push("A and B have no measure in common".into());
    }
    let change = overall(&rows, &unusable);
    let notes = notes::notes(before, after, &rows);
    Comparison {
        version: COMPARISON_VERSION,
        before: side(before),
        after: side(after),
        max_regression: margin.share,
        least_ms: margin.least_ms,
        change,
        exit_code: exit_code(change),
        summary: summary(change, &rows, &unusable),
        reasons: unusable,
        notes,
        rows,
    }
}

fn side(runs: &[Played]) -> SideRow {
    let unique = |of: fn(&Played) -> &String| {
        let mut all: Vec<String> = runs.iter().map(|run| of(run).clone()).collect();
        all.sort();
        all.dedup();
        all.join(", ")
    };
    SideRow {
        scenario: unique(|run| &run.report.scenario),
        chaosrun: unique(|run| &run.report.chaosrun),
        runs: runs.iter().map(|run| run.report.run.clone()).collect(),
    }
}

fn unusable_in(side: &str, runs: &[Played]) -> Vec<String> {
    let mut found: Vec<String> = runs
        .iter()
        .filter(|run| !is_comparable(&run.report))
        .map(|run| {
            format!(
                "run {} of {side} was {}",
                run.report.run, run.report.summary
            )
        })
        .collect();
    if runs.is_empty() {
        found.push(format!("{side} holds no run"));
    }
    found
}

/// Of every measure that both sides have.
fn rows(before: &[Played], after: &[Played], margin: Margin) -> Vec<ComparisonRow> {
    let (before, after) = (gather(before), gather(after));
    let both = before.iter().filter_map(|(key, values)| {
        let (_, others) = after.iter().find(|(other, _)| other == key)?;
        row(key, values, others, margin)
    });
    both.collect()
}

/// By measure, in the order in which the first run that has it tells it.
pub(crate) fn gather(runs: &[Played]) -> Vec<(Key, Vec<Value>)> {
    let mut all: Vec<(Key, Vec<Value>)> = Vec::new();
    for (key, value) in runs.iter().flat_map(|run| measures::of(&run.report)) {
        match all.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => all.push((key, vec![value])),
        }
    }
    all
}

fn row(key: &Key, before: &[Value], after: &[Value], margin: Margin) -> Option<ComparisonRow> {
    let kind = metric(&key.metric)?;
    let middle = |values: &[Value]| median(values.iter().map(|value| value.span.high));
    let (from, to) = (middle(before)?, middle(after)?);
    let worse = is_beyond(kind, from, to, margin);
    let better = is_beyond(kind, to, from, margin);
    let (chance, least) = match (worse, better) {
        (true, _) => by_chance(before, after),
        (_, true) => by_chance(after, before),
        _ => (None, None),
    };
    let told = chance.is_some_and(|chance| chance <= ALPHA);
    let change = match (worse, better) {
        (true, _) if told => Change::Worse,
        (_, true) if told => Change::Better,
        (false, false) => Change::Same,
        _ => Change::Unclear,
    };
    Some(ComparisonRow {
        probe: key.probe.clone(),
        during: key.during.clone(),
        metric: key.metric.clone(),
        before: spread(before),
        after: spread(after),
        ratio: ratio(from, to),
        chance,
        change,
        leans_worse: worse,
        detail: detail(kind, key, (before, after), change, worse, (chance, least)),
    })
}

/// The larger is the worse.
fn is_beyond(metric: Metric, from: f64, to: f64, margin: Margin) -> bool {
    let grown = 1.0 + margin.share;
    match metric {
        Metric::Success => to > from * grown && to - from > LEAST_SHARE,
        // Rates are held with their sign turned.
        Metric::Throughput => -from > -to * grown,
        _ => to > from * grown && to - from > margin.least_ms,
    }
}

/// The probability that the second is so much larger by chance, and the least that so many runs could have shown.
fn by_chance(small: &[Value], large: &[Value]) -> (Option<f64>, Option<f64>) {
    if let ([one], [other]) = (small, large)
        && let (Some(one), Some(other)) = (one.bad, other.bad)
    {
        return (Some(rank::more_by_chance(one, other)), None);
    }
    let spans = |values: &[Value]| values.iter().map(|value| value.span).collect::<Vec<_>>();
    let least = rank::least(small.len(), large.len());
    let chance = rank::larger_by_chance(&spans(small), &spans(large));
    ((least <= ALPHA).then_some(chance), Some(least))
}

pub(crate) fn spread(values: &[Value]) -> SpreadRow {
    let shown = || values.iter().map(|value| value.shown);
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    SpreadRow {
        runs: values.len(),
        min: finite(shown().reduce(f64::min)),
        median: finite(median(shown())),
        max: finite(shown().reduce(f64::max)),
    }
}

fn ratio(from: f64, to: f64) -> Option<f64> {
    let ratio = to / from;
    (ratio.is_finite() && from != 0.0).then_some(ratio)
}

/// A spread's middle in words: a recovery that never came has no number.
pub(crate) fn told(metric: Metric, value: Option<f64>) -> String {
    match value {
        Some(value) => amount(metric, value),
        None if metric == Metric::Recovery => "never".into(),
        None => "unknown".into(),
    }
}

fn detail(
    kind: Metric,
    key: &Key,
    (before, after): (&[Value], &[Value]),
    change: Change,
    worse: bool,
    (chance, least): (Option<f64>, Option<f64>),
) -> String {
    let from = told(kind, spread(before).median);
    let to = told(kind, spread(after).median);
    let head = format!(
        "{} {} during {} went from {from} to {to}",
        key.probe, key.metric, key.during
    );
    let runs = match (before.len(), after.len()) {
        (1, 1) => "one run a side is".to_owned(),
        (a, b) => format!("{a} and {b} runs are"),
    };
    match (change, chance) {
        (Change::Same, _) => format!("{head}, within the margin"),
        (Change::Unclear, None) if least.is_some() => {
            format!("{head}, and {runs} too few to tell that from chance: repeat it")
        }
        (Change::Unclear, _) => format!(
            "{head}, which may be chance ({})",
            likely(chance.unwrap_or(1.0))
        ),
        _ => format!(
            "{head}, {} beyond the margin ({})",
            if worse { "worse" } else { "better" },
            likely(chance.unwrap_or(0.0))
        ),
    }
}

/// No chance is none at all.
fn likely(chance: f64) -> String {
    match chance {
        ..0.0005 => "p < 0.001".into(),
        _ => format!("p = {chance:.3}"),
    }
}

fn overall(rows: &[ComparisonRow], unusable: &[String]) -> Change {
    let any = |change| rows.iter().any(|row| row.change == change);
    let leans_worse = |row: &ComparisonRow| row.change == Change::Unclear && row.leans_worse;
    if !unusable.is_empty() {
        Change::Unclear
    } else if any(Change::Worse) {
        Change::Worse
    } else if rows.iter().any(leans_worse) {
        Change::Unclear
    } else if any(Change::Better) {
        Change::Better
    } else {
        Change::Same
    }
}

/// What cannot be told is no pass.
fn exit_code(change: Change) -> u8 {
    match change {
        Change::Same | Change::Better => 0,
        Change::Worse => 1,
        Change::Unclear => 3,
    }
}

fn summary(change: Change, rows: &[ComparisonRow], unusable: &[String]) -> String {
    let of = |change: Change, worse: Option<bool>| {
        let fits = |row: &&ComparisonRow| {
            row.change == change && worse.is_none_or(|worse| row.leans_worse == worse)
        };
        let mut found = rows.iter().filter(fits);
        let first = found.next().map(|row| row.detail.clone());
        (first.unwrap_or_default(), found.count())
    };
    let more = |(text, rest): (String, usize)| match rest {
        0 => text,
        rest => format!("{text} (and {rest} more)"),
    };
    match (change, unusable.split_first()) {
        (_, Some((first, rest))) => {
            format!("unclear: {}", more((first.clone(), rest.len())))
        }
        (Change::Worse, _) => format!("worse: {}", more(of(change, None))),
        (Change::Unclear, _) => format!("unclear: {}", more(of(change, Some(true)))),
        (Change::Better, _) => format!("better: {}", more(of(change, None))),
        (Change::Same, _) => format!(
            "same: no difference beyond the margin in {} measures",
            rows.len()
        ),
    }
}
