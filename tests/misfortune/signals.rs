//! chaosrun is told to stop, or is killed, at every moment of a run.

use std::time::Duration;

use serde_json::Value;

use crate::play::Playing;
use crate::stage::{Stage, kill, until};

/// Five faults at once beside a probed bystander.
const QUARTET: &str = r#"
[system]
project = "{project}"

[timing]
baseline = "1s"
recovery = "6s"
steady   = "5s"

[targets.paused]
service = "paused"
[targets.stopped]
service = "stopped"
[targets.parted]
service = "parted"
[targets.killed]
service = "killed"

[probes.up]
rate    = "40/s"
timeout = "500ms"
http    = { url = "http://web:8080/" }

[[slos]]
probe   = "up"
success = ">= 90%"

[[steps]]
name = "pause"
for  = "{hold}"
fault.pause = { target = "paused" }
[[steps]]
name = "stop"
for  = "{hold}"
fault.stop = { target = "stopped", grace = "1s" }
[[steps]]
name = "disconnect"
for  = "{hold}"
fault.disconnect = { target = "parted" }
[[steps]]
name = "kill"
for  = "{hold}"
fault.kill = { target = "killed" }
"#;

const VICTIMS: [&str; 4] = ["paused", "stopped", "parted", "killed"];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    Baseline,
    Injection,
    Active,
    Reverting,
    Recovery,
}

use Moment::{Active, Baseline, Injection, Recovery, Reverting};

impl Moment {
    const ALL: [Self; 5] = [Baseline, Injection, Active, Reverting, Recovery];

    fn hold(self) -> &'static str {
        match self {
            Reverting | Recovery => "300ms",
            _ => "60s",
        }
    }

    fn wait(self, run: &mut Playing) {
        match self {
            Baseline => run.await_event("phase", "phase", "baseline"),
            Injection => run.await_event("injecting", "", ""),
            Active => run.await_events(4, |e| e["event"] == "injected"),
            Reverting => run.await_event("reverting", "", ""),
            Recovery => run.await_event("phase", "phase", "recovery"),
        }
    }
}

/// What the system looks like, as far as a fault would change it.
fn shape(stage: &Stage) -> Vec<String> {
    let of = |name: &&str| {
        let name = format!("{}-{name}", stage.name);
        stage.field(
            &name,
            "{{.Name}} {{.State.Status}}{{range $net, $e := .NetworkSettings.Networks}} {{$net}} {{$e.Aliases}}{{end}}",
        )
    };
    VICTIMS.iter().map(of).collect()
}

/// Waits until all is as it was and nothing is left of the run, for five seconds.
#[expect(clippy::disallowed_methods, reason = "the time is what is tested")]
fn all_is_well(stage: &Stage, before: &[String], run: &str, what: &str) {
    let begun = std::time::Instant::now();
    loop {
        let looked = begun.elapsed();
        let now = shape(stage);
        let left = stage.left(&format!("chaosrun={run}"));
        let journals = stage.journals();
        if now == before && left.is_empty() && journals.is_empty() {
            return;
        }
        assert!(
            looked < Duration::from_secs(5),
            "{what}, after {looked:?}: {now:#?}\nbefore: {before:#?}\nleft: {left:?} {journals:?}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn quartet() -> Stage {
    let stage = Stage::set();
    let network = stage.network();
    stage.web("web", &["--network", &network]);
    for name in VICTIMS {
        stage.web(name, &["--network", &network, "--network-alias", "crowd"]);
    }
    stage
}

pub(crate) fn run_id(run: &Playing) -> String {
    run.history()[0]["run"].as_str().unwrap().to_owned()
}

/// One run after the other on the same system.
fn at_every_moment(signal: &str, code: Option<i32>) {
    let stage = quartet();
    let before = shape(&stage);
    for moment in Moment::ALL {
        let what = format!("SIG{signal} at {moment:?}");
        let mut run = stage.start(&QUARTET.replace("{hold}", moment.hold()));
        moment.wait(&mut run);
        let id = run_id(&run);
        run.signal(signal);
        all_is_well(&stage, &before, &id, &what);
        let played = run.end();
        assert_eq!(played.code, code, "{what}: {played:#?}");
        if code.is_some() {
            assert_eq!(played.report()["verdict"], "interrupted", "{what}");
        }
        let (code, said) = stage.recover(&[]);
        assert_eq!(
            (code, said.trim()),
            (Some(0), "nothing to recover"),
            "{what}"
        );
    }
}

#[test]
fn sigint_at_every_moment() {
    at_every_moment("INT", Some(130));
}

#[test]
fn sigterm_at_every_moment() {
    at_every_moment("TERM", Some(143));
}

#[test]
fn sigkill_at_every_moment() {
    at_every_moment("KILL", None);
}

/// chaosrun and its reaper are killed in the same moment, the reaper first.
pub(crate) fn kill_with_reaper(run: &Playing) {
    let children = format!("/proc/{0}/task", run.pid());
    let reapers: Vec<u32> = std::fs::read_dir(children)
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|pids| {
            pids.split_whitespace()
                .map(|pid| pid.parse().unwrap())
                .collect::<Vec<u32>>()
        })
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("reaper")
        })
        .collect();
    assert_eq!(reapers.len(), 1, "it has a reaper");
    // Or it starts another one.
    run.signal("STOP");
    kill(reapers[0], "KILL");
    run.signal("KILL");
}

#[test]
fn without_its_reaper_recover_lists_it_and_undoes_it() {
    let stage = quartet();
    let before = shape(&stage);
    let mut run = stage.start(&QUARTET.replace("{hold}", "60s"));
    Active.wait(&mut run);
    let id = run_id(&run);
    kill_with_reaper(&run);
    assert_eq!(run.end().code, None);
    std::thread::sleep(Duration::from_secs(1));
    let broken = shape(&stage);
    for (was, is) in before.iter().zip(&broken) {
        assert_ne!(was, is, "nobody has undone it");
    }
    let (code, said) = stage.recover(&["--list"]);
    assert_eq!(code, Some(0), "{said}");
    for line in [
        format!("run {id}, step pause: paused-1: unpause"),
        format!("run {id}, step stop: stopped-1: start"),
        format!(
            "run {id}, step disconnect: parted-1: connect to network {}",
            stage.name
        ),
        format!("run {id}, step kill: killed-1: start"),
    ] {
        assert!(said.contains(&line), "{line:?} is not in {said}");
    }
    assert_eq!(shape(&stage), broken, "listing changes nothing");
    let (code, said) = stage.recover(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.lines().count(), 4, "{said}");
    assert_eq!(shape(&stage), before);
    let (code, said) = stage.recover(&["--list"]);
    assert_eq!((code, said.trim()), (Some(0), "nothing to recover"));
}

#[test]
fn without_its_reaper_the_next_run_undoes_it() {
    let stage = quartet();
    let before = shape(&stage);
    let mut run = stage.start(&QUARTET.replace("{hold}", "60s"));
    Active.wait(&mut run);
    let id = run_id(&run);
    kill_with_reaper(&run);
    run.end();
    let next = QUARTET.replace("{hold}", "300ms").replace("5s", "500ms");
    let played = stage
        .play(&next)
        .expect(0)
        .says(&format!("recovered from run {id}"));
    let proven = |step: &Value| step["effect"]["proven"] == true;
    assert!(
        played.report()["steps"]
            .as_array()
            .unwrap()
            .iter()
            .all(proven)
    );
    assert_eq!(shape(&stage), before);
}

/// Takes its time to end.
const STUBBORN: &str = "trap '' TERM; echo up; while true; do sleep 1; done";

#[test]
fn a_stop_that_is_under_way_is_undone_as_well() {
    for (signal, code) in [("INT", Some(130)), ("KILL", None)] {
        let stage = Stage::set();
        stage.web("web", &[]);
        let stubborn = stage.container("stubborn", &[], STUBBORN);
        let scenario =
            crate::with("for = \"60s\"\nfault.stop = { target = \"stubborn\", grace = \"3s\" }")
                + "[targets.stubborn]\nservice = \"stubborn\"\n";
        let mut run = stage.start(&scenario);
        run.await_event("injecting", "", "");
        std::thread::sleep(Duration::from_millis(300));
        run.signal(signal);
        assert_eq!(run.end().code, code, "{signal}");
        // The engine ends it after its grace, whoever asked has gone or not.
        std::thread::sleep(Duration::from_secs(4));
        until(&format!("it runs again after SIG{signal}"), || {
            stage.status(&stubborn) == "running"
        });
        until("the journal is gone", || stage.journals().is_empty());
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(stage.status(&stubborn), "running", "{signal}");
    }
}
