//! What a pipeline is told besides its exit code: annotations and a summary for GitHub, and one page over several runs.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::term;
use crate::report;
use crate::verdict::Report;

/// `--github`: annotations at the scenario's lines, and the run's summary in that of the step.
pub(super) fn github(report: &Report, scenario: &Path, dir: &Path) {
    // The runner reads commands from both streams, and standard output is for data.
    for line in report::github(report, &from_the_root(scenario)) {
        term::say(&line);
    }
    let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) else {
        return;
    };
    let added = std::fs::read(dir.join("summary.md")).and_then(|summary| {
        let mut file = OpenOptions::new().append(true).create(true).open(&file)?;
        // All scenarios of a step share one summary, which is dropped as a whole where it is too long.
        let room = report::MOST_SUMMARY_BYTES as u64;
        if file.metadata()?.len() + summary.len() as u64 > room {
            return Err(std::io::Error::other(
                "the step's summary would be too long",
            ));
        }
        file.write_all(&summary)
    });
    if let Err(error) = added {
        let file = PathBuf::from(file);
        let what = format!("adding the summary to {}: {error}", file.display());
        term::error(&what, "the verdict does not depend on it");
    }
}

/// Annotations name files from where the repository is.
fn from_the_root(scenario: &Path) -> String {
    let root = std::env::var_os("GITHUB_WORKSPACE").map(PathBuf::from);
    let root = root.or_else(|| std::env::current_dir().ok());
    let whole = std::path::absolute(scenario).unwrap_or_else(|_| scenario.into());
    let inside = root.and_then(|root| whole.strip_prefix(root).map(Path::to_path_buf).ok());
    inside
        .unwrap_or_else(|| scenario.into())
        .display()
        .to_string()
}

/// `index.html` over the runs of a suite; a single run has its own page, and no other.
///
/// # Errors
/// What was tried, and the file system's words.
pub(super) fn index(root: &Path, runs: &[(PathBuf, Report)]) -> Result<(), String> {
    if runs.len() < 2 {
        return Ok(());
    }
    let runs: Vec<_> = runs
        .iter()
        .map(|(dir, report)| {
            let page = dir.strip_prefix(root).unwrap_or(dir).join("report.html");
            let href = page.display().to_string();
            report::html::Run { href, report }
        })
        .collect();
    super::report::put(root, "index.html", &report::html::index(&runs))
}
