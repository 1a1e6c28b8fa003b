//! What happened in a run, as bands and marks on the axis of time.

use super::Axis;
use super::scale::time;
use crate::report::{plain, words};
use crate::units::Micros;
use crate::verdict::{Report, StepRow};

/// Marks that are nearer to one another than this share of the axis are drawn as one.
const APART: u64 = 150;
/// So many of them are told one by one.
const MOST_TOLD: usize = 6;
/// Faults that are in force at once are drawn one below the other; what is beyond shares the last lane.
pub(super) const MOST_LANES: usize = 4;

/// A fault, from its injection until it was shown to be undone.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    pub from: Micros,
    pub to: Micros,
    /// When it began to be undone.
    pub reverting: Micros,
    pub step: String,
    pub lane: usize,
    pub title: String,
}

/// The more telling of two is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Other,
    Note,
    Up,
    Warning,
    Role,
    Down,
    Stop,
}

/// Something that happened at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    pub at: Micros,
    pub kind: Kind,
    pub text: String,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Note => "note",
            Self::Up => "up",
            Self::Warning => "warning",
            Self::Role => "role",
            Self::Down => "down",
            Self::Stop => "stop",
        }
    }

    /// Around its place, in pixels: the shape tells as much as the colour.
    pub fn shape(self) -> &'static str {
        match self {
            Self::Other => "M-2.5-2.5h5v5h-5z",
            Self::Note => "M-4-4h8v6h-4l-4 3z",
            Self::Up => "M0-5L4.5 4h-9z",
            Self::Warning => "M-4-4h8v8h-8z",
            Self::Role => "M0-5.5L5 0L0 5.5L-5 0z",
            Self::Down => "M0 5L4.5-4h-9z",
            Self::Stop => "M-4.5-2v4l2.5 2.5h4l2.5-2.5v-4l-2.5-2.5h-4z",
        }
    }

    /// From an engine's word for what happened to a container.
    fn of(what: &str) -> Self {
        match what.split([':', ' ']).next().unwrap_or_default() {
            "die" | "kill" | "oom" | "stop" | "destroy" | "disconnect" => Self::Down,
            "start" | "restart" | "unpause" | "connect" => Self::Up,
            "health_status" if what.ends_with("unhealthy") => Self::Warning,
            "health_status" => Self::Up,
            "pause" => Self::Warning,
            _ => Self::Other,
        }
    }
}

pub(super) fn micros(ms: f64) -> Micros {
    (ms * 1e3).round() as Micros
}

pub(super) fn bands(report: &Report, axis: Axis) -> Vec<Band> {
    let mut bands: Vec<_> = report
        .steps
        .iter()
        .filter_map(|step| band(step, axis))
        .collect();
    bands.sort_by_key(|band| (band.from, band.to));
    let mut ends = [0; MOST_LANES];
    for band in &mut bands {
        let free = ends.iter().position(|end| *end <= band.from);
        band.lane = free.unwrap_or(MOST_LANES - 1);
        ends[band.lane] = band.to.max(ends[band.lane]);
    }
    bands
}

fn band(step: &StepRow, axis: Axis) -> Option<Band> {
    let from = micros(step.injecting_ms?);
    let to = step.reverted_ms.map_or(axis.to, micros).max(from);
    let reverting = step.reverting_ms.map_or(to, micros).clamp(from, to);
    let mut title = format!("{}: {}", step.name, step.fault);
    if !step.instances.is_empty() {
        title += &format!(" on {}", step.instances.join(", "));
    }
    title += &format!("; injected at {}", time(from));
    if let Some(injected) = step.injected_ms {
        title += &format!(", in force at {}", time(micros(injected)));
    }
    match step.reverted_ms {
        Some(_) => title += &format!(", undone at {}", time(to)),
        None => title += ", never shown to be undone",
    }
    Some(Band {
        from,
        to,
        reverting,
        step: plain(&step.name),
        lane: 0,
        title: plain(&title),
    })
}

/// In the order of time, those that lie close together as one.
pub(super) fn marks(report: &Report, axis: Axis) -> Vec<Mark> {
    let mut all: Vec<Mark> = all(report);
    all.retain(|mark| axis.holds(mark.at));
    all.sort_by_key(|mark| mark.at);
    let apart = (axis.to - axis.from) / APART;
    let mut marks: Vec<(Mark, usize)> = Vec::new();
    for mark in all {
        match marks.last_mut() {
            Some((last, count)) if mark.at - last.at < apart => {
                last.kind = last.kind.max(mark.kind);
                *count += 1;
                if *count <= MOST_TOLD {
                    last.text += "; ";
                    last.text += &mark.text;
                }
            }
            _ => marks.push((mark, 1)),
        }
    }
    marks
        .into_iter()
        .map(|(mut mark, count)| {
            if count > MOST_TOLD {
                mark.text += &format!("; and {} more", count - MOST_TOLD);
            }
            mark.text = plain(&format!("{} at {}", mark.text, time(mark.at)));
            mark
        })
        .collect()
}

fn all(report: &Report) -> Vec<Mark> {
    let mark = |at_ms: f64, kind, text: String| Mark {
        at: micros(at_ms),
        kind,
        text,
    };
    let events = report.events.iter().map(|event| {
        let text = format!("{}: {}", event.instance, event.what);
        mark(event.at_ms, Kind::of(&event.what), text)
    });
    let roles = report.roles.iter().map(|role| {
        let when = if role.held { "now" } else { "no longer" };
        let text = format!("{} is {} {when}", role.instance, role.role);
        mark(role.at_ms, Kind::Role, text)
    });
    let notes = report.notes.iter();
    let notes = notes.map(|note| mark(note.at_ms, Kind::Note, words::note(note)));
    let commands = report.commands.iter();
    let commands = commands.map(|one| mark(one.at_ms, Kind::Note, words::command(one)));
    let signals = report.interruptions.iter();
    let signals =
        signals.map(|by| mark(by.at_ms, Kind::Stop, format!("interrupted by {}", by.text)));
    let guards = report.guards.iter().filter_map(|guard| {
        let text = format!(
            "guard tripped: {} {} {}",
            guard.probe, guard.metric, guard.trips
        );
        Some(mark(guard.tripped_ms?, Kind::Stop, text))
    });
    events
        .chain(roles)
        .chain(notes)
        .chain(commands)
        .chain(signals)
        .chain(guards)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Record;
    use crate::verdict::{EventRow, judge};

    const AXIS: Axis = Axis {
        from: 0,
        to: 60_000_000,
    };

    fn report(steps: &[(f64, Option<f64>)], events: &[(f64, &str)]) -> Report {
        let mut report = judge(&Record::default());
        let step = crate::history::StepRecord {
            name: "kill".into(),
            ..Default::default()
        };
        let mut record = Record::default();
        record.steps.extend(vec![step; steps.len()]);
        report.steps = judge(&record).steps;
        for (row, (from, to)) in report.steps.iter_mut().zip(steps) {
            (row.injecting_ms, row.reverted_ms) = (Some(*from), *to);
        }
        let event = |(at_ms, what): &(f64, &str)| EventRow {
            at_ms: *at_ms,
            instance: "node-1".into(),
            id: "1".into(),
            what: (*what).into(),
        };
        report.events = events.iter().map(event).collect();
        report
    }

    #[test]
    fn faults_that_overlap_lie_in_lanes_of_their_own() {
        let steps = [(1e3, Some(9e3)), (5e3, Some(6e3)), (9e3, None)];
        let bands = bands(&report(&steps, &[]), AXIS);
        let lanes: Vec<_> = bands.iter().map(|band| band.lane).collect();
        assert_eq!(lanes, [0, 1, 0]);
        assert_eq!(bands[2].to, AXIS.to, "what is not undone lasts");
        assert!(bands[2].title.ends_with("never shown to be undone"));
        assert!(bands[0].title.ends_with("undone at 9s"));
    }

    #[test]
    fn no_number_of_faults_takes_more_lanes_than_there_are() {
        let steps: Vec<_> = (0..50).map(|k| (f64::from(k), Some(5e4))).collect();
        let bands = bands(&report(&steps, &[]), AXIS);
        assert!(bands.iter().all(|band| band.lane < MOST_LANES));
    }

    #[test]
    fn marks_close_together_are_one_that_names_them_all() {
        let events = [(1e3, "kill"), (1.1e3, "die"), (3e3, "start"), (99e3, "die")];
        let marks = marks(&report(&[], &events), AXIS);
        let told: Vec<_> = marks
            .iter()
            .map(|mark| (mark.kind, mark.text.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (Kind::Down, "node-1: kill; node-1: die at 1s"),
                (Kind::Up, "node-1: start at 3s")
            ]
        );
    }

    #[test]
    fn no_number_of_events_makes_more_marks_than_fit() {
        let events: Vec<_> = (0..5_000).map(|k| (f64::from(k) * 12.0, "start")).collect();
        let marks = marks(&report(&[], &events), AXIS);
        assert!(marks.len() <= APART as usize + 1, "{}", marks.len());
        assert!(marks[0].text.contains("and 28 more"), "{}", marks[0].text);
        assert!(marks[0].text.len() < 200);
    }

    #[test]
    fn what_an_engine_says_has_its_kind() {
        assert_eq!(Kind::of("health_status: healthy"), Kind::Up);
        assert_eq!(Kind::of("health_status: unhealthy"), Kind::Warning);
        assert_eq!(Kind::of("die"), Kind::Down);
        assert_eq!(Kind::of("rename"), Kind::Other);
    }
}
