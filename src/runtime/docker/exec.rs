//! A command inside a running container.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use futures_util::StreamExt as _;

use super::Docker;
use super::call::{READ, call, refused};
use super::observe::short;
use crate::runtime::{Output, Result, RuntimeError};

/// Of each stream.
const KEPT: usize = 64 * 1024;

/// How often the exit code is asked for once the output has ended; the waits between double from 1 ms.
const ASKED: u32 = 10;

/// After the timeout the command goes on inside the container: no engine can end it.
pub(super) async fn run(
    docker: &Docker,
    id: &str,
    command: &[String],
    timeout: Duration,
) -> Result<Output> {
    let program = command.first().map(String::as_str).unwrap_or_default();
    let tried = format!("running {program:?} in container {}", short(id));
    let work = whole(docker, id, command, &tried);
    tokio::time::timeout(timeout, work)
        .await
        .unwrap_or_else(|_| {
            Err(RuntimeError::TimedOut {
                tried: tried.clone(),
                after: timeout,
            })
        })
}

async fn whole(docker: &Docker, id: &str, command: &[String], tried: &str) -> Result<Output> {
    let options = CreateExecOptions {
        cmd: Some(command.to_vec()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..CreateExecOptions::default()
    };
    let made = call(tried, READ, docker.client.create_exec(id, options)).await?;
    let begun = docker.client.start_exec(&made.id, None);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    if let StartExecResults::Attached { mut output, .. } = call(tried, READ, begun).await? {
        while let Some(part) = output.next().await {
            match part.map_err(|e| refused(tried, e.to_string()))? {
                LogOutput::StdErr { message } => keep(&mut stderr, &message),
                other => keep(&mut stdout, other.as_ref()),
            }
        }
    }
    let exit = exit_code(docker, &made.id, tried).await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(stdout), text(stderr));
    // The engine's own failure to start it comes back dressed as the command's output.
    let failure = [&stdout, &stderr]
        .into_iter()
        .find(|text| matches!(exit, 126 | 127) && text.contains("OCI runtime"));
    if let Some(said) = failure {
        return Err(refused(tried, said.trim()));
    }
    Ok(Output {
        exit,
        stdout,
        stderr,
    })
}

/// The output may end a moment before the engine knows the exit code.
async fn exit_code(docker: &Docker, exec: &str, tried: &str) -> Result<i64> {
    for round in 0..ASKED {
        let seen = call(tried, READ, docker.client.inspect_exec(exec)).await?;
        if let (Some(false), Some(code)) = (seen.running, seen.exit_code) {
            return Ok(code);
        }
        tokio::time::sleep(Duration::from_millis(1 << round)).await;
    }
    Err(refused(
        tried,
        "its output has ended, but the engine knows no exit code",
    ))
}

fn keep(kept: &mut Vec<u8>, more: &[u8]) {
    let room = KEPT.saturating_sub(kept.len());
    kept.extend_from_slice(&more[..more.len().min(room)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_at_its_limit() {
        let mut kept = Vec::new();
        keep(&mut kept, b"ab");
        keep(&mut kept, &vec![b'x'; KEPT]);
        keep(&mut kept, b"more");
        assert_eq!(kept.len(), KEPT);
        assert!(kept.starts_with(b"abx"));
    }
}
