//! What a probe may look like: its kind decides what it may expect.

use serde_json::{Value, json};

use super::{Describe, choice, describe_keys, list, map, number, object, of, text};

pub(super) fn probe(describe: Describe<'_>) -> Value {
    let string = || json!({"type": "string"});
    let about = |kind: &str, mut schema: Value| {
        describe_keys(&mut schema, kind, describe);
        schema
    };
    let http = object(
        &[
            ("method", text("")),
            ("url", string()),
            ("headers", of("texts", "")),
            ("body", string()),
        ],
        &["url"],
    );
    let tcp = object(&[("address", string()), ("send", string())], &["address"]);
    let exec = object(
        &[("command", of("words", "")), ("in", text(""))],
        &["command"],
    );
    let container = object(&[("target", text(""))], &["target"]);
    let status = number(100, 599, "");
    let json_value = json!({"type": ["string", "number", "boolean"]});
    let expect = [
        object(
            &[
                ("status", json!({"anyOf": [status, list(status.clone())]})),
                ("body", string()),
                ("json", map(json_value, "JSON pointer = value.")),
                ("header", of("texts", "")),
            ],
            &[],
        ),
        object(&[("bytes", string())], &[]),
        object(&[("exit", number(0, 255, "")), ("stdout", string())], &[]),
        object(
            &[
                ("state", choice(&["running", "paused", "exited"], "")),
                ("health", choice(&["healthy", "unhealthy"], "")),
                ("replicas", number(1, 100_000, "")),
            ],
            &[],
        ),
    ];
    let kinds = [
        ("http", http),
        ("tcp", tcp),
        ("exec", exec),
        ("container", container),
    ];
    let mut all = vec![
        (
            "rate",
            of("rate", "How often: request k is due at k / rate."),
        ),
        ("timeout", of("duration", "Then a request counts as bad.")),
        ("expect", json!({"type": "object"})),
    ];
    let with_expect = kinds.iter().zip(expect).map(|((kind, _), expect)| {
        json!({"if": {"required": [kind]}, "then": {"properties": {"expect": expect}}})
    });
    let with_expect: Vec<Value> = with_expect.collect();
    let one: Vec<Value> = kinds
        .iter()
        .map(|(kind, _)| json!({"required": [kind]}))
        .collect();
    all.extend(kinds.map(|(kind, schema)| (kind, about(kind, schema))));
    let mut probe = object(&all, &[]);
    probe["oneOf"] = json!(one);
    probe["allOf"] = json!(with_expect);
    probe
}
