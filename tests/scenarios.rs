//! The gallery: every scenario in `scenarios/` plans, and ends on a real engine as its own comments promise.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use chaosrun::inventory::{Endpoint, Health, Instance, Inventory, RestartPolicy, State};
use chaosrun::plan::preview::preview;
use chaosrun::scenario::{Inputs, Scenario, check};
use serde_json::Value;

/// The services of both stacks, as they are once they run.
const SERVICES: &[(&str, u32)] = &[
    ("node", 3),
    ("redis-1", 1),
    ("redis-2", 1),
    ("redis-3", 1),
    ("sentinel", 3),
];

/// One at a time: they measure, and the machine is small.
static TURN: Mutex<()> = Mutex::new(());

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn files() -> BTreeSet<String> {
    let names = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
        .collect()
}

fn load(name: &str) -> Scenario {
    let path = folder().join(format!("{name}.toml"));
    let source = fs::read_to_string(&path).unwrap();
    check(&path, &source, &Inputs::default())
        .unwrap_or_else(|problems| panic!("{}", problems.render(false, 100)))
}

/// `# … Should end with "passed".`
fn promise(name: &str) -> String {
    let source = fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
    let comment: String = source
        .lines()
        .map_while(|line| line.strip_prefix('#'))
        .collect::<Vec<_>>()
        .join(" ");
    let after = comment
        .split("end with \"")
        .nth(1)
        .unwrap_or_else(|| panic!("{name} promises nothing"));
    after.split('"').next().unwrap().to_owned()
}

fn instance(service: &str, number: u32) -> Instance {
    let tier = service.split('-').next().unwrap();
    let place = SERVICES.iter().position(|(one, _)| *one == service);
    let endpoint = Endpoint {
        address: format!("10.0.{}.{number}", place.unwrap()),
        aliases: vec![service.into()],
        ..Endpoint::default()
    };
    Instance {
        id: format!("{service}{number}"),
        name: format!("stack_{service}_{number}"),
        image: "any:1".into(),
        image_id: String::new(),
        labels: BTreeMap::from([("tier".into(), tier.into())]),
        project: Some("stack".into()),
        service: Some(service.into()),
        number: Some(number),
        state: State::Running,
        health: Health::Healthy,
        pid: Some(7),
        started_at: "2026-01-01T00:00:00Z".into(),
        restart_count: 0,
        restart_policy: RestartPolicy::No,
        auto_remove: false,
        networks: BTreeMap::from([("stack_net".into(), endpoint)]),
        network_mode: "stack_net".into(),
        impaired: None,
    }
}

#[test]
fn each_plans_and_asks_for_no_more_than_its_samples_can_support() {
    let instances = SERVICES
        .iter()
        .flat_map(|(service, count)| (1..=*count).map(|n| instance(service, n)))
        .collect();
    let inventory = Inventory {
        instances,
        ..Inventory::default()
    };
    for name in files() {
        let scenario = load(&name);
        let plan = preview(&scenario, &inventory, 42);
        assert_eq!(plan.problems, Vec::<String>::new(), "{name}");
        assert_eq!(plan.steps.len(), scenario.steps.len(), "{name}");
        assert!(
            plan.steps
                .iter()
                .all(|step| !step.actions.is_empty() && step.hits > 0),
            "{name}"
        );
    }
}

#[test]
fn a_plan_without_its_containers_is_refused() {
    let plan = preview(&load("kill-primary"), &Inventory::default(), 42);
    assert!(
        plan.problems[0].contains("matches none of the system's 0 containers"),
        "{:?}",
        plan.problems
    );
}

#[test]
fn the_list_below_is_the_folder() {
    let listed: BTreeSet<String> = LISTED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(listed, files());
}

fn chaosrun(scenario: &str, reports: &Path) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("chaosrun"))
        .arg(folder().join(format!("{scenario}.toml")))
        .args(["--github", "--format", "json", "--report-dir"])
        .arg(reports)
        .env("GITHUB_STEP_SUMMARY", reports.join("summary"))
        .env("GITHUB_WORKSPACE", env!("CARGO_MANIFEST_DIR"))
        .env("CHAOSRUN_STATE", reports.join("state"))
        .output()
        .unwrap()
}

fn docker(args: &[&str]) -> String {
    String::from_utf8(Command::new("docker").args(args).output().unwrap().stdout).unwrap()
}

fn ends_as_promised(name: &str) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if name.starts_with("redis") {
        let made = Command::new("sh")
            .arg(folder().join("stacks/redis/image.sh"))
            .status()
            .unwrap();
        assert!(made.success(), "the image could not be made");
    }
    let reports = tempfile::tempdir().unwrap();
    let output = chaosrun(name, reports.path());
    let told = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no report: {told}"));
    let promised = promise(name);
    assert_eq!(
        report["verdict"],
        promised.as_str(),
        "{:#}\n{told}",
        report["reasons"]
    );
    let code = if promised == "passed" { 0 } else { 1 };
    assert_eq!(output.status.code(), Some(code));
    tells_a_pipeline(name, &promised, &told, reports.path());
    for step in report["steps"].as_array().unwrap() {
        assert_eq!(step["effect"]["proven"], true, "{step:#}");
        assert_eq!(step["revert"]["verified"], true, "{step:#}");
    }
    let run = report["run"].as_str().unwrap();
    for kind in [
        &["ps", "-aq"][..],
        &["network", "ls", "-q"],
        &["volume", "ls", "-q"],
    ] {
        let left = docker(&[kind, &["--filter", &format!("name={run}")]].concat());
        assert_eq!(left, "", "{kind:?} left behind");
    }
    assert_eq!(
        docker(&["images", "-q", "--filter", &format!("label=chaosrun={run}")]),
        ""
    );
    assert_eq!(
        fs::read_dir(reports.path().join("state")).unwrap().count(),
        0,
        "a journal is left"
    );
}

/// At the scenario's lines, and in the summary of the workflow's step.
fn tells_a_pipeline(name: &str, verdict: &str, told: &str, reports: &Path) {
    let annotations = told.lines().filter(|line| line.starts_with("::error "));
    let begin = format!("::error file=scenarios/{name}.toml,line=");
    let at_its_line = |line: &str| line.starts_with(&begin) && !line.contains(",line=1,");
    let (passed, found) = (verdict == "passed", annotations.collect::<Vec<_>>());
    assert_eq!(passed, found.is_empty(), "{found:?}");
    assert!(found.iter().all(|line| at_its_line(line)), "{found:?}");
    let summary = fs::read_to_string(reports.join("summary")).unwrap();
    let first = summary.lines().next().unwrap_or_default();
    assert!(first.contains(&format!(" {verdict}: ")), "{first}");
}

macro_rules! gallery {
    ($($test:ident $file:literal),* $(,)?) => {
        const LISTED: &[&str] = &[$($file),*];
        $(#[test]
        fn $test() {
            ends_as_promised($file);
        })*
    };
}

gallery! {
    kill_primary "kill-primary",
    pause_primary "pause-primary",
    kill_minority "kill-minority",
    kill_majority "kill-majority",
    no_failover "no-failover",
    slow_failover "slow-failover",
    redis_failover "redis-failover",
    redis_no_quorum "redis-no-quorum",
    redis_partition "redis-partition",
    redis_split_brain "redis-split-brain",
    slow_replica "slow-replica",
    lossy_link "lossy-link",
    partition_primary "partition-primary",
    split_brain "split-brain",
    dns_outage "dns-outage",
}
