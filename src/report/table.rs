//! The verdict for a terminal: first what it is and why, then SLOs, steps and probes.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use super::text::plain;
use crate::scenario::Metric;
use crate::verdict::{
    ProbeRow, RecoveryRow, Report, SloRow, StepRow, Verdict, amount, milliseconds, ranked,
};

/// Below this nothing is legible anyway.
const NARROWEST: usize = 40;

/// The report as text of at most `width` columns (a word that is longer gets broken).
pub fn render(report: &Report, width: usize, color: bool) -> String {
    let view = View::new(width, color);
    let mut parts = vec![view.head(report)];
    parts.extend(view.section("SLOs", slo_table(report, view)));
    parts.extend(view.section("Steps", step_table(report, view)));
    parts.extend(view.section("Probes", probe_table(report, view)));
    let mut out = parts.join("\n");
    out.push('\n');
    out
}

/// A terminal of so many columns.
#[derive(Clone, Copy)]
pub(super) struct View {
    width: usize,
    color: bool,
}

impl View {
    pub(super) fn new(width: usize, color: bool) -> Self {
        let width = width.clamp(NARROWEST, 400);
        Self { width, color }
    }

    fn head(self, report: &Report) -> String {
        let name = plain(report.title.as_ref().unwrap_or(&report.scenario));
        let word = self.word(report.verdict.word(), ansi(report.verdict));
        let mut out = format!("{word}  {name} (seed {})\n", report.seed);
        if report.reasons.is_empty() {
            let text = report.summary.split_once(": ").map_or("", |(_, text)| text);
            out.push_str(&self.wrapped("  ", text));
        }
        for reason in &report.reasons {
            out.push_str(&self.wrapped("- ", reason));
        }
        out
    }

    /// What it all comes to, loud.
    pub(super) fn word(self, word: &str, ansi: u8) -> String {
        let word = word.to_uppercase();
        if self.color {
            format!("\x1b[1;{ansi}m{word}\x1b[0m")
        } else {
            word
        }
    }

    pub(super) fn section(self, title: &str, table: Option<Table>) -> Option<String> {
        let table = table?;
        let title = if self.color {
            format!("\x1b[1m{title}\x1b[0m")
        } else {
            title.to_owned()
        };
        let rows: Vec<_> = table.lines().map(|l| l.trim_end().to_owned()).collect();
        Some(format!("{title}\n{}\n", rows.join("\n")))
    }

    /// Words broken into lines, the first with the mark, the others indented as far.
    pub(super) fn wrapped(self, mark: &str, text: &str) -> String {
        let mut out = String::new();
        let mut line = format!("  {mark}");
        let indent = line.chars().count();
        let mut empty = true;
        for word in plain(text).split(' ').filter(|word| !word.is_empty()) {
            if !empty && line.chars().count() + 1 + word.chars().count() > self.width {
                out.push_str(&line);
                out.push('\n');
                line = " ".repeat(indent);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        out + &line + "\n"
    }

    pub(super) fn table<const N: usize>(self, header: [&str; N], right: &[usize]) -> Table {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.width as u16)
            .set_header(
                header
                    .iter()
                    .map(|text| self.cell(text, Some(Color::DarkGrey))),
            );
        if self.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((if index == 0 { 2 } else { 0 }, 2));
            if right.contains(&index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    pub(super) fn cell(self, text: &str, color: Option<Color>) -> Cell {
        let cell = Cell::new(plain(text));
        match color {
            Some(color) if self.color => cell.fg(color),
            _ => cell,
        }
    }
}

fn slo_table(report: &Report, view: View) -> Option<Table> {
    let header = [
        "probe",
        "during",
        "metric",
        "objective",
        "measured",
        "95% bound",
        "samples",
        "met",
    ];
    let mut table = view.table(header, &[4, 5, 6]);
    for slo in &report.slos {
        let (met, color) = match slo.met {
            Some(true) => ("yes", Color::Green),
            Some(false) => ("NO", Color::Red),
            None => ("?", Color::Yellow),
        };
        let value = |value: Option<f64>| {
            let metric = metric(&slo.metric);
            value.map_or_else(|| "-".into(), |value| amount(metric, value))
        };
        table.add_row([
            view.cell(&slo.probe, None),
            view.cell(&slo.during, None),
            view.cell(&slo.metric, None),
            view.cell(&slo.objective, None),
            view.cell(&measured(slo).unwrap_or_else(|| value(slo.measured)), None),
            view.cell(&value(slo.bound), None),
            view.cell(&slo.samples.to_string(), None),
            view.cell(met, Some(color)),
        ]);
    }
    (!report.slos.is_empty()).then_some(table)
}

/// An interval, for recovery.
fn measured(slo: &SloRow) -> Option<String> {
    slo.interval_ms.map(interval)
}

fn interval((bad, good): (f64, Option<f64>)) -> String {
    match good {
        Some(good) => format!("{} .. {}", milliseconds(bad), milliseconds(good)),
        None => format!("> {}", milliseconds(bad)),
    }
}

fn step_table(report: &Report, view: View) -> Option<Table> {
    let header = [
        "step", "fault", "hit", "injected", "effect", "recovery", "revert",
    ];
    let mut table = view.table(header, &[3]);
    for step in &report.steps {
        let (effect, effect_color) = effect(step);
        let (revert, revert_color) = revert(step);
        table.add_row([
            view.cell(&step.name, None),
            view.cell(&step.fault, None),
            view.cell(&step.instances.join(", "), None),
            view.cell(&step.injected_ms.map_or_else(|| "-".into(), at), None),
            view.cell(&effect, Some(effect_color)),
            view.cell(&recovery(&step.recovery_ms, step), None),
            view.cell(&revert, Some(revert_color)),
        ]);
    }
    (!report.steps.is_empty()).then_some(table)
}

/// A moment of the run: `+10.003s`.
fn at(ms: f64) -> String {
    format!("+{}", milliseconds(ms))
}

fn effect(step: &StepRow) -> (String, Color) {
    match (&step.skipped, &step.effect) {
        (Some(skipped), _) => (format!("skipped: {}", skipped.why), Color::Yellow),
        (None, Some(effect)) if effect.proven => ("proven".into(), Color::Green),
        (None, Some(_)) => ("NOT PROVEN".into(), Color::Red),
        (None, None) => ("-".into(), Color::Yellow),
    }
}

fn revert(step: &StepRow) -> (String, Color) {
    match (&step.revert, step.injecting_ms) {
        (Some(revert), _) if revert.verified => ("verified".into(), Color::Green),
        (None, None) => ("-".into(), Color::DarkGrey),
        _ => ("NOT VERIFIED".into(), Color::Red),
    }
}

fn recovery(row: &RecoveryRow, step: &StepRow) -> String {
    match row.from_injection {
        Some(found) => interval(found),
        None if step.injecting_ms.is_some() => "never bad".into(),
        None => "-".into(),
    }
}

fn probe_table(report: &Report, view: View) -> Option<Table> {
    let header = ["probe", "sent", "good", "p50", "p95", "p99", "max", "bad"];
    let mut table = view.table(header, &[1, 2, 3, 4, 5, 6]);
    for probe in &report.probes {
        let latency = |of: fn(&crate::verdict::LatencyRow) -> f64| {
            let found = probe.latency_ms.as_ref().map(of);
            view.cell(&found.map_or_else(|| "-".into(), milliseconds), None)
        };
        table.add_row([
            view.cell(&probe.name, None),
            view.cell(&format!("{}/{}", probe.sent, probe.planned), None),
            view.cell(&share(probe), None),
            latency(|row| row.p50),
            latency(|row| row.p95),
            latency(|row| row.p99),
            latency(|row| row.max),
            view.cell(&bad(probe), None),
        ]);
    }
    (!report.probes.is_empty()).then_some(table)
}

fn share(probe: &ProbeRow) -> String {
    if probe.planned == 0 {
        return "-".into();
    }
    amount(Metric::Success, probe.good as f64 / probe.planned as f64)
}

/// The three most frequent reasons.
fn bad(probe: &ProbeRow) -> String {
    let reasons: Vec<_> = ranked(&probe.reasons)
        .into_iter()
        .take(3)
        .map(|(reason, count)| format!("{count} × {reason}"))
        .collect();
    reasons.join(", ")
}

fn metric(name: &str) -> Metric {
    match name {
        "success" => Metric::Success,
        "throughput" => Metric::Throughput,
        // All others are times.
        _ => Metric::Max,
    }
}

pub(super) fn ansi(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Passed => 32,
        Verdict::Inconclusive | Verdict::Aborted | Verdict::Interrupted => 33,
        Verdict::Failed | Verdict::Dirty => 31,
    }
}
