//! Values with a unit, as a scenario writes them: `"250ms"`, `"99.5%"`, `"50/s"`, `"SIGKILL"`.
//!
//! Every parser answers with a sentence that says what was expected; every formatter writes what its parser reads.

use std::str::FromStr;
use std::time::Duration;
use std::{fmt, io};

use serde::{Deserialize, Serialize};

/// Microseconds since the run began.
pub type Micros = u64;

/// Parses `"250ms"`, `"1.5s"`, `"2m"`, `"1h30m"`, `"0s"`. A unit is required.
///
/// # Errors
/// A sentence saying what a duration looks like.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str =
        "expected a duration with its unit, such as \"250ms\", \"10s\" or \"1h30m\"";
    let mut rest = text.trim();
    let mut seconds = 0.0_f64;
    if rest.is_empty() {
        return Err(EXPECTED.into());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or(EXPECTED)?;
        let number: f64 = rest[..digits].parse().map_err(|_| EXPECTED)?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(rest.len());
        seconds += number
            * match &rest[..letters] {
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return Err(EXPECTED.into()),
            };
        rest = rest[letters..].trim_start();
    }
    // Ten years: beyond any run, and far from where arithmetic in microseconds would overflow.
    if seconds > 315_360_000.0 {
        return Err("a duration of more than ten years".into());
    }
    Ok(Duration::from_nanos((seconds * 1e9).round() as u64))
}

/// Writes a duration the way [`parse_duration`] reads it, in its largest fitting unit: `250ms`, `1.5s`, `2m`, `1h30m`.
pub fn format_duration(duration: Duration) -> String {
    let us = duration.as_micros() as u64;
    let decimal = |value: f64, unit: &str| {
        let text = format!("{value:.3}");
        format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match us {
        0 => "0s".into(),
        1..1_000 => format!("{us}us"),
        1_000..1_000_000 => decimal(us as f64 / 1e3, "ms"),
        1_000_000..60_000_000 => decimal(us as f64 / 1e6, "s"),
        _ => {
            let total = us / 1_000_000;
            let parts = [
                (total / 3600, "h"),
                (total % 3600 / 60, "m"),
                (total % 60, "s"),
            ];
            parts
                .iter()
                .filter(|(n, _)| *n > 0)
                .map(|(n, unit)| format!("{n}{unit}"))
                .collect()
        }
    }
}

/// A share of a whole, from 0 to 1; written as a percentage.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected a percentage from 0% to 100%, such as \"99.5%\"";
        let number: f64 = text
            .trim()
            .strip_suffix('%')
            .and_then(|n| n.trim().parse().ok())
            .ok_or(EXPECTED)?;
        if (0.0..=100.0).contains(&number) {
            Ok(Self(number / 100.0))
        } else {
            Err(EXPECTED.into())
        }
    }
}

impl fmt::Display for Share {
    /// As many decimals as the value needs, at least two where there are any, never rounding a miss up to 100 %.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 * 100.0;
        let text = (2..=6)
            .map(|decimals| format!("{percent:.decimals$}"))
            .find(|text| {
                text.parse().is_ok_and(|shown: f64| {
                    (shown - percent).abs() < 5e-3
                        && (shown < 100.0 || self.0 >= 1.0)
                        && (shown > 0.0 || self.0 <= 0.0)
                })
            })
            .unwrap_or_else(|| percent.to_string());
        write!(f, "{}%", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// The kernel's words for what went wrong, as they go into a sentence: `no such file or directory`.
pub fn kernel_words(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// Events per second; written `"50/s"`, `"30/m"`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(pub f64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str =
            "expected a rate above zero with its period, such as \"50/s\" or \"30/m\"";
        let (number, period) = text.trim().split_once('/').ok_or(EXPECTED)?;
        let number: f64 = number.trim().parse().map_err(|_| EXPECTED)?;
        let seconds = match period.trim() {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(EXPECTED.into()),
        };
        if number > 0.0 && number.is_finite() {
            Ok(Self(number / seconds))
        } else {
            Err(EXPECTED.into())
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, period) = if self.0 >= 1.0 {
            (self.0, "s")
        } else {
            (self.0 * 60.0, "m")
        };
        let text = format!("{number:.2}");
        write!(
            f,
            "{}/{period}",
            text.trim_end_matches('0').trim_end_matches('.')
        )
    }
}

/// Bits per second; written `"10mbit"`, as `tc` does: a thousand to the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitRate(pub u64);

const BIT_UNITS: &[(&str, u64)] = &[
    ("gbit", 1_000_000_000),
    ("mbit", 1_000_000),
    ("kbit", 1_000),
    ("bit", 1),
];

impl FromStr for BitRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected bits per second with their unit, such as \"512kbit\", \"10mbit\" or \"1gbit\"";
        let lower = text.trim().to_ascii_lowercase();
        let found = BIT_UNITS
            .iter()
            .find_map(|(unit, bits)| Some((lower.strip_suffix(unit)?, *bits)));
        let (number, bits) = found.ok_or(EXPECTED)?;
        let number: f64 = number.trim().parse().map_err(|_| EXPECTED)?;
        let rate = number * bits as f64;
        if (0.0..1e15).contains(&rate) {
            Ok(Self(rate.round() as u64))
        } else {
            Err(EXPECTED.into())
        }
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, bits): &&(&str, u64)| self.0 >= *bits;
        let (unit, bits) = BIT_UNITS.iter().find(fits).unwrap_or(&("bit", 1));
        let text = format!("{:.3}", self.0 as f64 / *bits as f64);
        write!(
            f,
            "{}{unit}",
            text.trim_end_matches('0').trim_end_matches('.')
        )
    }
}

/// A POSIX signal by its full name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signal(i32);

/// Linux numbering, which is what a container's kernel uses whatever chaosrun itself runs on.
const SIGNALS: &[(&str, i32)] = &[
    ("SIGHUP", 1),
    ("SIGINT", 2),
    ("SIGQUIT", 3),
    ("SIGILL", 4),
    ("SIGTRAP", 5),
    ("SIGABRT", 6),
    ("SIGBUS", 7),
    ("SIGFPE", 8),
    ("SIGKILL", 9),
    ("SIGUSR1", 10),
    ("SIGSEGV", 11),
    ("SIGUSR2", 12),
    ("SIGPIPE", 13),
    ("SIGALRM", 14),
    ("SIGTERM", 15),
    ("SIGCHLD", 17),
    ("SIGCONT", 18),
    ("SIGSTOP", 19),
    ("SIGTSTP", 20),
    ("SIGTTIN", 21),
    ("SIGTTOU", 22),
    ("SIGWINCH", 28),
    ("SIGSYS", 31),
];

impl Signal {
    pub const KILL: Self = Self(9);
    pub const INT: Self = Self(2);
    pub const TERM: Self = Self(15);

    /// All names, for hints.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SIGNALS.iter().map(|(name, _)| *name)
    }

    pub fn name(self) -> &'static str {
        SIGNALS
            .iter()
            .find(|(_, number)| *number == self.0)
            .map_or("SIG?", |(name, _)| name)
    }

    /// Its Linux number.
    pub fn number(self) -> i32 {
        self.0
    }
}

impl FromStr for Signal {
    type Err = String;

    /// Takes `SIGTERM`, `TERM` and lower case.
    fn from_str(text: &str) -> Result<Self, String> {
        let upper = text.trim().to_ascii_uppercase();
        let full = if upper.starts_with("SIG") {
            upper
        } else {
            format!("SIG{upper}")
        };
        SIGNALS
            .iter()
            .find(|(name, _)| *name == full)
            .map(|(_, number)| Self(*number))
            .ok_or_else(|| "expected a signal's name, such as \"SIGKILL\" or \"SIGTERM\"".into())
    }
}

impl TryFrom<String> for Signal {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> Self {
        signal.name().into()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
