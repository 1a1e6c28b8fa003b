//! A test's own system on the engine, its own state and report folders, and chaosrun as people start it.
//!
//! What is expected is read back with the `docker` client and from the files that chaosrun writes, not with its code.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::client::Client;
use crate::play::{Played, Playing};

static STAGES: AtomicU32 = AtomicU32::new(0);

/// Probes that are starved of CPU make a run inconclusive: so many tests at most at the same time.
const AT_ONCE: u32 = 3;
static PLAYING: Mutex<u32> = Mutex::new(0);
static FREE: Condvar = Condvar::new();

struct Permit;

impl Permit {
    fn take() -> Self {
        let playing = PLAYING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut playing = FREE
            .wait_while(playing, |playing| *playing >= AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *playing += 1;
        Self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *PLAYING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREE.notify_one();
    }
}

/// Everything that it makes carries its name, as a label and as a Compose project.
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) folder: tempfile::TempDir,
    client: Client,
    _permit: Permit,
}

impl Stage {
    /// With an image of its name, holding nothing but busybox.
    pub(crate) fn set() -> Self {
        Self::at(None)
    }

    pub(crate) fn at(host: Option<String>) -> Self {
        let permit = Permit::take();
        let number = STAGES.fetch_add(1, Ordering::Relaxed);
        let name = format!("misfortune{}x{number}", std::process::id());
        let folder = tempfile::tempdir().unwrap();
        let stage = Self {
            name,
            folder,
            client: Client { host },
            _permit: permit,
        };
        stage.client.import(&stage.name);
        stage
    }

    /// A container of the project, as if Compose had made it; its name is `<stage>-<service>`.
    pub(crate) fn container(&self, service: &str, options: &[&str], script: &str) -> String {
        let name = format!("{}-{service}", self.name);
        let labels = [
            format!("misfortune={}", self.name),
            format!("com.docker.compose.project={}", self.name),
            format!("com.docker.compose.service={service}"),
            "com.docker.compose.container-number=1".to_owned(),
        ];
        let mut args = vec!["run", "-d", "--name", &name];
        labels
            .iter()
            .for_each(|label| args.extend(["--label", label]));
        args.extend(options);
        args.extend([&self.name, "sh", "-c", script]);
        self.docker(args);
        name
    }

    /// One that answers HTTP on port 8080, and ends at once when it is asked to.
    pub(crate) fn web(&self, service: &str, options: &[&str]) -> String {
        let name = self.container(service, options, WEB);
        until("the web server listens", || {
            let answer = self.try_docker(["logs", &name]);
            answer.is_some_and(|said| said.contains("up"))
        });
        name
    }

    pub(crate) fn network(&self) -> String {
        let label = format!("misfortune={}", self.name);
        self.docker(["network", "create", "--label", &label, &self.name]);
        self.name.clone()
    }

    /// A scenario's file; `{project}` in the text is the stage's name.
    pub(crate) fn write(&self, text: &str) -> PathBuf {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("scenario{number}.toml"));
        std::fs::write(&path, text.replace("{project}", &self.name)).unwrap();
        path
    }

    pub(crate) fn reports(&self) -> PathBuf {
        self.folder.path().join("reports")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn chaosrun(&self) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("chaosrun"));
        command
            .env("CHAOSRUN_STATE", self.state())
            .stdin(Stdio::null());
        if let Some(host) = &self.client.host {
            command.env("DOCKER_HOST", host);
        }
        command
    }

    /// Runs a scenario to its end.
    pub(crate) fn play(&self, scenario: &str) -> Played {
        self.start(scenario).end()
    }

    pub(crate) fn start(&self, scenario: &str) -> Playing {
        self.start_with(scenario, &self.reports(), |_| {})
    }

    pub(crate) fn start_with(
        &self,
        scenario: &str,
        reports: &Path,
        change: impl FnOnce(&mut Command),
    ) -> Playing {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let out = self.folder.path().join(format!("out{number}"));
        let reports = reports.join(number.to_string());
        let mut command = self.chaosrun();
        command
            .arg(self.write(scenario))
            .arg("--report-dir")
            .arg(&reports)
            // Into files: a reaper holds on to them longer than chaosrun lives.
            .stdout(std::fs::File::create(out.with_extension("stdout")).unwrap())
            .stderr(std::fs::File::create(out.with_extension("stderr")).unwrap());
        change(&mut command);
        let child = command.spawn().unwrap();
        Playing::new(child, reports, out)
    }

    /// `chaosrun recover …`: exit code and what it says.
    pub(crate) fn recover(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.chaosrun().arg("recover").args(args).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.code(), said.into_owned())
    }

    pub(crate) fn journals(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.state()).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "journal"))
            .collect()
    }

    /// What `docker …` prints.
    pub(crate) fn docker<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> String {
        self.client.docker(args)
    }

    /// The same, where failing is an answer.
    pub(crate) fn try_docker<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Option<String> {
        self.client.try_docker(args)
    }

    /// One field of `docker inspect`, as a Go template has it.
    pub(crate) fn field(&self, name: &str, template: &str) -> String {
        self.docker(["inspect", "--format", template, name])
    }

    pub(crate) fn status(&self, name: &str) -> String {
        self.field(name, "{{.State.Status}}")
    }

    /// What would show that somebody has touched it.
    pub(crate) fn life(&self, name: &str) -> String {
        self.field(
            name,
            "{{.State.Status}} {{.State.StartedAt}} {{.State.Pid}} {{.RestartCount}} {{json .NetworkSettings.Networks}}",
        )
    }

    /// Names of everything whose name or label has this text: containers, networks, volumes, images.
    pub(crate) fn left(&self, label: &str) -> Vec<String> {
        let filter = format!("label={label}");
        [
            self.docker(["ps", "-a", "--format", "{{.Names}}", "--filter", &filter]),
            self.docker([
                "network",
                "ls",
                "--format",
                "{{.Name}}",
                "--filter",
                &filter,
            ]),
            self.docker(["volume", "ls", "-q", "--filter", &filter]),
            self.docker(["images", "-q", "--filter", &filter]),
        ]
        .iter()
        .flat_map(|text| text.split_whitespace())
        .map(str::to_owned)
        .collect()
    }

    /// What is on the engine of Compose projects whose name begins with this stage's stack.
    pub(crate) fn of_stack(&self, stack: &str) -> Vec<String> {
        let names = [
            self.try_docker([
                "ps",
                "-a",
                "--format",
                "{{.Label \"com.docker.compose.project\"}}/{{.Names}}",
            ]),
            self.try_docker(["network", "ls", "--format", "{{.Name}}"]),
        ];
        names
            .iter()
            .flatten()
            .flat_map(|text| text.lines())
            .filter(|name| name.starts_with(stack))
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What chaosrun should have taken down itself, should it not have.
        for left in self.of_stack(&format!("{}-", self.name)) {
            if let Some((project, _)) = left.split_once('/') {
                self.client
                    .clear(&format!("com.docker.compose.project={project}"), false);
            }
        }
        self.client
            .clear(&format!("misfortune={}", self.name), false);
        self.try_docker(["rmi", "-f", &self.name]);
        for path in self.journals() {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            eprintln!("{}: a journal was left behind:\n{text}", self.name);
        }
    }
}

/// Web server on 8080 that ends when it is asked to.
pub(crate) const WEB: &str = "mkdir -p /www; echo ok > /www/index.html; \
     trap 'exit 0' TERM; httpd -f -p 8080 -h /www & echo up; wait";

/// By `kill`, so that the tests need no unsafe code.
pub(crate) fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .status();
    assert!(status.unwrap().success(), "kill -{signal} {pid}");
}

/// Looks again and again until it is so.
///
/// # Panics
/// After ten seconds.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("not within ten seconds: {what}");
}
