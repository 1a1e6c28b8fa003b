//! What a page must be whatever is in it: enough contrast, nothing from elsewhere, nothing that is taken for markup.

use std::collections::BTreeMap;

use chaosrun::history::{Event, Record};
use chaosrun::report::{self, html};
use chaosrun::scenario::{Metric, Window};

use crate::run::*;
use crate::verdicts::edit;

type Palette = BTreeMap<String, [f64; 3]>;

/// Colour variables of the light scheme, and of the dark one.
fn palettes() -> (Palette, Palette) {
    let (light, rest) = html::STYLE.split_once("@media").expect("a dark scheme");
    let dark = rest.split("\n}").next().expect("its end");
    (palette(light), palette(dark))
}

fn palette(css: &str) -> Palette {
    let colors = css.split("--").skip(1).filter_map(|part| {
        let (name, value) = part.split_once(": #")?;
        let hex = u32::from_str_radix(value.get(..6)?, 16).ok()?;
        let channel = |shift: u32| f64::from(hex >> shift & 0xff) / 255.0;
        Some((name.to_owned(), [channel(16), channel(8), channel(0)]))
    });
    colors.collect()
}

/// As WCAG 2.2 defines it.
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let luminance = |color: [f64; 3]| {
        let [r, g, b] = color.map(|c| match c {
            ..=0.04045 => c / 12.92,
            _ => ((c + 0.055) / 1.055).powf(2.4),
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn every_colour_stands_out_enough_in_light_and_dark() {
    const TEXT: f64 = 4.5;
    const SHAPE: f64 = 3.0;
    let pairs = [
        ("text", "page", TEXT),
        ("text", "soft", TEXT),
        ("muted", "page", TEXT),
        ("muted", "soft", TEXT),
        // A promise's label, on whatever it lies; the live page's desk.
        ("text", "good-fill", TEXT),
        ("fault", "soft", TEXT),
        ("good", "soft", TEXT),
        ("bad", "soft", TEXT),
        ("warn", "soft", TEXT),
        ("p50", "soft", TEXT),
        ("good", "page", TEXT),
        ("bad", "page", TEXT),
        ("warn", "page", TEXT),
        ("p50", "page", TEXT),
        ("on-fault", "fault", TEXT),
        ("fault", "page", SHAPE),
        ("p95", "page", SHAPE),
        ("p99", "page", SHAPE),
        ("max", "page", SHAPE),
        ("axis", "page", SHAPE),
        ("bad", "good-fill", SHAPE),
    ];
    let (light, dark) = palettes();
    assert_eq!(
        light.keys().collect::<Vec<_>>(),
        dark.keys().collect::<Vec<_>>()
    );
    for (scheme, palette) in [("light", light), ("dark", dark)] {
        for (front, back, wanted) in pairs {
            let found = contrast(palette[front], palette[back]);
            assert!(
                found >= wanted,
                "{scheme}: {front} on {back} has {found:.2}, wants {wanted}"
            );
        }
    }
    // On red, a promise is told from it by its edge, which has the page's colour.
    assert!(report::plot::STYLE.contains(".promise .under { stroke: var(--page);"));
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
}

fn rendered(run: &Run) -> String {
    page(&fold(&run.entries()))
}

fn page(record: &Record) -> String {
    let report = chaosrun::verdict::judge(record);
    let all = chaosrun::report::render_all(record, &report);
    let page = all.into_iter().find(|(name, _)| *name == "report.html");
    page.expect("it is made").1
}

#[test]
fn nothing_is_asked_of_the_network() {
    let page = rendered(&Run::new(no_failover, usual()));
    for mark in [
        "src=",
        "url(",
        "@import",
        "<iframe",
        "<object",
        "http-equiv=\"refresh\"",
    ] {
        assert!(!page.contains(mark), "{mark}");
    }
    for link in page.split("href=\"").skip(1) {
        assert!(
            link.starts_with('#') || link.starts_with("data:,"),
            "{}",
            &link[..40]
        );
    }
    assert!(page.contains("default-src &#39;none&#39;; style-src &#39;sha256-"));
}

#[test]
fn a_promise_is_a_line_where_its_threshold_is() {
    let slos = vec![
        least(Window::All, Metric::Success, 0.5),
        most(kill(), Metric::P99, 1_000.0),
        most(Window::All, Metric::Recovery, 5_000.0),
    ];
    let page = rendered(&Run::new(no_failover, slos));
    let lines: Vec<_> = page.match_indices("<svg class=\"promise\"").collect();
    assert_eq!(lines.len(), 2, "a recovery has no place there");
    for (title, label) in [
        (
            "promised: success &#62;= 50% during all",
            ">success &#62;= 50%<",
        ),
        (
            "promised: p99 &#60;= 1s during kill",
            ">p99 &#60;= 1s (kill)<",
        ),
    ] {
        assert!(page.contains(title) && page.contains(label), "{title}");
    }
    let none = rendered(&Run::new(no_failover, vec![]));
    assert!(!none.contains("<svg class=\"promise\""));
}

/// Whatever is on a line is said of the machine; an older history does not know all of it.
#[test]
fn the_machine_is_told_as_far_as_it_is_known() {
    let told = |cpus: u32, memory: u64| {
        let entries = edit(Run::new(well, usual()).entries(), |event| {
            if let Event::System { facts, .. } = event {
                facts.os = "Debian 12".into();
                facts.arch = "x86_64".into();
                facts.kernel = "6.1".into();
                facts.cgroup_version = "2".into();
                facts.cpus = cpus.try_into().ok();
                facts.memory_bytes = memory.try_into().ok();
            }
        });
        page(&fold(&entries))
    };
    let whole = "Debian 12, x86_64, 2 CPUs, 23.5 GiB of memory, kernel 6.1, cgroup v2";
    assert!(told(2, 25_254_309_888).contains(whole));
    assert!(told(1, 0).contains("Debian 12, x86_64, 1 CPU, kernel 6.1, cgroup v2"));
    assert!(told(0, 0).contains("Debian 12, x86_64, kernel 6.1, cgroup v2"));
}

#[test]
fn markup_in_names_is_text() {
    let mut run = Run::new(no_failover, usual());
    run.title = Some("</title><script>alert(1)</script>");
    run.target = "<img src=x onerror=alert(1)>\"'";
    let page = rendered(&run);
    assert_eq!(page.matches("<script>").count(), 1, "its own");
    assert!(!page.contains("<img"));
    assert!(page.contains("&#60;img src=x onerror=alert(1)&#62;&#34;&#39;"));
}

#[test]
fn a_suite_has_a_page_with_a_way_to_each_run() {
    let reports = [
        Run::new(fails_over, usual()).report(),
        Run::new(no_failover, usual()).report(),
    ];
    let runs: Vec<_> = reports
        .iter()
        .zip(["kill primary/1/report.html", "javascript:alert(1)/\"><b>"])
        .map(|(report, href)| html::Run {
            href: href.into(),
            report,
        })
        .collect();
    let page = html::index(&runs);
    assert!(page.contains("<h1>1 of 2 scenarios passed</h1>"));
    assert!(page.contains("href=\"kill%20primary/1/report.html\""));
    assert!(page.contains("href=\"javascript%3Aalert%281%29/%22%3E%3Cb%3E\""));
    assert!(page.contains("5 of 5") && page.contains("1 of 5"));
    assert!(!page.contains("<script>"));
}
