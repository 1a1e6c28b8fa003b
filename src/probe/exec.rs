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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::State;
    use crate::probe::testing::{context, instance_at};
    use crate::scenario::{Part, Template};

    fn probe(command: &[&str]) -> ExecProbe {
        ExecProbe {
            command: command.iter().map(|word| Template::text(*word)).collect(),
            within: None,
            exit: 0,
            stdout: None,
        }
    }

    async fn shoot(probe: ExecProbe) -> Result<(), Miss> {
        let (ctx, _world, _readings) = context(
            ["node-1", "node-2"]
                .map(|name| instance_at(name, ""))
                .into(),
        );
        let exec = Exec::new(&probe, Duration::from_secs(1), &ctx).unwrap();
        exec.shoot(5).await
    }

    fn sh(script: &str) -> ExecProbe {
        probe(&["sh", "-c", script])
    }

    #[tokio::test]
    async fn the_exit_and_the_output_decide() {
        assert_eq!(shoot(sh("exit 0")).await, Ok(()));
        assert_eq!(shoot(sh("exit 3")).await, Err(Miss::bad("exit 3")));
        let three = ExecProbe {
            exit: 3,
            ..sh("exit 3")
        };
        assert_eq!(shoot(three).await, Ok(()));
        let killed = Err(Miss::bad("killed by signal 9"));
        assert_eq!(shoot(sh("kill -9 $$")).await, killed);
        let printing = |stdout: Template| ExecProbe {
            stdout: Some(stdout),
            ..sh("echo number 5; echo error >&2")
        };
        let number = Template {
            parts: vec![Part::Text("number ".into()), Part::Seq],
        };
        assert_eq!(shoot(printing(number)).await, Ok(()));
        let differs = Err(Miss::bad("output differs"));
        assert_eq!(shoot(printing(Template::text("error"))).await, differs);
    }

    #[tokio::test]
    async fn a_command_that_is_not_there_breaks_the_probe() {
        let Err(Miss::Broken { reason, why }) = shoot(probe(&["no-such-program"])).await else {
            panic!("it cannot work");
        };
        assert_eq!(reason, "command not found");
        assert!(why.contains("\"no-such-program\""), "{why}");
        let (ctx, _world, _readings) = context(vec![]);
        assert!(Exec::new(&probe(&[]), Duration::ZERO, &ctx).is_err());
    }

    #[tokio::test]
    async fn endless_output_is_read_in_bounded_space() {
        let (exit, stdout) = on_host(&["sh", "-c", "yes | head -c 5000000"].map(Into::into))
            .await
            .unwrap();
        assert_eq!((exit, stdout.len()), (0, MOST_OUTPUT));
    }

    fn runs(command: &str) -> bool {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let mut commands = processes
            .filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
        commands.any(|words| words.trim_end_matches('\0').replace('\0', " ") == command)
    }

    async fn is_gone(command: &str) -> bool {
        for _ in 0..100 {
            if !runs(command) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    #[tokio::test]
    async fn nothing_that_it_started_outlives_it() {
        // It ends, and what it left in the background goes with it.
        assert_eq!(shoot(sh("sleep 98761 & exit 0")).await, Ok(()));
        assert!(is_gone("sleep 98761").await);
        // It hangs, and is dropped.
        let hangs = shoot(sh("sleep 98762 & sleep 98763"));
        let limit = Duration::from_millis(200);
        assert!(tokio::time::timeout(limit, hangs).await.is_err());
        assert!(is_gone("sleep 98762").await);
        assert!(is_gone("sleep 98763").await);
    }

    fn within(command: &[&str]) -> ExecProbe {
        ExecProbe {
            within: Some("nodes".into()),
            ..probe(command)
        }
    }

    #[tokio::test]
    async fn inside_a_container_the_engine_runs_it() {
        assert_eq!(shoot(within(&["exit", "0"])).await, Ok(()));
        let failed = Err(Miss::bad("exit 7"));
        assert_eq!(shoot(within(&["exit", "7"])).await, failed);
        let missing = shoot(within(&["redis-cli"])).await;
        assert!(matches!(missing, Err(Miss::Broken { why, .. }) if why.contains("redis-cli")));
    }

    #[tokio::test]
    async fn running_containers_take_turns() {
        let names = ["node-1", "node-2", "node-3", "other-1"];
        let mut all = names.map(|name| instance_at(name, ""));
        all[1].state = State::Paused;
        let (ctx, world, _readings) = context(all.into());
        let mut probe = within(&["where"]);
        for (turn, id) in ["id-node-1", "id-node-3", "id-node-1"].iter().enumerate() {
            probe.stdout = Some(Template::text(*id));
            let exec = Exec::new(&probe, Duration::from_secs(1), &ctx).unwrap();
            exec.turn.store(turn, Ordering::Relaxed);
            assert_eq!(exec.shoot(0).await, Ok(()), "{id}");
        }
        world.send_replace(std::sync::Arc::default());
        let exec = Exec::new(&probe, Duration::from_secs(1), &ctx).unwrap();
        assert_eq!(exec.shoot(0).await, Err(Miss::bad("no instance runs")));
        probe.within = Some("nobody".into());
        assert!(Exec::new(&probe, Duration::ZERO, &ctx).is_err_and(|why| why.contains("nobody")));
    }

    #[test]
    fn an_engine_may_hide_a_missing_command_in_the_output() {
        let output = |exit, stderr: &str| Output {
            exit,
            stdout: String::new(),
            stderr: stderr.into(),
        };
        let said = "OCI runtime exec failed: exec: \"x\": executable file not found in $PATH";
        assert!(is_missing_inside(&output(127, said)));
        assert!(!is_missing_inside(&output(1, said)));
        assert!(!is_missing_inside(&output(127, "sh: x: not found")));
    }
}
