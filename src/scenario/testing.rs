//! For the tests of each section: a whole scenario in, values or problems out.

use std::path::Path;

use super::{Inputs, Problem, Scenario};

pub(crate) fn check(source: &str) -> Scenario {
    check_with(source, &Inputs::default())
}

pub(crate) fn check_with(source: &str, inputs: &Inputs) -> Scenario {
    super::check(Path::new("test.toml"), source, inputs).unwrap_or_else(|all| panic!("{all}"))
}

pub(crate) fn problems(source: &str) -> Vec<String> {
    problems_with(source, &Inputs::default())
}

/// Each as `line: message [expected] (hint)`.
pub(crate) fn problems_with(source: &str, inputs: &Inputs) -> Vec<String> {
    match super::check(Path::new("test.toml"), source, inputs) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(short).collect(),
    }
}

fn short(problem: &Problem) -> String {
    let line = problem.line.map_or("-".into(), |line| line.to_string());
    let mut text = format!("{line}: {}", problem.message);
    if let Some(expected) = &problem.expected {
        text.push_str(&format!(" [{expected}]"));
    }
    if let Some(hint) = &problem.hint {
        text.push_str(&format!(" ({hint})"));
    }
    text
}
