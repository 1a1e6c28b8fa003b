//! The verdict for a terminal: first what it is and why, then SLOs, steps and probes.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use super::text::plain;
use super::words;
use crate::verdict::{Report, Verdict, milliseconds};

/// Below this nothing is legible anyway.
const NARROWEST: usize = 40;

/// The report as text of at most `width` columns (a word that is longer gets broken).
pub fn render(report: &Report, width: usize, color: bool) -> String {
    let view = View::new(width, color);
    let mut parts = vec![view.head(report)];
    parts.extend(view.section("SLOs", slo_table(report, view)));
    parts.extend(view.section("Steps", step_table(report, view)));
    parts.extend(view.section("Probes", probe_table(report, view)));
    parts.extend(view.section("By hand", hand_table(report, view)));
    parts.join("\n")
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
        let name = words::name(report);
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
        table.add_row([
            view.cell(&slo.probe, None),
            view.cell(&slo.during, None),
            view.cell(&slo.metric, None),
            view.cell(&slo.objective, None),
            view.cell(&words::measured(slo), None),
            view.cell(&words::bound(slo), None),
            view.cell(&slo.samples.to_string(), None),
            view.cell(words::met(slo), Some(tone(slo.met, Color::Yellow))),
        ]);
    }
    (!report.slos.is_empty()).then_some(table)
}

fn step_table(report: &Report, view: View) -> Option<Table> {
    let header = [
        "step", "fault", "hit", "injected", "effect", "recovery", "revert",
    ];
    let mut table = view.table(header, &[3]);
    for step in &report.steps {
        let (mut effect, proven) = words::effect(step);
        if let (Some(true), Some(from), Some(to)) = (proven, step.injecting_ms, step.injected_ms) {
            // Round trips may have shown it later.
            effect = format!("in force in {}", words::milliseconds(to - from));
        }
        if step.reapplied > 0 {
            effect.push_str(&format!(", re-applied {} ×", step.reapplied));
        }
        if let Some(packets) = words::all_packets(step) {
            effect.push_str(&format!("; {packets}"));
        }
        let (revert, verified) = words::revert(step);
        table.add_row([
            view.cell(&step.name, None),
            view.cell(&step.fault, None),
            view.cell(&step.instances.join(", "), None),
            view.cell(&words::or_none(step.injecting_ms.map(words::at)), None),
            view.cell(&effect, Some(tone(proven, Color::Yellow))),
            view.cell(&words::recovery(&step.recovery_ms, step), None),
            view.cell(&revert, Some(tone(verified, Color::DarkGrey))),
        ]);
    }
    (!report.steps.is_empty()).then_some(table)
}

/// The colour of what is as it should be, and of what is not.
fn tone(well: Option<bool>, otherwise: Color) -> Color {
    match well {
        Some(true) => Color::Green,
        Some(false) => Color::Red,
        None => otherwise,
    }
}

fn probe_table(report: &Report, view: View) -> Option<Table> {
    let header = ["probe", "sent", "good", "p50", "p95", "p99", "max", "bad"];
    let mut table = view.table(header, &[1, 2, 3, 4, 5, 6]);
    for probe in &report.probes {
        let latency = |of: fn(&crate::verdict::LatencyRow) -> f64| {
            let found = probe.latency_ms.as_ref().map(of);
            view.cell(&words::or_none(found.map(milliseconds)), None)
        };
        table.add_row([
            view.cell(&probe.name, None),
            view.cell(&format!("{}/{}", probe.sent, probe.planned), None),
            view.cell(&words::good_share(probe.planned, probe.good), None),
            latency(|row| row.p50),
            latency(|row| row.p95),
            latency(|row| row.p99),
            latency(|row| row.max),
            view.cell(&words::bad(probe), None),
        ]);
    }
    (!report.probes.is_empty()).then_some(table)
}

/// What people made the run do, and what they had to remark.
fn hand_table(report: &Report, view: View) -> Option<Table> {
    let notes = report.notes.iter().map(|note| {
        let by = note.by.as_deref().unwrap_or("chaosrun");
        (note.at_ms, by, format!("note: {}", note.text))
    });
    let commands = report.commands.iter();
    let mut rows: Vec<_> = commands
        .map(|command| (command.at_ms, command.by.as_str(), command.what.clone()))
        .chain(notes)
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut table = view.table(["at", "from", "what"], &[]);
    for (ms, by, what) in &rows {
        table.add_row([words::at(*ms).as_str(), by, what].map(|text| view.cell(text, None)));
    }
    (!rows.is_empty()).then_some(table)
}

pub(super) fn ansi(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Passed => 32,
        Verdict::Inconclusive | Verdict::Aborted | Verdict::Interrupted => 33,
        Verdict::Failed | Verdict::Dirty => 31,
    }
}
