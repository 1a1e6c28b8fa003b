//! The page itself: a frame that asks for everything else. Nothing is loaded from elsewhere, and nothing runs but what is known
//! by its hash.

use std::sync::LazyLock;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::engine::control::LONGEST_TEXT;
use crate::report::{html, plot};

static STYLE: LazyLock<String> =
    LazyLock::new(|| format!("{}{}{}", html::STYLE, plot::STYLE, include_str!("live.css")));

const SCRIPT: &str = include_str!("live.js");

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; style-src {}; script-src {} {}; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(&STYLE),
        hash(plot::SCRIPT),
        hash(SCRIPT)
    )
});

#[derive(Template)]
#[template(path = "live.html")]
struct Page {
    style: &'static str,
    plot: &'static str,
    script: &'static str,
    longest: usize,
}

#[derive(Template)]
#[template(path = "plain.html")]
struct Plain<'a> {
    style: &'static str,
    /// Goes on to the page at once.
    moves: bool,
    text: &'a str,
}

/// Of every answer.
pub(super) fn policy() -> &'static str {
    &POLICY
}

pub(super) fn page() -> String {
    let page = Page {
        style: &STYLE,
        plot: plot::SCRIPT,
        script: SCRIPT,
        longest: LONGEST_TEXT,
    };
    page.render().unwrap_or_default()
}

/// On to the page, without the token in the address.
pub(super) fn moved() -> String {
    plain_page(true, "This browser has the live page now.")
}

/// For whoever has no session.
pub(super) fn closed(why: &str) -> String {
    plain_page(false, why)
}

fn plain_page(moves: bool, text: &str) -> String {
    let page = Plain {
        style: &STYLE,
        moves,
        text,
    };
    page.render().unwrap_or_default()
}
