//! `[system]`: what is under test.

use std::path::PathBuf;
use std::time::Duration;

use super::cursor::Cursor;
use super::model::System;

const HEALTHY_WITHIN: Duration = Duration::from_secs(60);

pub(super) fn read(root: &mut Cursor<'_>) -> System {
    let Some(mut table) = root
        .get("system")
        .and_then(|section| section.table("`[system]`", "[system]"))
    else {
        return System::Engine;
    };
    read_engine(&mut table);
    let compose = table.get("compose");
    let project = table.get("project");
    let keep = table.get("keep");
    let healthy = table.get("healthy");
    let healthy_within = table.duration("healthy").unwrap_or(HEALTHY_WITHIN);
    if let (Some(compose), Some(project)) = (&compose, &project) {
        project.report(
            project
                .key_problem("a system has either `compose` or `project`")
                .expected("attaches to what runs already")
                .also(compose.key_span.clone(), "brings a stack up")
                .hint("remove one of them"),
        );
    }
    for entry in [&keep, &healthy].into_iter().flatten() {
        if compose.is_none() {
            entry.report(
                entry
                    .key_problem(format!("`{}` goes with `compose`", entry.key))
                    .hint("without `compose` nothing is brought up or taken down")
                    .absence(),
            );
        }
    }
    let keep = keep.and_then(|keep| keep.boolean()).unwrap_or(false);
    let system = match (compose, project) {
        (Some(file), _) => System::Compose {
            file: PathBuf::from(file.word().unwrap_or_default()),
            keep,
            healthy_within,
        },
        (None, Some(name)) => System::Project {
            name: name.word().unwrap_or_default(),
        },
        (None, None) => System::Engine,
    };
    table.finish();
    system
}

fn read_engine(table: &mut Cursor<'_>) {
    let Some(engine) = table.get("engine") else {
        return;
    };
    match engine.text().as_deref() {
        Some(later @ ("swarm" | "kubernetes")) => engine.report(
            engine
                .problem(format!("the engine \"{later}\" is not yet supported"))
                .expected("expected \"docker\""),
        ),
        Some(_) => {
            engine.choice(&[("docker", ())]);
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::{check, problems};

    const PROBE: &str = "[probes.p]\ntcp = { address = \"a:1\" }\n";

    fn system(text: &str) -> System {
        check(&format!("{text}\n{PROBE}")).system
    }

    #[test]
    fn compose_project_or_the_whole_engine() {
        assert_eq!(system(""), System::Engine);
        assert_eq!(
            system("[system]\nengine = \"docker\"\nproject = \"shop\""),
            System::Project {
                name: "shop".into()
            }
        );
        assert_eq!(
            system("[system]\ncompose = \"a/compose.yaml\"\nkeep = true\nhealthy = \"2m\""),
            System::Compose {
                file: "a/compose.yaml".into(),
                keep: true,
                healthy_within: Duration::from_secs(120),
            }
        );
    }

    #[test]
    fn what_does_not_go_together() {
        let text = "[system]\nengine = \"swarm\"\ncompose = \"a\"\nproject = \"b\"\n";
        assert_eq!(
            problems(&format!("{text}{PROBE}")),
            [
                "2: the engine \"swarm\" is not yet supported [expected \"docker\"]",
                "4: a system has either `compose` or `project` [attaches to what runs already] (remove one of them)",
            ]
        );
        assert_eq!(
            problems(&format!(
                "[system]\nengine = \"dokcer\"\nkeep = true\n{PROBE}"
            )),
            [
                "2: `engine` cannot be `dokcer` [expected `docker`] (did you mean `docker`?)",
                "3: `keep` goes with `compose` (without `compose` nothing is brought up or taken down)",
            ]
        );
    }
}
