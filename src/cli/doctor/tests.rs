use std::collections::BTreeMap;
use std::time::Duration;

use super::checks::{Check, Local, Standing, checks};
use super::*;
use crate::impairment::{BackEnd, Features};
use crate::inventory::EngineFacts;
use crate::runtime::RuntimeError;
use crate::runtime::docker::{About, Findings};

const NO_NETEM: &str = "the kernel has no sch_netem; install its package of extra modules \
                        (`apt-get install linux-image-amd64`), or do without: `queue` does the same";

fn local() -> Local {
    Local {
        compose: Ok("docker-compose 1.29.2".into()),
        state: Ok(()),
        locks: Ok(()),
        journals: Ok(Vec::new()),
        under_way: vec!["run-1".into()],
    }
}

fn found() -> Findings {
    Findings {
        facts: EngineFacts {
            engine: "docker".into(),
            version: "20.10.24".into(),
            api_version: "1.41".into(),
            kernel: "6.18.44".into(),
            os: "Debian GNU/Linux 12 (bookworm)".into(),
            arch: "amd64".into(),
            cgroup_version: "1".into(),
            rootless: false,
            endpoint: "unix:///var/run/docker.sock".into(),
            ..EngineFacts::default()
        },
        about: Ok(About {
            cgroup_driver: "cgroupfs".into(),
            ahead_ms: -3,
            unsure_ms: 12,
        }),
        image: Ok(Duration::from_micros(412_345)),
        crash: Ok(()),
        features: Ok(Features {
            back_ends: vec![BackEnd::Netem, BackEnd::Queue],
            missing: BTreeMap::new(),
        }),
        agents_of: Ok(vec!["run-1".into()]),
    }
}

fn missing(name: &str, why: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), why.to_owned())])
}

fn refused(tried: &str, said: &str, hint: &str) -> RuntimeError {
    RuntimeError::Refused {
        tried: tried.into(),
        said: said.into(),
        hint: hint.into(),
    }
}

fn told(findings: Findings, local: &Local) -> Vec<Check> {
    checks(&Ok(Box::new(findings)), local)
}

/// How the one check of this name stands, what was found, and what to do.
fn line(checks: &[Check], name: &str) -> (Standing, String, String) {
    let mut of_name = checks.iter().filter(|check| check.name == name);
    let check = of_name.next().unwrap();
    assert!(of_name.next().is_none());
    (check.standing, check.found.clone(), check.todo.clone())
}

#[test]
fn a_machine_with_everything() {
    let all = told(found(), &local());
    let expected = "\
ok  engine          docker 20.10.24, API 1.41, at unix:///var/run/docker.sock
ok  machine         Debian GNU/Linux 12 (bookworm), kernel 6.18.44, amd64
ok  privileges      the engine runs as root
ok  control groups  version 1, driver cgroupfs
ok  agent image     made out of chaosrun itself in 412ms
ok  crashes         an agent sees the host's processes and may signal them
ok  network: netem  delay, loss and the like, by the kernel, through netem
ok  network: queue  delay, loss and the like, by a helper in user space, through nfqueue
ok  compose tool    docker-compose 1.29.2
ok  clock           the engine's clock is this machine's
ok  journals        can be written
ok  locks           can be written
ok  leftovers       none

every kind of scenario works here";
    let table = table(&all, 120);
    let lines: Vec<&str> = table.lines().map(str::trim).collect();
    assert_eq!(lines.join("\n"), expected);
    assert!(works(&all));
}

#[test]
fn a_machine_without_the_features() {
    let mut findings = found();
    findings.features = Ok(Features {
        back_ends: Vec::new(),
        missing: BTreeMap::from([
            ("netem".to_owned(), NO_NETEM.to_owned()),
            (
                "queue".to_owned(),
                "the kernel has no nfqueue; load nfnetlink_queue".to_owned(),
            ),
        ]),
    });
    findings.crash = Err(refused(
        "starting the agent",
        "it may not share the host's pid namespace",
        "",
    ));
    let mut local = local();
    local.compose = Err(refused(
        "asking the compose tool for its version",
        "neither `docker compose` nor `docker-compose` is installed",
        "`apt-get install docker-compose`",
    ));
    let all = told(findings, &local);
    let expected = "\
ok       engine          docker 20.10.24, API 1.41, at unix:///var/run/docker.sock
ok       machine         Debian GNU/Linux 12 (bookworm), kernel 6.18.44, amd64
ok       privileges      the engine runs as root
ok       control groups  version 1, driver cgroupfs
ok       agent image     made out of chaosrun itself in 412ms
missing  crashes         starting the agent: it may not share the host's pid namespace
missing  network: netem  the kernel has no sch_netem
                         → install its package of extra modules (`apt-get install linux-image-amd64`), or do without:
                         `queue` does the same
missing  network: queue  the kernel has no nfqueue
                         → load nfnetlink_queue
missing  compose tool    asking the compose tool for its version: neither `docker compose` nor `docker-compose` is
                         installed
                         → `apt-get install docker-compose`
ok       clock           the engine's clock is this machine's
ok       journals        can be written
ok       locks           can be written
ok       leftovers       none

not every kind of scenario works here";
    let table = table(&all, 120);
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    assert_eq!(lines.join("\n"), expected);
    assert!(!works(&all));
}

#[test]
fn one_back_end_suffices_and_anything_else_that_is_missing_does_not() {
    let mut findings = found();
    findings.features = Ok(Features {
        back_ends: vec![BackEnd::Queue],
        missing: missing("netem", NO_NETEM),
    });
    let all = told(findings.clone(), &local());
    assert_eq!(line(&all, "network: netem").0, Standing::Limited);
    assert!(works(&all));
    findings.features = Ok(Features {
        back_ends: vec![BackEnd::Queue],
        missing: missing("ipv6", "it has no ip6 tables"),
    });
    let all = told(findings.clone(), &local());
    assert_eq!(line(&all, "network: ipv6").0, Standing::Limited);
    assert!(works(&all));
    findings.features = Ok(Features {
        back_ends: vec![BackEnd::Queue],
        missing: missing("reset", "nft has no reject; load nft_reject_inet"),
    });
    let all = told(findings.clone(), &local());
    assert_eq!(
        line(&all, "network: reset"),
        (
            Standing::Missing,
            "nft has no reject".into(),
            "load nft_reject_inet".into()
        )
    );
    assert!(!works(&all));
    findings.features = Ok(Features::default());
    assert!(!works(&told(findings.clone(), &local())));
    findings.features = Err(refused("starting an agent", "no", ""));
    assert!(!works(&told(findings, &local())));
}

#[test]
fn without_an_engine_the_machine_is_still_told_about() {
    let error = RuntimeError::Unreachable {
        tried: "looking for an engine".into(),
        said: "there is no socket".into(),
        hint: "install one".into(),
    };
    let all = checks(&Err(error), &local());
    assert_eq!(line(&all, "engine").2, "install one");
    assert!(table(&all, 80).ends_with("no scenario works here without an engine"));
    assert_eq!(line(&all, "journals").0, Standing::Ok);
    assert_eq!(line(&all, "leftovers").0, Standing::Ok);
    assert!(!works(&all));
}

#[test]
fn a_clock_that_is_wrong_and_an_engine_without_root_are_limits() {
    let mut findings = found();
    for (ahead_ms, unsure_ms, found) in [
        (
            5_250,
            12,
            "the engine's clock is 5.25s ahead of this machine's",
        ),
        (
            -5_250,
            12,
            "the engine's clock is 5.25s behind this machine's",
        ),
        (5_250, 9_000, "the engine's clock is this machine's"),
    ] {
        findings.about = Ok(About {
            cgroup_driver: "none".into(),
            ahead_ms,
            unsure_ms,
        });
        assert_eq!(line(&told(findings.clone(), &local()), "clock").1, found);
    }
    findings.facts.rootless = true;
    let all = told(findings, &local());
    assert_eq!(line(&all, "privileges").0, Standing::Limited);
    assert_eq!(line(&all, "control groups").0, Standing::Limited);
    assert!(works(&all));
}

#[test]
fn leftovers_are_told_apart_from_runs_that_are_under_way() {
    let mut findings = found();
    findings.agents_of = Ok(vec!["run-0".into(), "run-1".into()]);
    let (standing, found, todo) = line(&told(findings.clone(), &local()), "leftovers");
    assert_eq!(
        (standing, found.as_str()),
        (Standing::Limited, "there are agents of run-0")
    );
    assert!(todo.contains("label=chaosrun=run-0"), "{todo}");
    let mut local = local();
    local.journals = Ok(vec!["run-0".into()]);
    let (standing, found, todo) = line(&told(findings, &local), "leftovers");
    assert_eq!(
        (standing, found.as_str()),
        (Standing::Limited, "not all is undone of run-0")
    );
    assert!(todo.contains("chaosrun recover"), "{todo}");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let mut local = local();
    local.state = Err(("/nowhere".into(), "read-only file system".into()));
    let (standing, found, todo) = line(&told(found(), &local), "journals");
    assert_eq!(standing, Standing::Missing);
    assert_eq!(found, "writing to /nowhere: read-only file system");
    assert!(todo.contains("CHAOSRUN_STATE"));
}

#[test]
fn text_from_outside_steers_no_terminal() {
    let mut findings = found();
    findings.facts.os = "evil\u{1b}[2J\nok engine".into();
    let shown = table(&told(findings, &local()), 120);
    assert!(!shown.contains('\u{1b}'));
    assert!(shown.contains("\\nok engine"), "{shown}");
}

#[test]
fn json_says_the_same() {
    let json: serde_json::Value = serde_json::from_str(&as_json(&told(found(), &local()))).unwrap();
    assert_eq!(
        (&json["version"], &json["works"]),
        (&1.into(), &true.into())
    );
    assert_eq!(json["checks"][0]["name"], "engine");
    assert_eq!(json["checks"][0]["standing"], "ok");
    assert_eq!(json["checks"][0]["todo"], "");
}

#[test]
fn a_folder_is_made_and_left_empty() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("a/b");
    writable(&below).unwrap();
    assert_eq!(std::fs::read_dir(&below).unwrap().count(), 0);
    assert!(writable(Path::new("/proc/nowhere")).is_err());
}
