//! What every reader of a scenario shares: the source, the names in it, and the problems found so far.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::placeholder::Names;
use super::problem::Problem;

/// More problems than these are not worth remembering.
const MAX_PROBLEMS: usize = 500;

pub(crate) struct Sheet<'a> {
    pub(crate) source: &'a str,
    pub(crate) names: RefCell<Names>,
    pub(crate) targets: Vec<&'a str>,
    pub(crate) probes: Vec<&'a str>,
    /// Known once the steps are read.
    pub(crate) steps: RefCell<Vec<String>>,
    pub(crate) has_steps: bool,
    problems: RefCell<Vec<Problem>>,
    dropped: Cell<usize>,
}

impl<'a> Sheet<'a> {
    /// Takes in every target's and probe's name at once, so that a reference to one that has problems of its own is not
    /// called dangling.
    pub(crate) fn new(source: &'a str, root: &'a DeTable<'a>) -> Self {
        let keys = |section: &str| match root.get(section).map(Spanned::get_ref) {
            Some(DeValue::Table(table)) => table.keys().map(|key| key.get_ref().as_ref()).collect(),
            _ => Vec::new(),
        };
        let steps = root
            .get("steps")
            .and_then(|steps| steps.get_ref().as_array());
        Self {
            source,
            names: RefCell::default(),
            targets: keys("targets"),
            probes: keys("probes"),
            steps: RefCell::default(),
            has_steps: steps.is_some_and(|steps| steps.iter().next().is_some()),
            problems: RefCell::default(),
            dropped: Cell::default(),
        }
    }

    pub(crate) fn report(&self, problem: Problem) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MAX_PROBLEMS {
            problems.push(problem);
        } else {
            self.dropped.set(self.dropped.get() + 1);
        }
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        if self.dropped.get() > 0 {
            problems.push(Problem::outside(format!(
                "{} more problems are not listed",
                self.dropped.get()
            )));
        }
        problems
    }

    /// Where `text` stands within `span`, or all of it.
    pub(crate) fn find(&self, span: &Range<usize>, text: &str) -> Range<usize> {
        let at = self.source.get(span.clone()).and_then(|all| all.find(text));
        match at {
            Some(at) if !text.is_empty() => span.start + at..span.start + at + text.len(),
            _ => span.clone(),
        }
    }
}
