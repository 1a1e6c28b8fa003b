//! `tcp`: a connection, a new one for each request.
//!
//! | key | default | |
//! |---|---|---|
//! | `address` | | `host:port`; names resolve as those of `http` do |
//! | `send` | | sent once it is connected; `{seq}` is the request's number |
//!
//! *Good*: it connects. With `expect = { bytes = "…" }` the answer has to begin with these. The kernel accepts connections for a
//! server that is paused or hangs: expect an answer wherever that must not count as good.
//!
//! ```toml
//! tcp    = { address = "redis:6379", send = "PING\r\n" }
//! expect = { bytes = "+PONG" }
//! ```

use super::http::split_port;
use crate::scenario::entry::Entry;
use crate::scenario::hint::quote;
use crate::scenario::model::TcpProbe;
use crate::scenario::placeholder::Scope;
use crate::scenario::template::{Part, Template};

pub(super) fn read(kind: &Entry<'_>, expect: Option<&Entry<'_>>) -> Option<TcpProbe> {
    let mut table = kind.table("`tcp`", "{ address = \"node:6379\" }")?;
    let address = table.required("address", "address = \"node:6379\"");
    let address = address.and_then(|entry| {
        let address = entry.template(Scope::Request)?;
        check_address(&entry, &address);
        Some(address)
    });
    let send = table.template("send", Scope::Request);
    table.finish();
    let bytes = expect.and_then(|expect| {
        let mut table = expect.table("`expect` of a tcp probe", "{ bytes = \"+PONG\" }")?;
        let bytes = table.template("bytes", Scope::Request);
        table.finish();
        bytes
    });
    Some(TcpProbe {
        address: address?,
        send,
        expect: bytes,
    })
}

/// Only an address without placeholders can be checked before the run.
fn check_address(entry: &Entry<'_>, address: &Template) {
    let text = match address.parts.as_slice() {
        [] => "",
        [Part::Text(text)] => text,
        _ => return,
    };
    let checked = match split_port(text) {
        ("", _) => Err("expected a host and a port, such as \"node:6379\"".into()),
        (_, None) => Err("expected a port too, such as \"node:6379\"".into()),
        (_, Some(port)) => check_port(port),
    };
    if let Err(expected) = checked {
        entry.report(
            entry
                .problem(format!("`address` cannot be {}", quote(text)))
                .expected(expected),
        );
    }
}

pub(super) fn check_port(text: &str) -> Result<(), String> {
    match text.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err("expected a port from 1 to 65535".into()),
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::testing::{check, problems};
    use crate::scenario::{ProbeKind, Template};

    #[test]
    fn reads_address_bytes_to_send_and_to_expect() {
        let text = "[probes.p]\ntcp = { address = \"a:1\", send = \"PING\\r\\n\" }\nexpect = { bytes = \"+PONG\" }";
        let ProbeKind::Tcp(tcp) = check(text).probes.remove(0).kind else {
            panic!()
        };
        assert_eq!(tcp.address, Template::text("a:1"));
        assert_eq!(tcp.send, Some(Template::text("PING\r\n")));
        assert_eq!(tcp.expect, Some(Template::text("+PONG")));
    }

    #[test]
    fn an_address_needs_host_and_port() {
        for (address, expected) in [
            ("", "expected a host and a port, such as \"node:6379\""),
            (":1", "expected a host and a port, such as \"node:6379\""),
            ("a", "expected a port too, such as \"node:6379\""),
            ("a:0", "expected a port from 1 to 65535"),
            ("a:http", "expected a port from 1 to 65535"),
        ] {
            assert_eq!(
                problems(&format!("[probes.p]\ntcp = {{ address = \"{address}\" }}")),
                [format!("2: `address` cannot be `{address}` [{expected}]")]
            );
        }
    }
}
