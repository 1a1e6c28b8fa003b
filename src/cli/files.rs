//! Scenario files: finding them, reading them, checking them.

use std::collections::BTreeMap;
use std::io::{Read, stderr};
use std::path::{Path, PathBuf};

use super::term;
use crate::scenario::{self, Inputs, Scenario};

/// A scenario longer than this is none.
const MAX_BYTES: u64 = 1024 * 1024;

/// Every scenario that these name, in order; folders stand for the `.toml` files in them. All problems of all files are
/// printed before `None` says that there were some.
pub(super) fn load(named: &[PathBuf], vars: &BTreeMap<String, String>) -> Option<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    let mut sound = true;
    for path in named {
        match expand(path) {
            Ok(files) => {
                for file in files {
                    match load_one(&file, vars) {
                        Some(scenario) => scenarios.push(scenario),
                        None => sound = false,
                    }
                }
            }
            Err((what, hint)) => {
                term::error(&what, hint);
                sound = false;
            }
        }
    }
    sound.then_some(scenarios)
}

fn load_one(file: &Path, vars: &BTreeMap<String, String>) -> Option<Scenario> {
    let source = match read(file) {
        Ok(source) => source,
        Err(why) => {
            term::error(&format!("reading {}: {why}", file.display()), "");
            return None;
        }
    };
    let inputs = Inputs {
        vars: vars.clone(),
        env: environment(),
    };
    match scenario::check(file, &source, &inputs) {
        Ok(scenario) => Some(scenario),
        Err(problems) => {
            term::say(&problems.render(term::color(&stderr()), term::width()));
            None
        }
    }
}

fn read(file: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let open = std::fs::File::open(file).map_err(|error| error.to_string())?;
    open.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("it is larger than 1 MiB: this is no scenario".into());
    }
    String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8 text: {error}"))
}

type Trouble = (String, &'static str);

fn expand(path: &Path) -> Result<Vec<PathBuf>, Trouble> {
    if !path.is_dir() {
        return if path.exists() {
            Ok(vec![path.into()])
        } else {
            Err((
                format!("there is no file {}", path.display()),
                "paths are relative to where you are",
            ))
        };
    }
    let entries = std::fs::read_dir(path)
        .map_err(|error| (format!("reading {}: {error}", path.display()), ""))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    if files.is_empty() {
        return Err((
            format!("no scenario (*.toml) in {}", path.display()),
            "a folder is run as a suite of its files",
        ));
    }
    Ok(files)
}

fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
