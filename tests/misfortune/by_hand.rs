//! `--step`: a run steered through its standard input.

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use crate::play::Playing;
use crate::stage::{Stage, until};
use crate::{BASE, with};

const TWO: &str = r#"
[[steps]]
name = "freeze"
for  = "1s"
fault.pause = { target = "web" }
[[steps]]
name = "cut"
at   = "1h"
for  = "60s"
fault.pause = { target = "web" }
"#;

fn begin(stage: &Stage, steps: &str) -> Playing {
    stage.start_with(&format!("{BASE}{steps}"), &stage.reports(), |command| {
        command.arg("--step").stdin(Stdio::piped());
    })
}

const ONE: &str =
    "[[steps]]\nname = \"freeze\"\nfor = \"1s\"\nfault.pause = { target = \"web\" }\n";

fn web() -> (Stage, String) {
    let stage = Stage::set();
    let name = stage.web("web", &[]);
    (stage, name)
}

#[test]
fn each_step_waits_for_a_line_and_all_is_taken_back_by_another() {
    let (stage, name) = web();
    let mut run = begin(&stage, TWO);
    run.hears("Enter starts the next step, h holds or releases the timeline");
    run.types("");
    run.hears("not done: the ");
    run.hears("next: freeze (pause on web); Enter starts it");
    run.types("n the pager is \u{1b}[31mquiet");
    run.types("whatever");
    run.hears("not done: whatever is no command");
    assert!(
        !run.history()
            .iter()
            .any(|event| event["event"] == "injecting")
    );
    run.types("");
    run.hears("step freeze begins");
    // An hour in the file, and now here.
    run.hears("next: cut (pause on web); Enter starts it");
    run.await_event("reverted", "step", "freeze");
    run.types("");
    run.await_event("injected", "step", "cut");
    assert_eq!(stage.status(&name), "paused");
    run.types("r");
    run.hears("reverting every fault; then recovery is watched");
    until("it runs again", || stage.status(&name) == "running");
    let played = run.end().expect(3).says("was in force for");
    let report = played.report();
    assert_eq!(report["notes"][0]["text"], "the pager is \u{1b}[31mquiet");
    let did: Vec<_> = report["commands"].as_array().unwrap().iter().collect();
    assert_eq!(did.len(), 3, "{did:#?}");
    assert_eq!(did[0]["what"], "step freeze started");
    // The timeline stood from when its first moment was over, which the loop may have met within the millisecond.
    let early = did[1]["what"].as_str().unwrap();
    let whole = ["1h", "59m59s"].map(|early| format!("step cut started {early} before its time"));
    assert!(whole.iter().any(|whole| whole == early), "{early}");
    assert_eq!(did[2]["what"], "every fault reverted before its time");
    assert!(did.iter().all(|one| one["by"] == "terminal"));
    for shown in [
        "By hand",
        "note: the pager is \\u{1b}[31mquiet",
        "step freeze started",
    ] {
        assert!(played.stdout.contains(shown), "{}", played.stdout);
    }
}

#[test]
fn a_released_run_goes_on_by_itself_and_may_pass() {
    let (stage, _) = web();
    let mut run = begin(
        &stage,
        "[[steps]]\nname = \"freeze\"\nfor = \"1s\"\nfault.pause = { target = \"web\" }\n",
    );
    run.hears("next: freeze");
    run.types("h");
    run.hears("released: the timeline goes on");
    // Nobody is needed any more.
    run.hangs_up();
    run.end().expect(0);
}

#[test]
fn who_aborts_is_asked_for_no_more_and_named() {
    let (stage, name) = web();
    let mut run = begin(&stage, TWO);
    run.hears("next: freeze");
    run.types("");
    run.await_event("injected", "step", "freeze");
    run.types("a a customer called");
    let played = run.end().expect(4);
    assert_eq!(stage.status(&name), "running");
    played.says("the run was aborted from the terminal: a customer called");
}

#[test]
fn nobody_at_the_other_end_aborts_instead_of_waiting_for_ever() {
    let (stage, _) = web();
    let mut run = begin(&stage, TWO);
    run.hangs_up();
    let played = run.end().expect(4).says("standard input ended");
    assert!(!played.injected());
}

/// The input may end when there is nothing left to be started.
#[test]
fn an_input_that_ends_after_the_last_step_is_no_reason_to_stop() {
    let (stage, _) = web();
    let mut run = begin(
        &stage,
        "[[steps]]\nname = \"freeze\"\nfor = \"1s\"\nfault.pause = { target = \"web\" }\n",
    );
    run.hears("next: freeze");
    run.types("");
    run.hangs_up();
    run.end().expect(0);
}

#[test]
fn a_signal_works_as_everywhere() {
    let (stage, _) = web();
    let run = begin(&stage, TWO);
    run.hears("next: freeze");
    run.signal("INT");
    let played = run.end().expect(130);
    assert!(!played.injected());
}

#[test]
fn without_the_option_nothing_is_read() {
    let (stage, _) = web();
    let mut run = stage.start_with(&with(crate::PAUSE), &stage.reports(), |command| {
        command.stdin(Stdio::piped());
    });
    run.types("a stop it");
    let played = run.end().expect(0);
    assert!(!played.stderr.contains("Enter starts"), "{}", played.stderr);
}

/// `http://127.0.0.1:port/?token=…`, as it is printed.
fn address(run: &Playing) -> (u16, String) {
    run.hears("live page, for the first browser that opens it: http://127.0.0.1:");
    let said = run.said("stderr");
    let (_, rest) = said.split_once("http://127.0.0.1:").unwrap();
    let (port, path) = rest.lines().next().unwrap().split_once('/').unwrap();
    (port.parse().unwrap(), format!("/{path}"))
}

fn ask(port: u16, request: &str) -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What a browser that opens the address has from then on.
fn session(port: u16, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n");
    let given = ask(port, &request);
    let (_, cookie) = given.split_once("set-cookie: ").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// What is answered to a button.
fn command(port: u16, cookie: &str, body: &str) -> String {
    let host = format!("127.0.0.1:{port}");
    let head = format!(
        "POST /commands HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\ncookie: {cookie}\r\nx-chaosrun: 1\r\n"
    );
    let kind = format!(
        "content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    ask(port, &format!("{head}{kind}{body}"))
}

/// A file of a series, after it has ended.
fn json(played: &crate::play::Played, file: &str) -> serde_json::Value {
    let path = played.dir.as_ref().unwrap().join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Each run asks for its own line; where the input ends, the run that waits is aborted, and with it the series.
#[test]
fn every_run_of_a_series_is_started_by_hand() {
    let (stage, name) = web();
    let mut run = stage.start_with(&format!("{BASE}{ONE}"), &stage.reports(), |command| {
        let command = command.args(["--step", "--repeat", "3"]);
        command.stdin(Stdio::piped());
    });
    let asked = |run: &Playing| {
        let said = run.said("stderr");
        said.matches("next: freeze (pause on web); Enter starts it")
            .count()
    };
    until("the first run asks", || asked(&run) == 1);
    run.types("");
    run.hears("run 1 of 3 (seed 7)");
    until("the second run asks", || asked(&run) == 2);
    run.hangs_up();
    let played = run.end();
    assert_eq!(played.code, Some(4), "{played:#?}");
    assert_eq!(stage.status(&name), "running");
    let series = json(&played, "series.json");
    let made = series["runs"].as_array().unwrap();
    assert_eq!((made.len(), &series["planned"]), (2, &3.into()));
    assert_eq!(made[1]["verdict"], "aborted");
    let first = json(&played, "1/report.json");
    assert_eq!(first["commands"][0]["what"], "step freeze started");
    let second = json(&played, "2/report.json");
    assert_eq!(second["steps"][0]["injected_ms"], serde_json::Value::Null);
    let why = second["reasons"][0].as_str().unwrap();
    assert!(why.contains("standard input ended"), "{why}");
}

/// One address for all runs of a series: the page goes on to each of them.
#[test]
fn a_live_page_follows_a_series() {
    let (stage, _) = web();
    let run = stage.start_with(&format!("{BASE}{ONE}"), &stage.reports(), |command| {
        command.args(["--serve", "127.0.0.1:0", "--repeat", "2"]);
    });
    let (port, path) = address(&run);
    let cookie = session(port, &path);
    let noted = |text: &str| {
        let body = format!(r#"{{"command":"note","text":"{text}"}}"#);
        until("a note is taken", || {
            command(port, &cookie, &body).starts_with("HTTP/1.1 200")
        });
    };
    run.hears("baseline (1s)");
    noted("first");
    run.hears("run 1 of 2 (seed 7)");
    noted("second");
    let played = run.end();
    assert!(matches!(played.code, Some(0 | 3)), "{played:#?}");
    for (number, text) in [(1, "first"), (2, "second")] {
        let report = json(&played, &format!("{number}/report.json"));
        let notes: Vec<_> = report["notes"].as_array().unwrap().iter().collect();
        assert_eq!((notes.len(), &notes[0]["text"]), (1, &text.into()));
        assert_eq!(notes[0]["by"], "live page");
    }
}

#[test]
fn a_live_page_steers_the_run_and_ends_with_it() {
    let (stage, name) = web();
    let mut run = stage.start_with(&format!("{BASE}{TWO}"), &stage.reports(), |command| {
        command.args(["--serve", "127.0.0.1:0"]);
    });
    let (port, path) = address(&run);
    let host = format!("host: 127.0.0.1:{port}\r\n");
    assert!(ask(port, &format!("GET / HTTP/1.1\r\n{host}\r\n")).starts_with("HTTP/1.1 401"));
    let cookie = &session(port, &path);
    run.await_event("injected", "step", "freeze");
    let body = r#"{"command":"abort","why":"a customer called"}"#;
    let answer = command(port, cookie, body);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let played = run
        .end()
        .expect(4)
        .says("aborted from the live page: a customer called");
    assert_eq!(stage.status(&name), "running");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    // Neither key is in anything that is kept.
    let token = path.split_once('=').unwrap().1;
    let dir = played.dir.as_ref().unwrap();
    for file in std::fs::read_dir(dir).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains(token) && !text.contains(cookie.split_once('=').unwrap().1));
    }
}

#[test]
fn a_page_is_not_served_where_others_could_reach_it_by_mistake() {
    let (stage, name) = web();
    let before = stage.life(&name);
    let owner = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = owner.local_addr().unwrap().to_string();
    for (args, words) in [
        (
            &["--serve", "0.0.0.0:0"][..],
            "--serve 0.0.0.0:0 could be reached from other machines",
        ),
        (&["--serve", "[::]:0"], "add --expose if that is meant"),
        (&["--serve", &taken], "Address already in use"),
        (&["--serve", "localhost"], "invalid value 'localhost'"),
        (&["--expose"], "--serve"),
    ] {
        let run = stage.start_with(&with(crate::PAUSE), &stage.reports(), |command| {
            command.args(args);
        });
        run.end().expect(2).says(words);
    }
    assert_eq!(stage.life(&name), before);
    let run = stage.start_with(&with(crate::PAUSE), &stage.reports(), |command| {
        command.args(["--serve", "0.0.0.0:0", "--expose"]);
    });
    let played = run.end().expect(0);
    assert!(
        played.stderr.contains("http://127.0.0.1:"),
        "{}",
        played.stderr
    );
}
