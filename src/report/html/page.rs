//! One run's page.

use askama::Template;

use super::{harmless, policy, style, tone, tone_of};
use crate::history::{Header, Record};
use crate::report::plot::{self, Figure};
use crate::report::words;
use crate::verdict::{
    GuardRow, LatencyRow, ProbeRow, RecoveryRow, Report, SloRow, StepRow, milliseconds,
};

pub(in crate::report) fn render(record: &Record, report: &Report) -> String {
    let style = style();
    // A template that only writes into a string cannot fail.
    harmless(page(record, report, &style).render().unwrap_or_default())
}

/// The page's sections one by one, each with the id that its element has: for a page that shows a run while it happens.
pub fn sections(record: &Record, report: &Report) -> [(&'static str, String); 4] {
    let mut page = page(record, report, "");
    page.live = record.ended.is_none();
    [
        ("slos", page.as_slos().render()),
        ("timeline", page.as_timeline().render()),
        ("steps", page.as_steps().render()),
        ("record", page.as_record().render()),
    ]
    .map(|(id, html)| (id, harmless(html.unwrap_or_default())))
}

fn page<'a>(record: &'a Record, report: &'a Report, style: &'a str) -> Page<'a> {
    Page {
        policy: policy(style, Some(plot::SCRIPT)),
        style,
        script: plot::SCRIPT,
        name: words::name(report),
        lead: words::lead(report),
        tone: tone(report.verdict),
        figures: plot::figures(record, report),
        header: record.header.as_deref(),
        happened: told(happened(report)),
        by_hand: told(by_hand(report)),
        live: false,
        report,
    }
}

#[derive(Template)]
#[template(path = "html/page.html", blocks = ["slos", "timeline", "steps", "record"])]
struct Page<'a> {
    policy: String,
    style: &'a str,
    script: &'static str,
    name: String,
    lead: &'a str,
    tone: &'static str,
    figures: Vec<Figure>,
    header: Option<&'a Header>,
    happened: Vec<(String, String)>,
    by_hand: Vec<(String, String)>,
    /// It goes on: what has not come yet may still come.
    live: bool,
    report: &'a Report,
}

impl Page<'_> {
    /// To the second; what is not written as usual stays as it is.
    fn began(&self) -> String {
        let began = &self.report.began;
        let usual = began.ends_with('Z').then(|| began.get(..19)).flatten();
        usual.map_or_else(
            || began.clone(),
            |began| format!("{} UTC", began.replacen('T', " ", 1)),
        )
    }

    fn slo_tone(&self, slo: &SloRow) -> &'static str {
        tone_of(slo.met)
    }

    fn effect(&self, step: &StepRow) -> (&'static str, String) {
        let (text, well) = words::effect(step);
        (tone_of(well), text)
    }

    fn revert(&self, step: &StepRow) -> (&'static str, String) {
        if self.live && step.injecting_ms.is_some() && step.revert.is_none() {
            return ("open", "not yet".into());
        }
        let (text, well) = words::revert(step);
        (tone_of(well), text)
    }

    /// When what of it happened.
    fn course(&self, step: &StepRow) -> String {
        let parts = [
            ("injected", step.injecting_ms),
            ("in force", step.injected_ms),
            ("reverting", step.reverting_ms),
            ("undone", step.reverted_ms),
        ];
        let told: Vec<_> = parts
            .iter()
            .filter_map(|(what, at)| at.map(|at| format!("{what} {}", words::at(at))))
            .collect();
        told.join(", ")
    }

    fn latencies(&self, probe: &ProbeRow) -> [(&'static str, String); 4] {
        let of = |of: fn(&LatencyRow) -> f64| {
            words::or_none(probe.latency_ms.as_ref().map(of).map(milliseconds))
        };
        [
            ("p50", of(|row| row.p50)),
            ("p95", of(|row| row.p95)),
            ("p99", of(|row| row.p99)),
            ("Max", of(|row| row.max)),
        ]
    }

    fn lateness(&self, probe: &ProbeRow) -> String {
        words::or_none(probe.lateness_p99_ms.map(milliseconds))
    }

    fn unsent(&self, probe: &ProbeRow) -> u64 {
        probe.planned.saturating_sub(probe.sent)
    }

    fn guard(&self, guard: &GuardRow) -> String {
        match guard.tripped_ms {
            Some(tripped) => format!("tripped at {}", words::at(tripped)),
            None => "not tripped".into(),
        }
    }

    fn since_revert(&self, row: &RecoveryRow) -> String {
        words::or_none(row.from_revert.map(words::interval))
    }

    fn first_bad(&self, row: &RecoveryRow) -> String {
        words::or_none(row.first_bad.map(milliseconds))
    }
}

/// Everything that has its moment.
fn happened(report: &Report) -> Vec<(f64, String)> {
    let events = report.events.iter();
    let events = events.map(|event| (event.at_ms, format!("{}: {}", event.instance, event.what)));
    let roles = report.roles.iter().map(|role| {
        let when = if role.held { "now" } else { "no longer" };
        let text = format!("{} is {} {when}", role.instance, role.role);
        (role.at_ms, text)
    });
    let signals = report.interruptions.iter();
    let signals = signals.map(|by| (by.at_ms, format!("interrupted by {}", by.text)));
    let troubles = report.impediments.iter();
    let troubles = troubles.map(|one| (one.at_ms, one.why.clone()));
    events
        .chain(roles)
        .chain(by_hand(report))
        .chain(signals)
        .chain(troubles)
        .collect()
}

/// What people remarked, and made the run do.
fn by_hand(report: &Report) -> Vec<(f64, String)> {
    let notes = report.notes.iter();
    let notes = notes.map(|note| (note.at_ms, words::note(note)));
    let commands = report.commands.iter();
    let commands = commands.map(|one| (one.at_ms, words::command(one)));
    notes.chain(commands).collect()
}

/// In the order of time.
fn told(mut all: Vec<(f64, String)>) -> Vec<(String, String)> {
    all.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    all.into_iter()
        .map(|(at, what)| (words::at(at), what))
        .collect()
}
