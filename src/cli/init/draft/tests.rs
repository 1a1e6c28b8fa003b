//! Every draft is a scenario that plans, and claims what it can.

use std::path::Path;

use super::*;
use crate::inventory::{Endpoint, Health, Instance, Inventory, RestartPolicy, State};
use crate::plan::preview::preview;
use crate::scenario::{Inputs, Scenario, check};

fn group(name: &str, replicas: usize, doors: &[(u16, Answer)]) -> Group {
    let door = |(port, answer): &(u16, Answer)| Door {
        host: name.into(),
        port: *port,
        answer: *answer,
    };
    Group {
        by: "service",
        name: name.into(),
        project: None,
        replicas,
        vanishes: false,
        doors: doors.iter().map(door).collect(),
    }
}

fn shop() -> Subject {
    Subject::Project("shop".into())
}

#[track_caller]
fn read(text: &str) -> Scenario {
    check(Path::new("shop.toml"), text, &Inputs::default())
        .unwrap_or_else(|problems| panic!("{}\n{text}", problems.render(false, 100)))
}

fn running(group: &Group, number: u32) -> Instance {
    Instance {
        id: format!("{}{number}", group.name),
        name: group.name.clone(),
        image: "any:1".into(),
        image_id: String::new(),
        labels: Default::default(),
        project: Some("shop".into()),
        service: Some(group.name.clone()),
        number: Some(number),
        state: State::Running,
        health: Health::Unchecked,
        pid: Some(7),
        started_at: String::new(),
        restart_count: 0,
        restart_policy: RestartPolicy::No,
        auto_remove: group.vanishes,
        networks: [("net".to_owned(), Endpoint::default())].into(),
        network_mode: "net".into(),
        impaired: None,
    }
}

/// It is a scenario, it plans, and its claims have the samples that they need.
#[track_caller]
fn sound(groups: &[Group]) -> Scenario {
    let text = draft(&shop(), groups, "shop.toml").unwrap();
    let scenario = read(&text);
    let instances = groups
        .iter()
        .flat_map(|group| (1..=group.replicas as u32).map(|n| running(group, n)));
    let inventory = Inventory {
        instances: instances.collect(),
        ..Inventory::default()
    };
    let plan = preview(&scenario, &inventory, 1);
    assert_eq!(plan.problems, Vec::<String>::new(), "{text}");
    for claim in plan.claims {
        assert!(
            claim.needed.is_none_or(|needed| claim.planned.0 >= needed),
            "{claim:?}"
        );
    }
    scenario
}

#[test]
fn one_of_several_is_killed() {
    let groups = [
        group("db", 1, &[(5432, Answer::Tcp)]),
        group(
            "web",
            3,
            &[(8080, Answer::Http(200)), (9090, Answer::Http(404))],
        ),
    ];
    let scenario = sound(&groups);
    assert_eq!(scenario.steps[0].fault.kind(), "kill");
    let probes: Vec<_> = scenario
        .probes
        .iter()
        .map(|probe| probe.name.as_str())
        .collect();
    assert_eq!(probes, ["web-8080", "web-9090", "db-5432"]);
}

#[test]
fn the_only_one_is_paused() {
    let scenario = sound(&[
        group("db", 1, &[(5432, Answer::Tcp)]),
        group("cron", 1, &[]),
    ]);
    assert_eq!(scenario.steps[0].fault.kind(), "pause");
    let mut gone_once_ended = group("web", 3, &[(80, Answer::Http(200))]);
    gone_once_ended.vanishes = true;
    assert_eq!(sound(&[gone_once_ended]).steps[0].fault.kind(), "pause");
}

#[test]
fn without_any_port_its_state_is_watched() {
    let scenario = sound(&[group("worker", 1, &[])]);
    assert_eq!(scenario.probes[0].kind.name(), "container");
    assert_eq!(draft(&shop(), &[], "shop.toml"), None);
}

#[test]
fn names_from_outside_stay_names() {
    let odd = "a\"b\\c{seq}#]";
    let mut group = group(odd, 2, &[(80, Answer::Http(200))]);
    group.doors[0].host = "10.0.0.1".into();
    group.project = Some("x\" = 1".into());
    let text = draft(
        &Subject::Project("p\n[oops]".into()),
        &[group.clone()],
        "f.toml",
    )
    .unwrap();
    assert!(
        !text.lines().any(|line| line.starts_with("[oops]")),
        "{text}"
    );
    let text = draft(&Subject::Everything, &[group], "f.toml").unwrap();
    let scenario = read(&text);
    let select = format!("{:?}", scenario.targets[0].select);
    assert!(
        select.contains("{seq}") && select.contains("x\\\" = 1"),
        "{select}"
    );
}

#[test]
fn each_line_has_its_reason() {
    let text = draft(
        &shop(),
        &[group("web", 2, &[(80, Answer::Http(200))])],
        "shop.toml",
    )
    .unwrap();
    for line in text
        .lines()
        .filter(|line| line.contains(" = ") && !line.starts_with('#'))
    {
        let obvious = ["title", "probe = ", "name = ", "fault."].iter();
        assert!(
            line.contains("  # ") || obvious.clone().any(|o| line.starts_with(o)),
            "{line}"
        );
    }
    assert!(supportable(200) >= 0.9 && supportable(2) <= 0.5);
}
