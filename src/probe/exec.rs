//! `exec` probes: a command on this host, or inside a running container of a target.

use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::Context;
use super::container::target_of;
use super::shot::{Miss, Shot, TIMED_OUT};
use crate::plan::select;
use crate::runtime::{Output, RuntimeError};
use crate::scenario::{Bindings, ExecProbe, Target};

/// So much of a command's output is kept; the rest is read and forgotten.
const MOST_OUTPUT: usize = 64 << 10;

pub(super) struct Exec {
    probe: ExecProbe,
    within: Option<Target>,
    timeout: Duration,
    turn: AtomicUsize,
    ctx: Context,
}

impl Exec {
    pub(super) fn new(probe: &ExecProbe, timeout: Duration, ctx: &Context) -> Result<Self, String> {
        if probe.command.is_empty() {
            return Err("the command is empty: expected a program and its arguments".into());
        }
        let within = probe.within.as_deref();
        Ok(Self {
            probe: probe.clone(),
            within: within.map(|name| target_of(ctx, name)).transpose()?,
            timeout,
            turn: AtomicUsize::new(0),
            ctx: ctx.clone(),
        })
    }

    /// In the target's running containers by turns.
    async fn inside(&self, target: &Target, command: &[String]) -> Result<(i64, String), Miss> {
        let running: Vec<String> = {
            let world = self.ctx.world.borrow();
            let all = world.instances.iter();
            all.filter(|instance| instance.is_running() && select::matches(target, instance))
                .map(|instance| instance.id.clone())
                .collect()
        };
        if running.is_empty() {
            return Err(Miss::bad("no instance runs"));
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let id = &running[turn % running.len()];
        let output = self.ctx.runtime.exec(id, command, self.timeout).await;
        match output {
            Ok(output) if is_missing_inside(&output) => Err(not_found(&command[0], &output.stderr)),
            Ok(output) => Ok((output.exit, output.stdout)),
            Err(RuntimeError::TimedOut { .. }) => Err(TIMED_OUT),
            Err(RuntimeError::Refused { said, .. }) if says_missing(&said) => {
                Err(not_found(&command[0], &said))
            }
            Err(RuntimeError::Refused { .. }) => Err(Miss::bad("refused by the engine")),
            Err(RuntimeError::Unreachable { .. }) => Err(Miss::bad("engine unreachable")),
        }
    }
}

impl Shot for Exec {
    async fn shoot(&self, seq: u64) -> Result<(), Miss> {
        let bindings = Bindings {
            seq: Some(seq),
            secrets: Some(&self.ctx.secrets),
            ..Bindings::default()
        };
        let command: Vec<_> = self
            .probe
            .command
            .iter()
            .map(|word| word.render(&bindings))
            .collect();
        let (exit, stdout) = match &self.within {
            Some(target) => self.inside(target, &command).await?,
            None => on_host(&command).await?,
        };
        if exit != self.probe.exit {
            return Err(Miss::bad(format!("exit {exit}")));
        }
        match &self.probe.stdout {
            Some(wanted) if !stdout.contains(&wanted.render(&bindings)) => {
                Err(Miss::bad("output differs"))
            }
            _ => Ok(()),
        }
    }
}

fn not_found(program: &str, said: &str) -> Miss {
    Miss::Broken {
        reason: "command not found",
        why: format!(
            "running \"{program}\": {}; install it there, or give its full path",
            said.trim()
        ),
    }
}

fn says_missing(said: &str) -> bool {
    said.contains("executable file not found") || said.contains("no such file or directory")
}

/// An engine may start a command, so to speak, and report only in its output that there is none.
fn is_missing_inside(output: &Output) -> bool {
    let said = |text: &str| text.contains("exec failed") && says_missing(text);
    matches!(output.exit, 126 | 127) && (said(&output.stderr) || said(&output.stdout))
}

async fn on_host(command: &[String]) -> Result<(i64, String), Miss> {
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied => {
                not_found(&command[0], &error.to_string())
            }
            // No process or file is left on this machine.
            _ => Miss::Unsent,
        })?;
    let group = Group::of(&child);
    let stdout = child.stdout.take();
    let reading = async {
        match stdout {
            Some(stdout) => head_of(stdout).await,
            None => String::new(),
        }
    };
    let waiting = async {
        let status = child.wait().await;
        // What it left running would hold its output open.
        drop(group);
        status
    };
    let (status, stdout) = tokio::join!(waiting, reading);
    let status = status.map_err(|error| Miss::from(&error))?;
    Ok((exit_of(status)?, stdout))
}

fn exit_of(status: ExitStatus) -> Result<i64, Miss> {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => Ok(code.into()),
        (None, signal) => Err(Miss::bad(format!(
            "killed by signal {}",
            signal.unwrap_or_default()
        ))),
    }
}

async fn head_of(mut stdout: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(got @ 1..) = stdout.read(&mut buffer).await {
        let room = MOST_OUTPUT - kept.len();
        kept.extend_from_slice(&buffer[..got.min(room)]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// A command and all that it started; killed when dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // An error means that nobody is left.
            kill_process_group(leader, Signal::KILL).unwrap_or_default();
        }
    }
}
