//! A test's own corner of the engine, cleared away whatever becomes of the test.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chaosrun::action::{Change, Subject};
use chaosrun::inventory::Instance;
use chaosrun::runtime::docker::Docker;
use chaosrun::runtime::{Made, Result, Runtime as _};

use crate::client::Client;

static STAGES: AtomicU32 = AtomicU32::new(0);

/// Everything that it makes carries its name as a label.
pub(crate) struct Stage {
    /// Its image, its project and its run are called so too.
    pub(crate) name: String,
    /// `chaosrun`, whose executable the agent image is made of; it ends with its stdin.
    chaosrun: Child,
    folder: tempfile::TempDir,
}

impl Stage {
    /// With an image of its name, holding nothing but busybox.
    pub(crate) fn set() -> Self {
        let number = STAGES.fetch_add(1, Ordering::Relaxed);
        let name = format!("dockertest{}x{number}", std::process::id());
        let chaosrun = Command::new(env!("CARGO_BIN_EXE_chaosrun"))
            .args(["agent", "crash"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let stage = Self {
            name,
            chaosrun,
            folder: tempfile::tempdir().unwrap(),
        };
        Client::default().import(&stage.name);
        stage
    }

    /// The engine, as a run of this stage's name sees it.
    pub(crate) async fn engine(&self) -> Docker {
        self.engine_at(None).await
    }

    pub(crate) async fn engine_at(&self, endpoint: Option<&str>) -> Docker {
        let engine = match endpoint {
            Some(endpoint) => Docker::connect_to(endpoint).await,
            None => Docker::connect().await,
        };
        engine
            .unwrap()
            .with_run(&self.name)
            .with_executable_of(self.chaosrun.id())
    }

    /// A container that runs this, with these options of `docker run`; its id. In no network, unless they say so: the engine's own
    /// one is everybody's.
    pub(crate) fn run(&self, options: &[&str], command: &[&str]) -> String {
        let label = format!("dockertest={}", self.name);
        let mut args = vec!["run", "-d", "--label", &label];
        if !options.contains(&"--network") {
            args.extend(["--network", "none"]);
        }
        args.extend(options);
        args.push(&self.name);
        args.extend(command);
        docker(args)
    }

    /// One that sleeps and ends at once when it is asked to.
    pub(crate) fn sleeper(&self, options: &[&str]) -> Subject {
        let script = "trap 'exit 0' TERM; echo up; sleep 600 & wait";
        let id = self.run(options, &["sh", "-c", script]);
        // Asked to end before it listens, it would not.
        while docker(["logs", &id]) != "up" {}
        subject(&id)
    }

    pub(crate) fn network(&self, options: &[&str]) -> String {
        let label = format!("dockertest={}", self.name);
        let mut args = vec!["network", "create", "--label", &label];
        args.extend(options);
        args.push(&self.name);
        docker(args);
        self.name.clone()
    }

    /// Where another process of the same test leaves word.
    pub(crate) fn mark(&self) -> PathBuf {
        self.folder.path().join("mark")
    }

    /// Starts this test once more as another process, which is to play its [`part`] with this target and then to leave word.
    pub(crate) async fn play_part(&self, test: &str, target: &Subject) -> Child {
        let (mark, process) = (self.mark(), self.chaosrun.id().to_string());
        let role = [&self.name, &target.id, &process, mark.to_str().unwrap()];
        let child = again(test, &role.join(" "), &[])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("it is ready", async || mark.exists()).await;
        child
    }

    /// Ids of everything on the engine with this label: containers, networks, volumes, images.
    pub(crate) fn labelled(&self, label: &str) -> Vec<String> {
        let filter = format!("label={label}");
        [
            docker(["ps", "-aq", "--filter", &filter]),
            docker(["network", "ls", "-q", "--filter", &filter]),
            docker(["volume", "ls", "-q", "--filter", &filter]),
            docker(["images", "-q", "--filter", &filter]),
        ]
        .iter()
        .flat_map(|text| text.split_whitespace())
        .map(str::to_owned)
        .collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.chaosrun.kill().ok();
        self.chaosrun.wait().ok();
        let client = Client::default();
        for label in ["dockertest", "chaosrun", "com.docker.compose.project"] {
            client.clear(&format!("{label}={}", self.name), true);
        }
        client.try_docker(["rmi", "-f", &self.name]);
        client.try_docker(["rmi", "-f", &format!("{}_built", self.name)]);
    }
}

/// What `docker …` prints.
pub(crate) fn docker<'a>(args: impl IntoIterator<Item = &'a str>) -> String {
    Client::default().docker(args)
}

/// One field of `docker inspect`, as a Go template has it.
pub(crate) fn field(id: &str, template: &str) -> String {
    docker(["inspect", "--format", template, id])
}

pub(crate) fn status(subject: &Subject) -> String {
    field(&subject.id, "{{.State.Status}}")
}

pub(crate) fn subject(id: &str) -> Subject {
    Subject {
        id: id.into(),
        name: "target-1".into(),
    }
}

/// Twice, as an undo may be: the second time it is so already.
pub(crate) async fn twice(engine: &Docker, subject: &Subject, change: &Change) -> Result<()> {
    assert_eq!(engine.apply(subject, change).await?, Made::Now);
    let again = engine.apply(subject, change).await?;
    assert!(again == Made::Already || !change.is_refused_when_so());
    Ok(())
}

pub(crate) async fn look(engine: &Docker, subject: &Subject) -> Instance {
    engine.observe(&subject.id).await.unwrap().unwrap()
}

/// Looks again and again until it is so.
///
/// # Panics
/// After ten seconds.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within ten seconds: {what}");
}

/// Runs one test of this binary again, as a process of its own that finds `role` in its environment.
pub(crate) fn again(test: &str, role: &str, wrap: &[&str]) -> Command {
    let own = std::env::current_exe().unwrap();
    let mut words = wrap
        .iter()
        .map(std::ffi::OsString::from)
        .collect::<Vec<_>>();
    words.push(own.into());
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .args(["--exact", test, "--nocapture"])
        .env("DOCKERTEST_ROLE", role)
        .stdin(Stdio::null());
    command
}

pub(crate) fn role() -> Option<String> {
    std::env::var("DOCKERTEST_ROLE").ok()
}

/// In the other process of [`Stage::play_part`]: the engine, the target, and where to leave word.
pub(crate) async fn part() -> Option<(Docker, Subject, PathBuf)> {
    let role = role()?;
    let words: Vec<_> = role.split(' ').collect();
    let [run, target, process, mark] = words[..] else {
        panic!("{role}");
    };
    let engine = Docker::connect().await.unwrap().with_run(run);
    let engine = engine.with_executable_of(process.parse().unwrap());
    Some((engine, subject(target), mark.into()))
}

/// By `kill`, so that the tests need no unsafe code.
pub(crate) fn kill(pid: &str, signal: &str) {
    let status = Command::new("kill")
        .args([&format!("-{signal}"), pid])
        .status();
    assert!(status.unwrap().success(), "kill -{signal} {pid}");
}

/// A Compose file in a folder of its own.
pub(crate) fn compose_file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("compose.yaml");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    (folder, path)
}
