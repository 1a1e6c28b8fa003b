//! `http`: a request whose answer is looked at. Redirects are not followed and nothing is tried again.
//!
//! | key | default | |
//! |---|---|---|
//! | `url` | | `http://` or `https://`; services, containers and aliases of the system resolve by name, each of a name's addresses in turn |
//! | `method` | `"GET"` | |
//! | `headers` | | `{ accept = "application/json" }` |
//! | `body` | | |
//!
//! `{seq}` is the request's number; `[vars]` and `[secrets]` have names of their own. A brace by itself is written twice.
//!
//! *Good*: any status from 200 to 299, unless `expect` says otherwise: `status` (one or several), `body` (it holds this text),
//! `json` (JSON pointer = value), `header` (name = exact value). All that is said must hold.
//!
//! ```toml
//! http   = { method = "PUT", url = "http://kv:8080/kv/{seq}", body = "{seq}" }
//! expect = { status = [200, 201], json = { "/ok" = true } }
//! ```

use toml::de::DeValue;

use crate::scenario::entry::Entry;
use crate::scenario::hint::quote;
use crate::scenario::model::{HttpExpect, HttpProbe};
use crate::scenario::placeholder::Scope;
use crate::scenario::template::{Part, Template};

pub(super) fn read(kind: &Entry<'_>, expect: Option<&Entry<'_>>) -> Option<HttpProbe> {
    let mut table = kind.table("`http`", "{ url = \"http://node:8080/\" }")?;
    let method = table.parse("method", parse_method);
    let url = table.required("url", "url = \"http://node:8080/\"");
    let url = url.and_then(|entry| {
        let url = entry.template(Scope::Request)?;
        check_url(&entry, &url);
        Some(url)
    });
    let headers = table.get("headers").map(|headers| read_headers(&headers));
    let body = table.template("body", Scope::Request);
    table.finish();
    Some(HttpProbe {
        method: method.unwrap_or_else(|| "GET".into()),
        headers: headers.unwrap_or_default(),
        body,
        expect: expect.and_then(read_expect).unwrap_or_default(),
        url: url?,
    })
}

fn read_expect(entry: &Entry<'_>) -> Option<HttpExpect> {
    let mut table = entry.table("`expect` of an http probe", "{ status = 200 }")?;
    let status = table.get("status").map(|status| status.one_or_more());
    let status = status.iter().flatten().filter_map(|code| {
        let code = code.number(100..=599)?;
        u16::try_from(code).ok()
    });
    let expect = HttpExpect {
        status: status.collect(),
        body: table.template("body", Scope::Request),
        json: table
            .get("json")
            .map(|json| read_json(&json))
            .unwrap_or_default(),
        header: table
            .get("header")
            .map(|header| read_headers(&header))
            .unwrap_or_default()
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect(),
    };
    table.finish();
    Some(expect)
}

fn read_headers(entry: &Entry<'_>) -> Vec<(String, Template)> {
    let headers = entry.named("{ accept = \"application/json\" }");
    headers
        .iter()
        .filter_map(|header| {
            if !is_token(header.key) {
                header.report(
                    header.key_problem(format!("{} is no header's name", quote(header.key))),
                );
                return None;
            }
            let value = header.template(Scope::Request)?;
            let breaks = |part: &Part| matches!(part, Part::Text(text) if text.chars().any(|c| c.is_control() && c != '\t'));
            if value.parts.iter().any(breaks) {
                header.report(header.problem("a header's value cannot hold a control character"));
                return None;
            }
            Some((header.key.to_owned(), value))
        })
        .collect()
}

/// A value is compared as JSON, or as a bare string.
fn read_json(entry: &Entry<'_>) -> Vec<(String, String)> {
    let pointers = entry.named("{ \"/status\" = \"ok\" }");
    pointers
        .iter()
        .filter_map(|pointer| {
            if !pointer.key.is_empty() && !pointer.key.starts_with('/') {
                pointer.report(
                    pointer
                        .key_problem(format!("{} is no JSON pointer", quote(pointer.key)))
                        .hint(format!(
                            "did you mean `\"/{}\"`?",
                            pointer.key.replace('.', "/")
                        )),
                );
            }
            let value = match pointer.value {
                DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
                DeValue::Float(number) => number.as_str().to_owned(),
                DeValue::Boolean(value) => value.to_string(),
                _ => pointer.text()?,
            };
            Some((pointer.key.to_owned(), value))
        })
        .collect()
}

fn parse_method(text: &str) -> Result<String, String> {
    let text = text.trim();
    if !is_token(text) {
        return Err("expected a method, such as \"GET\" or \"PUT\"".into());
    }
    Ok(text.to_ascii_uppercase())
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Reports a URL that can be seen to be wrong before its placeholders are filled in.
pub(in crate::scenario) fn check_url(entry: &Entry<'_>, url: &Template) {
    let text = match url.parts.first() {
        Some(Part::Text(text)) => text.as_str(),
        Some(Part::Secret(_)) => return,
        _ => "",
    };
    let is_whole = url.parts.len() == 1;
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let problem = entry.problem(format!("{} is not a URL", quote(entry.key)));
    let Some(rest) = rest else {
        return entry.report(problem.expected("expected \"http://...\" or \"https://...\""));
    };
    let blank = |part: &Part| matches!(part, Part::Text(text) if text.chars().any(|c| c.is_whitespace() || c.is_control()));
    if url.parts.iter().any(blank) {
        return entry.report(problem.expected("a URL holds no white space"));
    }
    let end = rest.find(['/', '?', '#']);
    let authority = &rest[..end.unwrap_or(rest.len())];
    if end.is_none() && !is_whole {
        return; // The host goes on in a placeholder.
    }
    let host = authority.rsplit('@').next().unwrap_or_default();
    if let Err(expected) = check_host(host) {
        entry.report(problem.expected(expected));
    }
}

/// `host`, `host:port`, `[::1]:port`.
fn check_host(text: &str) -> Result<(), String> {
    let (host, port) = split_port(text);
    if host.is_empty() {
        return Err("expected a host's name".into());
    }
    match port {
        Some(port) => super::tcp::check_port(port),
        None => Ok(()),
    }
}

/// The port is what follows the last colon that is not part of an IPv6 address in brackets.
pub(super) fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rfind(':') {
        Some(colon) if !text[colon..].contains(']') => (&text[..colon], Some(&text[colon + 1..])),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::ProbeKind;
    use crate::scenario::testing::{check, problems};

    fn http(text: &str) -> HttpProbe {
        match check(&format!("[probes.p]\n{text}")).probes.remove(0).kind {
            ProbeKind::Http(http) => http,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_request_and_expectation() {
        let probe = http(
            "http = { method = \"put\", url = \"http://node:8080/{seq}\", body = \"{seq}\", headers = { X-A = \"b\" } }\n\
             expect = { status = [200, 204], body = \"ok\", json = { \"/n\" = 3, \"/s\" = \"x\", \"/b\" = true }, header = { X-Node = \"1\" } }",
        );
        assert_eq!(probe.method, "PUT");
        assert_eq!(probe.url.parts[1], Part::Seq);
        assert_eq!(probe.headers, [("X-A".into(), Template::text("b"))]);
        assert_eq!(probe.body.unwrap().parts, [Part::Seq]);
        assert_eq!(probe.expect.status, [200, 204]);
        assert_eq!(
            probe.expect.json,
            [
                ("/n".to_owned(), "3".to_owned()),
                ("/s".into(), "x".into()),
                ("/b".into(), "true".into())
            ]
        );
        assert_eq!(
            probe.expect.header,
            [("x-node".into(), Template::text("1"))]
        );
    }

    #[test]
    fn without_method_and_expectation_a_get_that_wants_any_2xx() {
        let probe = http("http = { url = \"https://a\" }");
        assert_eq!(probe.method, "GET");
        assert!(probe.expect.status.is_empty());
    }

    #[test]
    fn urls_that_cannot_work() {
        for (url, expected) in [
            ("node:8080", "expected \"http://...\" or \"https://...\""),
            ("http://", "expected a host's name"),
            ("http://:80/", "expected a host's name"),
            ("http://a:99999/", "expected a port from 1 to 65535"),
            ("http://a b/", "a URL holds no white space"),
        ] {
            assert_eq!(
                problems(&format!("[probes.p]\nhttp = {{ url = \"{url}\" }}")),
                [format!("2: `url` is not a URL [{expected}]")]
            );
        }
        for url in ["http://[::1]:80/", "http://u:p@a:1?x", "http://a{seq}:1/"] {
            http(&format!("http = {{ url = \"{url}\" }}"));
        }
    }

    #[test]
    fn what_a_request_cannot_hold() {
        assert_eq!(
            problems(
                "[probes.p]\nhttp = { method = \"G T\", headers = { \"a b\" = \"c\", d = \"e\\n\" } }\nexpect = { status = 2000, json = { \"a.b\" = 1 }, stdout = \"x\" }"
            ),
            [
                "2: `http` has no `url` (add `url = \"http://node:8080/\"`)",
                "2: `method` cannot be `G T` [expected a method, such as \"GET\" or \"PUT\"]",
                "2: `a b` is no header's name",
                "2: a header's value cannot hold a control character",
                "3: `status` cannot be `2000` [expected a whole number from 100 to 599]",
                "3: `a.b` is no JSON pointer (did you mean `\"/a/b\"`?)",
                "3: unknown key `stdout` in `expect` of an http probe (known here: `status`, `body`, `json` or `header`)",
            ]
        );
    }
}
