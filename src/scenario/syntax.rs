//! What the TOML parser could not read, as problems.

use std::ops::Range;

use super::hint::quote;
use super::problem::{Problem, line_of};

const MAX_ERRORS: usize = 500;

/// All problems of a file that is not proper TOML. What the parser could not read may be what another problem misses, and a
/// line with a syntax error has problem enough.
pub(super) fn with(
    source: &str,
    problems: Vec<Problem>,
    errors: &[toml::de::Error],
) -> Vec<Problem> {
    let mut all = read(source, errors);
    let line = |problem: &Problem| {
        let span = problem.span.as_ref()?;
        Some(line_of(source, span.start))
    };
    let lines: Vec<Option<usize>> = all.iter().map(line).collect();
    if !lines.is_empty() {
        let stands = |other: &Problem| !other.absence && !lines.contains(&line(other));
        all.extend(problems.into_iter().filter(stands));
        return all;
    }
    problems
}

fn read(source: &str, errors: &[toml::de::Error]) -> Vec<Problem> {
    let mut problems = Vec::new();
    // Everything under a table's second header comes up as doubled too.
    let mut doubled = 0..0;
    for error in errors.iter().take(MAX_ERRORS) {
        let span = error.span().unwrap_or(source.len()..source.len());
        if error.message() != "duplicate key" {
            problems.push(Problem::new(span, format!("not TOML: {}", error.message())));
        } else if !doubled.contains(&span.start) {
            if line_at(source, span.start).trim_start().starts_with('[') {
                doubled = span.start..next_header(source, span.end);
            }
            problems.push(duplicate(source, span));
        }
    }
    problems
}

fn duplicate(source: &str, span: Range<usize>) -> Problem {
    let key = source.get(span.clone()).unwrap_or_default();
    let problem = Problem::new(span.clone(), format!("{} is defined twice", quote(key)))
        .hint("a name can be given once: rename or remove one of them");
    match first_definition(source, &span) {
        Some(first) => problem.also(first, "the first one"),
        None => problem,
    }
}

/// Where an earlier line says the same up to and with the key.
fn first_definition(source: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let start = source.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let same = source.get(start..span.end)?;
    let mut at = 0;
    for line in source[..start].split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix(same)
            && rest.starts_with([' ', '\t', '=', ']', '.'])
        {
            return Some(at + span.start - start..at + span.end - start);
        }
        at += line.len();
    }
    None
}

fn line_at(source: &str, at: usize) -> &str {
    let start = source.get(..at).and_then(|before| before.rfind('\n'));
    source
        .get(start.map_or(0, |at| at + 1)..)
        .unwrap_or_default()
}

fn next_header(source: &str, from: usize) -> usize {
    let rest = source.get(from..).unwrap_or_default();
    rest.find("\n[").map_or(source.len(), |at| from + at)
}

#[cfg(test)]
mod tests {
    use crate::scenario::testing::problems;

    #[test]
    fn other_problems_are_shown_too_but_none_that_the_syntax_may_be_the_cause_of() {
        assert_eq!(
            problems("[timing]\nbaseline = 5\n[probes.p\ntcp = 3\n[limits]\nmax_targets = 0\n"),
            [
                "2: `baseline` cannot be `5` [expected a duration with its unit, such as \"250ms\", \"10s\" or \"1h30m\"] (did you mean \"5s\"?)",
                "3: not TOML: unclosed table, expected `]`",
                "6: `max_targets` cannot be `0` [expected a whole number from 1 to 1000000]",
            ]
        );
    }

    #[test]
    fn a_second_table_of_the_same_name_is_one_problem() {
        let probe = "[probes.p]\ntcp = { address = \"a:1\" }\n";
        assert_eq!(
            problems(&format!(
                "{probe}{probe}[timing]\nsteady = \"1s\"\nsteady = \"2s\"\n"
            )),
            [
                "3: `p` is defined twice (a name can be given once: rename or remove one of them)",
                "7: `steady` is defined twice (a name can be given once: rename or remove one of them)",
            ]
        );
    }
}
