//! `summary.md`: the verdict for the summary of a CI step, which is cut off without a word where it is too long.

use super::words::{self, milliseconds};
use super::{spark, text::plain};
use crate::history::Record;
use crate::verdict::{Report, Verdict};

/// A summary of GitHub's may have 1 MiB.
pub const MOST_BYTES: usize = 1 << 20;
/// Of each kind so many are shown, and the rest counted.
const MOST_ROWS: usize = 100;
const MOST_PLOTS: usize = 20;
/// In characters.
const MOST_TEXT: usize = 400;

pub(super) fn render(record: &Record, report: &Report) -> String {
    let mut out = head(report);
    table(
        &mut out,
        "SLOs",
        &[
            "SLO",
            "objective",
            "measured",
            "95% bound",
            "margin",
            "samples",
            "met",
        ],
        report.slos.iter().map(|slo| {
            let name = format!("{} {} during {}", slo.probe, slo.metric, slo.during);
            let met = if slo.met == Some(true) {
                "yes".to_owned()
            } else {
                format!("**{}**", words::met(slo))
            };
            vec![
                cell(&name),
                cell(&slo.objective),
                cell(&words::measured(slo)),
                cell(&words::bound(slo)),
                cell(&words::margin(slo)),
                slo.samples.to_string(),
                met,
            ]
        }),
    );
    plots(&mut out, record);
    table(
        &mut out,
        "Steps",
        &["step", "fault", "hit", "effect", "recovery", "revert"],
        report.steps.iter().map(|step| {
            vec![
                cell(&step.name),
                cell(&step.fault),
                cell(&step.instances.join(", ")),
                cell(&effect(step)),
                cell(&words::recovery(&step.recovery_ms, step)),
                cell(&words::revert(step).0),
            ]
        }),
    );
    table(
        &mut out,
        "Probes",
        &["probe", "sent", "good", "p50", "p95", "p99", "max", "bad"],
        report.probes.iter().map(|probe| {
            let latency = |of: fn(&crate::verdict::LatencyRow) -> f64| {
                words::or_none(probe.latency_ms.as_ref().map(of).map(milliseconds))
            };
            vec![
                cell(&probe.name),
                format!("{} of {}", probe.sent, probe.planned),
                words::good_share(probe.planned, probe.good),
                latency(|row| row.p50),
                latency(|row| row.p95),
                latency(|row| row.p99),
                latency(|row| row.max),
                cell(&words::bad(probe)),
            ]
        }),
    );
    shorten(out)
}

fn head(report: &Report) -> String {
    let sign = match report.verdict {
        Verdict::Passed => "✅",
        Verdict::Failed | Verdict::Dirty => "❌",
        Verdict::Inconclusive | Verdict::Aborted | Verdict::Interrupted => "⚠️",
    };
    let name = cell(&words::name(report));
    let word = report.verdict.word();
    let mut out = format!(
        "## {sign} {word}: {name}\n\n{}\n\n",
        cell(words::lead(report))
    );
    let more = report.reasons.iter().skip(1);
    let shown: Vec<_> = more.clone().take(MOST_ROWS).collect();
    for reason in &shown {
        out += &format!("- {}\n", cell(reason));
    }
    rest(&mut out, more.count() - shown.len());
    out + &format!(
        "\n{} · {} · took {} · seed {}\n",
        cell(&report.scenario),
        cell(&report.began),
        milliseconds(report.duration_ms),
        report.seed
    )
}

fn table(out: &mut String, title: &str, header: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header: Vec<_> = header.iter().map(|text| (*text).to_owned()).collect();
    *out += &format!(
        "\n### {title}\n\n{}|{}\n",
        line(&header),
        "---|".repeat(header.len())
    );
    for row in rows.by_ref().take(MOST_ROWS) {
        *out += &line(&row);
    }
    rest(out, rows.count());
}

fn plots(out: &mut String, record: &Record) {
    for probe in record.probes.iter().take(MOST_PLOTS) {
        *out += &format!("\n**{}**\n\n```text\n", cell(&probe.name));
        for line in spark::lines(record, probe, spark::WIDTH) {
            *out += &(line.replace('`', "'") + "\n");
        }
        *out += "```\n";
    }
    rest(out, record.probes.len().saturating_sub(MOST_PLOTS));
}

fn rest(out: &mut String, count: usize) {
    if count > 0 {
        *out += &format!("\n… and {count} more: see the report.\n");
    }
}

/// With what became of the packets of a fault of the network.
fn effect(step: &crate::verdict::StepRow) -> String {
    let (effect, _) = words::effect(step);
    let packets = words::all_packets(step);
    packets.map_or_else(|| effect.clone(), |packets| format!("{effect}; {packets}"))
}

/// Text in a line or a table, where nothing of it is taken for markup.
fn cell(text: &str) -> String {
    let text = plain(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().take(MOST_TEXT).peekable();
    while let Some(c) = rest.next() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // It would call somebody.
            '@' => out.push_str("&#64;"),
            // Of an address or a picture, not of a sentence or a time.
            ':' if rest.peek().is_none_or(|c| *c == ' ' || c.is_ascii_digit()) => out.push(c),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '!' | '|' | '~' | '$' | ':' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    if text.chars().nth(MOST_TEXT).is_some() {
        out.push('…');
    }
    out
}

/// The last resort: whole lines only.
fn shorten(mut out: String) -> String {
    let note = "\n… cut off here: see the report.\n";
    if out.len() < MOST_BYTES {
        return out;
    }
    let room = out.floor_char_boundary(MOST_BYTES - note.len() - 1);
    let line = out[..room].rfind('\n').unwrap_or(0);
    out.truncate(line + 1);
    out + note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_markup() {
        assert_eq!(
            cell("a|b <img> **x** [l](http://e) @me `c` \u{202e}\n#1 :tada: 10:30: x"),
            "a\\|b &lt;img&gt; \\*\\*x\\*\\* \\[l\\](http\\://e) &#64;me \\`c\\` \\\\u{202e}\\\\n\\#1 \\:tada: 10:30: x"
        );
        assert_eq!(cell(&"x".repeat(1_000)).chars().count(), MOST_TEXT + 1);
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_line_and_says_so() {
        let long = "é | x\n".repeat(300_000);
        let short = shorten(long);
        assert!(short.len() < MOST_BYTES);
        assert!(short.ends_with("é | x\n\n… cut off here: see the report.\n"));
        assert_eq!(shorten("as it is".into()), "as it is");
    }
}
