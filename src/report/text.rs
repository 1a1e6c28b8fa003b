//! Text from outside, made harmless for terminals.

use std::fmt::Write as _;

/// `text` on one line, with everything that could steer a terminal, or reorder what is read, written out as an escape.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push(' '),
            c if steers(c) => write!(out, "\\u{{{:x}}}", c as u32).unwrap_or_default(),
            c => out.push(c),
        }
    }
    out
}

/// Control characters of both blocks, line separators, marks that change the direction of writing, and invisible ones.
pub(super) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_written_out() {
        assert_eq!(plain("a\u{1b}[31mred\u{7}"), "a\\u{1b}[31mred\\u{7}");
        assert_eq!(plain("one\ntwo\r\tthree"), "one\\ntwo\\r three");
        assert_eq!(plain("\u{9b}2J\u{202e}evil"), "\\u{9b}2J\\u{202e}evil");
    }

    #[test]
    fn honest_text_stays() {
        assert_eq!(plain("żółw × 3 — 日本 ✓"), "żółw × 3 — 日本 ✓");
    }
}
