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
    from(root.or_else(|| std::env::current_dir().ok()), scenario)
}

fn from(root: Option<PathBuf>, scenario: &Path) -> String {
    // By its own name, whatever links and `..` lead to it.
    let own = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.into());
    let whole = own(scenario);
    let inside = root.and_then(|root| whole.strip_prefix(own(&root)).map(Path::to_path_buf).ok());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_from_the_root_however_it_was_named() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("chaos")).unwrap();
        std::fs::write(root.join("chaos/kill, it: %.toml"), "").unwrap();
        std::os::unix::fs::symlink(&root, dir.path().join("link")).unwrap();
        let found = |root: &Path, file: &str| from(Some(root.into()), &dir.path().join(file));
        for file in [
            "root/chaos/kill, it: %.toml",
            "root/chaos/../chaos/kill, it: %.toml",
            "link/chaos/kill, it: %.toml",
        ] {
            assert_eq!(found(&root, file), "chaos/kill, it: %.toml");
            assert_eq!(
                found(&dir.path().join("link"), file),
                "chaos/kill, it: %.toml"
            );
        }
        let outside = dir.path().join("other.toml");
        assert_eq!(from(Some(root), &outside), outside.display().to_string());
        assert_eq!(from(None, Path::new("x.toml")), "x.toml");
    }
}
