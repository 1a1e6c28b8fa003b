//! `[probes.NAME]` is a stream of requests, one kind each: request k is due at k / rate, whatever became of those before it, and
//! its latency counts from then. One that is overdue or was never sent is bad.
//!
//! | key | default | |
//! |---|---|---|
//! | `rate` | `"10/s"` | how often: `"50/s"`, `"30/m"`, at most `"100000/s"` |
//! | `timeout` | `"1s"` | then a request is given up and counts as bad |
//! | `expect` | | what a good answer is, see above |

mod container;
mod exec;
pub(super) mod http;
mod tcp;

use std::time::Duration;

use super::cursor::Cursor;
use super::entry::Entry;
use super::model::{Probe, ProbeKind};
use crate::units::Rate;

const RATE: Rate = Rate(10.0);
const MAX_RATE: f64 = 100_000.0;
const TIMEOUT: Duration = Duration::from_secs(1);
/// Requests of one probe that can be under way at once: its rate times its timeout.
const MAX_IN_FLIGHT: f64 = 200_000.0;

/// All that can be used.
pub const KINDS: &[&str] = &["http", "tcp", "exec", "container"];
const LATER: &[&str] = &["redis", "postgres", "grpc", "prometheus", "log", "ledger"];

pub(super) fn read_all(root: &mut Cursor<'_>) -> Vec<Probe> {
    let Some(section) = root.get("probes") else {
        root.report(
            super::problem::Problem::outside("this scenario has no probes")
                .hint("add `[probes.NAME]` with `http = { url = \"http://node:8080/\" }`: what is not watched cannot pass")
                .absence(),
        );
        return Vec::new();
    };
    let probes = section.named("[probes.write]");
    if probes.is_empty() {
        section.report(section.key_problem("this scenario has no probes").absence());
    }
    probes.iter().filter_map(read).collect()
}

fn read(entry: &Entry<'_>) -> Option<Probe> {
    let name = super::name_of(entry)?;
    let mut table = entry.table(format!("probe `{name}`"), "{ http = { url = \"...\" } }")?;
    let rate = table.parse("rate", parse_rate).unwrap_or(RATE);
    let timeout = table.duration("timeout").unwrap_or(TIMEOUT);
    let expect = table.get("expect");
    table.not_yet("probe", LATER, KINDS);
    let kind = table.exactly_one(
        "kind of probe",
        KINDS,
        "http = { url = \"http://node:8080/\" }",
    );
    let kind = kind.and_then(|kind| match kind.key {
        "http" => http::read(&kind, expect.as_ref()).map(ProbeKind::Http),
        "tcp" => tcp::read(&kind, expect.as_ref()).map(ProbeKind::Tcp),
        "exec" => exec::read(&kind, expect.as_ref()).map(ProbeKind::Exec),
        _ => container::read(&kind, expect.as_ref()).map(ProbeKind::Container),
    });
    check_load(&mut table, rate, timeout);
    table.finish();
    Some(Probe {
        name,
        rate,
        timeout,
        kind: kind?,
    })
}

fn parse_rate(text: &str) -> Result<Rate, String> {
    let rate: Rate = text.parse()?;
    if rate.0 > MAX_RATE {
        return Err(format!("expected at most {MAX_RATE}/s"));
    }
    Ok(rate)
}

fn check_load(table: &mut Cursor<'_>, rate: Rate, timeout: Duration) {
    let most = rate.0 * timeout.as_secs_f64();
    if let Some(entry) = table.get("timeout").filter(|_| most > MAX_IN_FLIGHT) {
        table.report(
            entry
                .problem(format!(
                    "at {rate}, {most:.0} requests could be under way at once"
                ))
                .expected(format!("expected at most {MAX_IN_FLIGHT}"))
                .hint("lower `timeout` or `rate`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::{check, problems};

    #[test]
    fn rate_and_timeout_have_defaults() {
        let probe = check("[probes.p]\ntcp = { address = \"a:1\" }")
            .probes
            .remove(0);
        assert_eq!((probe.rate, probe.timeout), (RATE, TIMEOUT));
    }

    #[test]
    fn a_probe_has_one_kind_that_exists() {
        assert_eq!(
            problems(
                "[probes.a]\nrate = \"1/s\"\n[probes.b]\ntcp = { address = \"a:1\" }\nexec = { command = [\"x\"] }\n[probes.c]\nredis = {}\n[probes.d]\nhtpp = {}"
            ),
            [
                "1: probe `a` has no kind of probe [expected one of `http`, `tcp`, `exec` or `container`] (add `http = { url = \"http://node:8080/\" }`)",
                "5: probe `b` has more than one kind of probe [a second one] (keep one of them)",
                "7: the probe `redis` is not yet supported [expected `http`, `tcp`, `exec` or `container`]",
                "9: unknown key `htpp` in probe `d` (did you mean `http`?)",
            ]
        );
    }

    #[test]
    fn load_is_bounded() {
        assert_eq!(
            problems(
                "[probes.a]\nrate = \"200000/s\"\ntcp = { address = \"a:1\" }\n[probes.b]\nrate = \"100000/s\"\ntimeout = \"1m\"\ntcp = { address = \"a:1\" }"
            ),
            [
                "2: `rate` cannot be `200000/s` [expected at most 100000/s]",
                "6: at 100000/s, 6000000 requests could be under way at once [expected at most 200000] (lower `timeout` or `rate`)",
            ]
        );
    }

    #[test]
    fn a_scenario_without_probes_is_a_problem() {
        assert_eq!(problems("title = \"x\"").len(), 1);
        assert_eq!(problems("[probes]"), ["1: this scenario has no probes"]);
    }
}
