//! Talking to a person: errors and hints on standard error, data on standard output.
#![expect(clippy::print_stderr, reason = "this is the module that prints")]

use std::io::{IsTerminal, Write, stderr, stdout};

/// `error: …`, and what to do on a line of its own.
pub(super) fn error(what: &str, hint: &str) {
    let (bold, off) = if color(&stderr()) {
        ("\x1b[1;31m", "\x1b[0m")
    } else {
        ("", "")
    };
    eprintln!("{bold}error:{off} {what}");
    if !hint.is_empty() {
        eprintln!("  hint: {hint}");
    }
}

/// One line for a person.
pub(super) fn say(line: &str) {
    eprintln!("{line}");
}

/// Data. A reader that has gone away (`| head`) is no error.
pub(super) fn data(text: &str) {
    let _gone = writeln!(stdout(), "{}", text.trim_end_matches('\n'));
}

/// Are colours wanted there?
pub(super) fn color(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// In columns.
pub(super) fn width() -> usize {
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    told.or_else(|| {
        rustix::termios::tcgetwinsize(stdout())
            .ok()
            .map(|size| usize::from(size.ws_col))
    })
    .filter(|columns| *columns >= 40)
    .unwrap_or(80)
}
