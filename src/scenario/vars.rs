//! `[vars]` and `[secrets]`: the names that placeholders can hold.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::de::DeValue;

use super::Inputs;
use super::cursor::Cursor;
use super::entry::Entry;
use super::hint::{did_you_mean, either, quote};
use super::model::SecretSource;
use super::placeholder::{RESERVED, is_name};
use super::problem::Problem;

/// Of a variable's value, in bytes.
const MAX_VALUE: usize = 4096;
/// Before a variable's name in upper case: overrides its default.
const ENV_PREFIX: &str = "CHAOSRUN_VAR_";

/// Fills in the sheet's variables: `--var` before the environment before the default.
pub(super) fn read_vars(root: &mut Cursor<'_>, inputs: &Inputs) -> BTreeMap<String, String> {
    let section = root.get("vars");
    let declared = section
        .as_ref()
        .map(|section| section.named("[vars]"))
        .unwrap_or_default();
    let mut vars = BTreeMap::new();
    for entry in declared.iter().filter(|entry| has_good_name(entry)) {
        let default = read_default(entry, &declared);
        let env = inputs.env.get(&env_name(entry.key)).cloned();
        let given = inputs.vars.get(entry.key).cloned().or(env);
        if given.as_ref().is_some_and(|value| value.len() > MAX_VALUE) {
            entry.report(entry.key_problem(format!(
                "the value given for `{}` is longer than {MAX_VALUE} bytes",
                entry.key
            )));
        }
        vars.insert(entry.key.to_owned(), given.unwrap_or(default));
    }
    for name in inputs.vars.keys() {
        if !declared.iter().any(|entry| entry.key == name) {
            let span = section.as_ref().map(|section| section.key_span.clone());
            root.report(unknown_var(name, span, &declared));
        }
    }
    root.sheet.names.borrow_mut().vars = vars.clone();
    vars
}

fn env_name(var: &str) -> String {
    format!("{ENV_PREFIX}{}", var.to_ascii_uppercase().replace('-', "_"))
}

/// As it stands: a variable's value is not searched for placeholders.
fn read_default(entry: &Entry<'_>, declared: &[Entry<'_>]) -> String {
    let value = match entry.value {
        DeValue::String(text) => text.as_ref(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        other => {
            entry.report(
                entry
                    .problem(format!("a variable cannot be a TOML {}", other.type_str()))
                    .expected("expected a text in quotes"),
            );
            ""
        }
    };
    let inner = declared
        .iter()
        .map(|other| format!("{{{}}}", other.key))
        .find(|placeholder| value.contains(placeholder.as_str()));
    if let Some(placeholder) = inner {
        let span = entry.sheet.find(&entry.span, &placeholder);
        entry.report(
            Problem::new(span, "a variable's value cannot hold another variable")
                .hint("write both where they are used"),
        );
    }
    if value.len() > MAX_VALUE {
        entry.report(entry.problem(format!("a variable of more than {MAX_VALUE} bytes")));
    }
    value.to_owned()
}

fn unknown_var(
    name: &str,
    span: Option<std::ops::Range<usize>>,
    declared: &[Entry<'_>],
) -> Problem {
    let known = || declared.iter().map(|entry| entry.key);
    let message = format!("`--var` gives {}, which no variable is named", quote(name));
    let hint = did_you_mean(name, known()).unwrap_or_else(|| {
        if declared.is_empty() {
            "this scenario has no `[vars]`".into()
        } else {
            format!("known here: {}", either(known()))
        }
    });
    let problem = Problem {
        span,
        ..Problem::outside(message)
    };
    problem.hint(hint).absence()
}

fn has_good_name(entry: &Entry<'_>) -> bool {
    let problem = if RESERVED.contains(&entry.key) {
        entry
            .key_problem(format!("`{}` has a meaning of its own", entry.key))
            .expected("expected another name")
    } else if !is_name(entry.key) {
        entry
            .key_problem(format!("{} cannot be a name", quote(entry.key)))
            .expected("expected letters, digits, `_` and `-`")
    } else {
        return true;
    };
    entry.report(problem);
    false
}

/// Where each secret comes from. None is read.
pub(super) fn read_secrets(root: &mut Cursor<'_>) -> BTreeMap<String, SecretSource> {
    const EXAMPLE: &str = "{ env = \"API_TOKEN\" }";
    let Some(section) = root.get("secrets") else {
        return BTreeMap::new();
    };
    let mut secrets = BTreeMap::new();
    for entry in section
        .named("[secrets]")
        .iter()
        .filter(|e| has_good_name(e))
    {
        if root.sheet.names.borrow().vars.contains_key(entry.key) {
            entry.report(
                entry
                    .key_problem(format!("`{}` is a variable already", entry.key))
                    .expected("expected another name"),
            );
        }
        root.sheet
            .names
            .borrow_mut()
            .secrets
            .insert(entry.key.to_owned());
        let Some(mut source) = entry.table(format!("secret `{}`", entry.key), EXAMPLE) else {
            continue;
        };
        let from = source.exactly_one("source", &["env", "file"], "env = \"API_TOKEN\"");
        let value = from.as_ref().and_then(Entry::word);
        source.finish();
        if let (Some(from), Some(value)) = (from, value) {
            let source = match from.key {
                "env" => SecretSource::Env(value),
                _ => SecretSource::File(PathBuf::from(value)),
            };
            secrets.insert(entry.key.to_owned(), source);
        }
    }
    secrets
}

#[cfg(test)]
mod tests {
    use crate::scenario::testing::{check_with, problems_with};

    const BASE: &str = "[probes.p]\ntcp = { address = \"{host}:1\" }\n";

    fn inputs(vars: &[(&str, &str)], env: &[(&str, &str)]) -> super::Inputs {
        let owned = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        super::Inputs {
            vars: owned(vars),
            env: owned(env),
        }
    }

    #[test]
    fn the_command_line_comes_before_the_environment_before_the_default() {
        let source = format!("[vars]\nhost = \"a\"\n{BASE}");
        let env = [("CHAOSRUN_VAR_HOST", "b")];
        for (given, expected) in [
            (inputs(&[], &[]), "a"),
            (inputs(&[], &env), "b"),
            (inputs(&[("host", "c")], &env), "c"),
        ] {
            assert_eq!(check_with(&source, &given).vars["host"], expected);
        }
    }

    #[test]
    fn what_cannot_be_a_variable() {
        let source = format!(
            "[vars]\nhost = \"{{other}}\"\nother = []\nseq = \"1\"\n\"a b\" = \"1\"\n{BASE}"
        );
        assert_eq!(
            problems_with(&source, &inputs(&[("hots", "x")], &[])),
            [
                "1: `--var` gives `hots`, which no variable is named (did you mean `host`?)",
                "2: a variable's value cannot hold another variable (write both where they are used)",
                "3: a variable cannot be a TOML array [expected a text in quotes]",
                "4: `seq` has a meaning of its own [expected another name]",
                "5: `a b` cannot be a name [expected letters, digits, `_` and `-`]",
            ]
        );
    }

    #[test]
    fn a_secret_has_one_source_and_a_name_of_its_own() {
        let source = format!(
            "[vars]\nhost = \"a\"\n[secrets]\nhost = {{ env = \"H\" }}\nb = {{ env = \"B\", file = \"b\" }}\nc = {{}}\n{BASE}"
        );
        assert_eq!(
            problems_with(&source, &super::Inputs::default()),
            [
                "4: `host` is a variable already [expected another name]",
                "5: secret `b` has more than one source [a second one] (keep one of them)",
                "6: secret `c` has no source [expected one of `env` or `file`] (add `env = \"API_TOKEN\"`)",
            ]
        );
    }
}
