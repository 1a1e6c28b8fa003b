//! One value of a scenario's text, with its key: knows where it stands and reports what is wrong with it.

use std::ops::{Range, RangeInclusive};

use toml::de::{DeTable, DeValue};

use super::cursor::Cursor;
use super::hint::{did_you_mean, either, quote};
use super::placeholder::{Scope, expand};
use super::problem::Problem;
use super::sheet::Sheet;
use super::template::{Part, Template};

/// Of an array and of a table of named things.
const MAX_ITEMS: usize = 1000;

#[derive(Clone)]
pub(crate) struct Entry<'a> {
    pub(crate) sheet: &'a Sheet<'a>,
    pub(crate) key: &'a str,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: &'a DeValue<'a>,
    pub(crate) span: Range<usize>,
}

impl<'a> Entry<'a> {
    /// About the value.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.span.clone(), message)
    }

    /// About the key.
    pub(crate) fn key_problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.key_span.clone(), message)
    }

    pub(crate) fn report(&self, problem: Problem) {
        self.sheet.report(problem);
    }

    fn wrong_type(&self, expected: &str) {
        let kind = self.value.type_str();
        self.report(
            self.problem(format!("{} cannot be a TOML {kind}", quote(self.key)))
                .expected(format!("expected {expected}")),
        );
    }

    /// Text with placeholders, those of `scope` and variables.
    pub(crate) fn template(&self, scope: Scope) -> Option<Template> {
        let DeValue::String(text) = self.value else {
            self.wrong_type("a text in quotes");
            return None;
        };
        match expand(text, scope, &self.sheet.names.borrow()) {
            Ok(template) => Some(template),
            Err(misfits) => {
                for misfit in misfits {
                    let span = self.sheet.find(&self.span, &misfit.text);
                    self.report(
                        Problem::new(span, misfit.message)
                            .hint(misfit.hint)
                            .absence(),
                    );
                }
                None
            }
        }
    }

    /// Text in which only variables can be.
    pub(crate) fn text(&self) -> Option<String> {
        let template = self.template(Scope::Fixed)?;
        Some(match template.parts.into_iter().next() {
            Some(Part::Text(text)) => text,
            _ => String::new(),
        })
    }

    /// As [`Entry::text`], but something must be in it.
    pub(crate) fn word(&self) -> Option<String> {
        self.parse(|text| match text.trim() {
            "" => Err("expected a text that is not empty".into()),
            word if word.chars().any(char::is_control) => {
                Err("expected a text without control characters".into())
            }
            word if word.len() > 1000 => Err("expected at most 1000 bytes".into()),
            word => Ok(word.to_owned()),
        })
    }

    /// A value written as text, such as `"10s"`. A bare number is read too, if `parse` takes it.
    pub(crate) fn parse<T>(&self, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let text = match self.value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::String(_) => self.text()?,
            _ => {
                let expected = parse("").err();
                let expected = expected.as_deref().unwrap_or("expected a text in quotes");
                self.wrong_type(expected.trim_start_matches("expected "));
                return None;
            }
        };
        match parse(&text) {
            Ok(value) => Some(value),
            Err(expected) => {
                let problem = self
                    .problem(format!("{} cannot be {}", quote(self.key), quote(&text)))
                    .expected(expected);
                self.report(match with_unit(&text, parse) {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                });
                None
            }
        }
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let words = || choices.iter().map(|(word, _)| *word);
        let problem = self
            .problem(format!("{} cannot be {}", quote(self.key), quote(&text)))
            .expected(format!("expected {}", either(words())));
        self.report(match did_you_mean(&text, words()) {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
        None
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            // So that a variable can stand here.
            DeValue::String(_) => self.choice(&[("true", true), ("false", false)]),
            _ => {
                self.wrong_type("true or false");
                None
            }
        }
    }

    /// A whole number; in quotes too, so that a variable can stand here.
    pub(crate) fn number(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let expected = format!(
            "expected a whole number from {} to {}",
            range.start(),
            range.end()
        );
        let text = match self.value {
            DeValue::Integer(number) => {
                let value = u64::from_str_radix(number.as_str(), number.radix()).ok();
                value.map_or_else(|| number.to_string(), |value| value.to_string())
            }
            DeValue::String(_) => self.text()?,
            _ => {
                self.wrong_type(expected.trim_start_matches("expected "));
                return None;
            }
        };
        let value = text
            .trim()
            .parse()
            .ok()
            .filter(|value| range.contains(value));
        if value.is_none() {
            self.report(
                self.problem(format!("{} cannot be {}", quote(self.key), quote(&text)))
                    .expected(expected),
            );
        }
        value
    }

    pub(crate) fn table(&self, what: impl Into<String>, example: &str) -> Option<Cursor<'a>> {
        match self.value {
            DeValue::Table(table) => Some(Cursor::new(
                self.sheet,
                table,
                self.key_span.clone(),
                what.into(),
            )),
            _ => {
                self.wrong_type(&format!("a table, such as {example}"));
                None
            }
        }
    }

    pub(crate) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// The table's entries, in the order of the file.
    pub(crate) fn named(&self, example: &str) -> Vec<Entry<'a>> {
        match self.value {
            DeValue::Table(table) if table.len() > MAX_ITEMS => {
                self.too_many(table.len());
                Vec::new()
            }
            DeValue::Table(table) => entries(self.sheet, table),
            _ => {
                self.wrong_type(&format!("a table, such as {example}"));
                Vec::new()
            }
        }
    }

    /// The array's items; a problem unless it is an array.
    pub(crate) fn items(&self, expected: &str) -> Vec<Entry<'a>> {
        match self.value {
            DeValue::Array(items) if items.len() > MAX_ITEMS => {
                self.too_many(items.len());
                Vec::new()
            }
            DeValue::Array(items) => items
                .iter()
                .map(|item| Entry {
                    value: item.get_ref(),
                    key_span: item.span(),
                    span: item.span(),
                    ..self.clone()
                })
                .collect(),
            _ => {
                self.wrong_type(expected);
                Vec::new()
            }
        }
    }

    /// A single value, or an array of them.
    pub(crate) fn one_or_more(&self) -> Vec<Entry<'a>> {
        match self.value {
            DeValue::Array(_) => self.items("an array"),
            _ => vec![self.clone()],
        }
    }

    fn too_many(&self, count: usize) {
        self.report(
            self.key_problem(format!("{count} entries under {}", quote(self.key)))
                .expected(format!("expected at most {MAX_ITEMS}")),
        );
    }

    /// The name of a target that exists.
    pub(crate) fn target(&self) -> Option<String> {
        self.reference("target", &self.sheet.targets)
    }

    /// The name of a probe that exists.
    pub(crate) fn probe(&self) -> Option<String> {
        self.reference("probe", &self.sheet.probes)
    }

    pub(crate) fn reference(&self, what: &str, known: &[&str]) -> Option<String> {
        let name = self.word()?;
        if known.contains(&name.as_str()) {
            return Some(name);
        }
        let hint = did_you_mean(&name, known.iter().copied()).unwrap_or_else(|| {
            if known.is_empty() {
                format!("this scenario has no {what}s")
            } else {
                let shown = known.iter().take(10).copied();
                format!("known here: {}", either(shown))
            }
        });
        self.report(
            self.problem(format!("no {what} named {}", quote(&name)))
                .hint(hint)
                .absence(),
        );
        None
    }
}

/// The value with the unit that it lacks, if that is all that it lacks.
fn with_unit<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<String> {
    let text = text.trim();
    if !text.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = text.chars().filter(char::is_ascii_digit).count();
    // Nobody times a request in hundreds of seconds.
    let units = ["%", "/s", if digits < 3 { "s" } else { "ms" }];
    let mut with_units = units.iter().map(|unit| format!("{text}{unit}"));
    let good = with_units.find(|text| parse(text).is_ok())?;
    Some(format!("did you mean \"{good}\"?"))
}

/// A table's entries, in the order of the file.
pub(crate) fn entries<'a>(sheet: &'a Sheet<'a>, table: &'a DeTable<'a>) -> Vec<Entry<'a>> {
    let mut all: Vec<Entry<'a>> = table
        .iter()
        .map(|(key, value)| Entry {
            sheet,
            key: key.get_ref(),
            key_span: key.span(),
            value: value.get_ref(),
            span: value.span(),
        })
        .collect();
    all.sort_by_key(|entry| entry.key_span.start);
    all
}
