//! `[[slos]]`: promises.

use super::cursor::Cursor;
use super::entry::Entry;
use super::hint::{did_you_mean, either, quote};
use super::model::{Probe, Slo, Timing, Window};
use super::objective::{METRICS, Purpose, check_range, read_all as read_objectives};
use super::problem::line_of;

const LATER: &[&str] = &["lost", "budget", "sometimes"];
/// What `during` can say beside a step's name.
pub(super) const WINDOWS: &[(&str, Window)] = &[
    ("baseline", Window::Baseline),
    ("fault", Window::Fault),
    ("recovery", Window::Recovery),
    ("all", Window::All),
];

pub(super) fn read_all(root: &mut Cursor<'_>, probes: &[Probe], timing: &Timing) -> Vec<Slo> {
    let section = root.get("slos");
    let tables = section
        .map(|section| section.items("[[slos]]"))
        .unwrap_or_default();
    if tables.is_empty() && root.sheet.has_steps {
        root.report(
            super::problem::Problem::outside("this scenario has steps but no SLO")
                .hint("add `[[slos]]`: without a promise this run could only pass")
                .absence(),
        );
    }
    tables
        .iter()
        .flat_map(|entry| read(entry, probes, timing))
        .collect()
}

fn read(entry: &Entry<'_>, probes: &[Probe], timing: &Timing) -> Vec<Slo> {
    let Some(mut table) = entry.table("this SLO", "[[slos]]") else {
        return Vec::new();
    };
    let probe = table.required("probe", "probe = \"NAME\"");
    let probe = probe.and_then(|probe| probe.probe());
    let during = table.get("during");
    let window = match &during {
        Some(during) => read_window(during),
        None => Some(Window::All),
    };
    let keys: Vec<&'static str> = METRICS.iter().map(|(key, _)| *key).collect();
    table.not_yet("metric", LATER, &keys);
    let objectives = read_objectives(&mut table, Purpose::Slo, METRICS);
    let later = LATER.iter().any(|later| table.has(later));
    if objectives.is_empty() && !later && !table.has_misspelt(&keys) {
        table.report(
            table
                .problem("this SLO promises nothing")
                .expected(format!("expected at least one of {}", either(keys)))
                .hint("add `success = \">= 99%\"`")
                .absence(),
        );
    }
    if let (Some(window), Some(during)) = (&window, &during) {
        check_window(during, window, timing);
    }
    let mut slos = Vec::new();
    for (entry, objective) in objectives {
        if let Some(window) = &window {
            check_recovery(&entry, window);
        }
        let (Some(objective), Some(name), Some(window)) = (objective, &probe, &window) else {
            continue;
        };
        if let Some(probe) = probes.iter().find(|probe| probe.name == *name) {
            check_range(&entry, &objective, probe);
        }
        slos.push(Slo {
            probe: name.clone(),
            during: window.clone(),
            objective,
            line: line_of(entry.sheet.source, entry.key_span.start),
        });
    }
    table.finish();
    slos
}

fn read_window(entry: &Entry<'_>) -> Option<Window> {
    let name = entry.word()?;
    if let Some((_, window)) = WINDOWS.iter().find(|(word, _)| *word == name) {
        return Some(window.clone());
    }
    let steps = entry.sheet.steps.borrow();
    if steps.contains(&name) {
        return Some(Window::Step(name));
    }
    let known = || {
        let words = WINDOWS.iter().map(|(word, _)| *word);
        words.chain(steps.iter().take(20).map(String::as_str))
    };
    let problem = entry
        .problem(format!("no step or phase named {}", quote(&name)))
        .hint(
            did_you_mean(&name, known())
                .unwrap_or_else(|| format!("known here: {}", either(known()))),
        );
    entry.report(problem.absence());
    None
}

/// A window that this run will not have cannot hold a promise.
fn check_window(during: &Entry<'_>, window: &Window, timing: &Timing) {
    if *window == Window::Fault && !during.sheet.has_steps {
        during.report(
            during
                .problem("without steps there is no `fault` phase")
                .hint("add a step, or say `during = \"all\"`")
                .absence(),
        );
    }
    if *window == Window::Recovery && timing.recovery.is_zero() {
        during.report(
            during
                .problem("a recovery of 0s is no phase")
                .hint("raise `recovery` in `[timing]`"),
        );
    }
}

/// Recovery is counted from an injection: a window without one has no such thing.
fn check_recovery(entry: &Entry<'_>, window: &Window) {
    if entry.key != "recovery" {
        return;
    }
    let problem = match window {
        _ if !entry.sheet.has_steps => entry
            .key_problem("without steps there is nothing to recover from")
            .hint("add a step, or remove `recovery`")
            .absence(),
        Window::Baseline | Window::Recovery => entry
            .key_problem("`recovery` is counted from an injection, and this window holds none")
            .hint("say `during = \"fault\"`, `\"all\"` or a step's name"),
        _ => return,
    };
    entry.report(problem);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::{check, problems};
    use crate::scenario::{Metric, Relation};

    const BASE: &str = "[probes.p]\ntcp = { address = \"a:1\" }\n[targets.t]\nservice = \"s\"\n[[steps]]\nname = \"kill\"\nfault.kill = { target = \"t\" }\n";

    fn slos(text: &str) -> Vec<Slo> {
        check(&format!("{BASE}[[slos]]\nprobe = \"p\"\n{text}")).slos
    }

    fn wrong(text: &str) -> Vec<String> {
        problems(&format!("{BASE}[[slos]]\nprobe = \"p\"\n{text}"))
    }

    #[test]
    fn one_table_with_several_metrics_is_several_slos() {
        let slos = slos("during = \"kill\"\nrecovery = \"<= 5s\"\nsuccess = \">= 95%\"");
        assert_eq!(slos.len(), 2);
        assert_eq!(slos[0].objective.metric, Metric::Recovery);
        assert_eq!(slos[0].objective.value, 5000.0);
        assert_eq!(slos[0].line, 11);
        assert_eq!(slos[1].during, Window::Step("kill".into()));
        assert_eq!(slos[1].objective.relation, Relation::AtLeast);
    }

    #[test]
    fn promises_that_point_the_wrong_way() {
        assert_eq!(
            wrong("success = \"<= 50%\"\np99 = \">= 1s\"\nthroughput = \"< 5/s\""),
            [
                "10: `success` `<= 50%` is no promise [it gets better upwards] (did you mean \">= 50%\"?)",
                "11: `p99` `>= 1s` is no promise [it gets better downwards] (did you mean \"<= 1s\"?)",
                "12: `throughput` `< 5/s` is no promise [it gets better upwards] (did you mean \"> 5/s\"?)",
            ]
        );
    }

    #[test]
    fn promises_that_no_probe_can_serve() {
        assert_eq!(
            wrong(
                "success = \">= 0%\"\nthroughput = \">= 11/s\"\nmax = \"<= 2s\"\np50 = \"<= 0s\""
            ),
            [
                "10: this holds whatever the system does [a share is from 0% to 100%]",
                "11: this cannot hold whatever the system does [probe `p` sends 10/s] (raise the `rate` of probe `p`)",
                "12: this holds whatever the system does [requests of probe `p` are given up after 1s] (raise the `timeout` of probe `p` above 2s)",
                "13: this cannot hold whatever the system does [requests of probe `p` are given up after 1s]",
            ]
        );
        assert_eq!(
            wrong("success = \">= 100%\""),
            [
                "10: no number of samples can support this [less than 100%: 2995 good samples support 99.9%]"
            ]
        );
        assert_eq!(slos("throughput = \">= 10/s\"\nmax = \"<= 1s\"").len(), 2);
    }

    #[test]
    fn recovery_needs_an_injection_in_its_window() {
        assert_eq!(
            wrong("during = \"baseline\"\nrecovery = \"<= 5s\""),
            [
                "11: `recovery` is counted from an injection, and this window holds none (say `during = \"fault\"`, `\"all\"` or a step's name)"
            ]
        );
        let idle = "[probes.p]\ntcp = { address = \"a:1\" }\n[[slos]]\nprobe = \"p\"\n";
        assert_eq!(
            problems(&format!("{idle}during = \"fault\"\nrecovery = \"<= 5s\"")),
            [
                "5: without steps there is no `fault` phase (add a step, or say `during = \"all\"`)",
                "6: without steps there is nothing to recover from (add a step, or remove `recovery`)",
            ]
        );
    }

    #[test]
    fn windows_and_metrics_that_do_not_exist() {
        assert_eq!(
            wrong("during = \"kil\"\nlost = \"<= 0\"\nsucess = \">= 1%\""),
            [
                "10: no step or phase named `kil` (did you mean `kill`?)",
                "11: the metric `lost` is not yet supported [expected `success`, `p50`, `p90`, `p95`, `p99`, `p999`, `max`, `throughput`, `outage` or `recovery`]",
                "12: unknown key `sucess` in this SLO (did you mean `success`?)",
            ]
        );
        assert_eq!(
            wrong("")[0].split(" [").next().unwrap(),
            "8: this SLO promises nothing"
        );
    }

    #[test]
    fn steps_without_a_promise_could_only_pass() {
        assert_eq!(
            problems(BASE),
            [
                "-: this scenario has steps but no SLO (add `[[slos]]`: without a promise this run could only pass)"
            ]
        );
    }
}
