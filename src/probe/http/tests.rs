//! Against real sockets.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::*;
use crate::probe::testing::context;
use crate::scenario::Part;

mod connections;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that answers every request with the same bytes; it counts connections and remembers the last request.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heard: Arc<Mutex<String>>,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    async fn at(ip: &str, port: u16, answer: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((ip, port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let heard = Arc::new(Mutex::new(String::new()));
        let (count, last, answer) = (connections.clone(), heard.clone(), answer.to_owned());
        let task = TaskTracker::new().spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let (last, answer, tls) = (last.clone(), answer.clone(), tls.clone());
                open.spawn(async move {
                    match tls {
                        None => serve(stream, &answer, &last).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &answer, &last).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            connections,
            heard,
            _task: AbortOnDropHandle::new(task),
        }
    }

    async fn new(answer: &str) -> Self {
        Self::at("127.0.0.1", 0, answer, None).await
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &str,
    last: &Mutex<String>,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(got @ 1..) = stream.read(&mut buffer).await {
        *last.lock().unwrap() = String::from_utf8_lossy(&buffer[..got]).into();
        let closing = answer.contains("connection: close") || !answer.contains("content-length");
        if stream.write_all(answer.as_bytes()).await.is_err() || closing {
            return;
        }
    }
}

fn get(url: &str) -> HttpProbe {
    HttpProbe {
        method: "GET".into(),
        url: Template::text(url),
        headers: vec![],
        body: None,
        expect: HttpExpect::default(),
    }
}

async fn once(url: &str) -> Result<(), Miss> {
    let (ctx, _world, _readings) = context(vec![]);
    Http::new(&get(url), &ctx).unwrap().shoot(0).await
}

fn status(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nlocation: /elsewhere\r\n\r\n")
}

#[tokio::test]
async fn any_2xx_is_good_and_nothing_else_is_followed() {
    for (line, outcome) in [
        ("200 OK", Ok(())),
        ("204 No Content", Ok(())),
        ("302 Found", Err(Miss::bad("status 302"))),
        ("503 Service Unavailable", Err(Miss::bad("status 503"))),
    ] {
        let server = Server::new(&status(line)).await;
        assert_eq!(once(&server.url()).await, outcome, "{line}");
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_has_a_name() {
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", refused.local_addr().unwrap());
    drop(refused);
    assert_eq!(once(&url).await, Err(Miss::bad("connection refused")));
    for (answer, reason) in [
        ("", "connection closed"),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\nhalf",
            "connection closed",
        ),
        ("this is no http at all\r\n\r\n", "invalid response"),
    ] {
        let server = Server::new(answer).await;
        assert_eq!(
            once(&server.url()).await,
            Err(Miss::bad(reason)),
            "{answer}"
        );
    }
    assert_eq!(
        once("http://no-such-host.invalid/").await,
        Err(Miss::bad("name not found"))
    );
}

#[tokio::test]
async fn a_reset_is_told_from_a_close() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let reset = async {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        stream.set_zero_linger().unwrap();
    };
    assert_eq!(
        tokio::join!(once(&url), reset).0,
        Err(Miss::bad("connection reset"))
    );
}

#[tokio::test]
async fn the_request_says_what_the_scenario_says() {
    let server = Server::new(OK).await;
    let (ctx, _world, _readings) = context(vec![]);
    let seq = || Template {
        parts: vec![Part::Text("n".into()), Part::Seq],
    };
    let secret = Template {
        parts: vec![Part::Text("Bearer ".into()), Part::Secret("token".into())],
    };
    let probe = HttpProbe {
        method: "PUT".into(),
        url: Template {
            parts: [
                vec![Part::Text(format!("http://{}/kv/", server.address))],
                seq().parts,
                vec![Part::Text("?a=b c".into())],
            ]
            .concat(),
        },
        headers: vec![("Authorization".into(), secret), ("x-trace".into(), seq())],
        body: Some(seq()),
        expect: HttpExpect::default(),
    };
    Http::new(&probe, &ctx).unwrap().shoot(7).await.unwrap();
    let heard = server.heard.lock().unwrap().clone();
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.lines().collect();
    assert_eq!(lines.remove(0), "PUT /kv/n7?a=b%20c HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: {}", server.address);
    let agent = format!("user-agent: chaosrun/{}", env!("CARGO_PKG_VERSION"));
    let expected = [
        "accept: */*",
        "authorization: Bearer s3cr3t",
        "content-length: 2",
        host.as_str(),
        agent.as_str(),
        "x-trace: n7",
    ];
    assert_eq!((lines.as_slice(), body), (expected.as_slice(), "n7"));
}

#[tokio::test]
async fn a_url_may_carry_a_user() {
    let server = Server::new(OK).await;
    once(&format!("http://me:pass@{}/", server.address))
        .await
        .unwrap();
    let heard = server.heard.lock().unwrap().clone();
    assert!(
        heard.contains("authorization: Basic bWU6cGFzcw=="),
        "{heard}"
    );
    assert!(!heard.contains("pass@"));
}

#[test]
fn what_is_no_request_is_an_error_before_anything_is_sent() {
    for (url, word) in [
        ("web:8080/x", "expected http or https"),
        ("nothing", "not a URL"),
        ("ftp://web/", "expected http or https"),
    ] {
        let error = prepare(&get(url), 0, &Secrets::default()).err().unwrap();
        assert!(error.contains(word), "{error}");
    }
    let mut probe = get("http://web/");
    probe.headers = vec![("no good".into(), Template::text("x"))];
    assert!(prepare(&probe, 0, &Secrets::default()).is_err());
}

#[test]
fn expectations_name_the_first_difference() {
    let answer = |cut| Answer {
        status: StatusCode::CREATED,
        headers: [("x-role", "primary")]
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .into_iter()
            .collect(),
        body: br#"{"ok":true,"n":3,"name":"a b","list":[null]}"#.to_vec(),
        cut,
    };
    let judge = |expect: HttpExpect, cut| judge(&expect, &answer(cut), &Bindings::default());
    let expect = HttpExpect::default;
    let text = |text: &str| Some(Template::text(text));
    let header = |value: &str| vec![("x-role".into(), Template::text(value))];
    let json = |pointer: &str, value: &str| HttpExpect {
        json: vec![(pointer.into(), value.into())],
        ..expect()
    };
    for good in [
        expect(),
        HttpExpect {
            status: vec![200, 201],
            ..expect()
        },
        HttpExpect {
            body: text("\"n\":3"),
            ..expect()
        },
        HttpExpect {
            header: header("primary"),
            ..expect()
        },
        json("/ok", "true"),
        json("/n", "3"),
        json("/n", "3.0"),
        json("/name", "a b"),
        json("/name", "\"a b\""),
        json("/list/0", "null"),
        json("/list", "[null]"),
    ] {
        assert_eq!(judge(good.clone(), false), Ok(()), "{good:?}");
    }
    for (bad, reason) in [
        (
            HttpExpect {
                status: vec![200],
                ..expect()
            },
            "status 201",
        ),
        (
            HttpExpect {
                body: text("n: 3"),
                ..expect()
            },
            "body differs",
        ),
        (
            HttpExpect {
                header: header("replica"),
                ..expect()
            },
            "header x-role differs",
        ),
        (json("/ok", "false"), "json /ok differs"),
        (json("/n", "\"3\""), "json /n differs"),
        (json("/missing", "null"), "json /missing differs"),
    ] {
        assert_eq!(judge(bad, false), Err(Miss::bad(reason)));
    }
    assert_eq!(
        judge(json("/ok", "true"), true),
        Err(Miss::bad("body over 1 MiB"))
    );
}

#[tokio::test]
async fn bodies_are_read_whole_in_bounded_space() {
    let long = "x".repeat(3 << 20);
    let server = Server::new(&format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}",
        long.len()
    ))
    .await;
    let (ctx, _world, _readings) = context(vec![]);
    let mut probe = get(&server.url());
    probe.expect.body = Some(Template::text("xxx"));
    let http = Http::new(&probe, &ctx).unwrap();
    for _ in 0..3 {
        assert_eq!(http.shoot(0).await, Ok(()));
    }
    assert_eq!(
        server.connections(),
        1,
        "read to its end, so it can be used again"
    );
    probe.expect.json = vec![(String::new(), "1".into())];
    let http = Http::new(&probe, &ctx).unwrap();
    assert_eq!(http.shoot(0).await, Err(Miss::bad("body over 1 MiB")));
    let chunked = Server::new(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx: content-length\r\n\r\n2\r\nxx\r\n1\r\nx\r\n0\r\n\r\n",
    )
    .await;
    probe = get(&chunked.url());
    probe.expect.body = Some(Template::text("xxx"));
    let http = Http::new(&probe, &ctx).unwrap();
    assert_eq!(http.shoot(0).await, Ok(()));
}
