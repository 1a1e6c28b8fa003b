//! `dns`: questions for some names get no answer, or a wrong one, for the target only.
//!
//! | key | default | |
//! |---|---|---|
//! | `target` | | whose questions |
//! | `names` | | one or a list; each with all names under it: `"example.com"` is also `"www.example.com"` |
//! | `answer` | `"failure"` | `"nothing"`: the asking side times out; `"failure"`: SERVFAIL; `"no-such-name"`: NXDOMAIN; or one or more addresses, each for questions of its own kind |
//!
//! Other names are answered as ever, by whichever server the container asks: the engine's own, or another one. What the target has
//! looked up before and remembers is not asked again. Over TCP there is no forged answer: a question for one of the names has its
//! connection reset, or with `"nothing"` does not get through, and with it whatever else is asked on that connection. It is seen where it
//! is in one segment, as resolvers send it.
//!
//! *Effect*: the agent has it in force, and has answered questions (or reset their connections) by the end. *Undo*: everything is
//! taken out of the container's network. *Lasts* for the step's `for`, 5 s without one.
//!
//! ```toml
//! fault.dns = { target = "api", names = "redis", answer = "no-such-name" }
//! fault.dns = { target = "a", names = "db", answer = ["10.0.0.9", "fd00::9"] }
//! ```

use std::net::IpAddr;

use super::network::Network;
use super::network::keys::Aim;
use super::{Fault, Kind, read_target};
use crate::impairment::{Answer, Direction, Effect, Ports};
use crate::scenario::cursor::Cursor;
use crate::scenario::entry::Entry;

pub(super) const KIND: Kind = Kind {
    name: "dns",
    summary: "questions for some names fail, or are answered wrongly",
    aimed: false,
    read,
};

const PORT: u16 = 53;
/// As long as an answer can be in one datagram.
const MOST_ADDRESSES: usize = 16;
const MOST_NAMES: usize = 100;

fn read(table: &mut Cursor<'_>) -> Option<Fault> {
    let target = read_target(table);
    let names = table.required("names", "names = \"redis\"");
    let names = names.map(|entry| read_names(&entry));
    let answer = table.get("answer");
    let answer = answer.map_or(Some(Answer::Failure), |entry| read_answer(&entry));
    let aim = Aim {
        to: Vec::new(),
        ports: vec![Ports {
            first: PORT,
            last: PORT,
        }],
        protocol: None,
        direction: Direction::Egress,
        network: None,
    };
    let effect = names.zip(answer);
    let effect = effect.map(|(names, answer)| Effect::Dns { names, answer });
    Network::of(KIND.name, target, aim, effect)
}

fn read_names(entry: &Entry<'_>) -> Vec<String> {
    let all = entry.one_or_more();
    if all.is_empty() {
        entry.report(
            entry
                .problem("`names` names nothing")
                .hint("add `names = \"redis\"`"),
        );
    }
    if all.len() > MOST_NAMES {
        let problem = entry.problem(format!("{} names", all.len()));
        entry.report(problem.expected(format!("expected at most {MOST_NAMES}")));
    }
    let mut names: Vec<String> = all
        .iter()
        .filter_map(|name| name.parse(parse_name))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn parse_name(text: &str) -> Result<String, String> {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err("expected a name such as \"redis\" or \"example.com\"".into());
    }
    Ok(name)
}

enum Part {
    Word(Answer),
    Address(IpAddr),
}

fn read_answer(entry: &Entry<'_>) -> Option<Answer> {
    let all = entry.one_or_more();
    if all.is_empty() || all.len() > MOST_ADDRESSES {
        let problem = entry.problem(format!("an answer of {} addresses", all.len()));
        entry.report(problem.expected(format!("expected 1 to {MOST_ADDRESSES}")));
    }
    let parts: Option<Vec<Part>> = all.iter().map(|one| one.parse(parse_part)).collect();
    let mut addresses = Vec::new();
    for part in parts? {
        match part {
            Part::Address(address) => addresses.push(address),
            Part::Word(answer) if all.len() == 1 => return Some(answer),
            Part::Word(_) => {
                let problem = entry.problem("one answer cannot be several things");
                entry.report(problem.expected("expected one word, or addresses only"));
                return None;
            }
        }
    }
    Some(Answer::Addresses(addresses))
}

fn parse_part(text: &str) -> Result<Part, String> {
    const EXPECTED: &str =
        "expected \"nothing\", \"failure\", \"no-such-name\", or addresses such as \"10.0.0.9\"";
    Ok(match text.trim() {
        "nothing" => Part::Word(Answer::Silence),
        "failure" => Part::Word(Answer::Failure),
        "no-such-name" => Part::Word(Answer::NoSuchName),
        text => Part::Address(text.parse().map_err(|_| EXPECTED)?),
    })
}
