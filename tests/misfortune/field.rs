//! The situations in which the most used experiment engine gives a wrong verdict, each with the right one.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::play::Played;
use crate::proxy::Proxy;
use crate::stage::{Stage, until};
use crate::{BASE, PAUSE, with};

#[test]
fn a_refused_fault_is_inconclusive_in_the_engines_own_words() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let proxy = Proxy::start(stage.folder.path());
    proxy.refuse("/pause", "cannot freeze it: device or resource busy");
    let before = stage.life(&web);
    let run = stage.start_with(&with(PAUSE), &stage.reports(), |command| {
        command.env("DOCKER_HOST", proxy.host());
    });
    let played = run
        .end()
        .expect(3)
        .says("could not pause")
        .says("cannot freeze it: device or resource busy");
    assert_eq!(played.report()["steps"][0]["effect"]["proven"], false);
    assert_eq!(stage.life(&web), before);
    assert!(stage.journals().is_empty());
}

#[test]
fn a_slo_that_is_broken_during_the_fault_only_is_failed() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let scenario = with("for = \"2s\"\nfault.pause = { target = \"web\" }")
        + "[[slos]]\nprobe = \"up\"\nduring = \"fault\"\nsuccess = \">= 50%\"\n\
           [[slos]]\nprobe = \"up\"\nduring = \"recovery\"\nsuccess = \">= 10%\"\n";
    let report = stage.play(&scenario).expect(1).report();
    assert_eq!(report["verdict"], "failed");
    assert_eq!(report["slos"][1]["met"], false);
    assert_eq!(report["slos"][2]["met"], true);
    // The same promise holds while another container is hit.
    stage.web("other", &[]);
    let beside = scenario.replace("service = \"web\"", "service = \"other\"");
    assert_eq!(
        stage.play(&beside).expect(0).report()["slos"][1]["met"],
        true
    );
}

#[test]
fn a_revert_that_fails_is_dirty() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let victim = stage.web("victim", &[]);
    let scenario = with("for = \"2s\"\nfault.kill = { target = \"victim\" }")
        + "[targets.victim]\nservice = \"victim\"\n";
    let mut run = stage.start(&scenario);
    run.await_event("injected", "", "");
    stage.docker(["rm", "-f", &victim]);
    let played = run
        .end()
        .expect(5)
        .says("victim-1")
        .says("chaosrun recover");
    assert_eq!(played.report()["verdict"], "dirty");
    assert_eq!(played.report()["steps"][0]["revert"]["verified"], false);
    // Nothing of the fault is left with the container: the next run is not held up by it.
    let (code, said) = stage.recover(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(stage.journals().is_empty());
}

#[test]
fn a_probe_that_outlives_its_timeout_is_cut_off_at_it() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let nap = format!("{}.{}", 30, std::process::id());
    let scenario = with(PAUSE)
        .replace("http    = { url = \"http://web:8080/\" }", "")
        .replace(
            "[probes.up]",
            &format!("[probes.up]\nexec = {{ command = [\"sleep\", \"{nap}\"] }}"),
        )
        .replace("timeout = \"500ms\"", "timeout = \"300ms\"")
        .replace("40/s", "10/s");
    let played = stage.play(&scenario).expect(3);
    assert!(!played.injected());
    let probe = &played.report()["probes"][0];
    assert_eq!(probe["good"], 0);
    assert_eq!(probe["reasons"]["timed out"], probe["planned"], "{probe:#}");
    let max = probe["latency_ms"]["max"].as_f64().unwrap();
    assert!((300.0..600.0).contains(&max), "{probe:#}");
    let left = Command::new("pgrep")
        .args(["-f", &format!("sleep {nap}")])
        .output();
    assert_eq!(String::from_utf8_lossy(&left.unwrap().stdout), "");
}

#[test]
fn a_hanging_probe_does_not_hold_up_a_revert() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let scenario = with("for = \"60s\"\nfault.pause = { target = \"web\" }")
        .replace("timeout = \"500ms\"", "timeout = \"30s\"");
    let mut run = stage.start(&scenario);
    run.await_event("injected", "", "");
    std::thread::sleep(Duration::from_millis(500));
    run.signal("TERM");
    let mut played = None;
    let (reverted, ended) = (
        elapsed(|| until("reverted", || stage.status(&web) == "running")),
        elapsed(|| played = Some(run.end())),
    );
    assert!(reverted < Duration::from_secs(2), "{reverted:?}");
    assert!(
        reverted + ended < Duration::from_secs(5),
        "{reverted:?} {ended:?}"
    );
    let report = played.unwrap().expect(143).report();
    assert_eq!(report["steps"][0]["revert"]["verified"], true);
    assert!(stage.journals().is_empty());
}

#[expect(clippy::disallowed_methods, reason = "the time is what is tested")]
fn elapsed(work: impl FnOnce()) -> Duration {
    let begun = std::time::Instant::now();
    work();
    begun.elapsed()
}

#[test]
fn a_stall_counts_in_full_and_slow_probes_keep_their_schedule() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let scenario = with("for = \"6s\"\nfault.pause = { target = \"web\" }")
        .replace("baseline = \"1s\"", "baseline = \"3s\"")
        .replace("steady   = \"500ms\"", "steady   = \"3s\"")
        .replace("timeout = \"500ms\"", "timeout = \"10s\"")
        .replace("40/s", "10/s")
        + "[probes.slow]\nrate = \"10/s\"\ntimeout = \"2s\"\nexec = { command = [\"sleep\", \"0.3\"] }\n";
    let report = stage.play(&scenario).expect(0).report();
    let probe = |name: &str| {
        let probes = report["probes"].as_array().unwrap();
        probes
            .iter()
            .find(|probe| probe["name"] == name)
            .unwrap()
            .clone()
    };
    let up = probe("up");
    let count = |probe: &Value, what: &str| probe[what].as_u64().unwrap();
    let phases = report["phases"].as_array().unwrap();
    let began = phases[0]["start_ms"].as_f64().unwrap();
    let seconds = (phases[2]["end_ms"].as_f64().unwrap() - began) / 1e3;
    assert!(seconds >= 11.9, "{phases:?}");
    // Ten for every second that the run lasted, stall or not.
    let kept = |probe: &Value| (count(probe, "planned") as f64 - seconds * 10.0).abs() <= 2.0;
    assert!(kept(&up), "{seconds} s: {up:#}");
    assert_eq!(count(&up, "sent"), count(&up, "planned"));
    let p95 = up["latency_ms"]["p95"].as_f64().unwrap();
    assert!((5_200.0..5_700.0).contains(&p95), "{up:#}");
    let slow = probe("slow");
    assert!(kept(&slow), "{seconds} s: {slow:#}");
    for what in ["sent", "good"] {
        assert_eq!(count(&slow, what), count(&slow, "planned"), "{slow:#}");
    }
    assert!(slow["latency_ms"]["p50"].as_f64().unwrap() >= 300.0);
}

const TOKEN: &str = "s3cr3t-t0ken-of-misfortune";

fn play_with_secret(stage: &Stage, scenario: &str) -> Played {
    let mut run = stage.start_with(scenario, &stage.reports(), |command| {
        command.env("MISFORTUNE_TOKEN", TOKEN);
    });
    // The journal, while there is one.
    while !run.has_ended() {
        for journal in stage.journals() {
            let text = std::fs::read(journal).unwrap_or_default();
            assert!(!holds_secret(&text));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let played = run.end();
    assert!(!holds_secret(played.stdout.as_bytes()), "{}", played.stdout);
    assert!(!holds_secret(played.stderr.as_bytes()), "{}", played.stderr);
    let dir = played.dir.clone().unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            !holds_secret(&std::fs::read(&path).unwrap()),
            "{}",
            path.display()
        );
        files += 1;
    }
    assert!(files >= 2);
    played
}

fn holds_secret(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains(TOKEN)
}

#[test]
fn a_secret_in_a_commands_output_is_redacted_everywhere() {
    let stage = Stage::set();
    stage.web("web", &[]);
    let secrets = "[secrets]\ntoken = { env = \"MISFORTUNE_TOKEN\" }\n";
    // In a role's answer, which is quoted.
    let role = with(PAUSE).replace(
        "service = \"web\"",
        "service = \"web\"\nrole = { exec = [\"echo\", \"I am {token}\"], equals = \"primary\" }",
    ) + secrets;
    play_with_secret(&stage, &role)
        .expect(3)
        .says("none has the role")
        .says("I am ");
    // In its error.
    let error = role.replace(
        "\"echo\", \"I am {token}\"",
        "\"sh\", \"-c\", \"echo it is {token} >&2; exit 1\"",
    );
    play_with_secret(&stage, &error).expect(3).says("it is ");
    // In a probe's output, on this host and in the container, which is neither expected nor successful.
    let probe = |within: &str| {
        with(PAUSE).replace(
            "http    = { url = \"http://web:8080/\" }",
            &format!(
                "exec = {{ command = [\"sh\", \"-c\", \"echo {{token}}; echo {{token}} >&2; exit 1\"]{within} }}\nexpect = {{ stdout = \"ok\" }}"
            ),
        ).replace("40/s", "10/s") + secrets
    };
    play_with_secret(&stage, &probe("")).expect(3);
    play_with_secret(&stage, &probe(", in = \"web\"")).expect(3);
    // With everything well: the journal is there for as long as the fault is.
    let fine = with(PAUSE).replace(
        "url = \"http://web:8080/\"",
        "url = \"http://web:8080/\", headers = { Authorization = \"Bearer {token}\" }",
    ) + secrets;
    play_with_secret(&stage, &fine).expect(0);
}

#[test]
fn a_guard_that_trips_aborts_and_reverts() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let scenario = format!(
        "{BASE}\n[[guards]]\nprobe = \"up\"\nsuccess = \"< 20%\"\nover = \"1s\"\n\
         [[steps]]\nname = \"hit\"\nfor = \"60s\"\nfault.pause = {{ target = \"web\" }}\n"
    );
    stage.play(&scenario).expect(4);
    assert_eq!(stage.status(&web), "running");
    assert!(stage.journals().is_empty());
}
