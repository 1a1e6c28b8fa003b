//! An engine of the test's own, which restarts in the middle of a run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::netns;
use crate::signals::run_id;
use crate::stage::{Stage, kill, until};

struct Engine {
    folder: tempfile::TempDir,
    keeps_containers: bool,
    daemon: Child,
}

impl Engine {
    /// `keeps_containers`: they outlive the engine (`--live-restore`).
    fn start(keeps_containers: bool) -> Self {
        // The socket's path has to be short.
        let folder = tempfile::Builder::new()
            .prefix("cr")
            .tempdir_in("/tmp")
            .unwrap();
        std::fs::write(folder.path().join("daemon.json"), "{}").unwrap();
        let daemon = daemon(folder.path(), keeps_containers);
        let engine = Self {
            folder,
            keeps_containers,
            daemon,
        };
        engine.wait();
        engine
    }

    fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("e.sock").display())
    }

    /// It may have to end containers first, each with its grace.
    fn wait(&self) {
        for _ in 0..400 {
            let mut client = Command::new("docker");
            client.args(["info"]).env("DOCKER_HOST", self.host());
            client.stdout(Stdio::null()).stderr(Stdio::null());
            if client.status().unwrap().success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.path().join("log"));
        panic!("the engine does not answer: {}", log.unwrap());
    }

    fn stop(&mut self, signal: &str) {
        kill(self.daemon.id(), signal);
        self.daemon.wait().unwrap();
    }

    fn start_again(&mut self) {
        // A killed one leaves its PID behind, which another process may have got.
        std::fs::remove_file(self.folder.path().join("pid")).ok();
        // Its containerd dies with it, and where nobody reaps zombies still counts as running.
        std::fs::remove_file(self.folder.path().join("exec/containerd/containerd.pid")).ok();
        self.daemon = daemon(self.folder.path(), self.keeps_containers);
        self.wait();
    }
}

fn daemon(folder: &Path, keeps_containers: bool) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .unwrap();
    let place = |name: &str| folder.join(name).display().to_string();
    // In a network namespace of its own: with `--bridge=none` an engine deletes whatever is called docker0 where it starts, and
    // that is the machine's.
    let mut command = Command::new("unshare");
    command
        .args(["--net", "dockerd"])
        .args(["--config-file", &place("daemon.json")])
        .args(["--host", &format!("unix://{}", place("e.sock"))])
        .args(["--data-root", &place("data")])
        .args(["--exec-root", &place("exec")])
        .args(["--pidfile", &place("pid")])
        .args(["--bridge=none", "--iptables=false"])
        .args(keeps_containers.then_some("--live-restore"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    command.spawn().expect("`apt-get install docker.io`")
}

impl Drop for Engine {
    fn drop(&mut self) {
        let host = self.host();
        if self.daemon.try_wait().is_ok_and(|ended| ended.is_none()) {
            let docker = |args: &[&str]| {
                let mut client = Command::new("docker");
                let output = client.args(args).env("DOCKER_HOST", &host).output();
                String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
            };
            for id in docker(&["ps", "-aq"]).split_whitespace() {
                docker(&["rm", "-f", id]);
            }
            kill(self.daemon.id(), "TERM");
        }
        self.daemon.wait().ok();
        // Its containerd outlives an engine that was killed.
        for pid in of_this_engine(self.folder.path()) {
            Command::new("kill").args(["-KILL", &pid]).status().ok();
        }
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mine = self.folder.path().display().to_string();
        for mount in mounts.lines().filter_map(|line| line.split(' ').nth(1)) {
            if mount.starts_with(&mine) {
                let umount = Command::new("umount").args(["-l", mount]).output();
                umount.ok();
            }
        }
    }
}

/// containerd and its shims, which have this folder in their command lines.
fn of_this_engine(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let of = |path: PathBuf| {
        let line = std::fs::read(path.join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let pid = path.file_name()?.to_string_lossy().into_owned();
        (line.contains("containerd") && line.contains(&folder)).then_some(pid)
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| of(entry.ok()?.path()))
        .collect()
}

/// Without networks: probed through the engine and on this host.
const SCENARIO: &str = r#"
[system]
project = "{project}"

[timing]
baseline = "1s"
recovery = "4s"
steady   = "500ms"

[targets.node]
service = "node"

[probes.host]
rate    = "20/s"
timeout = "1s"
exec    = { command = ["true"] }

[probes.node]
rate      = "20/s"
timeout   = "1s"
container = { target = "node" }

[[slos]]
probe   = "host"
success = ">= 10%"

[[slos]]
probe   = "node"
success = ">= 10%"

[[steps]]
name = "hit"
for  = "6s"
fault.pause = { target = "node" }
"#;

const NODE: &str = "trap 'exit 0' TERM; sleep 600 & wait";

/// Restarts the engine while the pause is in force; the run's exit code and what the container is afterwards.
fn restarted(keeps_containers: bool, signal: &str) -> (i32, String) {
    let mut engine = Engine::start(keeps_containers);
    let stage = Stage::at(Some(engine.host()));
    let node = stage.container("node", &["--network", "none"], NODE);
    let mut run = stage.start(SCENARIO);
    run.await_event("injected", "", "");
    assert_eq!(stage.status(&node), "paused");
    engine.stop(signal);
    engine.start_again();
    let played = run.end();
    let status = stage.status(&node);
    assert_ne!(status, "paused", "{played:#?}");
    assert!(stage.journals().is_empty(), "{played:#?}");
    let told = &played.report()["exit_code"];
    assert_eq!(played.code.map(i64::from), told.as_i64());
    (played.code.unwrap(), status)
}

#[test]
fn an_engine_that_restarts_takes_its_containers_along() {
    for signal in ["TERM", "KILL"] {
        let (code, status) = restarted(false, signal);
        assert_eq!(status, "exited");
        // The container did not come back, and the pause was not what was put to the test.
        assert!(matches!(code, 1 | 3), "{signal}: {code}");
    }
}

#[test]
fn what_outlives_the_engine_is_reverted_through_the_next_one() {
    for signal in ["TERM", "KILL"] {
        let (code, status) = restarted(true, signal);
        assert_eq!(status, "running");
        assert!(matches!(code, 0 | 3), "{signal}: {code}");
    }
}

const DELAY: &str = "fault.delay = { target = \"node\", latency = \"60ms\" }";

/// An engine that restarts while one of its containers has its packets delayed.
fn restarted_in_a_delay(keeps_containers: bool, signal: &str) {
    let mut engine = Engine::start(keeps_containers);
    let stage = Stage::at(Some(engine.host()));
    let network = stage.network();
    let node = stage.container("node", &["--network", &network], NODE);
    stage.container("peer", &["--network", &network], NODE);
    let pid = stage.field(&node, "{{.State.Pid}}");
    let before = netns::traces(&pid);
    let mut run = stage.start(&SCENARIO.replace("fault.pause = { target = \"node\" }", DELAY));
    run.await_event("injected", "", "");
    let id = run_id(&run);
    assert_ne!(netns::traces(&pid), before);
    engine.stop(signal);
    if keeps_containers {
        // Whatever becomes of the agent without an engine: its lease runs out.
        until("traffic flows", || netns::traces(&pid) == before);
    }
    engine.start_again();
    let played = run.end();
    assert!(matches!(played.code, Some(0 | 1 | 3)), "{played:#?}");
    assert!(stage.journals().is_empty(), "{played:#?}");
    assert_eq!(stage.left(&format!("chaosrun={id}")), [""; 0]);
    let status = stage.status(&node);
    assert_eq!(
        status,
        if keeps_containers {
            "running"
        } else {
            "exited"
        }
    );
    if keeps_containers {
        assert_eq!(netns::traces(&pid), before);
    }
}

#[test]
fn a_delay_ends_with_its_engine() {
    for signal in ["TERM", "KILL"] {
        restarted_in_a_delay(false, signal);
    }
}

#[test]
fn a_delay_in_a_container_that_outlives_its_engine_is_taken_back() {
    for signal in ["TERM", "KILL"] {
        restarted_in_a_delay(true, signal);
    }
}
