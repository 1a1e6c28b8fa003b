//! A comparison for a terminal: what it comes to and why, then a row a measure.

use comfy_table::{Color, Table};

use super::table::View;
use super::text::plain;
use crate::scenario::Metric;
use crate::units::Share;
use crate::verdict::compare::{Change, Comparison, ComparisonRow, SpreadRow, metric, told};
use crate::verdict::milliseconds;

/// The comparison as text of at most `width` columns (a word that is longer gets broken).
pub fn render(comparison: &Comparison, width: usize, color: bool) -> String {
    let view = View::new(width, color);
    let mut parts = vec![head(comparison, view)];
    parts.extend(view.section("Measures", table(comparison, view)));
    parts.join("\n")
}

fn head(comparison: &Comparison, view: View) -> String {
    let word = view.word(comparison.change.word(), ansi(comparison.change));
    let runs = |n: usize| {
        if n == 1 {
            "1 run".into()
        } else {
            format!("{n} runs")
        }
    };
    let (before, after) = (&comparison.before, &comparison.after);
    let named = [after, before].map(|side| plain(&side.scenario));
    let name = named.iter().find(|name| !name.is_empty());
    let mut out = format!(
        "{word}  {}: {} before, {} after\n",
        name.map_or("nothing", String::as_str),
        runs(before.runs.len()),
        runs(after.runs.len())
    );
    if comparison.reasons.is_empty() {
        let summary = &comparison.summary;
        let text = summary.split_once(": ").map_or("", |(_, text)| text);
        out.push_str(&view.wrapped("  ", text));
    }
    for reason in &comparison.reasons {
        out.push_str(&view.wrapped("- ", reason));
    }
    out.push_str(&view.wrapped(
        "  ",
        &format!(
            "a regression is more than {} worse, for times also by more than {}, and not to be put down to chance (p <= 0.05)",
            Share(comparison.max_regression),
            milliseconds(comparison.least_ms)
        ),
    ));
    for note in &comparison.notes {
        out.push_str(&view.wrapped("note: ", note));
    }
    out
}

fn ansi(change: Change) -> u8 {
    match change {
        Change::Same | Change::Better => 32,
        Change::Unclear => 33,
        Change::Worse => 31,
    }
}

fn table(comparison: &Comparison, view: View) -> Option<Table> {
    let header = [
        "probe", "during", "metric", "before", "after", "change", "p", "is",
    ];
    let mut table = view.table(header, &[3, 4, 5, 6]);
    for row in &comparison.rows {
        let (word, color) = match (row.change, row.leans_worse) {
            (Change::Same, _) => ("same", Color::DarkGrey),
            (Change::Better, _) => ("better", Color::Green),
            (Change::Worse, _) => ("WORSE", Color::Red),
            (Change::Unclear, true) => ("worse?", Color::Yellow),
            (Change::Unclear, false) => ("better?", Color::Yellow),
        };
        table.add_row([
            view.cell(&row.probe, None),
            view.cell(&row.during, None),
            view.cell(&row.metric, None),
            view.cell(&spread(&row.metric, &row.before), None),
            view.cell(&spread(&row.metric, &row.after), None),
            view.cell(&change(row), None),
            view.cell(&row.chance.map_or("-".into(), chance), None),
            view.cell(word, Some(color)),
        ]);
    }
    (!comparison.rows.is_empty()).then_some(table)
}

/// `12ms`, or of several runs `10ms < 12ms < 15ms`: the least, the median and the most.
pub(super) fn spread(metric_name: &str, of: &SpreadRow) -> String {
    let metric = metric(metric_name).unwrap_or(Metric::Max);
    let text = |value| told(metric, value);
    if of.runs == 1 || (of.min == of.max && of.min.is_some()) {
        return text(of.median);
    }
    format!("{} < {} < {}", text(of.min), text(of.median), text(of.max))
}

fn chance(p: f64) -> String {
    match p {
        ..0.0005 => "<0.001".into(),
        _ => format!("{p:.3}"),
    }
}

/// Of the time, or of the share of bad samples.
fn change(row: &ComparisonRow) -> String {
    let percent = row.ratio.map(|ratio| (ratio - 1.0) * 100.0);
    match percent {
        None => "-".into(),
        Some(percent) if percent.abs() < 0.5 => "0%".into(),
        Some(percent) if percent >= 1000.0 => format!("x{:.0}", percent / 100.0 + 1.0),
        Some(percent) => format!("{percent:+.0}%"),
    }
}
