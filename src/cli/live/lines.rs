//! Events as lines.

use crate::cli::term::count;
use crate::history::{Event, Phase, RecordedTiming};
use crate::units::{Rate, format_duration};
use crate::verdict::{amount, name, phrase, steering_in_words};

pub(super) struct Line {
    pub(super) tone: Tone,
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// A new part of the run.
    Head,
    Plain,
    /// Worth telling even when quiet.
    Problem,
}

impl Tone {
    pub(super) fn paint(self, text: &str, color: bool) -> String {
        match self {
            Self::Head if color => format!("\x1b[1m{text}\x1b[0m"),
            Self::Problem if color => format!("\x1b[31m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

/// Behind the time.
const INDENT: usize = 11;

/// A line that is too long for its terminal goes on beneath its text; a word that is too long is left to the terminal.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let (time, text) = text.split_at_checked(INDENT).unwrap_or((text, ""));
    let mut out = time.to_owned();
    let mut column = INDENT;
    for (index, word) in text.split(' ').enumerate() {
        let long = word.chars().count();
        if index > 0 && column + 1 + long > width.saturating_sub(1) {
            out.push('\n');
            out.push_str(&" ".repeat(INDENT));
            column = INDENT;
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += long;
    }
    out
}

/// What is said of an event; most often one line or none.
pub(super) fn of(event: &Event, timing: RecordedTiming) -> Vec<Line> {
    if let Event::World { differences } = event {
        return differences
            .iter()
            .map(|one| line(Tone::Problem, format!("{}: {}", one.subject.name, one.what)))
            .collect();
    }
    one(event, timing).into_iter().collect()
}

/// What is said besides when much is to be told.
pub(super) fn more(event: &Event) -> Vec<Line> {
    let plain = |text: String| line(Tone::Plain, text);
    match event {
        Event::Started(header) => {
            let probes = header.probes.iter().map(|probe| {
                let (rate, timeout) = (Rate(probe.rate), format_duration(probe.timeout));
                format!(
                    "probe {}: {}, {rate}, given up after {timeout}",
                    probe.name, probe.kind
                )
            });
            let steps = header.steps.iter().map(|step| {
                let hold = format_duration(step.hold);
                format!(
                    "step {}: {} on {}, for {hold}",
                    step.name, step.fault, step.target
                )
            });
            probes.chain(steps).map(plain).collect()
        }
        Event::System { instances, .. } => instances
            .iter()
            .map(|one| {
                plain(format!(
                    "{}: {} ({})",
                    one.subject.name, one.image, one.image_id
                ))
            })
            .collect(),
        Event::Reverting { step } => vec![plain(format!("{step}: undoing"))],
        Event::World { differences } if differences.is_empty() => {
            vec![plain("the system is as it was before".into())]
        }
        Event::TornDown { proof } if proof.holds => {
            vec![plain(format!("taken down: {}", proof.evidence))]
        }
        _ => Vec::new(),
    }
}

fn one(event: &Event, timing: RecordedTiming) -> Option<Line> {
    let good_or_bad = |good: bool| if good { Tone::Plain } else { Tone::Problem };
    Some(match event {
        Event::Started(header) => line(
            Tone::Head,
            format!(
                "{}, seed {}, run {}",
                header.scenario, header.seed, header.run
            ),
        ),
        Event::System { facts, instances } => line(
            Tone::Plain,
            format!(
                "{} on {} {}",
                count(instances.len(), "container"),
                facts.engine,
                facts.version
            ),
        ),
        Event::Phase { phase } => line(Tone::Head, phase_text(*phase, timing)),
        Event::Injecting { step, instances } => {
            let names: Vec<_> = instances.iter().map(|hit| hit.name.as_str()).collect();
            line(
                Tone::Plain,
                format!("{step}: injecting into {}", names.join(", ")),
            )
        }
        Event::Injected { step, effect, .. } => {
            let what = if effect.holds {
                "in force"
            } else {
                "effect not proven"
            };
            line(
                good_or_bad(effect.holds),
                format!("{step}: {what} ({})", effect.evidence),
            )
        }
        Event::Reapplied {
            step,
            subject,
            effect,
        } => {
            let what = if effect.holds {
                "in force again on"
            } else {
                "lost on"
            };
            let text = format!("{step}: {what} {} ({})", subject.name, effect.evidence);
            line(good_or_bad(effect.holds), text)
        }
        Event::Reverted { step, revert } => {
            let what = if revert.holds { "undone" } else { "NOT UNDONE" };
            line(
                good_or_bad(revert.holds),
                format!("{step}: {what} ({})", revert.evidence),
            )
        }
        Event::Skipped {
            step,
            why,
            by_choice,
        } => line(good_or_bad(*by_choice), format!("{step}: skipped, {why}")),
        Event::Container { subject, what } => {
            line(Tone::Plain, format!("{}: {what}", subject.name))
        }
        Event::Role(change) => line(Tone::Plain, change.sentence()),
        Event::Tripped { guard, measured } => {
            let metric = guard.trips.metric;
            line(
                Tone::Problem,
                format!(
                    "guard: {} {} is {} ({} over {}), stopping",
                    guard.probe,
                    name(metric),
                    amount(metric, *measured),
                    phrase(&guard.trips),
                    format_duration(guard.over)
                ),
            )
        }
        Event::Interrupted { by } => line(
            Tone::Problem,
            format!("{by}: stopping, undoing every fault"),
        ),
        Event::Impeded { why, .. } => line(Tone::Problem, why.clone()),
        Event::TornDown { proof } if !proof.holds => {
            line(Tone::Problem, format!("not taken down: {}", proof.evidence))
        }
        Event::Note { by: None, text } => line(Tone::Plain, text.clone()),
        Event::Note { by: Some(by), text } => line(Tone::Plain, format!("note ({by}): {text}")),
        Event::Steered { by, what } => line(
            Tone::Plain,
            format!("{} (from the {by})", steering_in_words(what)),
        ),
        Event::Timeline { stands: true } => line(
            Tone::Plain,
            "the timeline stands still until a step is started or it is released",
        ),
        Event::Counted {
            step,
            subject,
            effect,
            ..
        } => {
            let tone = if effect.holds {
                Tone::Plain
            } else {
                Tone::Problem
            };
            line(
                tone,
                format!("{step}: on {}: {}", subject.name, effect.evidence),
            )
        }
        Event::TornDown { .. }
        | Event::Reverting { .. }
        | Event::Bucket { .. }
        | Event::World { .. }
        | Event::Timeline { stands: false }
        | Event::Ended => return None,
    })
}

fn line(tone: Tone, text: impl Into<String>) -> Line {
    Line {
        tone,
        text: text.into(),
    }
}

fn phase_text(phase: Phase, timing: RecordedTiming) -> String {
    match phase {
        Phase::Baseline => format!("baseline ({})", format_duration(timing.baseline)),
        Phase::Fault => "fault".into(),
        Phase::Recovery => format!("recovery (at most {})", format_duration(timing.recovery)),
        Phase::Teardown => "teardown".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Proof;

    fn texts(event: &Event) -> Vec<(Tone, String)> {
        let timing = super::super::view::tests::header().timing;
        of(event, timing)
            .into_iter()
            .map(|line| (line.tone, line.text))
            .collect()
    }

    fn reverted(holds: bool) -> Event {
        Event::Reverted {
            step: "kill".into(),
            revert: Proof {
                holds,
                evidence: "running".into(),
            },
        }
    }

    #[test]
    fn what_went_well_is_plain_and_what_did_not_is_a_problem() {
        assert_eq!(
            texts(&reverted(true)),
            [(Tone::Plain, "kill: undone (running)".into())]
        );
        assert_eq!(
            texts(&reverted(false)),
            [(Tone::Problem, "kill: NOT UNDONE (running)".into())]
        );
    }

    #[test]
    fn a_long_line_goes_on_beneath_its_text() {
        let line = "   +21.5s  kill: undone (node-1: running, pid 23946)";
        assert_eq!(wrapped(line, 80), line);
        assert_eq!(
            wrapped(line, 40),
            "   +21.5s  kill: undone (node-1:\n           running, pid 23946)"
        );
        assert_eq!(wrapped("+1s", 40), "+1s");
    }

    #[test]
    fn colour_only_when_asked_for() {
        assert_eq!(Tone::Problem.paint("x", true), "\x1b[31mx\x1b[0m");
        assert_eq!(Tone::Problem.paint("x", false), "x");
        assert_eq!(Tone::Plain.paint("x", true), "x");
    }
}
