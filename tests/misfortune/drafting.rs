//! `chaosrun init`: a first scenario for what is running, which can be run as it is.

use std::process::Output;

use crate::stage::Stage;

fn init(stage: &Stage, args: &[&str]) -> Output {
    let mut command = stage.chaosrun();
    command
        .current_dir(stage.folder.path())
        .arg("init")
        .args(args);
    command.output().unwrap()
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const EXPOSED: [&str; 2] = ["--expose", "8080"];

/// A second container of the service.
fn second(stage: &Stage) {
    let options = [
        "--expose",
        "8080",
        "--label",
        "com.docker.compose.service=web",
        "--label",
        "com.docker.compose.container-number=2",
    ];
    stage.web("web2", &options);
}

#[test]
fn what_it_writes_checks_plans_and_runs() {
    let stage = Stage::set();
    stage.web("web", &EXPOSED);
    second(&stage);
    // It exposes a port behind which nobody is.
    stage.container(
        "idle",
        &["--expose", "9"],
        "trap 'exit 0' TERM; sleep 600 & wait",
    );
    let made = init(&stage, &[&stage.name]);
    assert!(made.status.success(), "{made:?}");
    let file = stage.folder.path().join(format!("{}.toml", stage.name));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("http://web:8080/") && text.contains("fault.kill"),
        "{text}"
    );
    assert!(!text.contains("idle-9"), "{text}");
    for command in ["check", "plan"] {
        let output = stage.chaosrun().arg(command).arg(&file).output().unwrap();
        let said = words(&output.stdout) + &words(&output.stderr);
        assert!(
            output.status.success() && !said.contains("problem"),
            "{said}"
        );
    }
    stage.play(&text).expect(0);

    // What is there is not overwritten, unless that is wanted.
    std::fs::write(&file, "mine").unwrap();
    let made = init(&stage, &[&stage.name]);
    assert_eq!(made.status.code(), Some(2));
    assert!(words(&made.stderr).contains("is there already"), "{made:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert!(init(&stage, &[&stage.name, "--force"]).status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    let made = init(&stage, &[&stage.name, "-o", "-"]);
    assert_eq!(
        words(&made.stdout),
        text.replace(&format!("{}.toml", stage.name), "FILE")
    );
}

/// The built-in demo system: its port is found, and what is written can be run as it is.
#[test]
fn the_demo_system_has_a_first_scenario() {
    let stage = Stage::set();
    let project = format!("{}-demo", stage.name);
    let folder = stage.folder.path().join(&project);
    std::fs::create_dir_all(&folder).unwrap();
    let stack = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/scenarios/stacks/quorum/compose.yaml"
    );
    std::fs::copy(stack, folder.join("compose.yaml")).unwrap();
    let brought_up = stage.play(&format!(
        "[system]\ncompose = \"{project}/compose.yaml\"\nkeep = true\n[timing]\nbaseline = \"1s\"\nrecovery = \"1s\"\n\
         [probes.up]\nrate = \"20/s\"\ntcp = {{ address = \"node:8080\" }}\n"
    ));
    assert!(!brought_up.injected(), "{brought_up:#?}");
    let label = format!("label=com.docker.compose.project={project}");
    let of_demo = ["--filter", label.as_str()];
    let nodes = stage.docker(["ps", "-q"].into_iter().chain(of_demo));
    let node = nodes.lines().next().unwrap();
    let image = stage.field(node, "{{.Config.Image}}");
    let made = init(&stage, &[&project]);
    assert!(made.status.success(), "{made:?}");
    let file = stage.folder.path().join(format!("{project}.toml"));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("http://node:8080/") && text.contains("fault.kill"),
        "{text}"
    );
    for command in ["check", "plan"] {
        let output = stage.chaosrun().arg(command).arg(&file).output().unwrap();
        let said = words(&output.stdout) + &words(&output.stderr);
        assert!(
            output.status.success() && !said.contains("problem"),
            "{said}"
        );
    }
    let played = stage.play(&text);
    assert!(played.injected(), "{played:#?}");
    played.expect(0);
    for (list, remove) in [
        (&["ps", "-aq"][..], &["rm", "-fv"][..]),
        (&["network", "ls", "-q"], &["network", "rm"]),
        (&["volume", "ls", "-q"], &["volume", "rm"]),
    ] {
        let ids = stage.docker(list.iter().copied().chain(of_demo));
        stage.docker(remove.iter().copied().chain(ids.split_whitespace()));
    }
    stage.docker(["rmi", &image]);
}

#[test]
fn a_single_container_without_a_web_server() {
    let stage = Stage::set();
    let script = "trap 'exit 0' TERM; while true; do nc -l -p 7000 -e /bin/true; done & wait";
    stage.container("only", &["--expose", "7000"], script);
    let made = init(&stage, &[&stage.name, "-o", "-"]);
    let text = words(&made.stdout);
    assert!(
        made.status.success() && text.contains("fault.pause"),
        "{made:?}"
    );
}

#[test]
fn what_does_not_run_is_wrong_usage() {
    let stage = Stage::set();
    let web = stage.web("web", &EXPOSED);
    let made = init(&stage, &["no-such-project"]);
    assert_eq!(made.status.code(), Some(2));
    let said = words(&made.stderr);
    assert!(
        said.contains("no Compose project named no-such-project"),
        "{said}"
    );
    assert!(said.contains(&stage.name), "{said}");
    // What is protected is not offered.
    stage.docker(["rm", "-f", &web]);
    stage.web("web", &["--label", "chaosrun.protect"]);
    let made = init(&stage, &[&stage.name]);
    assert_eq!(made.status.code(), Some(2), "{made:?}");
    assert!(
        !stage
            .folder
            .path()
            .join(format!("{}.toml", stage.name))
            .exists()
    );
}
