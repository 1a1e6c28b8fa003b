//! `[targets.NAME]`: who can be hit.

use regex::RegexBuilder;

use super::cursor::Cursor;
use super::entry::Entry;
use super::hint::either;
use super::model::{OnEmpty, Pick, Selector, Target};
use super::role;
use crate::units::Share;

pub(super) const SELECTORS: &[&str] =
    &["service", "container", "name", "label", "image", "project"];

pub(super) fn read_all(root: &mut Cursor<'_>) -> Vec<Target> {
    let section = root.get("targets");
    let targets = section.map(|section| section.named("[targets.primary]"));
    targets.iter().flatten().filter_map(read).collect()
}

fn read(entry: &Entry<'_>) -> Option<Target> {
    let name = super::name_of(entry)?;
    let mut table = entry.table(format!("target `{name}`"), "{ service = \"node\" }")?;
    let mut select = Vec::new();
    let mut written = false;
    for key in SELECTORS {
        if let Some(entry) = table.get(key) {
            written = true;
            select.extend(read_selectors(&entry));
        }
    }
    if !written && !table.has_misspelt(SELECTORS) {
        table.report(
            table
                .problem(format!("target `{name}` selects nothing"))
                .expected(format!(
                    "expected at least one of {}",
                    either(SELECTORS.iter().copied())
                ))
                .hint("add `service = \"node\"`")
                .absence(),
        );
    }
    let role = table.get("role").and_then(|role| role::read(&role));
    let pick = table.get("pick").and_then(|pick| pick.parse(parse_pick));
    let on_empty = table.get("on_empty").and_then(|on_empty| {
        on_empty.choice(&[("error", OnEmpty::Error), ("skip", OnEmpty::Skip)])
    });
    table.finish();
    Some(Target {
        name,
        select,
        role,
        pick: pick.unwrap_or(Pick::All),
        on_empty: on_empty.unwrap_or(OnEmpty::Error),
    })
}

fn read_selectors(entry: &Entry<'_>) -> Vec<Selector> {
    let one = |entry: &Entry<'_>| match entry.key {
        "service" => entry.word().map(Selector::Service),
        "container" => entry
            .word()
            .map(|name| Selector::Container(name.trim_start_matches('/').to_owned())),
        "name" => read_regex(entry),
        "label" => entry.parse(parse_label),
        "image" => entry.word().map(Selector::Image),
        _ => entry.word().map(Selector::Project),
    };
    match entry.key {
        "label" => entry.one_or_more().iter().filter_map(one).collect(),
        _ => one(entry).into_iter().collect(),
    }
}

fn read_regex(entry: &Entry<'_>) -> Option<Selector> {
    let text = entry.word()?;
    // A pattern can be small and its automaton huge.
    match RegexBuilder::new(&text).size_limit(1 << 20).build() {
        Ok(regex) => Some(Selector::Name(regex)),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default();
            entry.report(
                entry
                    .problem("`name` is not a regular expression")
                    .expected(why.trim_start_matches("error: "))
                    .hint("`name` is a pattern; for one exact name use `container`"),
            );
            None
        }
    }
}

fn parse_label(text: &str) -> Result<Selector, String> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim().to_owned())),
        None => (text.trim(), None),
    };
    if key.is_empty() {
        return Err("expected a label, as \"key\" or \"key=value\"".into());
    }
    Ok(Selector::Label {
        key: key.into(),
        value,
    })
}

fn parse_pick(text: &str) -> Result<Pick, String> {
    const EXPECTED: &str = "expected \"one\", \"all\", \"minority\", \"majority\", a number, or a share such as \"50%\"";
    Ok(match text.trim() {
        "one" => Pick::One,
        "all" => Pick::All,
        "minority" => Pick::Minority,
        "majority" => Pick::Majority,
        share if share.ends_with('%') => match share.parse()? {
            Share(share) if share > 0.0 => Pick::Share(share),
            _ => return Err("expected more than 0%".into()),
        },
        count => match count.parse() {
            Ok(0) => return Err("expected at least 1".into()),
            Ok(count) => Pick::Count(count),
            Err(_) => return Err(EXPECTED.into()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::{check, problems};

    const PROBE: &str = "[probes.p]\ntcp = { address = \"a:1\" }\n";

    fn target(text: &str) -> Target {
        check(&format!("{PROBE}[targets.t]\n{text}"))
            .targets
            .remove(0)
    }

    #[test]
    fn every_selector_is_read_and_all_must_hold() {
        let target = target(
            "service = \"a\"\ncontainer = \"/b\"\nname = \"^c-[0-9]$\"\nlabel = [\"d\", \"e=f\"]\nimage = \"g:1\"\nproject = \"h\"",
        );
        let shown: Vec<String> = target.select.iter().map(|s| format!("{s:?}")).collect();
        assert_eq!(
            shown,
            [
                "Service(\"a\")",
                "Container(\"b\")",
                "Name(Regex(\"^c-[0-9]$\"))",
                "Label { key: \"d\", value: None }",
                "Label { key: \"e\", value: Some(\"f\") }",
                "Image(\"g:1\")",
                "Project(\"h\")",
            ]
        );
        assert_eq!(target.pick, Pick::All);
        assert_eq!(target.on_empty, OnEmpty::Error);
    }

    #[test]
    fn pick_takes_words_numbers_and_shares() {
        for (text, pick) in [
            ("\"one\"", Pick::One),
            ("\"all\"", Pick::All),
            ("2", Pick::Count(2)),
            ("\"3\"", Pick::Count(3)),
            ("\"50%\"", Pick::Share(0.5)),
            ("\"minority\"", Pick::Minority),
            ("\"majority\"", Pick::Majority),
        ] {
            assert_eq!(
                target(&format!("service = \"a\"\npick = {text}")).pick,
                pick
            );
        }
    }

    #[test]
    fn a_target_that_cannot_work_is_a_problem() {
        let text = "[targets.a]\n[targets.b]\nname = \"node-[\"\npick = 0\non_empty = \"skp\"\n[targets.c]\nlabel = \"=x\"\nservcie = \"a\"\npick = \"most\"\n";
        assert_eq!(
            problems(&format!("{text}{PROBE}")),
            [
                "1: target `a` selects nothing [expected at least one of `service`, `container`, `name`, `label`, `image` or `project`] (add `service = \"node\"`)",
                "3: `name` is not a regular expression [unclosed character class] (`name` is a pattern; for one exact name use `container`)",
                "4: `pick` cannot be `0` [expected at least 1]",
                "5: `on_empty` cannot be `skp` [expected `error` or `skip`] (did you mean `skip`?)",
                "7: `label` cannot be `=x` [expected a label, as \"key\" or \"key=value\"]",
                "8: unknown key `servcie` in target `c` (did you mean `service`?)",
                "9: `pick` cannot be `most` [expected \"one\", \"all\", \"minority\", \"majority\", a number, or a share such as \"50%\"]",
            ]
        );
    }
}
