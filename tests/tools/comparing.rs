//! `chaosrun compare`, on recorded histories.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{complained, root, said};

/// Folders as runs leave them, each with one recorded history.
fn runs(dir: &Path, histories: &[&str]) -> String {
    for (number, name) in histories.iter().enumerate() {
        let folder = dir.join((number + 1).to_string());
        fs::create_dir_all(&folder).unwrap();
        let recorded = root().join(format!("tests/histories/{name}.jsonl"));
        fs::copy(recorded, folder.join("history.jsonl")).unwrap();
    }
    dir.to_str().unwrap().to_owned()
}

#[test]
fn the_exit_code_is_the_gate() {
    let dir = tempfile::tempdir().unwrap();
    let good = runs(&dir.path().join("good"), &["passed"; 3]);
    let bad = runs(&dir.path().join("bad"), &["failed"; 3]);
    let (code, table) = said(&["compare", &good, &good]);
    assert_eq!(code, Some(0), "{table}");
    assert!(table.starts_with("SAME  "), "{table}");
    let (code, table) = said(&["compare", &good, &bad]);
    assert_eq!(code, Some(1), "{table}");
    assert!(
        table.starts_with("WORSE  kill-primary: 3 runs before, 3 runs after"),
        "{table}"
    );
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
    let (code, table) = said(&["compare", &bad, &good]);
    assert_eq!(code, Some(0), "{table}");
    assert!(table.starts_with("BETTER  "), "{table}");
    // So wide a margin forgives anything but what never came.
    let wide = ["--max-regression", "100000%"];
    let (code, _) = said(&[&["compare", good.as_str(), &bad][..], &wide].concat());
    assert_eq!(code, Some(0));
}

#[test]
fn a_single_runs_folder_and_json() {
    let dir = tempfile::tempdir().unwrap();
    let good = runs(&dir.path().join("good"), &["passed"]) + "/1";
    let bad = runs(&dir.path().join("bad"), &["inconclusive"]) + "/1";
    let (code, json) = said(&["compare", &good, &bad, "--format", "json"]);
    assert_eq!(code, Some(3), "{json}");
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["change"], "unclear");
    assert!(
        found["reasons"][0]
            .as_str()
            .unwrap()
            .contains("of B was inconclusive")
    );
    assert_eq!(json.lines().count(), 1);
}

#[test]
fn what_is_no_run_is_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    let good = runs(&dir.path().join("good"), &["passed"]);
    let empty = dir.path().join("empty");
    fs::create_dir_all(&empty).unwrap();
    let (code, said) = complained(&["compare", &good, empty.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(said.contains("there is no run in "), "{said}");
    fs::write(dir.path().join("good/1/history.jsonl"), "{}\n").unwrap();
    let (code, said) = complained(&["compare", &good, &good]);
    assert_eq!(code, Some(2));
    assert!(said.contains("history.jsonl: "), "{said}");
    for wrong in ["20", "-5%", "NaN%"] {
        let margin = format!("--max-regression={wrong}");
        assert_eq!(complained(&["compare", &good, &good, &margin]).0, Some(2));
    }
}

#[test]
fn folders_of_several_scenarios_are_compared_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let both = dir.path().join("both");
    runs(&both.join("one"), &["passed"; 3]);
    let other = both.join("two/1/history.jsonl");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    let text = fs::read_to_string(root().join("tests/histories/passed.jsonl")).unwrap();
    fs::write(other, text.replace("\"kill-primary\"", "\"other\"")).unwrap();
    let both = both.to_str().unwrap();
    let (code, table) = said(&["compare", both, both]);
    assert_eq!(code, Some(0));
    assert!(
        table.contains("SAME  kill-primary") && table.contains("SAME  other"),
        "{table}"
    );
    // What is no longer run is not a pass.
    let one = format!("{both}/one");
    let (code, words) = complained(&["compare", both, &one]);
    assert_eq!(code, Some(3));
    assert!(words.contains("only A has runs of other"), "{words}");
    assert_eq!(complained(&["compare", &one, both]).0, Some(0));
}

/// A series is rendered again from its histories.
#[test]
fn a_series_is_made_again_from_its_runs() {
    let dir = tempfile::tempdir().unwrap();
    let series = runs(dir.path(), &["passed", "failed", "passed"]);
    let (code, table) = said(&["report", &series]);
    assert_eq!(code, Some(0), "{table}");
    assert!(table.starts_with("FAILED  "), "{table}");
    let made = fs::read_to_string(dir.path().join("series.json")).unwrap();
    let found: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(
        (&found["planned"], &found["exit_code"]),
        (&3.into(), &1.into())
    );
    assert!(dir.path().join("2/report.json").exists());
    // More runs were asked for than are there: that is not forgotten.
    let cut = made.replace("\"planned\": 3", "\"planned\": 4");
    fs::write(dir.path().join("series.json"), cut).unwrap();
    let (_, again) = said(&["report", &series, "--format", "json"]);
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(
        (&again["planned"], &again["exit_code"]),
        (&4.into(), &1.into())
    );
}
