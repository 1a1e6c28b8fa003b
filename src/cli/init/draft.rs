//! A first scenario for what was found, as text that explains itself. Decides everything and does nothing.

use super::ask::Answer;
use crate::plan::support;

/// Of each probe, per second.
const RATE: u64 = 20;
/// Seconds.
const BASELINE: u64 = 10;
const HOLD: u64 = 3;
/// More probes than these make no first scenario.
const MOST_PROBES: usize = 8;
/// The shares that may be claimed, the boldest first.
const CLAIMS: [f64; 5] = [0.995, 0.99, 0.975, 0.95, 0.9];

/// What is under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Project(String),
    Everything,
}

/// Containers that stand in for each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// `service` or `container`.
    pub(super) by: &'static str,
    pub(super) name: String,
    /// Only where the subject does not say it.
    pub(super) project: Option<String>,
    pub(super) replicas: usize,
    /// The engine removes them once they end: they could not be started again.
    pub(super) vanishes: bool,
    pub(super) doors: Vec<Door>,
}

/// A port behind which somebody answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Door {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) answer: Answer,
}

struct Probe {
    name: String,
    kind: String,
    expect: Option<String>,
    remark: &'static str,
    of_victim: bool,
}

/// `None`: there is nothing to break.
pub(super) fn draft(subject: &Subject, groups: &[Group], file: &str) -> Option<String> {
    let victim = victim(groups)?;
    let probes = probes(groups, victim);
    let mut text = head(subject, victim, file);
    system(&mut text, subject);
    timing(&mut text);
    target(&mut text, victim);
    for probe in &probes {
        describe(&mut text, probe);
    }
    promises(&mut text, victim, &probes);
    step(&mut text, victim);
    Some(text)
}

/// One of several does the least harm and shows the most; one that nobody can talk to shows nothing.
fn victim(groups: &[Group]) -> Option<&Group> {
    let rank = |group: &&Group| {
        let http = group
            .doors
            .iter()
            .any(|door| matches!(door.answer, Answer::Http(_)));
        (group.doors.is_empty(), group.replicas < 2, !http)
    };
    groups.iter().min_by_key(rank)
}

fn probes(groups: &[Group], victim: &Group) -> Vec<Probe> {
    let mut ordered: Vec<&Group> = groups.iter().collect();
    ordered.sort_by_key(|group| *group != victim);
    let doors = ordered.iter().flat_map(|group| {
        let of_victim = *group == victim;
        group.doors.iter().map(move |door| (of_victim, door))
    });
    let mut probes: Vec<Probe> = Vec::new();
    for (of_victim, door) in doors.take(MOST_PROBES) {
        let stem = format!("{}-{}", door.host, door.port);
        let free = |name: &String| probes.iter().all(|known| known.name != *name);
        let more = (2..).map(|n| format!("{stem}-{n}"));
        let name = std::iter::once(stem.clone()).chain(more).find(free);
        probes.push(probe(name.unwrap_or_default(), door, of_victim));
    }
    if probes.is_empty() {
        probes.push(Probe {
            name: "victim".into(),
            kind: "container = { target = \"victim\" }".into(),
            expect: Some("expect = { state = \"running\" }".into()),
            remark: "no port was found: all that can be seen is whether it runs",
            // Nobody takes over that it runs.
            of_victim: false,
        });
    }
    probes
}

fn probe(name: String, door: &Door, of_victim: bool) -> Probe {
    let place = format!("{}:{}", door.host, door.port);
    match door.answer {
        Answer::Http(status) => Probe {
            name,
            kind: format!("http = {{ url = {} }}", quoted(&format!("http://{place}/"))),
            expect: Some(format!("expect = {{ status = {status} }}")),
            remark: "ask for something that your users need",
            of_victim,
        },
        Answer::Tcp => Probe {
            name,
            kind: format!("tcp = {{ address = {} }}", quoted(&place)),
            expect: None,
            remark: "it lets clients in; `send` and `expect = { bytes = … }` ask for more",
            of_victim,
        },
    }
}

fn head(subject: &Subject, victim: &Group, file: &str) -> String {
    let system = match subject {
        Subject::Project(name) => format!("the Compose project {name}"),
        Subject::Everything => "the containers of this engine".into(),
    };
    let title = if kills(victim) {
        format!("Losing one {} goes unnoticed", victim.name)
    } else {
        format!("When {} stalls for {HOLD} s, it comes back", victim.name)
    };
    format!(
        "# A first experiment on {}, as they were found. Change what you like: `chaosrun faults` and\n\
         # `chaosrun probes` list what there is, and `chaosrun explain NAME` tells all about one of them.\n\
         #\n\
         #   chaosrun check {file}    is it a scenario?\n\
         #   chaosrun plan {file}     whom would it hit, and how is that undone?\n\
         #   chaosrun {file}          do it\n\n\
         title = {}\n\
         # repeat = 5                 # so many runs give one verdict\n\n",
        comment(&system),
        quoted(&title)
    )
}

fn system(text: &mut String, subject: &Subject) {
    if let Subject::Project(name) = subject {
        let line = format!("project = {}", quoted(name));
        put(
            text,
            "[system]",
            &[(
                &line,
                "it runs already; `compose = \"FILE\"` brings a system up and takes it down",
            )],
        );
    }
}

fn timing(text: &mut String) {
    let sent = BASELINE * RATE;
    put(
        text,
        "[timing]",
        &[
            (
                &format!("baseline = \"{BASELINE}s\""),
                &format!("first watch the healthy system: {sent} requests of each probe"),
            ),
            (
                "recovery = \"20s\"",
                "the longest to wait afterwards; ends early once every probe is steady",
            ),
        ],
    );
}

fn target(text: &mut String, victim: &Group) {
    let select = format!("{} = {}", victim.by, quoted(&victim.name));
    let project = victim
        .project
        .as_ref()
        .map(|name| format!("project = {}", quoted(name)));
    let of = match victim.replicas {
        1 => "there is only one".to_owned(),
        n => format!("of {n}, chosen with the seed; or \"all\", 2, \"50%\", \"minority\""),
    };
    let mut lines = vec![(select.as_str(), "who can be hit")];
    lines.extend(project.as_deref().map(|line| (line, "")));
    lines.push(("pick = \"one\"", &of));
    put(text, "[targets.victim]", &lines);
}

fn describe(text: &mut String, probe: &Probe) {
    let rate = format!("rate = \"{RATE}/s\"");
    let mut lines = vec![
        (rate.as_str(), "whatever becomes of the requests before"),
        ("timeout = \"1s\"", "then a request counts as bad"),
        (probe.kind.as_str(), probe.remark),
    ];
    lines.extend(
        probe
            .expect
            .as_deref()
            .map(|line| (line, "what it answers now")),
    );
    put(text, &format!("[probes.{}]", key(&probe.name)), &lines);
}

fn promises(text: &mut String, victim: &Group, probes: &[Probe]) {
    let sent = BASELINE * RATE;
    let share = supportable(sent);
    let success = format!("success = \">= {}\"", crate::units::Share(share));
    let why =
        format!("what {sent} requests can support at 95 % confidence, some bad ones included");
    let recovery = format!("recovery = \"<= {}s\"", HOLD + 7);
    for probe in probes {
        let of = format!("probe = {}", quoted(&probe.name));
        put(
            text,
            "[[slos]]",
            &[
                (&of, ""),
                (
                    "during = \"baseline\"",
                    "if it is not well before, nothing is broken",
                ),
                (&success, &why),
                ("# p95 = \"<= 250ms\"", "how fast it is to be"),
            ],
        );
        let mut lines = vec![
            (of.as_str(), ""),
            ("during = \"hit\"", "from the injection on"),
            (recovery.as_str(), "until it stays good"),
        ];
        if probe.of_victim && kills(victim) {
            lines.push((
                "success = \">= 50%\"",
                "the others take over; raise it once you know how well",
            ));
        }
        put(text, "[[slos]]", &lines);
    }
    let first = probes
        .first()
        .map(|probe| format!("probe = {}", quoted(&probe.name)));
    if let Some(of) = first {
        put(
            text,
            "[[guards]]",
            &[
                (&of, "stops the run and puts everything back ..."),
                (
                    "success = \"< 5%\"",
                    "... when hardly anything works any more ...",
                ),
                ("over = \"10s\"", "... for so long"),
            ],
        );
    }
}

fn step(text: &mut String, victim: &Group) {
    let hold = format!("for = \"{HOLD}s\"");
    let (fault, what, then) = if kills(victim) {
        (
            "fault.kill = { target = \"victim\" }",
            "SIGKILL, as when a machine dies",
            "then it is started again",
        )
    } else {
        (
            "fault.pause = { target = \"victim\" }",
            "frozen: its connections stay open and nothing answers",
            "then it goes on",
        )
    };
    put(
        text,
        "[[steps]]",
        &[("name = \"hit\"", ""), (&hold, then), (fault, what)],
    );
    put(
        text,
        "[limits]",
        &[(
            "max_targets = 1",
            "hitting more is refused before anything is done",
        )],
    );
    text.truncate(text.trim_end().len());
    text.push('\n');
}

/// Where another one takes over and it can be started again.
fn kills(victim: &Group) -> bool {
    victim.replicas > 1 && !victim.vanishes
}

/// The boldest claim about so many samples that some bad ones do not ruin.
fn supportable(samples: u64) -> f64 {
    let few_bad = samples - samples / 50;
    let supports =
        |share: &f64| support::good_needed(samples, *share).is_some_and(|n| n <= few_bad);
    CLAIMS.into_iter().find(supports).unwrap_or(0.5)
}

/// A table, with each line's remark in one column.
fn put(text: &mut String, header: &str, lines: &[(&str, &str)]) {
    let column = lines
        .iter()
        .map(|(line, _)| line.chars().count())
        .max()
        .unwrap_or(0);
    text.push_str(header);
    text.push('\n');
    for (line, remark) in lines {
        let row = match *remark {
            "" => (*line).to_owned(),
            remark => format!("{line:column$}  # {remark}"),
        };
        text.push_str(&row);
        text.push('\n');
    }
    text.push('\n');
}

/// As a value in which no placeholder is looked for.
fn quoted(value: &str) -> String {
    let plain = value.replace('{', "{{").replace('}', "}}");
    basic(&plain)
}

/// A basic string on one line: what JSON escapes, TOML escapes alike.
fn basic(value: &str) -> String {
    let json = serde_json::Value::from(value).to_string();
    json.replace('\u{7f}', "\\u007f")
}

fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.chars().all(bare) {
        name.into()
    } else {
        basic(name)
    }
}

/// Nothing that could end the line.
fn comment(text: &str) -> String {
    crate::report::plain(text)
}

#[cfg(test)]
mod tests;
