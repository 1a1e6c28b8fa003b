//! The invariants of ARCHITECTURE.md, held by reading the source.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules that decide and never act.
const PURE: &[&str] = &[
    "units",
    "inventory",
    "action",
    "impairment",
    "fault",
    "scenario",
    "plan",
    "history",
    "verdict",
    "report",
];

/// What no pure module may name.
const IMPURE: &[&str] = &[
    "tokio",
    "bollard",
    "kube::",
    "reqwest",
    "hyper",
    "rustix",
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "rand::random",
    "rand::rng",
    "from_os_rng",
    "crate::clock",
    "crate::runtime",
    "crate::agent",
    "crate::engine",
    "crate::probe",
    "crate::cli",
    "crate::demo",
];

/// Each of these in the named files only.
const ONE_PLACE: &[(&str, &[&str])] = &[
    ("Instant::now", &["clock.rs"]),
    ("SystemTime::now", &["clock.rs"]),
    ("rand::random", &["cli/places.rs"]),
    ("process::exit", &[]),
    ("tokio::spawn", &[]),
    // Whoever listens, and whoever has a thread of its own, is known.
    (
        "TcpListener::bind",
        &["cli/wheel.rs", "demo/node.rs", "probe/http/tests.rs"],
    ),
    ("UnixListener::bind", &[]),
    ("UdpSocket::bind", &[]),
    (
        "thread::Builder",
        &[
            "agent/network/control.rs",
            "agent/network/measure.rs",
            "agent/network/queue/mod.rs",
            "probe/resolver.rs",
            "serve/mod.rs",
        ],
    ),
    // Raw ones, and those that talk to the kernel.
    (
        "Socket::new",
        &[
            "agent/network/measure.rs",
            "agent/network/netlink/mod.rs",
            "agent/network/queue/raw.rs",
        ],
    ),
    ("thread::spawn", &[]),
    ("println!", &["cli/term.rs"]),
    ("#[ignore", &[]),
    ("#[allow", &[]),
    ("todo!(", &[]),
    ("unimplemented!(", &[]),
];

/// A file that is longer is two rooms sharing a wall that has not been built yet.
const LONGEST: usize = 400;

/// Path below `src` → text.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(&root)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// Without comments and without the tests at the bottom.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]").next().unwrap_or_default();
    body.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

fn module(file: &str) -> &str {
    file.split('/')
        .next()
        .unwrap_or(file)
        .trim_end_matches(".rs")
}

fn impurities(file: &str, text: &str) -> Vec<String> {
    if !PURE.contains(&module(file)) {
        return Vec::new();
    }
    let code = code(text);
    IMPURE
        .iter()
        .filter(|word| code.contains(**word))
        .map(|word| format!("{file} is pure and names {word}"))
        .collect()
}

fn misplaced(file: &str, text: &str) -> Vec<String> {
    let code = code(text);
    ONE_PLACE
        .iter()
        .filter(|(word, places)| code.contains(word) && !places.contains(&file))
        .map(|(word, places)| format!("{file} has {word}, whose place is {places:?}"))
        .collect()
}

/// The page sees the record and gives commands; it has no other hold on a run, and none on an engine.
fn reaches_beyond_the_page(file: &str, text: &str) -> Vec<String> {
    if module(file) != "serve" {
        return Vec::new();
    }
    let code = code(text);
    [
        "crate::runtime",
        "crate::agent",
        "crate::cli",
        "std::fs",
        "std::process",
        "Journal",
    ]
    .iter()
    .filter(|word| code.contains(**word))
    .map(|word| format!("{file} serves a page and names {word}"))
    .collect()
}

/// A change to the world that the engine knows nothing of.
fn acts_outside_the_engine(file: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let acts = ["runtime.apply(", "docker.apply("]
        .iter()
        .any(|call| code.contains(call));
    if acts && module(file) != "engine" {
        vec![format!("{file} performs a change")]
    } else {
        Vec::new()
    }
}

fn too_long(file: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines > LONGEST {
        vec![format!("{file} has {lines} lines")]
    } else {
        Vec::new()
    }
}

fn broken(rule: fn(&str, &str) -> Vec<String>) -> Vec<String> {
    sources()
        .iter()
        .flat_map(|(file, text)| rule(file, text))
        .collect()
}

#[test]
fn pure_modules_decide_and_never_act() {
    assert_eq!(broken(impurities), Vec::<String>::new());
    assert!(
        sources()
            .keys()
            .filter(|file| PURE.contains(&module(file)))
            .count()
            > 20
    );
}

#[test]
fn some_things_have_one_place() {
    assert_eq!(broken(misplaced), Vec::<String>::new());
}

#[test]
fn only_the_engine_performs_changes() {
    assert_eq!(broken(acts_outside_the_engine), Vec::<String>::new());
}

#[test]
fn the_live_page_reaches_a_run_through_its_commands_only() {
    assert_eq!(broken(reaches_beyond_the_page), Vec::<String>::new());
}

#[test]
fn files_stay_small() {
    assert_eq!(broken(too_long), Vec::<String>::new());
}

#[test]
fn every_module_is_on_the_map() {
    let all = sources();
    let map = &all["lib.rs"];
    for file in all
        .keys()
        .filter(|file| !["lib.rs", "main.rs"].contains(&file.as_str()))
    {
        assert!(
            map.contains(&format!("[`{}`]", module(file))),
            "{file} is not on the map in lib.rs"
        );
    }
}

#[test]
fn the_rules_can_be_broken() {
    assert_eq!(impurities("plan/pick.rs", "use tokio::time;").len(), 1);
    assert_eq!(impurities("engine/run.rs", "use tokio::time;").len(), 0);
    assert_eq!(
        impurities(
            "plan/pick.rs",
            "// tokio\n#[cfg(test)] mod tests { use tokio; }"
        )
        .len(),
        0
    );
    assert_eq!(misplaced("engine/run.rs", "Instant::now()").len(), 1);
    assert_eq!(misplaced("clock.rs", "Instant::now()").len(), 0);
    assert_eq!(
        acts_outside_the_engine("cli/run.rs", "runtime.apply(&a, &b)").len(),
        1
    );
    assert_eq!(
        reaches_beyond_the_page("serve/routes.rs", "crate::runtime::Runtime").len(),
        1
    );
    assert_eq!(
        misplaced("serve/listen.rs", "TcpListener::bind(address)").len(),
        1
    );
    assert_eq!(too_long("a.rs", &"x\n".repeat(LONGEST + 1)).len(), 1);
}

#[test]
fn a_panic_unwinds_so_that_it_still_reverts() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("panic = \"abort\""));
}
