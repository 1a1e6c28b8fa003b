//! `exec`: a command, without a shell.
//!
//! | key | default | |
//! |---|---|---|
//! | `command` | | its words in an array; `{seq}` is the request's number |
//! | `in` | this host | a target: it runs inside any one of its running containers |
//!
//! *Good*: it exits with 0, unless `expect` says otherwise: `exit` (0 to 255), `stdout` (standard output holds this text).
//!
//! ```toml
//! exec   = { command = ["redis-cli", "ping"], in = "primary" }
//! expect = { exit = 0, stdout = "PONG" }
//! ```

use crate::scenario::entry::Entry;
use crate::scenario::model::ExecProbe;
use crate::scenario::placeholder::Scope;

pub(super) fn read(kind: &Entry<'_>, expect: Option<&Entry<'_>>) -> Option<ExecProbe> {
    let mut table = kind.table("`exec`", "{ command = [\"redis-cli\", \"ping\"] }")?;
    let command = table.command("command", Scope::Request);
    let within = table.get("in").and_then(|target| target.target());
    table.finish();
    let (exit, stdout) = expect
        .and_then(|expect| {
            let mut table = expect.table("`expect` of an exec probe", "{ exit = 0 }")?;
            let exit = table.get("exit").and_then(|exit| exit.number(0..=255));
            let stdout = table.template("stdout", Scope::Request);
            table.finish();
            Some((exit, stdout))
        })
        .unwrap_or_default();
    Some(ExecProbe {
        command: command?,
        within,
        exit: exit.map_or(0, u64::cast_signed),
        stdout,
    })
}

#[cfg(test)]
mod tests {
    use crate::scenario::testing::{check, problems};
    use crate::scenario::{ProbeKind, Template};

    #[test]
    fn reads_command_place_and_expectation() {
        let text = "[probes.p]\nexec = { command = [\"a\", \"b\"], in = \"t\" }\nexpect = { exit = 3, stdout = \"x\" }\n[targets.t]\nservice = \"s\"";
        let ProbeKind::Exec(exec) = check(text).probes.remove(0).kind else {
            panic!()
        };
        assert_eq!(exec.command, [Template::text("a"), Template::text("b")]);
        assert_eq!(exec.within.as_deref(), Some("t"));
        assert_eq!((exec.exit, exec.stdout), (3, Some(Template::text("x"))));
    }

    #[test]
    fn a_command_is_an_array_that_is_not_empty_and_its_target_exists() {
        assert_eq!(
            problems(
                "[probes.a]\nexec = { command = \"ls -l\" }\n[probes.b]\nexec = { command = [], in = \"x\" }"
            ),
            [
                "2: `command` cannot be a TOML string [expected the command's words in an array, such as [\"redis-cli\", \"ping\"]]",
                "4: `command` is empty [expected the command's words in an array, such as [\"redis-cli\", \"ping\"]]",
                "4: no target named `x` (this scenario has no targets)",
            ]
        );
    }
}
