//! `chaosrun doctor` on a real engine: it says what works, makes what it needs for that, and leaves nothing.

use serde_json::Value;

use crate::signals::{kill_with_reaper, run_id};
use crate::stage::Stage;
use crate::{PAUSE, with};

/// The exit code, and the checks by name.
fn asked(stage: &Stage) -> (Option<i32>, Value) {
    let mut doctor = stage.chaosrun();
    let output = doctor
        .args(["doctor", "--format", "json"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    (output.status.code(), json)
}

fn check<'a>(json: &'a Value, name: &str) -> &'a Value {
    let mut checks = json["checks"].as_array().unwrap().iter();
    let found = checks.find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {json:#}"))
}

#[test]
fn this_machine_can_do_everything() {
    let stage = Stage::set();
    let (code, json) = asked(&stage);
    assert_eq!((code, &json["works"]), (Some(0), &true.into()), "{json:#}");
    for name in [
        "engine",
        "machine",
        "privileges",
        "control groups",
        "agent image",
        "crashes",
        "compose tool",
        "clock",
        "journals",
        "locks",
    ] {
        assert_eq!(check(&json, name)["standing"], "ok", "{json:#}");
    }
    let version = stage.docker(["version", "--format", "{{.Server.Version}}"]);
    let found = check(&json, "engine")["found"].as_str().unwrap();
    assert!(found.contains(&version), "{found}");
    let works = |name| {
        let checks = json["checks"].as_array().unwrap();
        checks
            .iter()
            .any(|check| check["name"] == name && check["standing"] == "ok")
    };
    assert!(
        works("network: netem") || works("network: queue"),
        "{json:#}"
    );
    // As a table it says the same.
    let output = stage.chaosrun().arg("doctor").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(text.contains("every kind of scenario works here"), "{text}");
    assert_eq!(output.stderr, b"");
}

#[test]
fn what_a_run_has_left_is_told_and_what_is_under_way_is_not() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let mut run = stage.start(&with("for = \"60s\"\nfault.pause = { target = \"web\" }"));
    run.await_event("injected", "", "");
    let id = run_id(&run);
    let told = |json: &Value| {
        check(json, "leftovers")["found"]
            .as_str()
            .unwrap()
            .contains(&id)
    };
    assert!(!told(&asked(&stage).1));
    kill_with_reaper(&run);
    run.end();
    let (code, json) = asked(&stage);
    assert!(told(&json), "{json:#}");
    assert_eq!(check(&json, "leftovers")["standing"], "limited");
    // A run would begin by undoing it.
    assert_eq!(code, Some(0));
    stage.play(&with(PAUSE)).expect(0);
    assert!(!told(&asked(&stage).1));
}

#[test]
fn a_state_folder_that_cannot_be_made_is_missing() {
    let stage = Stage::set();
    let mut doctor = stage.chaosrun();
    doctor.env("CHAOSRUN_STATE", "/proc/nowhere").arg("doctor");
    let output = doctor.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("writing to /proc/nowhere"), "{text}");
    assert!(
        text.contains("not every kind of scenario works here"),
        "{text}"
    );
}
