//! The requests: the page, its stream, and its commands.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;

use super::feed::View;
use super::gate::Gate;
use super::page;
use crate::engine::control::{Command, Controls};

/// Who gave it, in the record.
const BY: &str = "live page";

/// Of a command, in bytes.
const LONGEST_BODY: usize = 16 * 1024;

/// For a request to come whole and to be answered; the stream apart.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

/// Pages that are open at the same time.
const STREAMS: usize = 16;

pub(super) struct Shared {
    gate: Arc<Gate>,
    view: View,
    ended: watch::Receiver<bool>,
    streams: Arc<AtomicUsize>,
}

/// What the page asks for. Those without a field have braces, for only then is a field too many told.
#[derive(Debug, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
enum Wish {
    Start { step: String },
    Hold {},
    Release {},
    Revert {},
    Abort { why: String },
    Note { text: String },
}

#[derive(Debug, Serialize)]
struct Said {
    said: String,
}

impl Shared {
    pub(super) fn new(gate: Arc<Gate>, view: View, ended: watch::Receiver<bool>) -> Self {
        Self {
            gate,
            view,
            ended,
            streams: Arc::default(),
        }
    }
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let with_session = Router::new()
        .route("/events", get(events))
        .route("/commands", post(command))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), seated));
    Router::new()
        .route("/", get(front))
        .fallback_service(with_session.with_state(Arc::clone(&shared)))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guarded))
        .with_state(shared)
}

/// Every request, and every answer.
async fn guarded(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match shared.gate.is_addressed(request.headers()) {
        Err(refusal) => refusal.into_response(),
        Ok(()) => match timeout(ANSWERED_WITHIN, next.run(request)).await {
            Ok(response) => response,
            Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
        },
    };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, page::policy()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    let own = HeaderValue::from_static("same-origin");
    for name in ["cross-origin-resource-policy", "cross-origin-opener-policy"] {
        response.headers_mut().insert(name, own.clone());
    }
    response
}

/// Everything but the first page wants a session.
async fn seated(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    match shared.gate.has_session(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn front(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let headers = request.headers();
    let seated = shared.gate.has_session(headers);
    if let Some(token) = token(&request) {
        if let Some(cookie) = shared.gate.redeem(token) {
            // Not a redirect: a browser that came here from elsewhere would not send a strict cookie along with it.
            return ([(header::SET_COOKIE, cookie)], Html(page::moved())).into_response();
        }
        if seated.is_ok() {
            return Html(page::moved()).into_response();
        }
    }
    match seated {
        Ok(()) => Html(page::page()).into_response(),
        Err((status, why)) => (status, Html(page::closed(why))).into_response(),
    }
}

/// Only what is asked for spends a token; it is hexadecimal, so that nothing in it is ever encoded.
fn token(request: &Request) -> Option<&str> {
    let query = request
        .uri()
        .query()
        .filter(|_| request.method() == Method::GET)?;
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("token="))
}

async fn command(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if let Err((status, why)) = shared.gate.may_act(request.headers()) {
        return said(status, why);
    }
    let wish = match Json::<Wish>::from_request(request, &()).await {
        Ok(Json(wish)) => wish,
        Err(rejection) => return said(rejection.status(), rejection.body_text()),
    };
    let Some(controls) = shared.view.controls() else {
        return said(StatusCode::CONFLICT, "no run is going on");
    };
    match obey(&controls, wish).await {
        Ok(done) => said(StatusCode::OK, done),
        Err(why) => said(StatusCode::CONFLICT, why),
    }
}

async fn obey(controls: &Controls, wish: Wish) -> Result<String, String> {
    let command = match wish {
        Wish::Start { step } => Command::Start { step: Some(step) },
        Wish::Hold {} => Command::Hold,
        Wish::Release {} => Command::Release,
        Wish::Revert {} => Command::Revert,
        Wish::Abort { why } => Command::Abort { why },
        Wish::Note { text } => Command::Note { text },
    };
    controls.give(BY, command).await
}

fn said(status: StatusCode, said: impl Into<String>) -> Response {
    let said = said.into();
    (status, Json(Said { said })).into_response()
}

/// A place among the streams, given back when the stream ends.
struct Seat(Arc<AtomicUsize>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

struct Watching {
    view: View,
    ended: watch::Receiver<bool>,
    /// Sections that this page has, by the number of their version.
    shown: BTreeMap<&'static str, u64>,
    first: bool,
    over: bool,
    _seat: Seat,
}

async fn events(State(shared): State<Arc<Shared>>) -> Response {
    let seat = Seat(Arc::clone(&shared.streams));
    if shared.streams.fetch_add(1, Ordering::AcqRel) >= STREAMS {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open").into_response();
    }
    let watching = Watching {
        view: shared.view.clone(),
        ended: shared.ended.clone(),
        shown: BTreeMap::new(),
        first: true,
        over: false,
        _seat: seat,
    };
    shared.view.wake();
    let alive = KeepAlive::new().interval(Duration::from_secs(10));
    Sse::new(told(watching)).keep_alive(alive).into_response()
}

/// Whoever is slow gets the latest, and nothing is kept for them: a page that has missed some is as good as one that has not.
fn told(watching: Watching) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(watching, |mut watching| async move {
        let event = watching.next().await?;
        Some((Ok(event), watching))
    })
}

impl Watching {
    async fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        if !self.first {
            tokio::select! {
                biased;
                () = self.view.changed() => {}
                _ = self.ended.wait_for(|ended| *ended) => {
                    self.over = true;
                    return Some(Event::default().event("end").data("ended"));
                }
            }
        }
        self.first = false;
        Some(
            Event::default()
                .event("view")
                .data(self.view.news_for(&mut self.shown)),
        )
    }
}
