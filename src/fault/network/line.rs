//! How a line is made worse, as a scenario writes it: the keys that `delay`, `loss`, … and `network` have in common.

use std::time::Duration;

use crate::impairment::{Chance, Delay, Distribution, Loss, Reorder};
use crate::scenario::cursor::Cursor;
use crate::scenario::entry::Entry;
use crate::units::{BitRate, Share, format_duration};

/// Longer than any connection waits.
const LONGEST: Duration = Duration::from_secs(60);
/// One packet of 1500 bytes a second.
const SLOWEST: BitRate = BitRate(12_000);
const FASTEST: BitRate = BitRate(100_000_000_000);
const MOST_GAP: u64 = 1_000_000;
/// One packet in a million.
const LEAST_SHARE: f64 = 1e-6;

/// `latency`, `jitter`, `correlation` and `distribution`; `None` without a latency.
pub(in crate::fault) fn read_delay(table: &mut Cursor<'_>) -> Option<Delay> {
    let written = table.get("latency");
    let latency = table.duration("latency");
    let jitter_entry = table.get("jitter");
    let jitter = table.duration("jitter");
    let correlation_entry = table.get("correlation");
    let correlation = correlation_entry.as_ref().and_then(read_correlation);
    let distribution_entry = table.get("distribution");
    let distribution = distribution_entry.as_ref().and_then(|entry| {
        entry.choice(&[
            ("uniform", Distribution::Uniform),
            ("normal", Distribution::Normal),
            ("pareto", Distribution::Pareto),
            ("paretonormal", Distribution::ParetoNormal),
        ])
    });
    let Some(latency_entry) = written else {
        for entry in [jitter_entry, correlation_entry, distribution_entry] {
            lone(table, entry, "latency", "latency = \"100ms\"");
        }
        return None;
    };
    check_latency(&latency_entry, latency);
    if let (Some(entry), Some(jitter), Some(latency)) = (&jitter_entry, jitter, latency)
        && jitter > latency
    {
        entry.report(
            entry
                .problem(format!(
                    "a `jitter` of {} is more than the `latency` of {}",
                    format_duration(jitter),
                    format_duration(latency)
                ))
                .also(latency_entry.span.clone(), "the latency")
                .hint(
                    "no packet can arrive before it was sent: raise `latency`, or lower `jitter`",
                ),
        );
    }
    if jitter_entry.is_none() {
        for entry in [correlation_entry, distribution_entry] {
            lone(table, entry, "jitter", "jitter = \"10ms\"");
        }
    }
    Some(Delay {
        latency: latency?,
        jitter: jitter.unwrap_or_default(),
        correlation: correlation.unwrap_or_default(),
        distribution: distribution.unwrap_or_default(),
    })
}

/// A delay without any jitter.
pub(in crate::fault) fn read_latency(table: &mut Cursor<'_>) -> Option<Delay> {
    let entry = table.required("latency", "latency = \"10ms\"");
    let latency = table.duration("latency");
    check_latency(&entry?, latency);
    Some(Delay {
        latency: latency?,
        jitter: Duration::ZERO,
        correlation: 0.0,
        distribution: Distribution::default(),
    })
}

fn check_latency(entry: &Entry<'_>, latency: Option<Duration>) {
    if let Some(latency) = latency.filter(|latency| *latency > LONGEST) {
        let text = format!("a `latency` of {}", format_duration(latency));
        let expected = format!("expected at most {}", format_duration(LONGEST));
        entry.report(entry.problem(text).expected(expected));
    }
}

/// A key that says something about another one that is not there.
fn lone(table: &Cursor<'_>, entry: Option<Entry<'_>>, without: &str, example: &str) {
    if let Some(entry) = entry {
        let problem =
            entry.key_problem(format!("`{}` without `{without}` says nothing", entry.key));
        table.report(problem.hint(format!("add `{example}`, or remove it")));
    }
}

fn read_correlation(entry: &Entry<'_>) -> Option<f64> {
    let Share(share) = entry.parse(str::parse)?;
    if share >= 1.0 {
        entry.report(
            entry
                .problem("with a `correlation` of 100% every packet fares as the first one did")
                .expected("expected less than 100%"),
        );
        return None;
    }
    Some(exact(share))
}

/// A share that must not be zero.
fn read_share(entry: &Entry<'_>) -> Option<f64> {
    let Share(share) = entry.parse(str::parse)?;
    if share <= 0.0 {
        entry.report(
            entry
                .problem(format!("`{}` of 0% changes nothing", entry.key))
                .expected("expected more than 0%"),
        );
        return None;
    }
    if share < LEAST_SHARE {
        let text = format!(
            "`{}` of {} is one packet in {:.0}, which no step lasts long enough to meet",
            entry.key,
            Share(share),
            1.0 / share
        );
        let expected = format!("expected at least {}", Share(LEAST_SHARE));
        entry.report(entry.problem(text).expected(expected));
        return None;
    }
    Some(exact(share))
}

/// So few digits that writing it down and reading it again gives the same number everywhere.
fn exact(share: f64) -> f64 {
    (share * 1e9).round() / 1e9
}

/// `percent` and `correlation`.
pub(in crate::fault) fn read_chance(table: &mut Cursor<'_>) -> Option<Chance> {
    let percent = table.required("percent", "percent = \"10%\"");
    read_correlated(table, percent)
}

fn read_correlated(table: &mut Cursor<'_>, percent: Option<Entry<'_>>) -> Option<Chance> {
    let correlation = table.get("correlation");
    let correlation = correlation.as_ref().and_then(read_correlation);
    Some(Chance {
        probability: read_share(&percent?)?,
        correlation: correlation.unwrap_or_default(),
    })
}

/// `percent` and `correlation`, or a `model`.
pub(in crate::fault) fn read_loss(table: &mut Cursor<'_>) -> Option<Loss> {
    let Some(model) = table.get("model") else {
        return read_chance(table).map(Loss::Random);
    };
    for key in ["percent", "correlation"] {
        if let Some(entry) = table.get(key) {
            table.report(
                entry
                    .key_problem(format!("a loss has either a `model` or `{key}`"))
                    .also(model.key_span.clone(), "the model")
                    .hint("keep one of them"),
            );
        }
    }
    read_model(&model)
}

fn read_model(entry: &Entry<'_>) -> Option<Loss> {
    const GILBERT: &str = "{ gilbert_elliott = { p = \"1%\", r = \"10%\" } }";
    let mut models = entry.table("`model`", GILBERT)?;
    let example = format!("model = {GILBERT}");
    let model = models.exactly_one("model", &["gilbert_elliott", "markov"], &example);
    models.finish();
    let model = model?;
    if model.key == "markov" {
        return read_markov(&model);
    }
    let mut table = model.table("`gilbert_elliott`", "{ p = \"1%\", r = \"10%\" }")?;
    let p = table.required("p", "p = \"1%\"");
    let r = table.required("r", "r = \"10%\"");
    let bad = table.get("bad");
    let good = table.get("good");
    table.finish();
    let p = read_share(&p?);
    let r = read_share(&r?);
    let bad = bad.map_or(Some(1.0), |bad| read_share(&bad));
    let good = good.map_or(Some(0.0), |good| read_any_share(&good));
    let (p, r, bad, good) = (p?, r?, bad?, good?);
    if good >= bad {
        model.report(
            model
                .problem("the good state loses as much as the bad one")
                .expected("expected `good` to be less than `bad`"),
        );
    }
    Some(Loss::GilbertElliott { p, r, bad, good })
}

fn read_any_share(entry: &Entry<'_>) -> Option<f64> {
    entry.parse(str::parse).map(|Share(share)| exact(share))
}

fn read_markov(entry: &Entry<'_>) -> Option<Loss> {
    let mut table = entry.table("`markov`", "{ p13 = \"1%\", p31 = \"30%\" }")?;
    let p13 = table.required("p13", "p13 = \"1%\"");
    let p13 = p13.and_then(|p13| read_share(&p13));
    let mut share = |key, default: f64| match table.get(key) {
        Some(entry) => read_any_share(&entry),
        None => Some(default),
    };
    let p31 = share("p31", 1.0 - p13.unwrap_or_default());
    let (p32, p23, p14) = (share("p32", 0.0), share("p23", 1.0), share("p14", 0.0));
    table.finish();
    let (p13, p31, p32, p23, p14) = (p13?, exact(p31?), p32?, p23?, p14?);
    for (from, sum) in [("p31 and p32", p31 + p32), ("p13 and p14", p13 + p14)] {
        if sum > 1.0 + 1e-9 {
            entry.report(
                entry
                    .problem(format!("{from} are {} together", Share(sum)))
                    .expected("expected at most 100% for what follows one state"),
            );
        }
    }
    Some(Loss::Markov {
        p13,
        p31,
        p32,
        p23,
        p14,
    })
}

/// `percent`, `correlation` and `gap`.
pub(in crate::fault) fn read_reorder(table: &mut Cursor<'_>) -> Option<Reorder> {
    let percent = table.required("percent", "percent = \"25%\"");
    let place = percent.clone();
    let chance = read_correlated(table, percent);
    let gap = table.get("gap");
    let gap = gap.map_or(Some(1), |gap| gap.number(1..=MOST_GAP));
    let reorder = Reorder {
        chance: chance?,
        gap: u32::try_from(gap?).unwrap_or(u32::MAX),
    };
    if let Some(entry) = place.filter(|_| reorder.chance.probability >= 1.0 && reorder.gap < 2) {
        entry.report(
            entry
                .problem("where every packet overtakes, none does")
                .expected("expected less than 100%")
                .hint("or say `gap = 5`: every fifth packet overtakes"),
        );
    }
    Some(reorder)
}

pub(in crate::fault) fn read_rate(entry: &Entry<'_>) -> Option<u64> {
    let rate: BitRate = entry.parse(str::parse)?;
    let (rate, expected) = match rate {
        slow if slow < SLOWEST => (slow, format!("at least {SLOWEST}")),
        fast if fast > FASTEST => (fast, format!("at most {FASTEST}")),
        rate => return Some(rate.0),
    };
    let problem = match rate < SLOWEST {
        true => format!("a `rate` of {rate} is less than one packet of 1500 bytes a second"),
        false => format!("a `rate` of {rate}"),
    };
    entry.report(
        entry
            .problem(problem)
            .expected(format!("expected {expected}")),
    );
    None
}

/// In `network`: a share alone, or a table.
pub(in crate::fault) fn share_or_table<T>(
    entry: &Entry<'_>,
    example: &str,
    of_share: impl Fn(Chance) -> T,
    of_table: impl Fn(&mut Cursor<'_>) -> Option<T>,
) -> Option<T> {
    if !entry.is_table() {
        return Some(of_share(Chance {
            probability: read_share(entry)?,
            correlation: 0.0,
        }));
    }
    let mut table = entry.table(format!("`{}`", entry.key), example)?;
    let read = of_table(&mut table);
    table.finish();
    read
}
