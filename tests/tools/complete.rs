//! Completions and man pages.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::{complained, said};

#[test]
fn each_shell_has_its_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, script) = said(&["completions", shell]);
        assert_eq!(code, Some(0));
        for word in ["compare", "explain", "baseline"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
        // What only chaosrun itself starts is nobody's to complete.
        for hidden in ["reaper", "quorum-node"] {
            assert!(!script.contains(hidden), "{shell} offers {hidden}");
        }
    }
    assert_eq!(complained(&["completions", "tcsh"]).0, Some(2));
}

/// By the shell itself: what it would offer after `chaosrun ex`.
#[test]
fn bash_completes_a_command() {
    let (_, script) = said(&["completions", "bash"]);
    let ask = "\nCOMP_WORDS=(chaosrun ex)\nCOMP_CWORD=1\n_chaosrun chaosrun ex chaosrun\necho \"${COMPREPLY[@]}\"\n";
    let mut bash = Command::new("bash")
        .arg("--norc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = bash.stdin.take().unwrap();
    stdin.write_all((script + ask).as_bytes()).unwrap();
    drop(stdin);
    let output = bash.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "explain");
}

#[test]
fn one_man_page_a_command() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("man1");
    assert_eq!(said(&["man", "--out", out.to_str().unwrap()]).0, Some(0));
    let names: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in ["chaosrun.1", "chaosrun-run.1", "chaosrun-compare.1"] {
        assert!(names.iter().any(|known| known == name), "{names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("reaper")));
    for name in &names {
        let page = fs::read_to_string(out.join(name)).unwrap();
        // What else a reader of man pages complains of.
        assert!(page.is_ascii(), "{name}: {page}");
        let heading = format!(".TH {} 1 2", name.trim_end_matches(".1"));
        assert!(page.contains(&heading), "{name}: {page}");
        assert!(!page.contains(".br\n\n.br"), "{name}: {page}");
    }
    let (code, page) = said(&["man"]);
    assert!(page.is_ascii());
    assert!(code == Some(0) && page.contains(".TH chaosrun 1"), "{page}");
    assert!(page.contains("Exit codes"), "{page}");
    let (code, words) = complained(&["man", "--out", "/dev/null/man"]);
    assert_eq!(code, Some(1));
    assert!(
        words.contains("writing the man pages to /dev/null/man"),
        "{words}"
    );
}
