//! One table of a scenario's text: hands out its values by key, and knows which keys nobody asked for.

use std::ops::Range;
use std::time::Duration;

use toml::de::DeTable;

use super::entry::{Entry, entries};
use super::hint::{did_you_mean, either, quote};
use super::placeholder::Scope;
use super::problem::Problem;
use super::sheet::Sheet;
use super::template::Template;
use crate::units::parse_duration;

pub(crate) struct Cursor<'a> {
    pub(crate) sheet: &'a Sheet<'a>,
    table: &'a DeTable<'a>,
    /// Underlined when something is missing.
    pub(crate) place: Range<usize>,
    /// For messages: ``probe `write` ``.
    pub(crate) what: String,
    asked: Vec<&'static str>,
    refused: Vec<&'a str>,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(
        sheet: &'a Sheet<'a>,
        table: &'a DeTable<'a>,
        place: Range<usize>,
        what: String,
    ) -> Self {
        Self {
            sheet,
            table,
            place,
            what,
            asked: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// About the table as a whole.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.place.clone(), message)
    }

    pub(crate) fn report(&self, problem: Problem) {
        self.sheet.report(problem);
    }

    pub(crate) fn get(&mut self, key: &'static str) -> Option<Entry<'a>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.peek(key)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Is there a key that was meant to be one of these? Its own problem is enough then.
    pub(crate) fn has_misspelt(&self, keys: &[&str]) -> bool {
        self.table.keys().any(|key| {
            let key = key.get_ref().as_ref();
            !self.asked.contains(&key) && did_you_mean(key, keys.iter().copied()).is_some()
        })
    }

    /// The keys that were looked for, in that order.
    pub(crate) fn asked(&self) -> &[&'static str] {
        &self.asked
    }

    fn peek(&self, key: &str) -> Option<Entry<'a>> {
        let (key, value) = self.table.get_key_value(key)?;
        Some(Entry {
            sheet: self.sheet,
            key: key.get_ref(),
            key_span: key.span(),
            value: value.get_ref(),
            span: value.span(),
        })
    }

    /// `example` is what could stand there: `key = "value"`.
    pub(crate) fn required(&mut self, key: &'static str, example: &str) -> Option<Entry<'a>> {
        let entry = self.get(key);
        if entry.is_none() && !self.has_misspelt(&[key]) {
            self.report(
                self.problem(format!("{} has no `{key}`", self.what))
                    .hint(format!("add `{example}`"))
                    .absence(),
            );
        }
        entry
    }

    pub(crate) fn parse<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.get(key)?.parse(parse)
    }

    /// A duration of more than zero.
    pub(crate) fn duration(&mut self, key: &'static str) -> Option<Duration> {
        self.parse(key, |text| match parse_duration(text)? {
            Duration::ZERO => Err("expected more than zero".into()),
            duration => Ok(duration),
        })
    }

    pub(crate) fn word(&mut self, key: &'static str) -> Option<String> {
        self.get(key)?.word()
    }

    pub(crate) fn template(&mut self, key: &'static str, scope: Scope) -> Option<Template> {
        self.get(key)?.template(scope)
    }

    /// A command as an array of its words.
    pub(crate) fn command(&mut self, key: &'static str, scope: Scope) -> Option<Vec<Template>> {
        let entry = self.required(key, &format!("{key} = [\"redis-cli\", \"ping\"]"))?;
        read_command(&entry, scope)
    }

    /// Every entry that is there, in the order of the file; the table's own keys are all known then.
    pub(crate) fn entries(&self) -> Vec<Entry<'a>> {
        entries(self.sheet, self.table)
    }

    /// The one of `keys` that is there; none and several are problems. `kinds` says what they are.
    pub(crate) fn exactly_one(
        &mut self,
        kinds: &str,
        keys: &[&'static str],
        example: &str,
    ) -> Option<Entry<'a>> {
        self.asked.extend(keys);
        let mut found: Vec<Entry<'a>> = keys.iter().filter_map(|key| self.peek(key)).collect();
        found.sort_by_key(|entry| entry.key_span.start);
        let mut found = found.into_iter();
        let first = found.next();
        match &first {
            None if self.refused.is_empty() && !self.has_misspelt(keys) => self.report(
                self.problem(format!("{} has no {kinds}", self.what))
                    .expected(format!("expected one of {}", either(keys.iter().copied())))
                    .hint(format!("add `{example}`"))
                    .absence(),
            ),
            None => {}
            Some(first) => {
                for other in found {
                    let problem = other
                        .key_problem(format!("{} has more than one {kinds}", self.what))
                        .expected("a second one")
                        .also(first.key_span.clone(), "the first one");
                    self.report(problem.hint("keep one of them"));
                }
            }
        }
        first
    }

    /// Keys that a later version will know.
    pub(crate) fn not_yet(&mut self, kinds: &str, later: &[&'static str], now: &[&'static str]) {
        for entry in self.entries() {
            if later.contains(&entry.key) && !now.contains(&entry.key) {
                self.refused.push(entry.key);
                self.report(
                    entry
                        .key_problem(format!("the {kinds} `{}` is not yet supported", entry.key))
                        .expected(format!("expected {}", either(now.iter().copied()))),
                );
            }
        }
    }

    /// Reports every key that nobody asked for.
    pub(crate) fn finish(self) {
        for entry in self.entries() {
            if self.asked.contains(&entry.key) || self.refused.contains(&entry.key) {
                continue;
            }
            let hint = did_you_mean(entry.key, self.asked.iter().copied())
                .unwrap_or_else(|| format!("known here: {}", either(self.asked.iter().copied())));
            self.report(
                entry
                    .key_problem(format!("unknown key {} in {}", quote(entry.key), self.what))
                    .hint(hint),
            );
        }
    }
}

/// See [`Cursor::command`].
pub(crate) fn read_command(entry: &Entry<'_>, scope: Scope) -> Option<Vec<Template>> {
    const EXPECTED: &str = "the command's words in an array, such as [\"redis-cli\", \"ping\"]";
    let words = entry.items(EXPECTED);
    let command: Option<Vec<Template>> = words.iter().map(|word| word.template(scope)).collect();
    if entry
        .value
        .as_array()
        .is_some_and(|items| items.iter().next().is_none())
    {
        entry.report(
            entry
                .problem(format!("{} is empty", quote(entry.key)))
                .expected(format!("expected {EXPECTED}")),
        );
    }
    command.filter(|command| !command.is_empty())
}
