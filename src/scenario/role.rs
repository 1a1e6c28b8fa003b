//! `role = { … }` of a target: a question that only the wanted instances answer as expected.

use std::time::Duration;

use super::cursor::read_command;
use super::entry::Entry;
use super::model::{Ask, Role};
use super::placeholder::Scope;
use super::probe::http::check_url;

const TIMEOUT: Duration = Duration::from_secs(2);
const EXAMPLE: &str = "{ http = \"http://{address}:8080/role\", equals = \"primary\" }";

pub(super) fn read(entry: &Entry<'_>) -> Option<Role> {
    let mut table = entry.table("this role", EXAMPLE)?;
    let ask = table.exactly_one(
        "question",
        &["http", "exec"],
        "http = \"http://{address}:8080/role\"",
    );
    let ask = ask.and_then(|ask| match ask.key {
        "http" => {
            let url = ask.template(Scope::Candidate)?;
            check_url(&ask, &url);
            Some(Ask::Http { url })
        }
        _ => read_command(&ask, Scope::Candidate).map(|command| Ask::Exec { command }),
    });
    let equals = table
        .required("equals", "equals = \"primary\"")
        .and_then(|equals| equals.text());
    let timeout = table.duration("timeout").unwrap_or(TIMEOUT);
    table.finish();
    Some(Role {
        ask: ask?,
        equals: equals?.trim().to_owned(),
        timeout,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::{check, problems};
    use crate::scenario::{Part, Template};

    fn source(role: &str) -> String {
        format!(
            "[probes.p]\ntcp = {{ address = \"a:1\" }}\n[targets.t]\nservice = \"s\"\nrole = {role}\n"
        )
    }

    fn role(text: &str) -> Role {
        check(&source(text)).targets.remove(0).role.unwrap()
    }

    #[test]
    fn asks_by_http_or_by_command() {
        let http = role("{ http = \"http://{address}:8/role\", equals = \" primary \" }");
        assert_eq!(http.equals, "primary");
        assert_eq!(http.timeout, TIMEOUT);
        let Ask::Http { url } = http.ask else {
            panic!()
        };
        assert_eq!(url.parts[1], Part::Address);

        let exec = role("{ exec = [\"redis-cli\", \"role\"], equals = \"m\", timeout = \"1s\" }");
        let Ask::Exec { command } = exec.ask else {
            panic!()
        };
        assert_eq!(
            command,
            [Template::text("redis-cli"), Template::text("role")]
        );
        assert_eq!(exec.timeout, Duration::from_secs(1));
    }

    #[test]
    fn a_role_needs_one_question_and_its_answer() {
        assert_eq!(
            problems(&source("{ exec = \"redis-cli role\", timeout = 2 }")),
            [
                "5: this role has no `equals` (add `equals = \"primary\"`)",
                "5: `exec` cannot be a TOML string [expected the command's words in an array, such as [\"redis-cli\", \"ping\"]]",
                "5: `timeout` cannot be `2` [expected a duration with its unit, such as \"250ms\", \"10s\" or \"1h30m\"] (did you mean \"2s\"?)",
            ]
        );
        assert_eq!(
            problems(&source("{ http = \"{address}/role\", equals = \"x\" }")),
            ["5: `http` is not a URL [expected \"http://...\" or \"https://...\"]"]
        );
    }
}
