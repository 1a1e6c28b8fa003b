//! Commands over HTTP and what becomes of them, and runs that do not mind the page.

use chaosrun::clock::Clock;
use chaosrun::engine::control;
use chaosrun::history::Steering;

use crate::game::{DAY, Game};
use crate::http::{Session, port};

/// The page's own names for them.
const REVERT: &str = r#"{"command":"revert"}"#;

fn start(step: &str) -> String {
    format!(r#"{{"command":"start","step":"{step}"}}"#)
}

#[tokio::test]
async fn each_button_does_what_it_says() {
    let game = Game::new();
    let session = Session::open(&game).await;
    let script = async {
        let note = r#"{"command":"note","text":"<script>alert(1)</script>"}"#;
        assert_eq!(session.press(note).await, r#"{"said":"noted"}"#);
        let early = session.post(&start("freeze")).await;
        assert_eq!(early.status, 409);
        assert!(
            early.body.contains("the baseline takes its 1s first"),
            "{}",
            early.body
        );
        assert_eq!(session.post(REVERT).await.status, 409);
        assert!(
            session
                .press(r#"{"command":"hold"}"#)
                .await
                .contains("held")
        );
        assert_eq!(session.post(r#"{"command":"hold"}"#).await.status, 409);
        session.press(r#"{"command":"release"}"#).await;
        let other = session.post(&start("cut")).await;
        assert_eq!(other.status, 409, "{other:?}");
        assert_eq!(
            session.press(&start("freeze")).await,
            r#"{"said":"step freeze begins"}"#
        );
        session.press(&start("cut")).await;
        session.press(REVERT).await
    };
    let (outcome, said) = game.play(DAY, script).await;
    assert!(said.contains("reverting every fault"), "{said}");
    let did = outcome.did();
    assert!(
        matches!(
            &did[..],
            [
                Steering::Hold,
                Steering::Release,
                Steering::Start { .. },
                Steering::Start { .. },
                Steering::Revert
            ]
        ),
        "{did:?}"
    );
    let note = &outcome.report.notes[0];
    assert_eq!(
        (note.by.as_deref(), note.text.as_str()),
        (Some("live page"), "<script>alert(1)</script>")
    );
    assert_eq!(outcome.report.exit_code, 3, "{:?}", outcome.report.reasons);
    assert!(
        game.log().contains(&"connect net b".to_owned()),
        "{:?}",
        game.log()
    );
    assert_eq!(
        session.post(REVERT).await.body,
        r#"{"said":"the run is over"}"#
    );
}

#[tokio::test]
async fn whoever_aborts_says_why() {
    let game = Game::new();
    let session = Session::open(&game).await;
    let script = async {
        let empty = session.post(r#"{"command":"abort","why":" "}"#).await;
        assert!([409].contains(&empty.status), "{empty:?}");
        session.press(&start("freeze")).await;
        session
            .press(r#"{"command":"abort","why":"a customer called"}"#)
            .await
    };
    let (outcome, _) = game.play(DAY, script).await;
    assert_eq!(outcome.report.exit_code, 4);
    assert_eq!(
        outcome.report.reasons[0],
        "the run was aborted from the live page: a customer called"
    );
    assert_eq!(
        game.log()
            .iter()
            .filter(|line| line.contains("pause"))
            .count()
            % 2,
        0
    );
}

/// Ten minutes of nobody looking, as far as a run can tell: it passes as without a page.
#[tokio::test]
async fn a_run_that_nobody_looks_at_passes() {
    let game = Game::new();
    let day = DAY
        .replace("\"1h\"\nfor", "\"0s\"\nfor")
        .replace("\"2h\"\nfor  = \"1h\"", "\"2s\"\nfor  = \"1s\"");
    let (outcome, ()) = game.play(&day, async {}).await;
    assert_eq!(outcome.report.exit_code, 0, "{:?}", outcome.report.reasons);
    assert!(outcome.did().is_empty());
}

#[tokio::test]
async fn a_server_that_is_gone_changes_nothing() {
    let game = Game::new();
    let (controls, orders) = control::channel(false);
    let clock = Clock::start();
    let other = Game::new();
    let spectator = other.server.follow(controls, clock);
    let port = port(&other);
    other.server.end().await;
    assert!(
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_err()
    );
    let day = DAY
        .replace("\"1h\"\nfor", "\"0s\"\nfor")
        .replace("\"2h\"\nfor  = \"1h\"", "\"2s\"\nfor  = \"1s\"");
    let outcome = game.run(&day, clock, orders, Box::new(spectator)).await;
    assert_eq!(outcome.report.exit_code, 0, "{:?}", outcome.report.reasons);
}
