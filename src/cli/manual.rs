//! `chaosrun explain NAME`, `faults` and `probes`: the manual page of each kind is the documentation on top of its file.

use std::io::stdout;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

use super::{code, term};
use crate::fault;
use crate::report;
use crate::scenario::{PROBE_KINDS, did_you_mean, either};

mod pages {
    include!(concat!(env!("OUT_DIR"), "/pages.rs"));
}

/// A page begins with the names that it is about: `` `delay`, `loss`: … ``.
fn is_about(page: &str, name: &str) -> bool {
    let names = page.split(':').next().unwrap_or_default();
    names.starts_with('`') && names.split('`').any(|word| word == name)
}

fn find(pages: &[&'static str], name: &str) -> Option<&'static str> {
    pages.iter().find(|page| is_about(page, name)).copied()
}

fn faults() -> impl Iterator<Item = &'static str> {
    fault::KINDS.iter().map(|kind| kind.name)
}

/// The pages of a name, which may be a fault's and a probe's.
fn pages_of(name: &str) -> Vec<(&'static str, &'static str)> {
    let fault = faults().any(|known| known == name);
    let fault = fault.then(|| find(pages::FAULTS, name)).flatten();
    let probe = PROBE_KINDS.contains(&name);
    let probe = probe.then(|| find(pages::PROBES, name)).flatten();
    let fault = fault.map(|page| ("a fault", page));
    fault
        .into_iter()
        .chain(probe.map(|page| ("a probe", page)))
        .collect()
}

pub(super) fn explain(name: &str) -> u8 {
    let found = pages_of(name);
    if found.is_empty() {
        return unknown(name);
    }
    for (what, page) in found {
        let parts: Vec<&str> = std::iter::once(page).chain(common(what, name)).collect();
        term::data(&report::manual(
            &format!("{name}, {what}"),
            &parts.join("\n\n"),
            term::width(),
            term::color(&stdout()),
        ));
    }
    code::OK
}

/// The page on what it has in common with others.
fn common(what: &str, name: &str) -> Option<&'static str> {
    let (pages, start) = match what {
        "a probe" => (pages::PROBES, "`[probes."),
        _ if fault::KINDS
            .iter()
            .any(|kind| kind.name == name && kind.aimed) =>
        {
            (pages::FAULTS, "Which packets ")
        }
        _ => return None,
    };
    pages.iter().find(|page| page.starts_with(start)).copied()
}

/// What the page of a kind says of a key.
pub(super) fn describe(kind: &str, key: &str) -> Option<String> {
    let pages = pages_of(kind).into_iter();
    pages
        .flat_map(|(what, page)| std::iter::once(page).chain(common(what, kind)))
        .flat_map(str::lines)
        .find_map(|line| row(line, key))
}

/// ``| `key` | default | what it is |``
fn row(line: &str, key: &str) -> Option<String> {
    let rest = line.strip_prefix(&format!("| `{key}` |"))?;
    let (default, about) = rest.trim_end().trim_end_matches('|').split_once('|')?;
    let (default, about) = (default.trim(), about.trim());
    Some(match (default, about) {
        ("", about) => about.to_owned(),
        (default, "") => format!("Without it: {default}."),
        (default, about) => format!("{about}. Without it: {default}."),
    })
    .filter(|text| !text.is_empty())
}

fn unknown(name: &str) -> u8 {
    let known = || faults().chain(PROBE_KINDS.iter().copied());
    let later = fault::LATER.contains(&name);
    let hint = did_you_mean(name, known()).unwrap_or_else(|| format!("known: {}", either(known())));
    let name = report::plain(name);
    if later {
        term::error(
            &format!("the fault `{name}` is not yet supported"),
            "`chaosrun faults` lists those that are",
        );
    } else {
        term::error(&format!("no fault or probe is named `{name}`"), &hint);
    }
    code::USAGE
}

pub(super) fn list_faults() -> u8 {
    let rows = fault::KINDS
        .iter()
        .map(|kind| (kind.name, kind.summary.to_owned()));
    list(rows.collect())
}

pub(super) fn list_probes() -> u8 {
    let rows = PROBE_KINDS.iter().map(|name| {
        let page = find(pages::PROBES, name).unwrap_or_default();
        (*name, summary(page))
    });
    list(rows.collect())
}

/// The first paragraph's first sentence, without the name.
fn summary(page: &str) -> String {
    let first = page
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .replace('\n', " ");
    let sentence = first.split_once(": ").map_or("", |(_, text)| text);
    let end = sentence.find(". ").unwrap_or(sentence.len());
    sentence[..end].trim_end_matches('.').to_owned()
}

fn list(rows: Vec<(&str, String)>) -> u8 {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(term::width().try_into().unwrap_or(u16::MAX));
    table.add_rows(rows.into_iter().map(|(name, text)| [name.to_owned(), text]));
    if let Some(names) = table.column_mut(0) {
        names.set_constraint(ColumnConstraint::ContentWidth);
        names.set_padding((0, 1));
    }
    term::data(&table.trim_fmt());
    code::OK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_page_and_every_page_its_kind() {
        for kind in fault::KINDS {
            let page = find(pages::FAULTS, kind.name);
            let page = page.unwrap_or_else(|| panic!("{} has no page", kind.name));
            assert!(
                page.contains("```toml") && page.contains("`target`"),
                "{page}"
            );
            assert!(
                page.contains(&format!("fault.{}", kind.name)),
                "{} has no example",
                kind.name
            );
            assert!(!kind.summary.is_empty());
        }
        for name in PROBE_KINDS {
            let page = find(pages::PROBES, name).unwrap_or_else(|| panic!("{name} has no page"));
            assert!(
                page.contains("```toml") && page.contains("*Good*"),
                "{page}"
            );
            assert!(summary(page).len() > 10, "{page}");
        }
    }

    #[test]
    fn a_page_is_about_the_names_it_begins_with() {
        assert!(is_about("`delay`, `loss`: packets", "loss"));
        assert!(!is_about("`stop`: as `kill` does", "kill"));
        assert!(!is_about("Every kind of `kill`: this", "kill"));
        assert_eq!(
            summary("`a`: does this.\nAnd that. More.\n\nRest"),
            "does this. And that".split(". ").next().unwrap()
        );
    }
}
