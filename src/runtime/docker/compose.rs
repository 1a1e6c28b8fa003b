//! A stack brought up with the machine's own Compose tool: the `docker compose` plugin, else `docker-compose`.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use super::call::refused;
use super::{Docker, image, ready};
use crate::clock::Clock;
use crate::runtime::{Result, RuntimeError};
use crate::units::kernel_words;

/// Set to the agent image's tag for a stack that mentions it: chaosrun's own executable is part of that stack.
const IMAGE_VARIABLE: &str = "CHAOSRUN_IMAGE";

/// The tool's output is kept from its end.
const KEPT: usize = 1024 * 1024;
const LINES_SHOWN: usize = 8;

pub(super) async fn up(
    docker: &Docker,
    project: &str,
    file: &Path,
    within: Duration,
) -> Result<()> {
    let clock = Clock::start();
    let tried = format!("bringing up {} as project {project}", file.display());
    let work = async {
        let mut command = tool().await;
        let path = configure(docker, &mut command, file)
            .await
            .map_err(|said| refused(tried.as_str(), said))?;
        if path.mentions_image {
            command.env(IMAGE_VARIABLE, image::ensure(docker).await?);
        }
        command.args(["-p", project, "-f"]).arg(path.file);
        command.args(["up", "-d"]);
        finish(command, &tried).await.map(drop)
    };
    tokio::time::timeout(within, work)
        .await
        .unwrap_or_else(|_| {
            Err(RuntimeError::TimedOut {
                tried: tried.clone(),
                after: within,
            })
        })?;
    ready::wait(docker, project, &tried, clock, within).await
}

/// The stack's configuration in YAML, with variables, defaults and other files' parts filled in.
pub(super) async fn config(docker: &Docker, file: &Path) -> Result<String> {
    let tried = format!("reading {}", file.display());
    let mut command = tool().await;
    let stack = configure(docker, &mut command, file)
        .await
        .map_err(|said| refused(tried.as_str(), said))?;
    if stack.mentions_image {
        command.env(IMAGE_VARIABLE, "chaosrun");
    }
    command.arg("-f").arg(stack.file).arg("config");
    let out = finish(command, &tried).await?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Which tool it is, and its version.
pub(super) async fn version() -> Result<String> {
    let mut command = tool().await;
    let program = command.as_std().get_program().to_string_lossy();
    let name = if program == "docker" {
        "docker compose"
    } else {
        "docker-compose"
    };
    command
        .args(["version", "--short"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0);
    let tried = "asking the compose tool for its version";
    let out = finish(command, tried).await?;
    Ok(format!("{name} {}", String::from_utf8_lossy(&out).trim()))
}

struct Stack {
    file: std::path::PathBuf,
    mentions_image: bool,
}

async fn configure(
    docker: &Docker,
    command: &mut Command,
    file: &Path,
) -> std::result::Result<Stack, String> {
    let words = |e: io::Error| kernel_words(&e);
    let text = tokio::fs::read_to_string(file).await.map_err(words)?;
    let file = tokio::fs::canonicalize(file).await.map_err(words)?;
    if let Some(folder) = file.parent() {
        command.current_dir(folder);
    }
    command
        // The engine that chaosrun found, whatever the tool would choose by itself.
        .env("DOCKER_HOST", docker.endpoint())
        .env_remove("DOCKER_CONTEXT")
        .env_remove("DOCKER_TLS_VERIFY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        // A Ctrl-C is for chaosrun, which then ends the tool and takes down what it made.
        .process_group(0);
    Ok(Stack {
        mentions_image: text.contains(IMAGE_VARIABLE),
        file,
    })
}

async fn tool() -> Command {
    let mut plugin = Command::new("docker");
    plugin
        .args(["compose", "version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if plugin.status().await.is_ok_and(|status| status.success()) {
        let mut command = Command::new("docker");
        command.arg("compose");
        command
    } else {
        Command::new("docker-compose")
    }
}

/// Ends the tool and what it started, unless it has ended by itself.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // It may have ended just now.
            kill_process_group(leader, Signal::KILL).ok();
        }
    }
}

/// Its standard output, from the end if it is long.
async fn finish(mut command: Command, tried: &str) -> Result<Vec<u8>> {
    let mut child = command
        .spawn()
        .map_err(|e| not_started(&command, tried, &e))?;
    let leader = child.id().and_then(|id| i32::try_from(id).ok());
    let mut group = Group(leader.and_then(Pid::from_raw));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (out, err, status) = tokio::join!(tail(stdout), tail(stderr), child.wait());
    group.0 = None;
    let status = status.map_err(|e| refused(tried, kernel_words(&e)))?;
    if status.success() {
        return Ok(out);
    }
    Err(refused(tried, complaint(&out, &err, status)))
}

fn not_started(command: &Command, tried: &str, error: &io::Error) -> RuntimeError {
    let program = command.as_std().get_program();
    if error.kind() != io::ErrorKind::NotFound || program != OsStr::new("docker-compose") {
        let program = program.display();
        return refused(tried, format!("{program}: {}", kernel_words(error)));
    }
    RuntimeError::Refused {
        tried: tried.into(),
        said: "neither `docker compose` nor `docker-compose` is installed".into(),
        hint: "`apt-get install docker-compose`, or the plugin: `apt-get install docker-compose-plugin`".into(),
    }
}

async fn tail(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else {
        return kept;
    };
    while let Ok(1..) = stream.read_buf(&mut kept).await {
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
        }
    }
    kept
}

/// The last lines, where every tool says what went wrong.
fn complaint(out: &[u8], err: &[u8], status: ExitStatus) -> String {
    let said = [err, out]
        .map(last_lines)
        .into_iter()
        .find(|text| !text.is_empty());
    said.unwrap_or_else(|| format!("the compose tool ended with {status} and said nothing"))
}

fn last_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text
        .split(['\n', '\r'])
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    #[test]
    fn the_last_lines_are_what_is_said() {
        let many: String = (1..=20).map(|n| format!("line {n}\r\n\n")).collect();
        let shown = last_lines(many.as_bytes());
        assert!(shown.starts_with("line 13\nline 14\n"), "{shown}");
        assert!(shown.ends_with("line 20"));
    }

    #[test]
    fn a_tool_that_says_nothing_is_still_reported() {
        let status = ExitStatus::from_raw(2 << 8);
        assert_eq!(complaint(b"out", b"err\n", status), "err");
        assert_eq!(complaint(b"out", b"\n", status), "out");
        assert!(complaint(b"", b"", status).contains("exit status: 2"));
    }

    #[tokio::test]
    async fn a_missing_tool_says_what_to_install() {
        let command = Command::new("docker-compose");
        let error = not_started(&command, "up", &io::Error::from_raw_os_error(2));
        assert!(error.to_string().contains("neither `docker compose` nor"));
        assert!(error.hint().contains("apt-get install docker-compose"));
    }

    #[tokio::test]
    async fn a_tool_that_is_given_up_on_is_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("pid");
        let mut command = Command::new("sh");
        let script = format!("sleep 60 & echo $! > {}; wait", mark.display());
        command.args(["-c", &script]);
        command.stdout(Stdio::piped()).process_group(0);
        let mut work = Box::pin(finish(command, "up"));
        let child = loop {
            let step = tokio::time::timeout(Duration::from_millis(5), &mut work);
            assert!(step.await.is_err());
            match std::fs::read_to_string(&mark) {
                Ok(text) if text.ends_with('\n') => break text,
                _ => {}
            }
        };
        drop(work);
        let stat = format!("/proc/{}/stat", child.trim());
        for _ in 0..200 {
            match std::fs::read_to_string(&stat) {
                Ok(stat) if !stat.contains(") Z ") => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                _ => return,
            }
        }
        panic!("it still runs");
    }
}
