//! Whatever is thrown at it, the checker answers, and its answer can be shown.

use std::path::Path;

use chaosrun::scenario::{Inputs, check};
use proptest::prelude::*;

use crate::read::FULL;

fn answers(source: &str, color: bool, width: usize) {
    if let Err(problems) = check(Path::new("any.toml"), source, &Inputs::default()) {
        assert!(problems.count() > 0);
        assert!(problems.render(color, width).contains("error"));
        for problem in problems.iter() {
            assert!(
                problem
                    .line
                    .is_none_or(|line| line <= source.split('\n').count())
            );
        }
    }
}

/// Pieces that mean something to the parser or to a section.
const PIECES: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\"",
    "'",
    "\"\"\"",
    "\n",
    "#",
    "\\",
    "{seq}",
    "{{",
    "-1",
    "0x10",
    "1e400",
    "true",
    "1979-05-27",
    "é",
    "\u{1b}",
    "\u{0}",
    "\r",
    "[probes.p]\n",
    "[[steps]]\n",
    "[[slos]]\n",
    "[targets.t]\n",
    "fault.kill = ",
    "after = ",
    "[]",
    "{}",
    "\"100%\"",
    "\">= 1s\"",
    "[vars]\n",
    "steps = 1\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300), color: bool, width in 0usize..200) {
        answers(&String::from_utf8_lossy(&bytes), color, width);
    }

    #[test]
    fn arbitrary_pieces(picks in proptest::collection::vec(0..PIECES.len(), 0..40)) {
        let source: String = picks.into_iter().map(|pick| PIECES[pick]).collect();
        answers(&source, false, 80);
    }

    #[test]
    fn a_good_scenario_with_pieces_cut_out_and_put_in(
        cuts in proptest::collection::vec((0..FULL.len(), 0usize..30, 0..PIECES.len()), 1..6)
    ) {
        let mut source = FULL.to_owned();
        for (at, length, piece) in cuts {
            let from = source.floor_char_boundary(at.min(source.len()));
            let to = source.floor_char_boundary((from + length).min(source.len()));
            source.replace_range(from..to.max(from), PIECES[piece]);
        }
        answers(&source, false, 80);
    }
}

#[test]
fn every_beginning_of_a_good_scenario() {
    for (at, _) in FULL.char_indices() {
        answers(&FULL[..at], false, 80);
    }
}

#[test]
fn deep_and_long_input_is_bounded() {
    for source in [
        "[".repeat(100_000),
        "a.".repeat(100_000),
        format!("x = {}", "{a=".repeat(100_000)),
        "x\n".repeat(100_000),
        format!("[probes]\n{}", "p = 1\n".repeat(50_000)),
        format!("title = \"{}\"", "{nope}".repeat(100_000)),
        "[[steps]]\n".repeat(100_000),
        "#".repeat((1 << 20) + 1),
    ] {
        answers(&source, false, 100);
    }
}
