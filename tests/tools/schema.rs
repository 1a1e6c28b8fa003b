//! `chaosrun schema`: what is written is what it says.

use std::fs;

use serde_json::{Value, json};

use crate::{complained, root, said};

fn schema(of: &str) -> Value {
    let (code, text) = said(&["schema", of]);
    assert_eq!(code, Some(0));
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn valid(schema: &Value, value: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(value)
        .map(|e| e.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn every_recorded_report_is_valid() {
    let schema = schema("report");
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(root().join("tests/histories")).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().ends_with(".report.json") {
            continue;
        }
        let report: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        valid(&schema, &report);
        for (key, wrong) in [
            ("verdict", json!("fine")),
            ("seed", json!("42")),
            ("slos", json!({})),
        ] {
            let mut report = report.clone();
            report[key] = wrong;
            assert!(!validator.is_valid(&report), "{key}");
        }
        let mut without = report.clone();
        without.as_object_mut().unwrap().remove("exit_code");
        assert!(!validator.is_valid(&without));
        seen += 1;
    }
    assert!(seen >= 5);
}

#[test]
fn series_and_comparison_are_valid() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        let folder = dir.path().join(number.to_string());
        fs::create_dir_all(&folder).unwrap();
        fs::copy(
            root().join("tests/histories/failed.jsonl"),
            folder.join("history.jsonl"),
        )
        .unwrap();
    }
    let dir = dir.path().to_str().unwrap();
    for (of, args) in [
        ("series", &["report", dir, "--format", "json"][..]),
        ("comparison", &["compare", dir, dir, "--format", "json"]),
    ] {
        let (_, text) = said(args);
        valid(&schema(of), &serde_json::from_str(&text).unwrap());
    }
}

#[test]
fn an_editor_is_told_what_each_key_is() {
    let schema = schema("scenario");
    let kill =
        "/properties/steps/items/properties/fault/properties/kill/properties/within/description";
    let about = schema.pointer(kill).and_then(Value::as_str).unwrap();
    assert!(
        about.contains("restart policy") && about.ends_with("`\"30s\"`."),
        "{about}"
    );
    assert_eq!(complained(&["schema", "history"]).0, Some(2));
}
