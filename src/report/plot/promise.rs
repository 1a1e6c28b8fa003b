//! What was promised of a probe's success and latency, as lines at their thresholds, as long as they hold.

use super::{Axis, scale::Decades};
use crate::history::Record;
use crate::report::plain;
use crate::scenario::{Metric, Slo, Window};
use crate::units::Micros;
use crate::verdict::{during, name, phrase, range};

/// Of a figure; the table of SLOs holds them all.
const MOST: usize = 12;
/// A letter of a label, in percent of a usual drawing's width, and of a phone's.
const LETTER: f64 = 1.0;
const LETTER_ON_PHONE: f64 = 2.0;
/// Of labels that have become one.
const MOST_LETTERS: f64 = 50.0;
/// Labels need as much between them, in pixels.
const APART: f64 = 11.0;

/// Of one probe, and of a metric that has a place in its figure.
pub(super) struct Promise {
    metric: Metric,
    value: f64,
    from: Micros,
    to: Micros,
    label: String,
    title: String,
}

/// A promise in its place.
pub(super) struct Line {
    /// In percent of the width.
    from: f64,
    to: f64,
    pub(super) y: f64,
    pub(super) from_ms: f64,
    pub(super) to_ms: f64,
    pub(super) label: String,
    pub(super) title: String,
    /// The label is below the line, or else above it.
    below: bool,
    success: bool,
    /// A phone has no room for the label.
    minor: bool,
}

/// Where the two panels begin in a figure, and how high they are.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub(super) success: (f64, f64),
    pub(super) latency: f64,
}

pub(super) fn of(record: &Record, probe: &str) -> Vec<Promise> {
    let header = record.header.as_ref();
    let slos = header.map_or(&[][..], |header| &header.slos);
    let of_probe = slos.iter().filter(|slo| slo.probe == probe);
    let drawn = of_probe.filter(|slo| {
        let metric = slo.objective.metric;
        metric == Metric::Success || is_latency(metric)
    });
    drawn
        .filter_map(|slo| promise(record, slo))
        .take(MOST)
        .collect()
}

fn promise(record: &Record, slo: &Slo) -> Option<Promise> {
    let window = range(record, &slo.during)?;
    let objective = &slo.objective;
    let told = plain(&format!("{} {}", name(objective.metric), phrase(objective)));
    let when = plain(during(&slo.during));
    Some(Promise {
        metric: objective.metric,
        value: objective.value,
        from: window.from,
        to: window.to,
        label: match slo.during {
            Window::All => told.clone(),
            _ => format!("{told} ({when})"),
        },
        title: format!("promised: {told} during {when}"),
    })
}

fn is_latency(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::P50 | Metric::P90 | Metric::P95 | Metric::P99 | Metric::P999 | Metric::Max
    )
}

impl Promise {
    /// What the scale of latencies must reach.
    pub(super) fn latency(&self) -> Option<Micros> {
        is_latency(self.metric).then_some((self.value * 1e3) as Micros)
    }
}

/// In their places, with labels that do not lie on one another: the title of each and the table of SLOs say it all.
pub(super) fn lines(promises: &[Promise], axis: Axis, panels: Panels, scale: Decades) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for promise in promises {
        let mut line = line(promise, axis, panels, scale);
        let over = |line: &Line, lines: &[Line]| -> Vec<usize> {
            let lies = |at: &usize| lines[*at].lies_on(line, LETTER);
            (0..lines.len()).filter(lies).collect()
        };
        let beneath = over(&line, &lines);
        if let [at] = beneath[..] {
            let alone = lines[at].label.len();
            lines[at].label = format!("{}, {}", lines[at].label, line.label);
            let long = lines[at].letters() > MOST_LETTERS;
            if long || !lines[at].fits(LETTER) || over(&lines[at], &lines) != [at] {
                lines[at].label.truncate(alone);
            }
        }
        if !beneath.is_empty() || !line.fits(LETTER) {
            line.label.clear();
        }
        lines.push(line);
    }
    for at in 0..lines.len() {
        let (before, rest) = lines.split_at_mut(at);
        let line = &mut rest[0];
        let mut others = before.iter().filter(|other| !other.minor);
        let taken = others.any(|other| other.lies_on(line, LETTER_ON_PHONE));
        line.minor = taken || !line.fits(LETTER_ON_PHONE);
    }
    lines
}

fn line(promise: &Promise, axis: Axis, panels: Panels, scale: Decades) -> Line {
    let (y, below) = match promise.latency() {
        Some(us) => {
            let y = scale.place(us);
            (panels.latency + y, y < APART)
        }
        None => {
            let (top, height) = panels.success;
            let y = height * (1.0 - promise.value.clamp(0.0, 1.0));
            (top + y, y < height / 2.0)
        }
    };
    Line {
        from: axis.along(promise.from) * 100.0,
        to: axis.along(promise.to) * 100.0,
        // To a tenth, as every other coordinate.
        y: (y * 10.0).round() / 10.0,
        from_ms: promise.from as f64 / 1e3,
        to_ms: promise.to as f64 / 1e3,
        label: promise.label.clone(),
        title: promise.title.clone(),
        below,
        success: promise.metric == Metric::Success,
        minor: false,
    }
}

impl Line {
    pub(super) fn x(&self) -> String {
        super::draw::percent(self.from)
    }

    pub(super) fn width(&self) -> String {
        super::draw::percent(self.to - self.from)
    }

    /// Of the label's foot, from the line.
    pub(super) fn rise(&self) -> i8 {
        if self.below { 10 } else { -3 }
    }

    /// A line that begins late has its label at its end.
    pub(super) fn class(&self) -> &'static str {
        match (self.is_late(), self.minor) {
            (false, false) => "",
            (false, true) => "minor",
            (true, false) => "far",
            (true, true) => "far minor",
        }
    }

    fn is_late(&self) -> bool {
        self.from > 50.0
    }

    fn letters(&self) -> f64 {
        self.label.chars().count() as f64
    }

    /// Of the label, in percent of the width.
    fn room(&self) -> f64 {
        if self.is_late() {
            self.to
        } else {
            100.0 - self.from
        }
    }

    fn text(&self) -> f64 {
        let panel = if self.success { 0.0 } else { 1e6 };
        self.y + f64::from(self.rise()) + panel
    }

    fn fits(&self, letter: f64) -> bool {
        self.letters() * letter <= self.room()
    }

    /// From where to where its label lies, in percent of the width.
    fn reach(&self, letter: f64) -> (f64, f64) {
        let long = self.letters() * letter;
        if self.is_late() {
            (self.to - long, self.to)
        } else {
            (self.from, self.from + long)
        }
    }

    /// Do their labels lie on one another?
    fn lies_on(&self, other: &Self, letter: f64) -> bool {
        let ((from, to), (start, end)) = (self.reach(letter), other.reach(letter));
        let labelled = !self.label.is_empty() && !other.label.is_empty();
        labelled && (self.text() - other.text()).abs() < APART && from < end && start < to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXIS: Axis = Axis {
        from: 0,
        to: 100_000_000,
    };

    fn promise(metric: Metric, value: f64, from: u64, to: u64, label: &str) -> Promise {
        Promise {
            metric,
            value,
            from: from * 1_000_000,
            to: to * 1_000_000,
            label: label.into(),
            title: String::new(),
        }
    }

    fn placed(promises: &[Promise]) -> Vec<Line> {
        let panels = Panels {
            success: (20.0, 40.0),
            latency: 80.0,
        };
        lines(
            promises,
            AXIS,
            panels,
            Decades::new(1_000, 1_000_000, 100.0),
        )
    }

    #[test]
    fn a_threshold_lies_where_its_value_is() {
        let lines = placed(&[
            promise(Metric::Success, 0.75, 0, 100, "success >= 75%"),
            promise(Metric::P99, 1_000.0, 0, 100, "p99 <= 1s"),
            promise(Metric::P50, 1.0, 60, 90, "p50 <= 1ms (kill)"),
        ]);
        let ys: Vec<_> = lines.iter().map(|line| line.y).collect();
        assert_eq!(ys, [30.0, 83.0, 177.0]);
        assert_eq!(
            (lines[2].x(), lines[2].width()),
            ("60%".into(), "30%".into())
        );
        assert_eq!(lines[0].rise(), 10, "below: 100% is above it");
        assert_eq!(lines[2].rise(), -3);
        assert_eq!((lines[0].class(), lines[2].class()), ("", "far"));
    }

    #[test]
    fn labels_at_one_height_become_one() {
        let lines = placed(&[
            promise(Metric::P95, 100.0, 0, 100, "p95 <= 100ms"),
            promise(Metric::P99, 110.0, 0, 100, "p99 <= 110ms"),
            promise(Metric::P50, 1.0, 0, 100, "p50 <= 1ms"),
            promise(Metric::P90, 100.0, 60, 100, "p90 <= 100ms (kill)"),
        ]);
        let labels: Vec<_> = lines.iter().map(|line| line.label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "p95 <= 100ms, p99 <= 110ms",
                "",
                "p50 <= 1ms",
                "p90 <= 100ms (kill)"
            ]
        );
    }

    #[test]
    fn no_label_lies_on_another() {
        let all: Vec<_> = [(0, 100), (0, 30), (30, 45), (45, 100), (60, 70)]
            .into_iter()
            .flat_map(|(from, to)| {
                let wide = format!("p95 <= 100ms ({from})");
                let near = format!("p99 <= 120ms ({from})");
                [
                    promise(Metric::P95, 100.0, from, to, &wide),
                    promise(Metric::P99, 120.0, from, to, &near),
                ]
            })
            .collect();
        let lines = placed(&all);
        for (letter, minor) in [(LETTER, true), (LETTER_ON_PHONE, false)] {
            let shown: Vec<_> = lines.iter().filter(|line| minor || !line.minor).collect();
            for (at, line) in shown.iter().enumerate() {
                let rest = &shown[at + 1..];
                assert!(
                    !rest.iter().any(|other| line.lies_on(other, letter)),
                    "{}",
                    line.label
                );
            }
        }
        assert_eq!(lines[0].label, "p95 <= 100ms (0), p99 <= 120ms (0)");
        let told = lines.iter().filter(|line| !line.label.is_empty()).count();
        assert!(told >= 2, "{told}");
    }

    #[test]
    fn a_label_without_room_is_left_to_the_table() {
        let long = "p99 <= 1s (".to_owned() + &"x".repeat(200) + ")";
        let lines = placed(&[promise(Metric::P99, 1_000.0, 0, 100, &long)]);
        assert_eq!(lines[0].label, "");
        let some = "p99 <= 1s (in a step with a rather long name for a phone)";
        let lines = placed(&[promise(Metric::P99, 1_000.0, 0, 100, some)]);
        assert_eq!((lines[0].label.as_str(), lines[0].class()), (some, "minor"));
    }

    #[test]
    fn no_value_is_too_large_for_a_place() {
        for value in [f64::MAX, f64::INFINITY, -1.0, f64::NAN] {
            let lines = placed(&[
                promise(Metric::Max, value, 0, 100, "max"),
                promise(Metric::Success, value, 0, 100, "success"),
            ]);
            assert!((83.0..=177.0).contains(&lines[0].y), "{value}");
            assert!(
                value.is_nan() || (20.0..=60.0).contains(&lines[1].y),
                "{value}"
            );
        }
    }
}
