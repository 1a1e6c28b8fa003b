//! The schema and the reader speak of one language.

use std::collections::BTreeSet;
use std::path::Path;

use chaosrun::fault::KINDS;
use chaosrun::scenario::{Inputs, check, schema};
use jsonschema::Validator;
use serde_json::Value;

use crate::read::FULL;

fn validator() -> Validator {
    let schema = schema(&|_, _| None);
    let built = jsonschema::options().should_validate_formats(false);
    built.build(&schema).expect("the schema is one")
}

fn json(text: &str) -> Value {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn accepts(text: &str) -> bool {
    check(Path::new("t.toml"), text, &Inputs::default()).is_ok()
}

#[test]
fn what_can_be_run_is_valid() {
    let validator = validator();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = std::fs::read_dir(folder).expect("it is there");
    let mut texts: Vec<String> = files
        .map(|entry| entry.expect("it is there").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .map(|path| std::fs::read_to_string(path).expect("it is text"))
        .collect();
    assert!(texts.len() > 5);
    texts.push(FULL.into());
    for text in texts {
        let text = json(&text);
        let wrong: Vec<String> = validator
            .iter_errors(&text)
            .map(|e| e.to_string())
            .collect();
        assert!(wrong.is_empty(), "{wrong:?} in {text:#}");
    }
}

const BASE: &str = "[probes.p]\nhttp = { url = \"http://a/\" }\n[targets.t]\nservice = \"s\"\n";

/// Every table of the language: what leads to it, and where its keys are in the schema. `@` stands for another key in it.
fn tables() -> Vec<(String, String)> {
    let probe = |kind: &str| format!("[probes.q]\n{kind}\n{BASE}");
    let slo = "[[slos]]\nprobe = \"p\"\nsuccess = \">= 50%\"\n";
    let step = |inside: &str| format!("{BASE}{slo}[[steps]]\n{inside}");
    let pause = "fault.pause = { target = \"t\" }";
    let of_probe = "/properties/probes/additionalProperties";
    let expect = |n: usize| format!("{of_probe}/allOf/{n}/then/properties/expect");
    let item = |list: &str| format!("/properties/{list}/items");
    let mut tables = vec![
        (format!("@\n{BASE}"), String::new()),
        (format!("{BASE}[system]\n@"), "/properties/system".into()),
        (format!("{BASE}[timing]\n@"), "/properties/timing".into()),
        (format!("{BASE}[limits]\n@"), "/properties/limits".into()),
        (
            format!("{BASE}[secrets]\nx = {{ env = \"A\", @ }}"),
            "/properties/secrets/additionalProperties".into(),
        ),
        (
            format!("{BASE}[targets.u]\nservice = \"s\"\n@"),
            "/properties/targets/additionalProperties".into(),
        ),
        (
            format!(
                "{BASE}[targets.u]\nservice = \"s\"\nrole = {{ exec = [\"a\"], equals = \"b\", @ }}"
            ),
            "/properties/targets/additionalProperties/properties/role".into(),
        ),
        (probe("http = { url = \"http://a/\" }\n@"), of_probe.into()),
        (
            probe("http = { url = \"http://a/\", @ }"),
            format!("{of_probe}/properties/http"),
        ),
        (
            probe("tcp = { address = \"a:1\", @ }"),
            format!("{of_probe}/properties/tcp"),
        ),
        (
            probe("exec = { command = [\"a\"], @ }"),
            format!("{of_probe}/properties/exec"),
        ),
        (
            probe("container = { target = \"t\", @ }"),
            format!("{of_probe}/properties/container"),
        ),
        (
            probe("http = { url = \"http://a/\" }\nexpect = { @ }"),
            expect(0),
        ),
        (
            probe("tcp = { address = \"a:1\" }\nexpect = { @ }"),
            expect(1),
        ),
        (
            probe("exec = { command = [\"a\"] }\nexpect = { @ }"),
            expect(2),
        ),
        (
            probe("container = { target = \"t\" }\nexpect = { @ }"),
            expect(3),
        ),
        (format!("{BASE}{slo}@"), item("slos")),
        (
            format!("{BASE}[[guards]]\nprobe = \"p\"\nsuccess = \"< 5%\"\n@"),
            item("guards"),
        ),
        (step(&format!("{pause}\n@")), item("steps")),
        (
            step(&format!(
                "{pause}\nwhen = {{ probe = \"p\", steady = \"1s\", @ }}"
            )),
            item("steps") + "/properties/when",
        ),
    ];
    tables.extend(KINDS.iter().map(|kind| {
        let name = kind.name;
        (
            step(&format!("fault.{name} = {{ target = \"t\", @ }}")),
            format!("{}/properties/fault/properties/{name}", item("steps")),
        )
    }));
    tables
}

/// Those that the reader names when it meets one that it does not know.
fn known(text: &str) -> BTreeSet<String> {
    let problems = check(Path::new("t.toml"), text, &Inputs::default())
        .err()
        .unwrap_or_else(|| panic!("{text} is accepted"))
        .render(false, 4000);
    let list = problems
        .lines()
        .find_map(|line| line.split_once("known here: "))
        .unwrap_or_else(|| panic!("{problems}"));
    let names = list.1.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn every_key_of_the_reader_is_in_the_schema_and_no_other() {
    let (schema, validator) = (schema(&|_, _| None), validator());
    for (text, place) in tables() {
        let mut known = known(&text.replace('@', "zzzzqqqq = 1"));
        if place.ends_with("/guards/items") {
            // It knows them only to say why they cannot be watched.
            known.retain(|key| !["outage", "recovery"].contains(&key.as_str()));
        }
        let at = schema
            .pointer(&place)
            .unwrap_or_else(|| panic!("no {place}"));
        let listed = at["properties"].as_object().expect("it has keys");
        let listed: BTreeSet<String> = listed.keys().cloned().collect();
        assert_eq!(listed, known, "{place}");
        assert!(
            !validator.is_valid(&json(&text.replace('@', "zzzzqqqq = 1"))),
            "{text}"
        );
        let bare = text.replace(", @", "").replace('@', "");
        assert!(validator.is_valid(&json(&bare)), "{bare}");
    }
}

#[test]
fn what_neither_takes() {
    let validator = validator();
    let wrong = [
        "",
        "seed = -1",
        "repeat = 0",
        "[timing]\nbaseline = 10",
        "[timing]\nbaseline = \"10\"",
        "[system]\nengine = \"kubernetes\"",
        "[limits]\nmax_percent = \"half\"",
        "[secrets]\nx = { }",
        "[targets.u]\nservice = true",
        "[targets.u]\nservice = \"s\"\non_empty = \"ignore\"",
        "[[slos]]\nprobe = \"p\"",
        "[[slos]]\nprobe = \"p\"\nsuccess = \"95%\"",
        "[[slos]]\nsuccess = \">= 95%\"",
        "[[guards]]\nprobe = \"p\"\nsuccess = \"< 5%\"\np99 = \"> 1s\"",
        "[[steps]]\nname = \"x\"",
        "[[steps]]\nfault.sabotage = { target = \"t\" }",
        "[[steps]]\nfault = { pause = { target = \"t\" }, stop = { target = \"t\" } }",
        "[[steps]]\nfor = \"soon\"\nfault.pause = { target = \"t\" }",
        "[[steps]]\nfault.pause = { }",
        "[probes.q]\nrate = \"50\"\ntcp = { address = \"a:1\" }",
        "[probes.q]\nrate = \"50/s\"",
        "[probes.q]\ntcp = { address = \"a:1\" }\nhttp = { url = \"http://a/\" }",
        "[probes.q]\ntcp = { address = \"a:1\" }\nexpect = { status = 200 }",
    ];
    for wrong in wrong {
        let head = wrong.is_empty() || !wrong.starts_with('[');
        let text = match head {
            true if wrong.is_empty() => String::new(),
            true => format!("{wrong}\n{BASE}"),
            false => format!("{BASE}{wrong}"),
        };
        assert!(!accepts(&text), "the reader takes {text}");
        assert!(!validator.is_valid(&json(&text)), "the schema takes {text}");
    }
}

/// Anything in quotes may come from a variable.
#[test]
fn variables_may_stand_anywhere() {
    let text = format!(
        "[vars]\nn = \"3\"\nt = \"1s\"\nr = \"50/s\"\nk = \"true\"\ns = \"5%\"\ne = \"error\"\n{BASE}on_empty = \"{{e}}\"\n\
         [system]\ncompose = \"c.yaml\"\nkeep = \"{{k}}\"\nhealthy = \"{{t}}\"\n[limits]\nmax_targets = \"{{n}}\"\nmax_percent = \"{{s}}\"\n\
         [probes.q]\nrate = \"{{r}}\"\ntimeout = \"{{t}}\"\ntcp = {{ address = \"a:1\" }}\n\
         [[guards]]\nprobe = \"p\"\nsuccess = \"< {{s}}\"\n"
    );
    assert!(accepts(&text), "{text}");
    assert!(validator().is_valid(&json(&text)));
}
