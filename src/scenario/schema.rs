//! The language as a JSON Schema (draft 2020-12), for editors that complete and check while one writes.
//!
//! It is more lenient than [`super::check`]: what depends on other parts of a scenario is not in it. A fault's keys are those
//! that its reader asks for, so a new fault is in it without a line here; `tests/tools/schema.rs` holds the rest to the reader.

mod probe;

use serde_json::{Map, Value, json};
use toml::de::DeTable;

use super::MAX_REPEAT;
use super::cursor::Cursor;
use super::objective::METRICS;
use super::sheet::Sheet;
use super::target::SELECTORS;
use crate::fault::{KINDS, Kind};
use crate::units::Signal;

/// What is said of a key: the kind of fault or probe, and the key.
pub type Describe<'a> = &'a dyn Fn(&str, &str) -> Option<String>;

/// The schema of a scenario's file.
pub fn schema(describe: Describe<'_>) -> Value {
    let mut root = object(
        &[
            ("title", text("What it claims, in a sentence.")),
            (
                "seed",
                number(
                    0,
                    u64::MAX,
                    "Decides every random choice; drawn and printed without it.",
                ),
            ),
            (
                "repeat",
                number(1, MAX_REPEAT.into(), "So many runs give one verdict."),
            ),
            ("system", system()),
            ("timing", timing()),
            (
                "vars",
                map(
                    json!({"type": ["string", "number", "boolean"]}),
                    "Placeholders with a default.",
                ),
            ),
            (
                "secrets",
                map(secret(), "Placeholders whose values are written nowhere."),
            ),
            ("targets", map(target(), "Who can be hit.")),
            (
                "probes",
                map(probe::probe(describe), "What is sent all the while."),
            ),
            ("slos", list(slo())),
            ("guards", list(guard())),
            ("steps", list(step(describe))),
            ("limits", limits()),
        ],
        &["probes"],
    );
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scenario of chaosrun",
        "$defs": {
            "duration": pattern(r"(\s*[0-9.]+\s*(us|µs|ms|s|min|m|h|d))+\s*"),
            "share": pattern(r"\s*[0-9.eE+-]+\s*%\s*"),
            "rate": pattern(r"\s*[0-9.eE+-]+\s*/\s*(s|min|m|h)\s*"),
            "objective": pattern(r"\s*(>=|<=|>|<).+"),
            "words": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "texts": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    });
    if let (Value::Object(root), Value::Object(head)) = (&mut root, head) {
        root.extend(head);
    }
    root
}

/// Anything in quotes with a placeholder may become what is wanted.
fn pattern(plain: &str) -> Value {
    json!({"type": "string", "pattern": format!(r"^({plain}|.*\{{.*)$")})
}

fn object(properties: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> = properties
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn map(of: Value, about: &str) -> Value {
    json!({"type": "object", "additionalProperties": of, "description": about})
}

fn list(of: Value) -> Value {
    json!({"type": "array", "items": of})
}

/// A name may be a bare number.
fn text(about: &str) -> Value {
    json!({"type": ["string", "number"], "description": about})
}

fn choice(words: &[&str], about: &str) -> Value {
    json!({"description": about, "anyOf": [{"enum": words}, {"type": "string", "pattern": r"\{"}]})
}

/// In quotes, too, so that a variable can stand there.
fn number(least: u64, most: u64, about: &str) -> Value {
    json!({"type": ["integer", "string"], "minimum": least, "maximum": most, "description": about})
}

fn flag(about: &str) -> Value {
    json!({"description": about, "anyOf": [{"type": "boolean"}, {"type": "string"}]})
}

fn of(def: &str, about: &str) -> Value {
    json!({"$ref": format!("#/$defs/{def}"), "description": about})
}

fn system() -> Value {
    object(
        &[
            ("engine", choice(&["docker"], "Where it runs.")),
            (
                "compose",
                text("A Compose file beside the scenario: brought up before, taken down after."),
            ),
            ("project", text("A Compose project that runs already.")),
            ("keep", flag("Leave what was brought up.")),
            (
                "healthy",
                of("duration", "The longest to wait until it is up."),
            ),
        ],
        &[],
    )
}

fn timing() -> Value {
    object(
        &[
            (
                "baseline",
                of("duration", "How long to watch the healthy system first."),
            ),
            (
                "recovery",
                of("duration", "The longest to wait afterwards."),
            ),
            (
                "steady",
                of("duration", "So long without a bad sample is recovered."),
            ),
        ],
        &[],
    )
}

fn secret() -> Value {
    let mut secret = object(
        &[
            ("env", text("An environment variable.")),
            ("file", text("A file beside the scenario.")),
        ],
        &[],
    );
    secret["minProperties"] = json!(1);
    secret["maxProperties"] = json!(1);
    secret
}

fn target() -> Value {
    let role = object(
        &[
            (
                "http",
                text("A URL with {address}, {name} or {service} of the candidate."),
            ),
            ("exec", of("words", "A command inside the candidate.")),
            ("equals", text("What the wanted one answers.")),
            ("timeout", of("duration", "Of the answer.")),
        ],
        &["equals"],
    );
    let mut properties: Vec<(&str, Value)> = SELECTORS
        .iter()
        .map(|key| match *key {
            "label" => ("label", json!({"anyOf": [text(""), list(text(""))]})),
            key => (key, text("")),
        })
        .collect();
    properties.push(("role", role));
    properties.push((
        "pick",
        json!({"type": ["string", "integer"], "description": "one, all, a number, a share, minority or majority."}),
    ));
    properties.push((
        "on_empty",
        choice(&["error", "skip"], "What to do where nothing matches."),
    ));
    object(&properties, &[])
}

fn slo() -> Value {
    let metrics = METRICS.iter().map(|(key, _)| *key);
    let mut properties = vec![
        ("probe", text("Whose promise this is.")),
        (
            "during",
            text("baseline, fault, recovery, all, or a step's name."),
        ),
    ];
    properties.extend(
        metrics
            .clone()
            .map(|key| (key, of("objective", "Such as \">= 99%\" or \"<= 250ms\"."))),
    );
    let mut slo = object(&properties, &["probe"]);
    slo["anyOf"] = metrics.map(|key| json!({"required": [key]})).collect();
    slo
}

fn guard() -> Value {
    let metrics = METRICS[..8].iter().map(|(key, _)| *key);
    let mut properties = vec![
        ("probe", text("What is watched.")),
        ("over", of("duration", "For so long it has to hold.")),
    ];
    properties.extend(
        metrics
            .clone()
            .map(|key| (key, of("objective", "Stops the run when this holds."))),
    );
    let mut guard = object(&properties, &["probe"]);
    guard["oneOf"] = metrics.map(|key| json!({"required": [key]})).collect();
    guard
}

fn step(describe: Describe<'_>) -> Value {
    let when = object(
        &[
            ("probe", text("Which has to be good.")),
            ("steady", of("duration", "For so long.")),
            ("within", of("duration", "Else the run is inconclusive.")),
        ],
        &["probe", "steady"],
    );
    let faults: Vec<(&str, Value)> = KINDS
        .iter()
        .map(|kind| (kind.name, fault(kind, describe)))
        .collect();
    let mut fault = object(&faults, &[]);
    fault["minProperties"] = json!(1);
    fault["maxProperties"] = json!(1);
    object(
        &[
            ("name", text("What SLOs and other steps call it.")),
            ("at", of("duration", "After the baseline.")),
            ("after", text("As soon as that step is undone.")),
            ("when", when),
            ("for", of("duration", "How long it lasts.")),
            ("fault", fault),
        ],
        &["fault"],
    )
}

fn limits() -> Value {
    let label = json!({"anyOf": [text(""), list(text(""))]});
    object(
        &[
            (
                "max_targets",
                number(1, 1_000_000, "So many containers at most are hit."),
            ),
            (
                "max_percent",
                of("share", "So large a share at most is hit."),
            ),
            (
                "keep_running",
                number(0, 1_000_000, "So many of each service are left alone."),
            ),
            ("never", label),
        ],
        &[],
    )
}

/// The keys that its reader asks for.
fn fault(kind: &Kind, describe: Describe<'_>) -> Value {
    let keys = asked(kind);
    let properties: Vec<(&str, Value)> = keys.iter().map(|key| (*key, fault_key(key))).collect();
    let required: Vec<&str> = keys.into_iter().filter(|key| *key == "target").collect();
    let mut schema = object(&properties, &required);
    schema["description"] = kind.summary.into();
    describe_keys(&mut schema, kind.name, describe);
    schema
}

fn asked(kind: &Kind) -> Vec<&'static str> {
    let source = "target = \"t\"";
    let (table, _) = DeTable::parse_recoverable(source);
    let sheet = Sheet::new(source, table.get_ref());
    let mut cursor = Cursor::new(&sheet, table.get_ref(), 0..0, kind.name.into());
    let _incomplete = (kind.read)(&mut cursor);
    cursor.asked().to_vec()
}

/// What is known of a key whatever fault it belongs to; any value otherwise.
fn fault_key(key: &str) -> Value {
    match key {
        "target" => text(""),
        "grace" | "within" | "latency" | "jitter" => json!({"$ref": "#/$defs/duration"}),
        "percent" | "correlation" => json!({"$ref": "#/$defs/share"}),
        "to" | "from" | "names" | "answer" => json!({"anyOf": [text(""), list(text(""))]}),
        "ports" => {
            let port = json!({"type": ["string", "integer"]});
            json!({"anyOf": [port, list(port.clone())]})
        }
        "rate" => pattern(r"\s*[0-9.eE+-]+\s*[kmgKMG]?[bB][iI][tT]\s*"),
        "distribution" => choice(&["uniform", "normal", "pareto", "paretonormal"], ""),
        "protocol" => choice(&["tcp", "udp", "icmp"], ""),
        "direction" => choice(&["both", "egress", "ingress"], ""),
        "shape" => choice(&["halves", "one", "majority", "ring", "bridge"], ""),
        "one_way" => flag(""),
        "gap" => number(1, 1_000_000, ""),
        "signal" => json!({"type": "string", "examples": Signal::names().collect::<Vec<_>>()}),
        _ => json!({}),
    }
}

fn describe_keys(schema: &mut Value, kind: &str, describe: Describe<'_>) {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (key, value) in properties.into_iter().flatten() {
        if let (Some(about), Value::Object(value)) = (describe(kind, key), value) {
            value.insert("description".into(), about.into());
        }
    }
}
