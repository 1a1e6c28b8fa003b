//! `chaosrun faults`, `probes` and `explain`.

use chaosrun::fault::KINDS;
use chaosrun::scenario::PROBE_KINDS;

use crate::{complained, said};

#[test]
fn every_fault_and_probe_is_listed_and_explained() {
    let (code, faults) = said(&["faults"]);
    assert_eq!((code, faults.lines().count()), (Some(0), KINDS.len()));
    let (_, probes) = said(&["probes"]);
    assert_eq!(probes.lines().count(), PROBE_KINDS.len());
    let all = KINDS
        .iter()
        .map(|kind| kind.name)
        .chain(PROBE_KINDS.iter().copied());
    for name in all {
        assert!(faults.contains(name) || probes.contains(name));
        let (code, page) = said(&["explain", name]);
        assert_eq!(code, Some(0));
        assert!(page.starts_with(&format!("{name}, a ")), "{page}");
        let long: Vec<_> = page
            .lines()
            .filter(|line| line.chars().count() > 80)
            .collect();
        assert!(long.is_empty(), "{long:?}");
        assert!(!page.contains('\u{1b}'), "a pipe has no colours");
    }
    let (_, page) = said(&["explain", "http"]);
    assert!(page.contains("`rate`") && page.contains("PUT"), "{page}");
}

#[test]
fn what_was_meant_is_said() {
    let (code, words) = complained(&["explain", "puase"]);
    assert_eq!(code, Some(2));
    assert!(words.contains("hint: did you mean `pause`?"), "{words}");
    let (code, words) = complained(&["explain", "\u{1b}[2J"]);
    assert_eq!(code, Some(2));
    assert!(
        words.contains("known: ") && !words.contains('\u{1b}'),
        "{words}"
    );
}
