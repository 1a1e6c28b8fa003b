//! What a run costs beyond its timeline, and how fast a fault takes effect, beside the peers that are installed.
//! `cargo bench --bench run`; needs an engine and `busybox-static`. Chaos Toolkit takes part where it is on the PATH.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "its results are what it is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures time from outside of any run"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use comfy_table::Table;
use serde_json::Value;

const IMAGE: &str = "chaosrun-bench:busybox";
const MANY: usize = 200;
const ROUNDS: usize = 15;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    // The peer is measured on the same engine: one container for one run, and the many when it is about many.
    let mut containers = Containers::start();
    let mut table = Table::new();
    table.set_header(["what", "chaosrun", "wanted", "peer"]);
    let mut row = |cells: [String; 4]| {
        table.add_row(cells);
    };
    let site = Site::open();
    let (start, cost, memory) = idle(folder.path(), &site);
    row([
        "start to first request, median".into(),
        ms(start),
        "< 150 ms".into(),
        String::new(),
    ]);
    let (peer_time, peer_memory) = chaos_toolkit(folder.path());
    row([
        "idle run beyond its timeline, median".into(),
        ms(cost),
        "< 20 ms".into(),
        peer_time,
    ]);
    row([
        "its peak memory".into(),
        mb(memory),
        "< 20 MB".into(),
        peer_memory,
    ]);
    let (ours, theirs) = one_pause(folder.path(), &site, &containers.names[0]);
    row([
        "pause in force, median".into(),
        ms(ours),
        "<= docker pause".into(),
        format!("docker pause {}", ms(theirs)),
    ]);
    containers.grow(MANY);
    let (start, cost, _) = idle(folder.path(), &site);
    row([
        format!("idle run, {MANY} containers of others beside it"),
        format!("{} (first request after {})", ms(cost), ms(start)),
        String::new(),
        String::new(),
    ]);
    let (ours, theirs) = many_pauses(folder.path(), &site, &containers.names);
    row([
        format!("{MANY} containers paused and resumed"),
        ms(ours),
        "<= docker pause".into(),
        format!("docker pause; docker unpause {}", ms(theirs)),
    ]);
    println!("{table}");
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn mb(kib: u64) -> String {
    format!("{:.1} MB", kib as f64 * 1024.0 / 1e6)
}

fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

fn chaosrun(scenario: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("chaosrun"));
    let folder = scenario.parent().unwrap();
    command
        .arg(scenario)
        .args(["--quiet", "--format", "json", "--report-dir"])
        .arg(folder.join("reports"));
    command
        .env("CHAOSRUN_STATE", folder.join("state"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Its wall time and the most memory it ever had, in KiB.
fn watched(mut command: Command) -> (Duration, u64) {
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(peak(&child));
        thread::sleep(Duration::from_millis(1));
    }
    (began.elapsed(), most)
}

fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

/// Start to first request, cost beyond the timeline, and peak memory of a run with one probe and no steps.
fn idle(folder: &Path, site: &Site) -> (Duration, Duration, u64) {
    let baseline = Duration::from_secs(2);
    let scenario = folder.join("idle.toml");
    fs::write(
        &scenario,
        format!(
            "[system]\nproject = \"chaosrun-bench-0\"\n[timing]\nbaseline = \"2s\"\n[probes.web]\nrate = \"20/s\"\nhttp = {{ url = \"http://127.0.0.1:{}/\" }}\n",
            site.port
        ),
    )
    .unwrap();
    let mut starts = Vec::new();
    let mut costs = Vec::new();
    let mut peaks = Vec::new();
    for _ in 0..9 {
        while site.first.try_recv().is_ok() {}
        let began = Instant::now();
        let (wall, memory) = watched(chaosrun(&scenario));
        starts.push(site.first.try_recv().unwrap() - began);
        costs.push(wall.saturating_sub(baseline));
        peaks.push(memory);
    }
    (median(starts), median(costs), median(peaks))
}

/// What the probes ask.
struct Site {
    port: u16,
    /// When each connection came.
    first: std::sync::mpsc::Receiver<Instant>,
}

impl Site {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (send, first) = std::sync::mpsc::channel();
        thread::spawn(move || serve(&listener, &send));
        Self { port, first }
    }
}

/// Answers every request, and tells when each connection came.
fn serve(listener: &TcpListener, tell: &std::sync::mpsc::Sender<Instant>) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let _unheard = tell.send(Instant::now());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while matches!(stream.read(&mut buffer), Ok(1..)) {
                if stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .is_err()
                {
                    return;
                }
            }
        });
    }
}

fn chaos_toolkit(folder: &Path) -> (String, String) {
    if Command::new("chaos").arg("--version").output().is_err() {
        let absent = "Chaos Toolkit: pip install chaostoolkit";
        return (absent.into(), String::new());
    }
    let experiment = folder.join("noop.json");
    fs::write(
        &experiment,
        r#"{"title": "no-op", "description": "nothing", "method": []}"#,
    )
    .unwrap();
    let runs: Vec<(Duration, u64)> = (0..5)
        .map(|_| {
            let mut command = Command::new("chaos");
            command
                .args(["run", "noop.json"])
                .current_dir(folder)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            watched(command)
        })
        .collect();
    let time = median(runs.iter().map(|run| run.0).collect());
    let memory = median(runs.iter().map(|run| run.1).collect());
    (
        format!("Chaos Toolkit, no-op {}", ms(time)),
        format!("Chaos Toolkit {}", mb(memory)),
    )
}

fn pause_scenario(folder: &Path, site: &Site, name: &str, select: &str, steps: usize) -> Value {
    let hold = if steps == 1 { "3s" } else { "100ms" };
    let port = site.port;
    let scenario = folder.join(format!("{name}.toml"));
    let mut text = format!(
        "[timing]\nbaseline = \"1s\"\nrecovery = \"1s\"\nsteady = \"500ms\"\n[targets.all]\n{select}\n[probes.here]\nrate = \"30/s\"\nhttp = {{ url = \"http://127.0.0.1:{port}/\" }}\n[[slos]]\nprobe = \"here\"\nsuccess = \">= 50%\"\n"
    );
    for step in 0..steps {
        let after = if step == 0 {
            String::new()
        } else {
            format!("after = \"p{}\"\n", step - 1)
        };
        text += &format!(
            "[[steps]]\nname = \"p{step}\"\n{after}for = \"{hold}\"\nfault.pause = {{ target = \"all\" }}\n"
        );
    }
    fs::write(&scenario, text).unwrap();
    let output = chaosrun(&scenario).output().unwrap();
    serde_json::from_slice::<Value>(&output.stdout).unwrap()
}

/// From the decision to inject until the engine shows the pause, beside the whole `docker pause`.
fn one_pause(folder: &Path, site: &Site, name: &str) -> (Duration, Duration) {
    let report = pause_scenario(
        folder,
        site,
        "one",
        &format!("container = \"{name}\""),
        ROUNDS,
    );
    let run = history(&report, folder, "one");
    let ours = median(run.iter().map(|(pause, _)| *pause).collect());
    let mut theirs = Vec::new();
    for _ in 0..ROUNDS {
        theirs.push(timed(&["pause", name]));
        timed(&["unpause", name]);
    }
    (ours, median(theirs))
}

fn many_pauses(folder: &Path, site: &Site, names: &[String]) -> (Duration, Duration) {
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..5 {
        let report = pause_scenario(folder, site, "many", "label = \"chaosrun-bench\"", 1);
        let run = history(&report, folder, "many");
        ours.push(run[0].0 + run[0].1);
        theirs.push(pause_all(names));
    }
    (median(ours), median(theirs))
}

fn pause_all(names: &[String]) -> Duration {
    let words = |verb: &'static str| -> Vec<&str> {
        std::iter::once(verb)
            .chain(names.iter().map(String::as_str))
            .collect()
    };
    timed(&words("pause")) + timed(&words("unpause"))
}

fn timed(args: &[&str]) -> Duration {
    let began = Instant::now();
    assert!(
        Command::new("docker")
            .args(args)
            .stdout(Stdio::null())
            .status()
            .unwrap()
            .success()
    );
    began.elapsed()
}

/// How long each step took to be in force, and how long to be undone, from the run's own record.
fn history(report: &Value, folder: &Path, name: &str) -> Vec<(Duration, Duration)> {
    let run = report["run"].as_str().unwrap();
    let text = fs::read_dir(folder.join("reports").join(name))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path().join("history.jsonl")).unwrap())
        .find(|text| text.contains(run))
        .unwrap();
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let times = |event: &str| -> Vec<u64> {
        events
            .iter()
            .filter(|e| e["event"] == event)
            .map(|e| e["at"].as_u64().unwrap())
            .collect()
    };
    let between = |from: &str, to: &str| -> Vec<Duration> {
        times(from)
            .into_iter()
            .zip(times(to))
            .map(|(from, to)| Duration::from_micros(to - from))
            .collect()
    };
    between("injecting", "injected")
        .into_iter()
        .zip(between("reverting", "reverted"))
        .collect()
}

/// Idle containers, removed at the end.
struct Containers {
    names: Vec<String>,
}

impl Containers {
    fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let tar = Command::new("sh")
            .args(["-c", "mkdir -p bin && cp \"$(command -v busybox)\" bin/busybox && tar -c . | docker import - \"$0\"", IMAGE])
            .current_dir(root.path())
            .stdout(Stdio::null())
            .status();
        assert!(tar.unwrap().success(), "apt-get install busybox-static");
        let mut containers = Self { names: Vec::new() };
        containers.grow(1);
        containers
    }

    fn grow(&mut self, count: usize) {
        for n in self.names.len()..count {
            let name = format!("chaosrun-bench-{n}");
            // Each is a Compose project of its own: a system of one container.
            let project = format!("com.docker.compose.project={name}");
            let run = [
                "run",
                "-d",
                "--network",
                "none",
                "--label",
                "chaosrun-bench",
                "--label",
                &project,
            ];
            let args = [
                &run[..],
                &["--name", &name, IMAGE, "/bin/busybox", "sleep", "3600"],
            ]
            .concat();
            timed(&args);
            self.names.push(name);
        }
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        let names = self.names.iter().map(String::as_str);
        let args: Vec<&str> = ["rm", "-f"].into_iter().chain(names).collect();
        let _left = Command::new("docker")
            .args(args)
            .stdout(Stdio::null())
            .status();
        let _left = Command::new("docker")
            .args(["rmi", IMAGE])
            .stdout(Stdio::null())
            .status();
    }
}
