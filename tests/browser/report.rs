//! `report.html` as people see it: of any width, light and dark, by pointer and by keyboard, without a complaint.

use std::path::{Path, PathBuf};

use chaosrun::history::{Record, fold};
use chaosrun::report;
use chaosrun::verdict::judge;

use crate::chrome::{Chrome, DESK, PHONE, Scheme};
use crate::long::Long;

/// Writes a record's page, and says where it is.
fn write(name: &str, record: &Record) -> String {
    let pages = report::render_all(record, &judge(record));
    let (_, page) = pages
        .into_iter()
        .find(|(file, _)| *file == "report.html")
        .unwrap();
    // Two tests may write the same page at once.
    let file = format!("{name}-{:?}.html", std::thread::current().id());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file.replace(['(', ')'], "-"));
    std::fs::write(&file, page).unwrap();
    format!("file://{}", file.display())
}

fn recorded() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| file.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect()
}

/// Of a history in `tests/histories`.
fn page(path: &Path) -> String {
    let text = std::fs::read(path).unwrap();
    let record = fold(text.split(|byte| *byte == b'\n')).unwrap();
    write(&path.file_stem().unwrap().to_string_lossy(), &record)
}

fn failed() -> String {
    let all = recorded();
    page(
        all.iter()
            .find(|path| path.ends_with("failed.jsonl"))
            .unwrap(),
    )
}

#[tokio::test]
async fn every_page_fits_any_window_and_nothing_is_complained_of() {
    let chrome = Chrome::start().await;
    let crowded = Long {
        seconds: 600,
        probes: 3,
        rate: 5,
        faults: 50,
    };
    let mut pages: Vec<String> = recorded().iter().map(|path| page(path)).collect();
    let mut record = Record::default();
    crowded.each(|entry| record.apply(&entry));
    pages.push(write("crowded", &record));
    pages.push(write("nothing", &Record::default()));
    assert!(pages.len() > 8);
    for url in &pages {
        for width in [PHONE, DESK] {
            for scheme in [Scheme::Light, Scheme::Dark] {
                chrome.open(url, width, scheme).await;
                assert!(!chrome.overflows().await, "{url} at {width}");
                assert_eq!(chrome.complaints().await, Vec::<String>::new(), "{url}");
            }
        }
    }
    chrome.close().await;
}

#[tokio::test]
async fn a_complaint_is_heard() {
    let chrome = Chrome::start().await;
    let wide = "data:text/html,<div style='width:3000px'>x</div><script>nothing()</script>";
    chrome.open(wide, PHONE, Scheme::Light).await;
    assert!(chrome.overflows().await);
    let complaints = chrome.complaints().await;
    assert!(
        complaints[0].contains("nothing is not defined"),
        "{complaints:?}"
    );
    chrome.close().await;
}

#[tokio::test]
async fn dark_is_dark_and_light_is_light() {
    let chrome = Chrome::start().await;
    let ground = "return getComputedStyle(document.body).backgroundColor";
    for (scheme, color) in [
        (Scheme::Light, "rgb(255, 255, 255)"),
        (Scheme::Dark, "rgb(17, 20, 24)"),
    ] {
        chrome.open(&failed(), DESK, scheme).await;
        assert_eq!(chrome.eval(ground).await, color);
    }
    chrome.close().await;
}

#[tokio::test]
async fn the_pointer_reads_out_numbers_and_faults() {
    let chrome = Chrome::start().await;
    chrome.open(&failed(), DESK, Scheme::Light).await;
    // In the middle of the fault.
    let place = "const box = document.querySelector('.band .bar').getBoundingClientRect(); scrollTo(0, box.top - 100);
        const now = document.querySelector('.band .bar').getBoundingClientRect(); return [now.x + now.width / 2, now.y + 60]";
    let place = chrome.eval(place).await;
    chrome
        .point(place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
        .await;
    let text = chrome
        .until("return document.querySelector('.readout').innerText")
        .await;
    let text = text.as_str().unwrap();
    assert!(text.contains("0 of 50 good (0%)"), "{text}");
    assert!(
        text.contains("kill: kill on node-2; injected at 10.003s"),
        "{text}"
    );
    let shown = "return document.querySelector('.cursor').classList.contains('shown')";
    assert_eq!(chrome.eval(shown).await, true);
    assert!(!text.contains("promised"), "{text}");
    // What lies across it all is named where the pointer is near to it.
    let line = "const box = document.querySelector('.promise line').getBoundingClientRect(); return [box.x + 80, box.y + 2]";
    let line = chrome.eval(line).await;
    chrome
        .point(line[0].as_f64().unwrap(), line[1].as_f64().unwrap())
        .await;
    let text = chrome
        .until("return document.querySelector('.readout').innerText")
        .await;
    let text = text.as_str().unwrap();
    assert!(
        text.contains("promised: success >= 95% during all"),
        "{text}"
    );
    chrome.point(2.0, 2.0).await;
    assert_eq!(chrome.eval(shown).await, false);
    chrome.close().await;
}

#[tokio::test]
async fn the_keyboard_reads_out_the_same() {
    let chrome = Chrome::start().await;
    chrome.open(&failed(), DESK, Scheme::Light).await;
    chrome
        .eval("document.querySelector('.scrub').focus()")
        .await;
    chrome.press("End").await;
    let told = "return document.querySelector('.scrub').getAttribute('aria-valuetext')";
    let last = chrome.until(told).await;
    assert!(last.as_str().unwrap().starts_with("35s: "), "{last}");
    chrome.press("ArrowLeft").await;
    let before = chrome.until(told).await;
    assert!(before.as_str().unwrap().starts_with("34s: "), "{before}");
    chrome.close().await;
}

/// What a screen reader and a keyboard need.
#[tokio::test]
async fn everything_has_its_name_and_place() {
    let chrome = Chrome::start().await;
    chrome.open(&failed(), DESK, Scheme::Light).await;
    let wrong = "const wrong = [];
        const want = (what, holds) => { if (!holds) wrong.push(what); };
        for (const one of ['header', 'main', 'footer', 'nav', 'h1'])
            want('one ' + one, document.querySelectorAll(one).length === 1);
        want('a language', document.documentElement.lang === 'en');
        for (const svg of document.querySelectorAll('svg[role=img]'))
            want('a label', svg.getAttribute('aria-label').length > 20);
        for (const table of document.querySelectorAll('table'))
            want('a caption', table.caption && table.querySelector('th[scope]'));
        for (const scrub of document.querySelectorAll('input'))
            want('a name', scrub.getAttribute('aria-label'));
        let level = 0;
        for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
            const next = Number(heading.tagName[1]);
            want('no level left out at ' + heading.textContent, next <= level + 1);
            level = next;
        }
        const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
        want('ids of their own', new Set(ids).size === ids.length);
        for (const link of document.querySelectorAll('a[href^=\"#\"]'))
            want('a place for ' + link.hash, document.querySelector(link.hash));
        return wrong;";
    assert_eq!(chrome.eval(wrong).await, serde_json::json!([]));
    chrome.close().await;
}

/// On paper nothing is cut off, and nothing asks to be pointed at.
#[tokio::test]
async fn paper_shows_no_controls() {
    let chrome = Chrome::start().await;
    chrome.open(&failed(), DESK, Scheme::Dark).await;
    let shown = "return getComputedStyle(document.querySelector('.scrub')).display";
    assert_eq!(chrome.eval(shown).await, "block");
    // The paper is white, whatever the screen is.
    let dark = serde_json::json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
    let print = serde_json::json!({ "media": "print", "features": dark });
    chrome.devtools("Emulation.setEmulatedMedia", print).await;
    assert_eq!(chrome.eval(shown).await, "none");
    let ground = "return getComputedStyle(document.body).backgroundColor";
    assert_eq!(chrome.eval(ground).await, "rgb(255, 255, 255)");
    assert!(!chrome.overflows().await);
    chrome.close().await;
}
