//! The report as a page for people: one file that asks nothing of the network, readable on a phone and on paper, in light and
//! dark, with a keyboard and with a screen reader.

mod index;
mod page;

pub use index::{Run, render as index};
pub(super) use page::render;
pub use page::sections;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::plot;
use super::text::steers;
use crate::verdict::Verdict;

/// Colours and everything but the plots.
pub const STYLE: &str = include_str!("page.css");

fn style() -> String {
    format!("{STYLE}{}", plot::STYLE)
}

/// Nothing may be loaded, and nothing run but what is known by its hash.
fn policy(style: &str, script: Option<&str>) -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let script = script.map_or_else(|| "'none'".into(), hash);
    format!(
        "default-src 'none'; style-src {}; script-src {script}; img-src data:; base-uri 'none'; form-action 'none'",
        hash(style)
    )
}

/// What could reorder a line or hide a part of it is written out, wherever in the page it stands.
fn harmless(html: String) -> String {
    let steering = |c: char| c != '\n' && c != '\t' && steers(c);
    if !html.chars().any(steering) {
        return html;
    }
    let mut out = String::with_capacity(html.len());
    for c in html.chars() {
        if steering(c) {
            write!(out, "\\u{{{:x}}}", c as u32).unwrap_or_default();
        } else {
            out.push(c);
        }
    }
    out
}

/// A style class: what is fine, what is not, and what is neither.
fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "well",
        Verdict::Failed | Verdict::Dirty => "ill",
        Verdict::Inconclusive | Verdict::Aborted | Verdict::Interrupted => "open",
    }
}

fn tone_of(well: Option<bool>) -> &'static str {
    match well {
        Some(true) => "well",
        Some(false) => "ill",
        None => "open",
    }
}
