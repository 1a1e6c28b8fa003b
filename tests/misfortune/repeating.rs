//! A scenario run several times, and held against earlier runs.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::stage::Stage;
use crate::{PAUSE, with};

fn folders(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_series_gives_one_verdict_and_can_be_a_baseline() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let twice = format!("repeat = 2\n{}", with(PAUSE));
    let played = stage.play(&twice);
    // Two short runs on a busy machine may be starved; they are two runs even so.
    assert!(matches!(played.code, Some(0 | 3)), "{played:#?}");
    let series = played.dir.clone().unwrap();
    assert!(series.to_string_lossy().ends_with("-7-x2"), "{series:?}");
    let found = json(&series.join("series.json"));
    assert_eq!(found["planned"], 2);
    let seeds = |of: &Value| (of["runs"][0]["seed"].clone(), of["runs"][1]["seed"].clone());
    assert_eq!(seeds(&found), (7.into(), 8.into()));
    assert_eq!(found["exit_code"], played.code.unwrap());
    assert_eq!(folders(&series).len(), 2);
    for (number, folder) in folders(&series).iter().enumerate() {
        let report = json(&folder.join("report.json"));
        assert_eq!(report["seed"], 7 + number);
        assert_eq!(report["steps"][0]["revert"]["verified"], true);
    }
    assert!(played.stdout.contains("Spread"), "{}", played.stdout);

    let again = stage
        .start_with(&with(PAUSE), &stage.reports(), |command| {
            command.arg("--baseline").arg(&series);
        })
        .end();
    let comparison = json(&again.dir.as_ref().unwrap().join("comparison.json"));
    let (before, after) = (&comparison["before"]["runs"], &comparison["after"]["runs"]);
    assert_eq!(
        (
            before.as_array().unwrap().len(),
            after.as_array().unwrap().len()
        ),
        (2, 1)
    );
    assert!(!comparison["rows"].as_array().unwrap().is_empty() || played.code == Some(3));
    // The worse of both decides.
    let codes = [again.report(), comparison].map(|one| one["exit_code"].as_i64().unwrap());
    let worse = [1, 3, 0].into_iter().find(|code| codes.contains(code));
    assert_eq!(again.code.map(i64::from), worse, "{again:#?}");
}

/// Without what it is to be held against nothing is done at all.
#[test]
fn a_baseline_that_is_none_is_wrong_usage() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let before = stage.life(&web);
    let played = stage
        .start_with(&with(PAUSE), &stage.reports(), |command| {
            command.arg("--baseline").arg("/nonexistent");
        })
        .end();
    assert_eq!((played.code, &played.dir), (Some(2), &None));
    assert!(
        played.stderr.contains("there is no run in /nonexistent"),
        "{}",
        played.stderr
    );
    assert_eq!(stage.life(&web), before);
}

/// A signal ends the series, not only the run that it meets.
#[test]
fn an_interrupted_series_begins_no_further_run() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let mut run = stage.start_with(&with(PAUSE), &stage.reports(), |command| {
        command.args(["--repeat", "3"]);
    });
    crate::stage::until("the first run has injected", || {
        let first = run.dir().map(|dir| dir.join("1/history.jsonl"));
        let text = first.and_then(|history| std::fs::read_to_string(history).ok());
        text.is_some_and(|text| text.contains("injected"))
    });
    assert!(!run.has_ended());
    run.signal("INT");
    let played = run.end();
    assert_eq!(played.code, Some(130), "{played:#?}");
    let series = played.dir.clone().unwrap();
    assert_eq!(folders(&series).len(), 1);
    let found = json(&series.join("series.json"));
    assert_eq!(
        (&found["verdict"], &found["planned"]),
        (&"interrupted".into(), &3.into())
    );
    assert_eq!(stage.status(&web), "running");
    assert!(stage.journals().is_empty());
}
