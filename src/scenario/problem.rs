//! What is wrong with a scenario, where, and how it is shown to people.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str,
};

/// More than these are counted, not shown.
const MAX_SHOWN: usize = 50;
/// A longer line is shown in part.
const MAX_LINE: usize = 1000;
/// Lines further apart than so many bytes are not shown together.
const MAX_APART: usize = 16 * 1024;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the source to underline; `None` when it is about something outside of the file.
    pub span: Option<Range<usize>>,
    /// Where it stands in the file, from 1.
    pub line: Option<usize>,
    pub message: String,
    /// Stands beside the underlined text: what was expected there.
    pub expected: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// Another place that has to do with it.
    pub also: Option<(Range<usize>, String)>,
    /// It says that something is not there, which a syntax error elsewhere may be the cause of.
    pub(crate) absence: bool,
}

impl Problem {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span: Some(span),
            line: None,
            message: message.into(),
            expected: None,
            hint: None,
            also: None,
            absence: false,
        }
    }

    pub(crate) fn outside(message: impl Into<String>) -> Self {
        Self {
            span: None,
            ..Self::new(0..0, message)
        }
    }

    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn also(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.also = Some((span, label.into()));
        self
    }

    pub(crate) fn absence(mut self) -> Self {
        self.absence = true;
        self
    }
}

/// Everything that is wrong with one file, in the order in which it stands there. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    path: PathBuf,
    source: String,
    list: Vec<Problem>,
}

impl Problems {
    pub(crate) fn new(path: &Path, source: &str, mut list: Vec<Problem>) -> Self {
        for problem in &mut list {
            problem.line = problem
                .span
                .as_ref()
                .map(|span| line_of(source, span.start));
        }
        list.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
        Self {
            path: path.to_owned(),
            source: source.to_owned(),
            list,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// For people: each with file, line and column, the underlined place, what was expected, and a hint. `width` is in columns.
    pub fn render(&self, color: bool, width: usize) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let renderer = renderer.term_width(width.max(40));
        let mut out = String::new();
        for problem in self.list.iter().take(MAX_SHOWN) {
            out.push_str(&renderer.render(&[self.group(problem)]));
            out.push_str("\n\n");
        }
        if self.list.len() > MAX_SHOWN {
            let more = self.list.len() - MAX_SHOWN;
            out.push_str(&format!("... and {more} more\n"));
        }
        out
    }

    fn group<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let path = self.path.to_string_lossy();
        let mut group = Level::ERROR
            .primary_title(clean(&problem.message))
            .elements(std::iter::empty::<Origin<'_>>());
        match &problem.span {
            None => group = group.element(Origin::path(path)),
            Some(span) => {
                let view = View::around(&self.source, span, problem.also.as_ref());
                let mut snippet = Snippet::source(harmless(view.text))
                    .line_start(line_of(&self.source, view.start))
                    .annotation(
                        AnnotationKind::Primary
                            .span(view.inside(span))
                            .label(problem.expected.as_deref().map(clean)),
                    );
                if let Some((also, label)) = problem.also.as_ref().filter(|_| view.also) {
                    let label = Some(clean(label));
                    snippet = snippet
                        .annotation(AnnotationKind::Context.span(view.inside(also)).label(label));
                }
                if view.whole {
                    group = group.element(snippet.path(path));
                } else {
                    let (line, column) = place(&self.source, span.start);
                    group = group
                        .element(Origin::path(path).line(line).char_column(column))
                        .element(snippet);
                }
            }
        }
        match &problem.hint {
            Some(hint) => group.element(Level::HELP.with_name("hint").message(clean(hint))),
            None => group,
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false, 120))
    }
}

impl std::error::Error for Problems {}

/// The part of the source that is shown: whole lines, unless they are too long to be of use.
struct View<'a> {
    text: &'a str,
    start: usize,
    whole: bool,
    also: bool,
}

impl<'a> View<'a> {
    fn around(source: &'a str, span: &Range<usize>, also: Option<&(Range<usize>, String)>) -> Self {
        let at = boundary(source, span.start);
        let line = line_around(source, at);
        let both = also.map(|(span, _)| {
            let other = line_around(source, boundary(source, span.start));
            line.start.min(other.start)..line.end.max(other.end)
        });
        if let Some(both) = both.filter(|both| both.len() <= MAX_APART && fits(source, both)) {
            return Self::of(source, both, true, true);
        }
        if line.len() <= MAX_LINE {
            return Self::of(source, line, true, false);
        }
        let start = boundary(source, at.saturating_sub(100)).max(line.start);
        let end = boundary(source, at.saturating_add(200)).min(line.end);
        Self::of(source, start..end.max(start), false, false)
    }

    fn of(source: &'a str, range: Range<usize>, whole: bool, also: bool) -> Self {
        Self {
            text: &source[range.clone()],
            start: range.start,
            whole,
            also,
        }
    }

    /// `span` in here, cut off at the end of its first line.
    fn inside(&self, span: &Range<usize>) -> Range<usize> {
        let start = boundary(self.text, span.start.saturating_sub(self.start));
        let line = line_around(self.text, start);
        let end = boundary(self.text, span.end.saturating_sub(self.start)).min(line.end);
        start..end.max(start)
    }
}

/// The controls that the renderer lets through, as something of the same length, so that spans stay right.
fn harmless(text: &str) -> String {
    let is_c1 = |c: char| matches!(c, '\u{80}'..='\u{9f}');
    text.replace(is_c1, "\u{b7}")
}

/// One line without control characters, which could play tricks on a terminal.
fn clean(text: &str) -> String {
    normalize_untrusted_str(&harmless(text).replace('\n', "\u{240a}"))
}

fn fits(source: &str, range: &Range<usize>) -> bool {
    source[range.clone()]
        .lines()
        .all(|line| line.len() <= MAX_LINE)
}

/// The last character boundary up to `at`.
fn boundary(source: &str, at: usize) -> usize {
    source.floor_char_boundary(at.min(source.len()))
}

/// The line that `at` is in, without its line break.
fn line_around(source: &str, at: usize) -> Range<usize> {
    let start = source[..at].rfind('\n').map_or(0, |n| n + 1);
    let end = source[at..].find('\n').map_or(source.len(), |n| at + n);
    let line = source[start..end].trim_end_matches('\r');
    start..(start + line.len()).max(at)
}

/// From 1.
pub(crate) fn line_of(source: &str, at: usize) -> usize {
    place(source, at).0
}

/// Line and column, from 1; the column in characters.
fn place(source: &str, at: usize) -> (usize, usize) {
    let at = boundary(source, at);
    let before = &source.as_bytes()[..at];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = source[line_around(source, at).start..at].chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(source: &str, problem: Problem) -> String {
        Problems::new(Path::new("a.toml"), source, vec![problem]).render(false, 100)
    }

    #[test]
    fn shows_place_expectation_other_place_and_hint() {
        let problem = Problem::new(11..12, "`b` is wrong")
            .expected("expected 3")
            .also(0..3, "first here")
            .hint("write 3");
        insta::assert_snapshot!(one("[a]\n# dots\nb = 4\n", problem), @r#"
    error: `b` is wrong
     --> a.toml:3:1
      |
    1 | [a]
      | --- first here
    2 | # dots
    3 | b = 4
      | ^ expected 3
      |
      = hint: write 3
    "#);
    }

    #[test]
    fn a_problem_outside_of_the_file_has_no_line() {
        let problems = Problems::new(
            Path::new("a.toml"),
            "",
            vec![Problem::outside("no var `x`")],
        );
        assert_eq!(problems.iter().next().unwrap().line, None);
        insta::assert_snapshot!(problems.render(false, 80), @r#"
    error: no var `x`
    --> a.toml
    "#);
    }

    #[test]
    fn line_breaks_of_windows_leave_no_trace() {
        let shown = one(
            "a = 1\r\nb = 2\r\n",
            Problem::new(7..8, "bad").also(0..1, "x"),
        );
        assert!(shown.contains("2 | b = 2\n"), "{shown}");
        assert!(shown.contains("1 | a = 1\n"), "{shown}");
    }

    #[test]
    fn a_very_long_line_is_shown_in_part_with_its_true_column() {
        let source = format!("\nx = \"{}BAD{}\"", "é".repeat(3000), "é".repeat(3000));
        let at = source.find("BAD").unwrap();
        let shown = one(&source, Problem::new(at..at + 3, "bad"));
        assert!(shown.contains("a.toml:2:3006"), "{shown}");
        assert!(shown.len() < 2000, "{shown}");
    }

    #[test]
    fn control_characters_of_the_file_do_not_reach_the_terminal() {
        let source = "a = '\u{1b}[31m\u{9b}1m'";
        let problem = Problem::new(4..10, "bad \u{1b}[1m\n\u{9b}")
            .expected("\u{1b}x\n\u{9b}")
            .also(0..1, "\u{1b}x\n\u{9b}")
            .hint("\u{1b}y\n\u{9b}");
        let shown = one(source, problem);
        assert!(!shown.contains(['\u{1b}', '\u{9b}']), "{shown}");
    }

    proptest::proptest! {
        #[test]
        fn any_span_of_any_text_can_be_shown(
            source in "(?s).{0,80}", a in 0usize..120, b in 0usize..120, c in 0usize..120, color: bool
        ) {
            let problem = Problem::new(a..b, "m").expected("e").also(c..a, "o").hint("h");
            Problems::new(Path::new("p"), &source, vec![problem]).render(color, a);
        }
    }
}
