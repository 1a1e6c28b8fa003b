//! The helper that runs next to a target: this same executable, in a container with the least privilege that its job needs.
//!
//! It is talked to over its stdin and stdout, holds no state, and ends when its stdin does: with chaosrun, however that ends.

mod crash;
mod network;
pub mod protocol;
mod release;

use std::ffi::OsString;
use std::io::{self, BufRead, Read as _, Write};
use std::process::ExitCode;

use self::protocol::{LONGEST_LINE, Process, Request, Response, VERSION};
use crate::units::Signal;

/// `chaosrun agent JOB`: blocks until stdin ends. `args` are the words after `agent`.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    match args.as_slice() {
        [job] if job == "crash" => {
            let served = serve(io::stdin().lock(), io::stdout().lock(), crash::job);
            // Whoever could read a complaint is gone.
            if served.is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        [job] if job == "network" => network::main(),
        _ => ExitCode::from(2),
    }
}

/// A job's work: with a signal it sends it, without one it only looks. An error says why not.
type Job = fn(&Process, Option<Signal>) -> Result<(), String>;

fn serve(mut input: impl BufRead, mut output: impl Write, job: Job) -> io::Result<()> {
    let mut greeted = false;
    loop {
        let mut line = Vec::new();
        let limit = LONGEST_LINE as u64;
        if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        let response = match Request::from_line(text.trim()) {
            Ok(request) => answer(&request, &mut greeted, job),
            Err(why) => Response::Refused { why },
        };
        output.write_all(response.to_line().as_bytes())?;
        output.flush()?;
        if !line.ends_with(b"\n") {
            // Too long, or cut off: what follows could be taken for a request of its own.
            return Ok(());
        }
    }
}

fn answer(request: &Request, greeted: &mut bool, job: Job) -> Response {
    let refused = |why: String| Response::Refused { why };
    match request {
        Request::Hello { version: VERSION } => {
            *greeted = true;
            Response::Hello { version: VERSION }
        }
        Request::Hello { version } => refused(format!(
            "this agent speaks version {VERSION} of the protocol, not {version}"
        )),
        _ if !*greeted => refused("say hello first".into()),
        Request::Find { process } => job(process, None).map_or_else(refused, |()| Response::Done),
        Request::Signal { process, signal } => {
            job(process, Some(*signal)).map_or_else(refused, |()| Response::Done)
        }
        Request::Release { container } => {
            release::job(container).map_or_else(refused, |()| Response::Done)
        }
        _ => refused("this agent only signals processes".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(input: &str) -> String {
        let job: Job = |process, signal| match signal {
            Some(_) if process.pid == 1 => Err("not that one".into()),
            _ => Ok(()),
        };
        let mut output = Vec::new();
        serve(input.as_bytes(), &mut output, job).unwrap();
        String::from_utf8(output).unwrap()
    }

    fn signal(pid: u32) -> String {
        let process = Process {
            pid,
            container: "abc".into(),
            started_at: String::new(),
        };
        Request::Signal {
            process,
            signal: Signal::KILL,
        }
        .to_line()
    }

    const HELLO: &str = "{\"hello\":{\"version\":2}}\n";

    #[test]
    fn each_request_has_its_response_until_stdin_ends() {
        let input = format!("{HELLO}{}{}", signal(7), signal(1));
        assert_eq!(
            said(&input),
            "{\"hello\":{\"version\":2}}\n\"done\"\n{\"refused\":{\"why\":\"not that one\"}}\n"
        );
        assert_eq!(said(""), "");
    }

    #[test]
    fn another_version_and_no_greeting_are_refused() {
        assert_eq!(
            said("{\"hello\":{\"version\":1}}\n"),
            "{\"refused\":{\"why\":\"this agent speaks version 2 of the protocol, not 1\"}}\n"
        );
        assert_eq!(
            said(&signal(7)),
            "{\"refused\":{\"why\":\"say hello first\"}}\n"
        );
    }

    #[test]
    fn a_line_without_end_is_not_acted_on_twice() {
        let long = format!("{HELLO}{}{}", "x".repeat(LONGEST_LINE), signal(7));
        let said = said(&long);
        assert_eq!(said.lines().count(), 2, "{said}");
        assert!(said.contains("this is no request"));
    }

    #[test]
    fn an_unknown_job_is_wrong_usage() {
        assert_eq!(main(["reboot".into()]), ExitCode::from(2));
        assert_eq!(main([]), ExitCode::from(2));
    }
}
