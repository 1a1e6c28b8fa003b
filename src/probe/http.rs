//! `http` probes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use reqwest::Url;
use serde_json::Value;

use super::Context;
use super::names::Names;
use super::pool::{Answer, Origin, Pool};
use super::shot::{Miss, Shot};
use super::tls::Tls;
use crate::scenario::{Bindings, HttpExpect, HttpProbe, Secrets, Template};

pub(super) struct Http {
    probe: HttpProbe,
    secrets: Arc<Secrets>,
    names: Names,
    pool: Pool,
    /// Unless each request is different.
    fixed: Option<Prepared>,
}

/// A request, ready to be sent.
struct Prepared {
    origin: Origin,
    head: hyper::http::request::Parts,
    body: Bytes,
}

impl Http {
    pub(super) fn new(probe: &HttpProbe, ctx: &Context) -> Result<Self, String> {
        let first = prepare(probe, 0, &ctx.secrets).map_err(|why| ctx.secrets.redact(&why))?;
        let tls = first.origin.secure.then(Tls::of_this_host).transpose()?;
        Ok(Self::with(probe, ctx, first, tls))
    }

    fn with(probe: &HttpProbe, ctx: &Context, first: Prepared, tls: Option<Tls>) -> Self {
        Self {
            probe: probe.clone(),
            secrets: Arc::clone(&ctx.secrets),
            names: Names::new(ctx),
            pool: Pool::new(ctx.clock, tls),
            fixed: is_constant(probe).then_some(first),
        }
    }
}

impl Shot for Http {
    async fn shoot(&self, seq: u64) -> Result<(), Miss> {
        let made;
        let prepared = match &self.fixed {
            Some(fixed) => fixed,
            None => {
                made = prepare(&self.probe, seq, &self.secrets).map_err(|why| Miss::Broken {
                    reason: "not a request",
                    why,
                })?;
                &made
            }
        };
        let places = self.names.resolve(&prepared.origin.host).await?;
        let body = Full::new(prepared.body.clone());
        let message = Request::from_parts(prepared.head.clone(), body);
        let expect = &self.probe.expect;
        let keep_body = expect.body.is_some() || !expect.json.is_empty();
        let answer = self
            .pool
            .send(&prepared.origin, &places, message, keep_body)
            .await?;
        judge(expect, &answer, &bindings(seq, &self.secrets))
    }
}

fn bindings(seq: u64, secrets: &Secrets) -> Bindings<'_> {
    Bindings {
        seq: Some(seq),
        secrets: Some(secrets),
        ..Bindings::default()
    }
}

fn is_constant(probe: &HttpProbe) -> bool {
    let headers = probe.headers.iter().map(|(_, value)| value);
    headers
        .chain([&probe.url])
        .chain(&probe.body)
        .all(Template::is_constant)
}

fn prepare(probe: &HttpProbe, seq: u64, secrets: &Secrets) -> Result<Prepared, String> {
    let bindings = bindings(seq, secrets);
    let text = probe.url.render(&bindings);
    let url = Url::parse(&text).map_err(|error| {
        format!("\"{text}\" is not a URL: {error}; expected one such as \"http://web:8080/health\"")
    })?;
    let origin = origin_of(&url)?;
    let method = Method::from_bytes(probe.method.as_bytes())
        .map_err(|_| format!("\"{}\" is not an HTTP method", probe.method))?;
    let query = url.query().map(|query| format!("?{query}"));
    let target = format!("{}{}", url.path(), query.unwrap_or_default());
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in &probe.headers {
        request = request.header(name.as_str(), value.render(&bindings));
    }
    let (mut head, ()) = request
        .body(())
        .map_err(|error| format!("{} {text} cannot be sent: {error}", probe.method))?
        .into_parts();
    let mut default = |name: HeaderName, value: String| {
        if let (false, Ok(mut value)) = (
            head.headers.contains_key(&name),
            HeaderValue::from_str(&value),
        ) {
            value.set_sensitive(name == AUTHORIZATION);
            head.headers.insert(name, value);
        }
    };
    let port = url.port().map(|port| format!(":{port}"));
    let host = url.host_str().unwrap_or_default();
    default(HOST, format!("{host}{}", port.unwrap_or_default()));
    default(ACCEPT, "*/*".into());
    default(
        USER_AGENT,
        concat!("chaosrun/", env!("CARGO_PKG_VERSION")).into(),
    );
    if let Some(password) = url
        .password()
        .or((!url.username().is_empty()).then_some(""))
    {
        let pair = STANDARD.encode(format!("{}:{password}", url.username()));
        default(AUTHORIZATION, format!("Basic {pair}"));
    }
    let body = probe.body.as_ref().map(|body| body.render(&bindings));
    Ok(Prepared {
        origin,
        head,
        body: body.unwrap_or_default().into(),
    })
}

fn origin_of(url: &Url) -> Result<Origin, String> {
    let secure = match url.scheme() {
        "http" => false,
        "https" => true,
        other => return Err(format!("\"{url}\": expected http or https, not {other}")),
    };
    let host = url
        .host_str()
        .ok_or_else(|| format!("\"{url}\" has no host"))?;
    Ok(Origin {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url
            .port_or_known_default()
            .ok_or_else(|| format!("\"{url}\" has no port"))?,
        secure,
    })
}

/// Is it what was expected? The first difference is the reason.
fn judge(expect: &HttpExpect, answer: &Answer, bindings: &Bindings<'_>) -> Result<(), Miss> {
    if !is_status(&expect.status, answer.status) {
        return Err(Miss::bad(format!("status {}", answer.status.as_u16())));
    }
    for (name, wanted) in &expect.header {
        let wanted = wanted.render(bindings);
        let mut found = answer.headers.get_all(name.as_str()).iter();
        if !found.any(|value| value.as_bytes() == wanted.as_bytes()) {
            return Err(Miss::bad(format!("header {name} differs")));
        }
    }
    if let Some(wanted) = &expect.body {
        let wanted = wanted.render(bindings);
        if !String::from_utf8_lossy(&answer.body).contains(&wanted) {
            return Err(Miss::bad("body differs"));
        }
    }
    if expect.json.is_empty() {
        return Ok(());
    }
    if answer.cut {
        return Err(Miss::bad("body over 1 MiB"));
    }
    let body: Value =
        serde_json::from_slice(&answer.body).map_err(|_| Miss::bad("body is not json"))?;
    let differs = |(pointer, wanted): &&(String, String)| {
        !body
            .pointer(pointer)
            .is_some_and(|found| is_value(found, wanted))
    };
    match expect.json.iter().find(differs) {
        Some((pointer, _)) => Err(Miss::bad(format!("json {pointer} differs"))),
        None => Ok(()),
    }
}

fn is_status(wanted: &[u16], status: StatusCode) -> bool {
    match wanted {
        [] => status.is_success(),
        some => some.contains(&status.as_u16()),
    }
}

/// `wanted` is JSON or a bare string; numbers are compared by value.
fn is_value(found: &Value, wanted: &str) -> bool {
    if found.as_str() == Some(wanted) {
        return true;
    }
    serde_json::from_str::<Value>(wanted).is_ok_and(|wanted| {
        *found == wanted || (found.is_number() && found.as_f64() == wanted.as_f64())
    })
}

#[cfg(test)]
mod tests;
