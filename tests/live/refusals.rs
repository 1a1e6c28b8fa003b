//! What is refused, each beside what is not.

use crate::game::{Game, TOKEN};
use crate::http::{Session, ask, port, send};

const NOTE: &str = r#"{"command":"note","text":"hello"}"#;

#[tokio::test]
async fn without_a_session_there_is_nothing_to_see() {
    let game = Game::new();
    for path in [
        "/",
        "/events",
        "/commands",
        "/anything",
        "/?token=",
        "/?token=guess",
        "/%2e%2e/etc/passwd",
    ] {
        for method in ["GET", "POST", "HEAD", "PUT"] {
            let answer = ask(port(&game), method, path, &[]).await;
            let expected = if path.starts_with("/?") || path == "/" {
                [401, 405]
            } else {
                [401, 401]
            };
            assert!(
                expected.contains(&answer.status),
                "{method} {path}: {answer:?}"
            );
            assert!(!answer.body.contains("data-command") && !answer.head.contains("set-cookie"));
        }
    }
    let answer = ask(port(&game), "GET", "/", &[("cookie", "chaosrun=x; a")]).await;
    assert_eq!(answer.status, 401);
    assert!(
        answer
            .body
            .contains("open the address that chaosrun printed")
    );
}

#[tokio::test]
async fn the_token_works_once_and_guesses_do_not_spend_it() {
    let game = Game::new();
    assert!(
        game.server
            .url()
            .ends_with(&format!(":{}/?token={TOKEN}", port(&game)))
    );
    for method in ["HEAD", "POST"] {
        let spent = ask(port(&game), method, &format!("/?token={TOKEN}"), &[]).await;
        assert!(!spent.head.contains("set-cookie"), "{method}: {spent:?}");
    }
    assert_eq!(
        ask(port(&game), "GET", "/?token=guess", &[]).await.status,
        401
    );
    let other = [("host", "evil.example")];
    let rebound = ask(port(&game), "GET", &format!("/?token={TOKEN}"), &other).await;
    assert_eq!(rebound.status, 403, "{rebound:?}");
    let session = Session::open(&game).await;
    assert_eq!(session.get("/").await.status, 200);
    let again = ask(port(&game), "GET", &format!("/?token={TOKEN}"), &[]).await;
    assert_eq!(
        (again.status, again.head.contains("set-cookie")),
        (401, false)
    );
    // Whoever has the session may go back in the browser.
    let back = session.get(&format!("/?token={TOKEN}")).await;
    assert_eq!(
        (back.status, back.head.contains("set-cookie")),
        (200, false)
    );
}

#[tokio::test]
async fn the_cookie_is_for_this_page_and_no_script() {
    let game = Game::new();
    let answer = ask(port(&game), "GET", &format!("/?token={TOKEN}"), &[]).await;
    for attribute in ["; httponly", "; samesite=strict", "; path=/"] {
        assert!(answer.head.contains(attribute), "{}", answer.head);
    }
    assert!(!answer.body.contains(TOKEN) && answer.body.contains(r#"content="0; url=/""#));
}

#[tokio::test]
async fn a_name_that_was_made_to_point_here_is_refused() {
    let game = Game::new();
    let session = Session::open(&game).await;
    for host in [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "",
    ] {
        for path in ["/", "/events", "/nowhere"] {
            let headers = [("host", host), ("cookie", &session.cookie)];
            let answer = ask(port(&game), "GET", path, &headers).await;
            assert!(
                [400, 403].contains(&answer.status),
                "{host} {path}: {answer:?}"
            );
        }
        let answer = session
            .post_with(
                NOTE,
                &[("host", host), ("origin", &format!("http://{host}"))],
            )
            .await;
        assert!([400, 403].contains(&answer.status), "{host}: {answer:?}");
    }
    let local = format!("localhost:{}", port(&game));
    let headers = [("host", local.as_str()), ("cookie", &session.cookie)];
    assert_eq!(ask(port(&game), "GET", "/", &headers).await.status, 200);
}

#[tokio::test]
async fn a_command_from_elsewhere_is_refused() {
    let game = Game::new();
    let session = Session::open(&game).await;
    for (name, value, status) in [
        ("origin", "", 403),
        ("origin", "null", 403),
        ("origin", "http://evil.example", 403),
        ("origin", "http://127.0.0.1:1", 403),
        ("x-chaosrun", "", 403),
        ("content-type", "", 415),
        ("content-type", "text/plain", 415),
        ("content-type", "application/x-www-form-urlencoded", 415),
        ("cookie", "", 401),
        ("cookie", "chaosrun=x", 401),
    ] {
        let answer = session.post_with(NOTE, &[(name, value)]).await;
        assert_eq!(answer.status, status, "{name}: {value}: {answer:?}");
    }
    // The same one from the page itself comes through: no run is going on, which is another answer.
    let answer = session.post(NOTE).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (409, r#"{"said":"no run is going on"}"#)
    );
}

#[tokio::test]
async fn no_other_site_is_let_in_by_a_preflight() {
    let game = Game::new();
    let session = Session::open(&game).await;
    let headers = [
        ("origin", "http://evil.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-chaosrun"),
        ("cookie", session.cookie.as_str()),
    ];
    let answer = ask(port(&game), "OPTIONS", "/commands", &headers).await;
    assert_eq!(answer.status, 405);
    assert!(
        !answer.head.contains("access-control-allow"),
        "{}",
        answer.head
    );
}

#[tokio::test]
async fn what_is_no_command_is_told_apart() {
    let game = Game::new();
    let session = Session::open(&game).await;
    let long = format!(r#"{{"command":"note","text":"{}"}}"#, "x".repeat(20_000));
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("[]", 422),
        (r#"{"command":"explode"}"#, 422),
        (r#"{"command":"note"}"#, 422),
        (r#"{"command":"hold","for":"ever"}"#, 422),
        (r#"{"command":"start"}"#, 422),
        (long.as_str(), 413),
    ] {
        let answer = session.post(body).await;
        assert_eq!(answer.status, status, "{body:.40}: {answer:?}");
    }
    assert_eq!(session.get("/commands").await.status, 405);
    assert_eq!(session.get("/report.html").await.status, 404);
    assert_eq!(session.get("/events/").await.status, 404);
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    let game = Game::new();
    let huge = format!(
        "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\na: {}\r\n\r\n",
        "x".repeat(64_000)
    );
    let answer = send(port(&game), &huge).await;
    assert!([0, 431].contains(&answer.status), "{answer:?}");
    // Never finished: the server does not wait for ever.
    let answer = send(port(&game), "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n").await;
    assert!([0, 408].contains(&answer.status), "{answer:?}");
}

#[tokio::test]
async fn every_answer_keeps_browsers_from_doing_more_than_it_says() {
    let game = Game::new();
    let session = Session::open(&game).await;
    for answer in [
        session.get("/").await,
        session.get("/nowhere").await,
        session.post("{").await,
        ask(port(&game), "GET", "/", &[]).await,
    ] {
        for header in [
            "content-security-policy: default-src 'none'; style-src 'sha256-",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(answer.head.contains(header), "{header}: {}", answer.head);
        }
        assert!(!answer.head.contains("unsafe") && !answer.head.contains("access-control"));
    }
}
