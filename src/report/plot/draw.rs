//! A figure's parts with their places, and the template that writes them.

use askama::Template;

use super::Axis;
use super::course::{Course, share};
use super::marks::{Band, MOST_LANES, Mark, micros};
use super::promise::{Line, Panels, Promise, lines};
use super::scale::{Tick, time, times};
use crate::history::{Point, ProbeRecord};
use crate::report::plain;
use crate::scenario::Metric;
use crate::units::Micros;
use crate::verdict::{Report, amount, milliseconds};

/// In pixels.
const LANE: usize = 19;
const MARKS: usize = 16;
const SUCCESS: usize = 46;
const GAP: usize = 22;
const LATENCY: usize = 132;
const AXIS: usize = 22;
/// Bands and marks.
const CROWD: usize = 40;
/// A letter of a label at its usual width, in percent of a usual drawing's.
const LETTER: f64 = 0.8;

/// One probe's figure: [`Figure::html`] writes it.
#[derive(Template)]
#[template(path = "plot/figure.html")]
pub struct Figure {
    /// `plot-0`, for anchors.
    pub id: String,
    pub name: String,
    /// What it shows, for those who cannot see it.
    pub label: String,
    pub caption: String,
    from_ms: f64,
    to_ms: f64,
    bands: Vec<Placed>,
    marks: Vec<Placed>,
    stretches: Vec<Placed>,
    promises: Vec<Line>,
    times: Vec<Tick>,
    decades: Vec<Tick>,
    good: String,
    bad: String,
    lines: [(&'static str, String); 4],
    rows: Vec<Row>,
    /// So much happened that lines across it all would hide the rest.
    crowded: bool,
    top: Tops,
}

/// Something on the axis of time, in percent of its width.
struct Placed {
    x: String,
    width: String,
    /// Of the part that ends it, within itself.
    tail: String,
    y: usize,
    class: &'static str,
    shape: &'static str,
    label: String,
    title: String,
    from_ms: f64,
    to_ms: f64,
}

/// Where the panels begin, in pixels from the top.
struct Tops {
    marks: usize,
    success: usize,
    gap: usize,
    latency: usize,
    axis: usize,
    height: usize,
}

/// One line of the table behind it.
struct Row {
    at_ms: f64,
    cells: [String; 8],
}

impl Tops {
    fn new(lanes: usize, marks: bool) -> Self {
        let below = lanes * LANE;
        let success = below + if marks { MARKS } else { 0 } + 4;
        let gap = success + SUCCESS;
        let latency = gap + GAP;
        let axis = latency + LATENCY;
        Self {
            marks: below + MARKS / 2,
            success,
            gap,
            latency,
            axis,
            height: axis + AXIS,
        }
    }

    fn body(&self) -> usize {
        self.axis - self.success
    }

    fn panels(&self) -> Panels {
        Panels {
            success: (self.success as f64, SUCCESS as f64),
            latency: self.latency as f64,
        }
    }
}

impl Figure {
    pub(super) fn new(
        index: usize,
        probe: &ProbeRecord,
        report: &Report,
        axis: Axis,
        (bands, marks, promises): (&[Band], &[Mark], &[Promise]),
    ) -> Self {
        let course = Course::of(probe, axis);
        let reach = promises.iter().filter_map(Promise::latency);
        let scale = course.scale(LATENCY as f64, reach);
        let (good, bad) = course.success(SUCCESS as f64);
        let lanes = bands.iter().map(|band| band.lane + 1).max().unwrap_or(0);
        let top = Tops::new(lanes.min(MOST_LANES), !marks.is_empty());
        let line = |of: fn(&Point) -> Micros| course.line(scale, of);
        let name = plain(&probe.name);
        let caption = caption(report, &probe.name);
        Self {
            id: format!("plot-{index}"),
            label: format!(
                "{name} from {} to {}: {caption}. The table below holds the numbers.",
                time(axis.from),
                time(axis.to)
            ),
            name,
            caption,
            from_ms: ms(axis.from),
            to_ms: ms(axis.to),
            bands: bands.iter().map(|band| self::band(band, axis)).collect(),
            marks: marks.iter().map(|mark| self::mark(mark, axis)).collect(),
            stretches: stretches(report, &probe.name, axis),
            promises: lines(promises, axis, top.panels(), scale),
            times: times(axis),
            decades: scale.ticks(),
            good,
            bad,
            lines: [
                ("max", line(|point| point.max)),
                ("p99", line(|point| point.p99)),
                ("p95", line(|point| point.p95)),
                ("p50", line(|point| point.p50)),
            ],
            rows: course.columns.iter().map(row).collect(),
            crowded: marks.len() + bands.len() > CROWD,
            top,
        }
    }

    pub fn html(&self) -> String {
        // A template that only writes into a string cannot fail.
        self.render().unwrap_or_default()
    }
}

fn caption(report: &Report, probe: &str) -> String {
    let Some(row) = report.probes.iter().find(|row| row.name == probe) else {
        return "no samples".into();
    };
    let Some(latency) = row.latency_ms.as_ref().filter(|_| row.planned > 0) else {
        return format!("{}, no samples", plain(&row.kind));
    };
    let good = amount(Metric::Success, row.good as f64 / row.planned as f64);
    format!(
        "{}, {good} of {} good, p50 {}, p99 {}, max {}",
        plain(&row.kind),
        row.planned,
        milliseconds(latency.p50),
        milliseconds(latency.p99),
        milliseconds(latency.max)
    )
}

fn band(band: &Band, axis: Axis) -> Placed {
    let (from, to) = (axis.along(band.from) * 100.0, axis.along(band.to) * 100.0);
    let width = to - from;
    let held = axis.along(band.reverting) * 100.0 - from;
    let fits = band.step.chars().count() as f64 * LETTER + 1.0 <= width;
    Placed {
        x: percent(from),
        width: percent(width),
        tail: percent(held / width.max(1e-9) * 100.0),
        y: band.lane * LANE,
        class: "",
        shape: "",
        label: if fits {
            band.step.clone()
        } else {
            String::new()
        },
        title: band.title.clone(),
        from_ms: ms(band.from),
        to_ms: ms(band.to),
    }
}

fn mark(mark: &Mark, axis: Axis) -> Placed {
    Placed {
        x: percent(axis.along(mark.at) * 100.0),
        width: String::new(),
        tail: String::new(),
        y: 0,
        class: mark.kind.name(),
        shape: mark.kind.shape(),
        label: String::new(),
        title: mark.text.clone(),
        from_ms: ms(mark.at),
        to_ms: ms(mark.at),
    }
}

/// From when a probe turned bad after an injection until it was good to stay.
fn stretches(report: &Report, probe: &str, axis: Axis) -> Vec<Placed> {
    let stretch = |step: &crate::verdict::StepRow| {
        let begun = step.injecting_ms?;
        let row = step.probes.get(probe)?;
        let (first, (last, back)) = (row.first_bad?, row.from_injection?);
        let from = axis.along(micros(begun + first)) * 100.0;
        let end = back.map_or(axis.to, |back| micros(begun + back));
        let sure = axis.along(micros(begun + last)) * 100.0 - from;
        let width = axis.along(end) * 100.0 - from;
        let told = match back {
            Some(back) => format!(
                "good again between {} and {} after it",
                milliseconds(last),
                milliseconds(back)
            ),
            None => format!("not good again, last bad {} after it", milliseconds(last)),
        };
        let title = format!(
            "after {} first bad {} after the injection, {told}",
            plain(&step.name),
            milliseconds(first)
        );
        Some(Placed {
            x: percent(from),
            width: percent(width),
            tail: percent(sure / width.max(1e-9) * 100.0),
            y: 0,
            class: if back.is_some() { "back" } else { "away" },
            shape: "",
            label: String::new(),
            title,
            from_ms: begun + first,
            to_ms: ms(end),
        })
    };
    report.steps.iter().filter_map(stretch).collect()
}

fn row(column: &Point) -> Row {
    let latency = |us: Micros| milliseconds(ms(us));
    Row {
        at_ms: ms(column.from),
        cells: [
            time(column.from),
            column.planned.to_string(),
            column.good.to_string(),
            amount(Metric::Success, share(column)),
            latency(column.p50),
            latency(column.p95),
            latency(column.p99),
            latency(column.max),
        ],
    }
}

fn ms(at: Micros) -> f64 {
    at as f64 / 1e3
}

/// With two digits: a hundredth of a pixel does not show.
pub(super) fn percent(value: f64) -> String {
    let text = format!("{:.2}", value.clamp(0.0, 100.0));
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}%")
}
