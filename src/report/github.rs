//! Annotations for a workflow on GitHub: each breach and each trouble at its line of the scenario.

use super::text::plain;
use super::words;
use crate::verdict::{Report, StepRow};

/// So many are shown of one step of a workflow; what is beyond would be dropped without a word.
const MOST: usize = 10;

/// The commands to print, each on a line; none for a run that passed. `file` is the scenario's path from the repository's root.
pub fn annotations(report: &Report, file: &str) -> Vec<String> {
    let mut told = Vec::new();
    let mut all = Vec::new();
    for slo in report.slos.iter().filter(|slo| slo.met == Some(false)) {
        told.push(slo.detail.as_str());
        let title = format!("{} {} {}", slo.probe, slo.metric, slo.objective);
        all.push(error(file, slo.line, &title, &slo.detail));
    }
    for step in &report.steps {
        if let Some((what, why)) = trouble(step) {
            told.push(why);
            let title = format!("{}: {what}", step.name);
            all.push(error(file, step.line, &title, why));
        }
    }
    let told = |reason: &&String| !told.iter().any(|known| reason.contains(known));
    for reason in report.reasons.iter().filter(told) {
        all.push(error(file, 1, report.verdict.word(), reason));
    }
    let left = all.len().saturating_sub(MOST - 1);
    if left > 1 {
        all.truncate(MOST - 1);
        let more = format!("and {left} more: see the report");
        all.push(error(file, 1, report.verdict.word(), &more));
    }
    all
}

fn trouble(step: &StepRow) -> Option<(&'static str, &str)> {
    if words::revert(step).1 == Some(false) {
        let evidence = step.revert.as_ref().map(|revert| revert.evidence.as_str());
        return Some((
            "revert not verified",
            evidence.unwrap_or("none is recorded"),
        ));
    }
    if let Some(effect) = step.effect.as_ref().filter(|effect| !effect.proven) {
        return Some(("effect not proven", &effect.evidence));
    }
    let skip = step.skipped.as_ref().filter(|skip| !skip.by_choice)?;
    Some(("not injected", &skip.why))
}

fn error(file: &str, line: usize, title: &str, message: &str) -> String {
    format!(
        "::error file={},line={},title={}::{}",
        property(file),
        line.max(1),
        property(&plain(title)),
        data(&plain(message))
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Record;
    use crate::verdict::judge;

    #[test]
    fn what_a_command_is_made_of_is_escaped() {
        let made = error("a,b:c.toml", 7, "p99 <= 1s: 50%", "one\ntwo ::error:: 5%");
        assert_eq!(
            made,
            "::error file=a%2Cb%3Ac.toml,line=7,title=p99 <= 1s%3A 50%25::one\\ntwo ::error:: 5%25"
        );
    }

    #[test]
    fn no_number_of_reasons_is_more_than_is_shown() {
        let mut report = judge(&Record::default());
        report.reasons = (0..30).map(|k| format!("reason {k}")).collect();
        let all = annotations(&report, "a.toml");
        assert_eq!(all.len(), MOST);
        assert_eq!(
            all[MOST - 1],
            "::error file=a.toml,line=1,title=inconclusive::and 21 more: see the report"
        );
        report.reasons.truncate(MOST);
        assert_eq!(annotations(&report, "a.toml").len(), MOST);
    }
}
