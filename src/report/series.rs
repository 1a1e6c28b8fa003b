//! A series for a terminal: the verdict over all its runs, each of them, and how much they differ.

use comfy_table::{Color, Table};

use super::compare::spread;
use super::table::{View, ansi};
use super::text::plain;
use crate::verdict::{Series, SeriesRow, Verdict};

/// The series as text of at most `width` columns (a word that is longer gets broken).
pub fn render(series: &Series, width: usize, color: bool) -> String {
    let view = View::new(width, color);
    let mut parts = vec![head(series, view)];
    parts.extend(view.section("Runs", run_table(series, view)));
    parts.extend(view.section("Spread", spread_table(series, view)));
    parts.join("\n")
}

fn head(series: &Series, view: View) -> String {
    let name = plain(series.title.as_ref().unwrap_or(&series.scenario));
    let word = view.word(series.verdict.word(), ansi(series.verdict));
    let runs = match series.runs.len() {
        0 => "no run".into(),
        1 => format!("1 run, seed {}", series.seed),
        n => format!("{n} runs, seeds from {}", series.seed),
    };
    let text = series.summary.split_once(": ");
    format!(
        "{word}  {name} ({runs})\n{}",
        view.wrapped("  ", text.map_or("", |(_, text)| text))
    )
}

fn run_table(series: &Series, view: View) -> Option<Table> {
    let mut table = view.table(["run", "seed", "verdict", "why"], &[0, 1]);
    for (index, run) in series.runs.iter().enumerate() {
        let color = match run.verdict {
            Verdict::Passed => Color::Green,
            Verdict::Failed | Verdict::Dirty => Color::Red,
            _ => Color::Yellow,
        };
        let why = run.summary.split_once(": ").map_or("", |(_, text)| text);
        table.add_row([
            view.cell(&(index + 1).to_string(), None),
            view.cell(&run.seed.to_string(), None),
            view.cell(run.verdict.word(), Some(color)),
            view.cell(why, None),
        ]);
    }
    (!series.runs.is_empty()).then_some(table)
}

fn spread_table(series: &Series, view: View) -> Option<Table> {
    let header = [
        "probe",
        "during",
        "metric",
        "objective",
        "least < median < most",
        "met",
    ];
    let mut table = view.table(header, &[3, 4, 5]);
    for row in &series.rows {
        let (met, color) = met(series, row);
        table.add_row([
            view.cell(&row.probe, None),
            view.cell(&row.during, None),
            view.cell(&row.metric, None),
            view.cell(row.objective.as_deref().unwrap_or("-"), None),
            view.cell(&spread(&row.metric, &row.spread), None),
            view.cell(&met, color),
        ]);
    }
    (!series.rows.is_empty()).then_some(table)
}

fn met(series: &Series, row: &SeriesRow) -> (String, Option<Color>) {
    let of = series.runs.len();
    match row.met {
        None => ("-".into(), None),
        Some(met) if met == of => (format!("{met}/{of}"), Some(Color::Green)),
        Some(met) => (format!("{met}/{of}"), Some(Color::Red)),
    }
}
