//! Talking to a person: errors and hints on standard error, data on standard output. Whoever listens may go away at any time,
//! which is no reason to leave a fault in force.

use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

/// Data could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// `error: …`, and what to do on a line of its own.
pub(super) fn error(what: &str, hint: &str) {
    let (bold, off) = if color(&stderr()) {
        ("\x1b[1;31m", "\x1b[0m")
    } else {
        ("", "")
    };
    say(&format!("{bold}error:{off} {what}"));
    if !hint.is_empty() {
        say(&format!("  hint: {hint}"));
    }
}

/// One line for a person.
pub(super) fn say(line: &str) {
    let _gone = writeln!(stderr(), "{line}");
}

/// Data. A reader that has gone away (`| head`) is no error.
pub(super) fn data(text: &str) {
    let written = writeln!(stdout(), "{}", text.trim_end_matches('\n'));
    if let Err(why) = written.and_then(|()| stdout().flush())
        && why.kind() != io::ErrorKind::BrokenPipe
        && !LOST.swap(true, Ordering::Relaxed)
    {
        error(
            &format!("writing to standard output: {why}"),
            "without its results this command proves nothing",
        );
    }
}

/// Could not all of the data be written?
pub(super) fn lost_data() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Are colours wanted there?
pub(super) fn color(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Of standard output, in columns.
pub(super) fn width() -> usize {
    width_of(&stdout())
}

/// The other one of two streams may be a terminal where this is none.
pub(super) fn width_of(stream: &impl AsFd) -> usize {
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    told.or_else(|| {
        rustix::termios::tcgetwinsize(stream)
            .ok()
            .map(|size| usize::from(size.ws_col))
    })
    .filter(|columns| *columns >= 40)
    .unwrap_or(80)
}

/// `1 step`, `2 steps`.
pub(super) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_is_not_many() {
        assert_eq!(
            [0, 1, 2].map(|n| super::count(n, "step")),
            ["0 steps", "1 step", "2 steps"]
        );
    }
}
