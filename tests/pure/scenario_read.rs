//! A scenario that uses the whole language, field by field.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chaosrun::fault::{By, Fault, Restore};
use chaosrun::scenario::*;
use chaosrun::units::{Rate, Signal};

pub(crate) const FULL: &str = r#"
title = "Killing the primary costs at most 5 s of writes"
seed  = 42
repeat = 3

[system]
engine  = "docker"
compose = "stacks/quorum/compose.yaml"
keep    = true
healthy = "90s"

[timing]
baseline = "10s"
recovery = "20s"
steady   = "2s"

[vars]
host = "node"
port = "8080"
rate = "50/s"

[secrets]
token    = { env = "API_TOKEN" }
password = { file = "secrets/password" }

[targets.primary]
service = "node"
role    = { http = "http://{address}:{port}/role", equals = "primary", timeout = "500ms" }
pick    = "one"

[targets.cache]
label    = "tier=cache"
name     = "^cache-[0-9]+$"
pick     = "minority"
on_empty = "skip"
role     = { exec = ["redis-cli", "-a", "{password}", "role"], equals = "slave" }

[probes.write]
rate    = "{rate}"
timeout = "1s"
http    = { method = "PUT", url = "http://{host}:{port}/kv/{seq}", body = '{{"n": {seq}}}', headers = { Authorization = "Bearer {token}" } }
expect  = { status = [200, 201], json = { "/ok" = true } }

[probes.ping]
tcp    = { address = "redis:6379", send = "PING\r\n" }
expect = { bytes = "+PONG" }

[probes.cli]
rate   = "30/m"
exec   = { command = ["redis-cli", "get", "{seq}"], in = "cache" }
expect = { exit = 0, stdout = "ok" }

[probes.up]
container = { target = "primary" }
expect    = { state = "running", health = "healthy", replicas = 1 }

[[slos]]
probe    = "write"
during   = "all"
success  = ">= 95%"
p99      = "<= 250ms"
recovery = "<= 5s"

[[slos]]
probe   = "ping"
during  = "kill"
outage  = "< 2s"

[[guards]]
probe   = "write"
success = "< 20%"
over    = "3s"

[[steps]]
name = "kill"
at   = "0s"
for  = "8s"
fault.kill = { target = "primary", signal = "SIGKILL", restore = "start" }

[[steps]]
name  = "freeze"
after = "kill"
fault.pause = { target = "cache" }

[[steps]]
when = { probe = "write", steady = "5s", within = "30s" }
fault.disconnect = { target = "primary", network = "back" }

[limits]
max_targets  = 1
max_percent  = "50%"
keep_running = 1
never        = ["tier=db"]
"#;

fn full() -> Scenario {
    check(Path::new("dir/kill-primary.toml"), FULL, &Inputs::default())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn the_head_of_a_scenario() {
    let scenario = full();
    assert_eq!(scenario.name, "kill-primary");
    assert_eq!(scenario.path, PathBuf::from("dir/kill-primary.toml"));
    assert_eq!(scenario.source, FULL);
    assert_eq!(
        scenario.title.as_deref(),
        Some("Killing the primary costs at most 5 s of writes")
    );
    assert_eq!((scenario.seed, scenario.repeat), (Some(42), Some(3)));
    assert_eq!(scenario.vars["rate"], "50/s");
    assert_eq!(
        scenario.system,
        System::Compose {
            file: "stacks/quorum/compose.yaml".into(),
            keep: true,
            healthy_within: Duration::from_secs(90),
        }
    );
    assert_eq!(
        scenario.timing,
        Timing {
            baseline: Duration::from_secs(10),
            recovery: Duration::from_secs(20),
            steady: Duration::from_secs(2),
        }
    );
    assert_eq!(
        scenario.secrets["token"],
        SecretSource::Env("API_TOKEN".into())
    );
    assert_eq!(
        scenario.secrets["password"],
        SecretSource::File("secrets/password".into())
    );
    assert_eq!(
        scenario.limits,
        Limits {
            max_targets: Some(1),
            max_percent: Some(0.5),
            keep_running: Some(1),
            never: vec!["tier=db".into()],
        }
    );
}

#[test]
fn targets_in_the_order_of_the_file() {
    let scenario = full();
    let names: Vec<&str> = scenario.targets.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["primary", "cache"]);
    let primary = scenario.target("primary").unwrap();
    assert!(matches!(primary.select.as_slice(), [Selector::Service(name)] if name == "node"));
    assert_eq!(
        (primary.pick, primary.on_empty),
        (Pick::One, OnEmpty::Error)
    );
    let role = primary.role.as_ref().unwrap();
    assert_eq!(
        (role.equals.as_str(), role.timeout),
        ("primary", Duration::from_millis(500))
    );
    let Ask::Http { url } = &role.ask else {
        panic!()
    };
    let bindings = Bindings {
        address: "10.0.0.2",
        ..Bindings::default()
    };
    assert_eq!(url.render(&bindings), "http://10.0.0.2:8080/role");

    let cache = scenario.target("cache").unwrap();
    assert_eq!(
        (cache.pick, cache.on_empty),
        (Pick::Minority, OnEmpty::Skip)
    );
    let [Selector::Name(regex), Selector::Label { key, value }] = cache.select.as_slice() else {
        panic!("{:?}", cache.select)
    };
    assert!(regex.is_match("cache-12") && !regex.is_match("cache-x"));
    assert_eq!((key.as_str(), value.as_deref()), ("tier", Some("cache")));
    let Ask::Exec { command } = &cache.role.as_ref().unwrap().ask else {
        panic!()
    };
    assert_eq!(command[2].parts, [Part::Secret("password".into())]);
}

#[test]
fn probes_with_their_templates() {
    let scenario = full();
    let names: Vec<&str> = scenario.probes.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["write", "ping", "cli", "up"]);

    let write = scenario.probe("write").unwrap();
    assert_eq!(
        (write.rate, write.timeout),
        (Rate(50.0), Duration::from_secs(1))
    );
    let ProbeKind::Http(http) = &write.kind else {
        panic!()
    };
    let secrets = Secrets([("token".to_owned(), "s3cret".to_owned())].into());
    let bindings = Bindings {
        seq: Some(7),
        secrets: Some(&secrets),
        ..Bindings::default()
    };
    assert_eq!(http.method, "PUT");
    assert_eq!(http.url.render(&bindings), "http://node:8080/kv/7");
    assert_eq!(http.body.as_ref().unwrap().render(&bindings), "{\"n\": 7}");
    assert_eq!(http.headers[0].0, "Authorization");
    assert_eq!(http.headers[0].1.render(&bindings), "Bearer s3cret");
    assert_eq!(http.expect.status, [200, 201]);
    assert_eq!(http.expect.json, [("/ok".to_owned(), "true".to_owned())]);

    let ProbeKind::Tcp(tcp) = &scenario.probe("ping").unwrap().kind else {
        panic!()
    };
    assert_eq!(tcp.address, Template::text("redis:6379"));
    assert_eq!(tcp.send, Some(Template::text("PING\r\n")));
    assert_eq!(tcp.expect, Some(Template::text("+PONG")));

    let cli = scenario.probe("cli").unwrap();
    assert_eq!(cli.rate, Rate(0.5));
    let ProbeKind::Exec(exec) = &cli.kind else {
        panic!()
    };
    assert_eq!(exec.command[2].parts, [Part::Seq]);
    assert_eq!(exec.within.as_deref(), Some("cache"));
    assert_eq!((exec.exit, &exec.stdout), (0, &Some(Template::text("ok"))));

    let ProbeKind::Container(up) = &scenario.probe("up").unwrap().kind else {
        panic!()
    };
    assert_eq!(up.target, "primary");
    assert_eq!(up.state, Some(ExpectedState::Running));
    assert_eq!(up.health, Some(ExpectedHealth::Healthy));
    assert_eq!(up.replicas, Some(1));
}

#[test]
fn promises_guards_and_steps() {
    let scenario = full();
    let slo = |metric, relation, value, during, line, probe: &str| Slo {
        probe: probe.into(),
        during,
        objective: Objective {
            metric,
            relation,
            value,
        },
        line,
    };
    use Metric::{Outage, P99, Recovery, Success};
    use Relation::{AtLeast, AtMost, LessThan};
    assert_eq!(
        scenario.slos,
        [
            slo(Success, AtLeast, 0.95, Window::All, 60, "write"),
            slo(P99, AtMost, 250.0, Window::All, 61, "write"),
            slo(Recovery, AtMost, 5000.0, Window::All, 62, "write"),
            slo(
                Outage,
                LessThan,
                2000.0,
                Window::Step("kill".into()),
                67,
                "ping"
            ),
        ]
    );
    assert_eq!(
        scenario.guards,
        [Guard {
            probe: "write".into(),
            trips: Objective {
                metric: Success,
                relation: LessThan,
                value: 0.2
            },
            over: Duration::from_secs(3),
        }]
    );
    let names: Vec<&str> = scenario.steps.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["kill", "freeze", "disconnect-3"]);
    let kill = scenario.step("kill").unwrap();
    assert_eq!(kill.trigger, Trigger::At(Duration::ZERO));
    assert_eq!(kill.hold, Some(Duration::from_secs(8)));
    let Fault::Kill(fault) = &kill.fault else {
        panic!()
    };
    assert_eq!(fault.signal, Signal::KILL);
    assert_eq!((fault.by, fault.restore), (By::Engine, Restore::Start));
    let freeze = scenario.step("freeze").unwrap();
    assert_eq!(freeze.trigger, Trigger::After("kill".into()));
    assert_eq!(freeze.hold, None);
    assert_eq!(freeze.fault.default_hold(), Duration::from_secs(5));
    assert_eq!(
        scenario.steps[2].trigger,
        Trigger::Steady {
            probe: "write".into(),
            steady: Duration::from_secs(5),
            within: Duration::from_secs(30),
        }
    );
    let Fault::Disconnect(fault) = &scenario.steps[2].fault else {
        panic!()
    };
    assert_eq!(fault.network.as_deref(), Some("back"));
}

#[test]
fn a_scenario_without_steps_is_an_idle_run() {
    let text = "[probes.p]\nhttp = { url = \"http://node/\" }\n[[slos]]\nprobe = \"p\"\nsuccess = \">= 99%\"\n";
    let scenario = check(Path::new("idle.toml"), text, &Inputs::default()).unwrap();
    assert!(scenario.steps.is_empty());
    assert_eq!(scenario.system, System::Engine);
}

#[test]
fn a_series_has_so_many_runs() {
    let base = "[probes.p]\ntcp = { address = \"a:1\" }\n";
    let repeat = |text: &str| {
        let source = format!("repeat = {text}\n{base}");
        check(Path::new("t.toml"), &source, &Inputs::default())
            .ok()
            .map(|found| found.repeat)
    };
    assert_eq!(repeat("5"), Some(Some(5)));
    for wrong in ["0", "1001", "-1", "\"often\"", "true"] {
        assert_eq!(repeat(wrong), None, "{wrong}");
    }
}
