//! The page of several runs.

use askama::Template;

use super::{harmless, policy, style, tone};
use crate::report::words;
use crate::verdict::{Report, Verdict, milliseconds};

/// One of the runs.
pub struct Run<'a> {
    /// Where its page is, relative to this one, with `/` between the parts.
    pub href: String,
    pub report: &'a Report,
}

/// All runs of a suite, in their order.
pub fn render(runs: &[Run<'_>]) -> String {
    let style = style();
    let index = Index {
        policy: policy(&style, None),
        style: &style,
        title: title(runs),
        tone: worst(runs),
        runs,
    };
    harmless(index.render().unwrap_or_default())
}

#[derive(Template)]
#[template(path = "html/index.html")]
struct Index<'a> {
    policy: String,
    style: &'a str,
    title: String,
    tone: &'static str,
    runs: &'a [Run<'a>],
}

impl Run<'_> {
    fn name(&self) -> String {
        words::name(self.report)
    }

    fn lead(&self) -> &str {
        words::lead(self.report)
    }

    fn tone(&self) -> &'static str {
        tone(self.report.verdict)
    }

    fn promises(&self) -> String {
        let slos = &self.report.slos;
        let kept = slos.iter().filter(|slo| slo.met == Some(true)).count();
        format!("{kept} of {}", slos.len())
    }

    fn duration(&self) -> String {
        milliseconds(self.report.duration_ms)
    }

    /// A path as an address: whatever is no plain letter is written as its bytes.
    fn link(&self) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
        let write = |byte: u8| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        self.href.bytes().map(write).collect()
    }
}

fn title(runs: &[Run<'_>]) -> String {
    let passed = runs.iter().filter(|run| is_passed(run)).count();
    match runs.len() {
        1 => format!("{passed} of 1 scenario passed"),
        all => format!("{passed} of {all} scenarios passed"),
    }
}

fn is_passed(run: &Run<'_>) -> bool {
    run.report.verdict == Verdict::Passed
}

fn worst(runs: &[Run<'_>]) -> &'static str {
    let tones: Vec<_> = runs.iter().map(Run::tone).collect();
    if runs.is_empty() || (tones.contains(&"open") && !tones.contains(&"ill")) {
        return "open";
    }
    if tones.contains(&"ill") {
        "ill"
    } else {
        "well"
    }
}
