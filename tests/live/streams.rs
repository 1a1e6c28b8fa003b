//! The stream of what is to be seen: whole at first, then what is new; bounded, and never waited for.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::game::{DAY, Game};
use crate::http::{Session, port};

const ABORT: &str = r#"{"command":"abort","why":"enough"}"#;

#[tokio::test]
async fn a_page_hears_of_all_that_happens_and_of_the_end() {
    let game = Game::new();
    let session = Session::open(&game).await;
    let mut events = session.events().await;
    let script = async {
        events.hears("content-type: text/event-stream").await;
        let head = events.hears("Frozen").await;
        // Escaped once, whatever its name.
        assert!(
            head.contains("Frozen &#60;b&#62;&#38; still&#60;/b&#62; alive"),
            "{head}"
        );
        events.hears("Baseline").await;
        events.hears("class=\\\"plot\\\"").await;
        session
            .press(r#"{"command":"start","step":"freeze"}"#)
            .await;
        events.hears("In force").await;
        session
            .press(r#"{"command":"note","text":"quiet \u003cb\u003e"}"#)
            .await;
        events
            .hears("note from the live page: quiet &#60;b&#62;")
            .await;
        session.press(ABORT).await;
        events
            .hears("the run was aborted from the live page: enough")
            .await;
    };
    let (outcome, ()) = game.play(DAY, script).await;
    assert_eq!(outcome.report.exit_code, 4);
    game.server.end().await;
    events.hears("event: end").await;
    events.hears("data: ended").await;
    while events.line().await.is_some() {}
}

/// A series, or several scenarios: what became of a run stays to be read while the next one goes on.
#[tokio::test]
async fn the_next_run_is_on_the_same_page() {
    let game = Game::new();
    let session = Session::open(&game).await;
    let mut events = session.events().await;
    let first = async {
        events.hears("Baseline").await;
        session.press(ABORT).await;
        events.hears("\"over\":true").await;
    };
    game.play(DAY, first).await;
    let second = async {
        let head = events.hears("Runs before this one: 1").await;
        assert!(
            head.contains("seed 7: aborted: the run was aborted from the live page: enough"),
            "{head}"
        );
        events.hears("\"over\":false").await;
        session.press(ABORT).await
    };
    let (outcome, said) = game.play(DAY, second).await;
    assert_eq!(outcome.report.exit_code, 4, "{said}");
}

/// What has not changed is not sent again.
#[tokio::test]
async fn only_what_is_new_is_sent() {
    let game = Game::new();
    let session = Session::open(&game).await;
    let script = async {
        let mut events = session.events().await;
        events.hears("\"head\":").await;
        for _ in 0..3 {
            let line = events.hears("data: {").await;
            assert!(!line.contains("\"head\":"), "{line}");
        }
        let mut second = session.events().await;
        second.hears("\"head\":").await;
        session.press(ABORT).await;
    };
    game.play(DAY, script).await;
}

#[tokio::test]
async fn streams_have_a_limit_and_places_come_free() {
    let game = Game::new();
    let session = Session::open(&game).await;
    let mut open = Vec::new();
    for _ in 0..16 {
        let mut events = session.events().await;
        events.hears("200 OK").await;
        open.push(events);
    }
    let refused = session.get("/events").await;
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (503, "too many pages are open")
    );
    open.pop();
    let mut again = loop {
        let mut events = session.events().await;
        if events.line().await.is_some_and(|line| line.contains("200")) {
            break events;
        }
        sleep(Duration::from_millis(20)).await;
    };
    again.hears("data: {").await;
}

/// It reads nothing, all the while: neither the run nor another page waits for it, and it gets the latest once it reads.
#[tokio::test]
async fn a_page_that_does_not_read_holds_up_nobody() {
    let game = Game::new();
    let session = Session::open(&game).await;
    let script = async {
        let mut lazy = session.events().await;
        let mut eager = session.events().await;
        for k in 0..300 {
            let text = format!("{k} {}", "x".repeat(900));
            session
                .press(&format!(r#"{{"command":"note","text":"{text}"}}"#))
                .await;
        }
        eager.hears("note from the live page: 299 xxx").await;
        session.press(ABORT).await;
        lazy.hears("note from the live page: 299 xxx").await;
        lazy.hears("the run was aborted from the live page").await;
    };
    let (outcome, ()) = game.play(DAY, script).await;
    assert_eq!(outcome.report.exit_code, 4);
    assert_eq!(outcome.report.notes.len(), 300);
}

/// Whoever connects and says nothing has a place for some seconds, and no longer.
#[tokio::test]
async fn connections_that_say_nothing_do_not_keep_others_out() {
    let game = Game::new();
    let session = Session::open(&game).await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(
            TcpStream::connect(("127.0.0.1", port(&game)))
                .await
                .unwrap(),
        );
    }
    assert_eq!(session.get("/").await.status, 200);
    drop(idle);
}

/// chaosrun ends as soon as a run is over: its verdict is on the page before that.
#[tokio::test]
async fn the_verdict_comes_before_the_end() {
    let game = Game::new();
    let session = Session::open(&game).await;
    let mut events = session.events().await;
    let script = async { session.press(ABORT).await };
    game.play(DAY, script).await;
    game.server.end().await;
    let mut verdict = false;
    while let Some(line) = events.line().await {
        verdict |= line.contains("aborted from the live page: enough");
        if line.contains("event: end") {
            assert!(verdict, "the end came first");
            return;
        }
    }
    panic!("the stream was cut off");
}
