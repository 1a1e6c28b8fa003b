//! Where a run stands, in words, and which buttons would do something.

use std::time::Duration;

use askama::Template;
use serde::Serialize;

use crate::engine::control::{Standing, Upcoming};
use crate::history::{Header, Phase, Record, StepRecord};
use crate::report::plain;
use crate::units::{Micros, format_duration};
use crate::verdict::{Report, Verdict};

/// What the page's script sets its buttons by. A text says why a button would be refused.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Buttons {
    held: bool,
    /// Nothing is to be steered any more.
    over: bool,
    /// The step that would be started.
    next: Option<String>,
    start: Option<String>,
    hold: Option<String>,
    release: Option<String>,
    revert: Option<String>,
    abort: Option<String>,
}

#[derive(Template)]
#[template(path = "head.html")]
struct Head<'a> {
    header: &'a Header,
    name: String,
    /// To the second.
    began: &'a str,
    earlier: &'a [String],
    /// Once it is over.
    verdict: Option<(&'static str, &'a Report)>,
}

#[derive(Template)]
#[template(path = "now.html")]
struct Now {
    word: &'static str,
    detail: String,
    tone: &'static str,
    held: bool,
    /// What is drawn is not all that there is.
    lost: bool,
    in_force: Vec<Fault>,
    next: Option<(String, String)>,
}

struct Fault {
    step: String,
    what: String,
    left: String,
}

impl Buttons {
    pub(super) fn of(standing: &Standing, over: bool) -> Self {
        let refused = &standing.refused;
        let no = |why: &Option<String>| {
            let early = standing
                .phase
                .is_none()
                .then(|| "the run is still getting ready".into());
            why.clone().or(early)
        };
        let ended = |why: &Option<String>| {
            if over {
                Some("the run is over".into())
            } else {
                no(why)
            }
        };
        Self {
            held: standing.held,
            over,
            next: standing.next.as_ref().map(|next| plain(&next.step)),
            start: ended(&refused.start),
            hold: ended(&refused.hold),
            release: ended(&refused.release),
            revert: ended(&refused.revert),
            // A run that is getting ready can be given up.
            abort: over
                .then(|| "the run is over".into())
                .or(refused.abort.clone()),
        }
    }
}

/// Without a run: what there is to say, if anything.
pub(super) fn none(said: Option<&str>) -> (Buttons, String) {
    let refused = || Some("no run is going on".to_owned());
    let buttons = Buttons {
        held: false,
        over: false,
        next: None,
        start: refused(),
        hold: refused(),
        release: refused(),
        revert: refused(),
        abort: refused(),
    };
    let now = Now {
        word: if said.is_some() {
            "Not begun"
        } else {
            "Starting"
        },
        detail: plain(said.unwrap_or("connecting to the engine")),
        tone: "",
        held: false,
        lost: false,
        in_force: Vec::new(),
        next: None,
    };
    (buttons, now.render().unwrap_or_default())
}

/// What is run, what became of it, and of those before it.
pub(super) fn head(record: &Record, report: Option<&Report>, earlier: &[String]) -> String {
    let Some(header) = record.header.as_deref() else {
        return String::new();
    };
    let head = Head {
        header,
        began: header.began.split('.').next().unwrap_or_default(),
        name: plain(header.title.as_ref().unwrap_or(&header.scenario)),
        earlier,
        verdict: report.map(|report| (tone(report.verdict), report)),
    };
    head.render().unwrap_or_default()
}

/// `at`: on the run's clock.
pub(super) fn now(
    record: &Record,
    standing: &Standing,
    at: Micros,
    over: bool,
    lost: bool,
) -> String {
    let (word, detail) = phase(record, at, over);
    let faults = record.steps.iter().filter(|step| is_in_force(step));
    let now = Now {
        word,
        detail,
        tone: if over { "" } else { tone_of(record) },
        held: standing.held && !over && standing.next.is_some(),
        lost,
        in_force: faults
            .filter(|_| !over)
            .map(|step| fault(step, at))
            .collect(),
        next: standing
            .next
            .as_ref()
            .filter(|_| !over)
            .map(|next| upcoming(next, standing, at)),
    };
    now.render().unwrap_or_default()
}

fn phase(record: &Record, at: Micros, over: bool) -> (&'static str, String) {
    let Some((phase, since)) = record.phases.last() else {
        return (
            "Getting ready",
            "the system is brought up and looked at".into(),
        );
    };
    let timing = record.header.as_ref().map(|header| header.timing);
    let elapsed = Duration::from_micros(at.saturating_sub(*since));
    let left = |of: Option<Duration>| seconds(of.unwrap_or_default().saturating_sub(elapsed));
    match phase {
        _ if over => (
            "Over",
            format!("after {}", seconds(Duration::from_micros(record.last))),
        ),
        Phase::Baseline => {
            let whole = timing.map(|timing| timing.baseline);
            let detail = match left(whole) {
                left if whole.is_some_and(|whole| whole > elapsed) => format!("{left} left"),
                _ => format!("for {}, measured", seconds(elapsed)),
            };
            ("Baseline", detail)
        }
        Phase::Fault => ("Fault", format!("for {}", seconds(elapsed))),
        Phase::Recovery => {
            let left = left(timing.map(|timing| timing.recovery));
            ("Recovery", format!("at most {left} left"))
        }
        Phase::Teardown => (
            "Teardown",
            "the world is compared with the one before".into(),
        ),
    }
}

fn is_in_force(step: &StepRecord) -> bool {
    step.injecting.is_some() && step.reverted.is_none()
}

fn fault(step: &StepRecord, at: Micros) -> Fault {
    let names: Vec<_> = step.instances.iter().map(|hit| hit.name.as_str()).collect();
    let since = step.injecting.unwrap_or(at);
    let age = Duration::from_micros(at.saturating_sub(since));
    let left = match step.hold.saturating_sub(age) {
        _ if step.reverting.is_some() => "being reverted".into(),
        _ if step.injected.is_none() => "being injected".into(),
        left if left.is_zero() => format!("for {}", seconds(age)),
        left => format!("{} left", seconds(left)),
    };
    Fault {
        step: plain(&step.name),
        what: plain(&format!("{} on {}", step.fault, names.join(", "))),
        left,
    }
}

fn upcoming(next: &Upcoming, standing: &Standing, at: Micros) -> (String, String) {
    let what = plain(&format!(
        "{} ({} on {})",
        next.step, next.fault, next.target
    ));
    let when = match next.due {
        Some(due) => format!(
            "in {}",
            seconds(Duration::from_micros(due.saturating_sub(at)))
        ),
        None if standing.held => "when it is started".into(),
        None => "once what it waits for is so".into(),
    };
    (what, when)
}

fn tone_of(record: &Record) -> &'static str {
    if record.steps.iter().any(is_in_force) {
        "fault"
    } else {
        ""
    }
}

fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "well",
        Verdict::Failed | Verdict::Dirty => "ill",
        Verdict::Inconclusive | Verdict::Aborted | Verdict::Interrupted => "open",
    }
}

/// Whole ones: what changes in its last digits is not read.
fn seconds(duration: Duration) -> String {
    format_duration(Duration::from_secs(duration.as_secs_f64().round() as u64))
}
