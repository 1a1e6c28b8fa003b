//! Who may see the page, and who may press its buttons.
//!
//! The token in the address is worth one session, for one browser, once. A request must name this server by an IP address or
//! `localhost` (a name could be made to point here by whoever owns it), and what changes anything must come from this page: its
//! origin, a header that no form can set, and JSON.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

use super::Keys;

/// Sent with every command by the page's own script.
pub(super) const HEADER: &str = "x-chaosrun";

/// Keys are compared by their digests: how long that takes says nothing about the keys.
type Sum = [u8; 32];

pub(super) type Refusal = (StatusCode, &'static str);

pub(super) struct Gate {
    loopback: bool,
    cookie: String,
    session: String,
    session_sum: Sum,
    /// `None`: spent.
    token: Mutex<Option<Sum>>,
}

impl Gate {
    pub(super) fn new(bound: SocketAddr, keys: &Keys) -> Self {
        Self {
            loopback: bound.ip().is_loopback(),
            // Cookies do not know ports: several runs on one host must not take each other's.
            cookie: format!("chaosrun-{}", bound.port()),
            session: keys.session.clone(),
            session_sum: sum(&keys.session),
            token: Mutex::new(Some(sum(&keys.token))),
        }
    }

    /// Against names that are made to point here.
    pub(super) fn is_addressed(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = text(headers, &HOST).and_then(split);
        let good = match host {
            Some(("localhost", _)) => true,
            Some((host, _)) => host
                .parse::<IpAddr>()
                .is_ok_and(|ip| ip.is_loopback() || !self.loopback),
            None => false,
        };
        if good {
            Ok(())
        } else {
            Err((
                StatusCode::FORBIDDEN,
                "this server is not known by that name: use its IP address or localhost",
            ))
        }
    }

    /// The cookie for whoever comes first with the token.
    pub(super) fn redeem(&self, token: &str) -> Option<String> {
        let mut unspent = self.token.lock().ok()?;
        unspent.take_if(|good| *good == sum(token))?;
        let Self {
            cookie, session, ..
        } = self;
        Some(format!(
            "{cookie}={session}; HttpOnly; SameSite=Strict; Path=/"
        ))
    }

    pub(super) fn has_session(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let cookies = headers.get_all(COOKIE).into_iter();
        let pairs = cookies
            .filter_map(|value| value.to_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let mut sessions = pairs.filter(|(name, _)| *name == self.cookie);
        if sessions.any(|(_, value)| sum(value) == self.session_sum) {
            Ok(())
        } else {
            Err((
                StatusCode::UNAUTHORIZED,
                "open the address that chaosrun printed; it works once, in one browser",
            ))
        }
    }

    /// Does this come from the page itself?
    pub(super) fn may_act(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = text(headers, &HOST).unwrap_or_default();
        let origin = text(headers, &ORIGIN).and_then(|origin| origin.strip_prefix("http://"));
        if origin != Some(host) {
            return Err((
                StatusCode::FORBIDDEN,
                "commands are taken from the page itself only",
            ));
        }
        if !headers.contains_key(HEADER) {
            return Err((StatusCode::FORBIDDEN, "the header x-chaosrun is missing"));
        }
        let json = |kind: &str| {
            kind.split(';')
                .next()
                .is_some_and(|kind| kind.trim() == "application/json")
        };
        if !text(headers, &CONTENT_TYPE).is_some_and(json) {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "commands are JSON"));
        }
        Ok(())
    }
}

fn sum(key: &str) -> Sum {
    Sha256::digest(key.as_bytes()).into()
}

fn text<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> Option<&'a str> {
    // Where there are two, a proxy between may have read the other one.
    let mut values = headers.get_all(name).into_iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    only.to_str().ok()
}

/// `127.0.0.1:80`, `[::1]:80`, `localhost`: host and port.
fn split(host: &str) -> Option<(&str, &str)> {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']');
    }
    Some(host.split_once(':').unwrap_or((host, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(bound: &str) -> Gate {
        let keys = Keys {
            token: "ticket".into(),
            session: "seat".into(),
        };
        Gate::new(bound.parse().unwrap(), &keys)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (
                axum::http::HeaderName::from_static(name),
                value.parse().unwrap(),
            )
        };
        let mut map = HeaderMap::new();
        for (name, value) in pairs.iter().map(pair) {
            map.append(name, value);
        }
        map
    }

    #[test]
    fn only_addresses_of_this_machine_name_a_server_on_loopback() {
        let at = |bound, host| {
            gate(bound)
                .is_addressed(&headers(&[("host", host)]))
                .is_ok()
        };
        for host in [
            "127.0.0.1:9",
            "127.0.0.1",
            "localhost:9",
            "localhost:8080",
            "[::1]:9",
        ] {
            assert!(at("127.0.0.1:9", host), "{host}");
        }
        for host in [
            "evil.example:9",
            "10.0.0.1:9",
            "localhost.evil.example",
            "127.0.0.1.nip.io:9",
            "",
            "[",
            "2130706433",
        ] {
            assert!(!at("127.0.0.1:9", host), "{host}");
        }
        assert!(at("0.0.0.0:9", "10.0.0.1:9"));
        assert!(!at("0.0.0.0:9", "evil.example:9"));
        let two = [("host", "127.0.0.1:9"), ("host", "127.0.0.1:9")];
        assert!(gate("127.0.0.1:9").is_addressed(&headers(&two)).is_err());
        assert!(gate("127.0.0.1:9").is_addressed(&headers(&[])).is_err());
    }

    #[test]
    fn a_token_buys_one_session_once() {
        let gate = gate("127.0.0.1:9");
        assert_eq!(gate.redeem("guess"), None);
        let cookie = gate.redeem("ticket").unwrap();
        assert_eq!(cookie, "chaosrun-9=seat; HttpOnly; SameSite=Strict; Path=/");
        assert_eq!(gate.redeem("ticket"), None);
    }

    #[test]
    fn a_session_is_this_cookie_and_no_other() {
        let gate = gate("127.0.0.1:9");
        let with = |cookie| gate.has_session(&headers(&[("cookie", cookie)])).is_ok();
        assert!(with("chaosrun-9=seat") && with("a=b; chaosrun-9=seat; c=d"));
        assert!(
            !with("chaosrun-9=ticket")
                && !with("chaosrun-8=seat")
                && !with("seat")
                && !with("chaosrun-9=")
        );
        assert!(gate.has_session(&headers(&[])).is_err());
    }

    #[test]
    fn a_command_comes_from_the_page() {
        let gate = gate("127.0.0.1:9");
        let good = [
            ("host", "127.0.0.1:9"),
            ("origin", "http://127.0.0.1:9"),
            ("x-chaosrun", "1"),
            ("content-type", "application/json; charset=utf-8"),
        ];
        assert!(gate.may_act(&headers(&good)).is_ok());
        for (without, status) in [("origin", 403), ("x-chaosrun", 403), ("content-type", 415)] {
            let rest: Vec<_> = good
                .into_iter()
                .filter(|(name, _)| *name != without)
                .collect();
            let (told, _) = gate.may_act(&headers(&rest)).unwrap_err();
            assert_eq!(told, status, "without {without}");
        }
        for origin in [
            "http://evil.example",
            "null",
            "https://127.0.0.1:9",
            "http://127.0.0.1:8",
            "http://localhost:9",
        ] {
            let mut other = good;
            other[1] = ("origin", origin);
            assert!(gate.may_act(&headers(&other)).is_err(), "{origin}");
        }
    }
}
