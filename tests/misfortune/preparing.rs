//! What is wrong before anything is done: it is said, and nothing is touched.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::play::Played;
use crate::stage::Stage;
use crate::{BASE, PAUSE, with};

/// Ends as inconclusive, says this, and has neither injected anything nor touched the container.
fn untouched(stage: &Stage, scenario: &str, words: &str) -> Played {
    let before = stage.life(&format!("{}-web", stage.name));
    let played = stage.play(scenario).expect(3).says(words);
    assert!(!played.injected(), "{:#?}", played.history());
    assert_eq!(stage.life(&format!("{}-web", stage.name)), before);
    assert!(stage.journals().is_empty());
    played
}

#[test]
fn no_engine_is_inconclusive_and_says_what_to_do() {
    let stage = Stage::set();
    let dead = stage.folder.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    for (path, why) in [
        ("/nowhere/docker.sock", "no such file or directory"),
        (dead.to_str().unwrap(), "connection refused"),
    ] {
        let host = format!("unix://{path}");
        let run = stage.start_with(&with(PAUSE), &stage.reports(), |command| {
            command.env("DOCKER_HOST", &host);
        });
        run.end()
            .expect(3)
            .says(&format!("connecting to the engine at {host}: {why}"))
            .says("hint: start the engine");
    }
}

#[test]
fn no_permission_is_inconclusive_and_says_whom_to_become() {
    let stage = Stage::set();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(stage.folder.path(), open).unwrap();
    let scenario = stage.write(&with(PAUSE));
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(assert_cmd::cargo::cargo_bin!("chaosrun"))
        .arg(scenario)
        .env("CHAOSRUN_STATE", stage.state())
        .env("DOCKER_HOST", "unix:///var/run/docker.sock")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("permission denied"), "{said}");
    assert!(
        said.contains("hint: add yourself to the socket's group"),
        "{said}"
    );
}

/// A scenario on a Compose file of its own, in a folder named after the stage.
fn stack(stage: &Stage, compose: &str) -> String {
    let folder = stage.folder.path().join(&stage.name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("compose.yaml"), compose).unwrap();
    let own = format!("compose = \"{}/compose.yaml\"", stage.name);
    with(PAUSE).replace("project = \"{project}\"", &own)
}

#[test]
fn a_broken_compose_file_is_told_in_the_tools_own_words() {
    let stage = Stage::set();
    let image = &stage.name;
    for (compose, words) in [
        (
            format!("version: '2.4'\nservices: {{web: {{image: {image}, no_such_key: 1}}}}\n"),
            "no_such_key",
        ),
        ("services: [oops\n".into(), "line 1"),
        (
            "version: '2.4'\nservices: {web: {image: \"misfortune-no-such-image:1\"}}\n".into(),
            "misfortune-no-such-image",
        ),
    ] {
        let played = stage.play(&stack(&stage, &compose)).expect(3).says(words);
        assert!(!played.injected());
        assert_eq!(stage.of_stack(&stage.name), [""; 0]);
        assert!(stage.journals().is_empty());
    }
}

#[test]
fn a_stack_that_works_is_brought_up_and_taken_down() {
    let stage = Stage::set();
    let compose = format!(
        "version: '2.4'\nservices: {{web: {{image: {}, command: [sh, -c, '{}']}}}}\n",
        stage.name, "mkdir -p /www; echo ok > /www/index.html; exec httpd -f -p 8080 -h /www"
    );
    let played = stage.play(&stack(&stage, &compose)).expect(0);
    assert!(played.injected());
    assert_eq!(stage.of_stack(&stage.name), [""; 0]);
}

#[test]
fn no_target_is_inconclusive_unless_it_may_be_skipped() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let nobody = with(PAUSE).replace("service = \"web\"", "service = \"wbe\"");
    untouched(
        &stage,
        &nobody,
        "target web matches none of the system's 1 containers (web-1)",
    );
    let protected = with(PAUSE) + "[limits]\nnever = [\"misfortune\"]\n";
    untouched(&stage, &protected, "all of them are protected");
    let choice = with(PAUSE)
        + "[targets.ghost]\nname = \"^no-such-container$\"\non_empty = \"skip\"\n\
           [[steps]]\nname = \"ghost\"\nfor = \"1s\"\nfault.pause = { target = \"ghost\" }\n";
    let report = stage.play(&choice).expect(0).report();
    assert_eq!(report["steps"][1]["skipped"]["by_choice"], true);
    assert_eq!(stage.status(&web), "running");
}

#[test]
fn a_role_must_be_found_on_exactly_one() {
    let stage = Stage::set();
    let [a, b] = ["web", "b"].map(|name| stage.web(name, &[]));
    let scenario = with(PAUSE).replace(
        "service = \"web\"",
        "label = \"misfortune={project}\"\nrole = { exec = [\"cat\", \"/role\"], equals = \"primary\" }\npick = \"one\"",
    );
    let say = |container: &str, role: &str| {
        let script = format!("echo {role} > /role");
        stage.docker(["exec", container, "sh", "-c", &script]);
    };
    say(&a, "replica");
    say(&b, "replica");
    untouched(&stage, &scenario, "none has the role \"primary\"");
    say(&a, "primary");
    say(&b, "primary");
    let two = untouched(&stage, &scenario, "asks for one");
    for name in ["web-1", "b-1"] {
        assert!(two.report()["reasons"][0].as_str().unwrap().contains(name));
    }
    say(&a, "replica");
    let report = stage.play(&scenario).expect(0).report();
    assert_eq!(report["steps"][0]["instances"], serde_json::json!(["b-1"]));
}

#[test]
fn a_host_that_nobody_knows_is_inconclusive_before_any_fault() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let unknown = with(PAUSE).replace("http://web:", "http://no-such-host.invalid:");
    untouched(&stage, &unknown, "up");
    let patient = unknown.replace("baseline = \"1s\"", "baseline = \"6s\"");
    untouched(&stage, &patient, "host \"no-such-host.invalid\"");
}

#[test]
fn a_system_that_is_broken_before_is_left_alone() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let demanding = with(PAUSE).replace(">= 10%", ">= 90%");
    let missing = demanding.replace(":8080/", ":8080/missing");
    let report = untouched(&stage, &missing, "baseline").report();
    assert_eq!(report["verdict"], "inconclusive");
    assert_eq!(report["probes"][0]["good"], 0);
    let closed = demanding.replace(":8080/", ":8081/");
    untouched(&stage, &closed, "baseline");
}

#[test]
fn a_fault_that_cannot_be_is_found_before_the_baseline() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let foreign =
        with("for = \"1s\"\nfault.disconnect = { target = \"web\", network = \"elsewhere\" }");
    let played = untouched(&stage, &foreign, "elsewhere");
    assert!(
        played
            .history()
            .iter()
            .all(|event| event["event"] != "phase")
    );
    untouched(
        &stage,
        &format!(
            "{BASE}\n[targets.no]\nservice = \"no\"\n[[steps]]\nname = \"hit\"\nfault.pause = {{ target = \"no\" }}\n"
        ),
        "no",
    );
}
