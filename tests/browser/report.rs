//! `report.html` as people see it: of any width, light and dark, by pointer and by keyboard, without a complaint.

use std::path::Path;

use crate::chrome::{Chrome, DESK, PHONE, Scheme};

fn page(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/histories/{name}"));
    format!("file://{}", file.display())
}

#[tokio::test]
async fn every_recorded_page_fits_any_window_and_nothing_is_complained_of() {
    let chrome = Chrome::start().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
    let files = std::fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut seen = 0;
    for name in names.filter(|name| name.ends_with(".html")) {
        for width in [PHONE, DESK] {
            for scheme in [Scheme::Light, Scheme::Dark] {
                chrome.open(&page(&name), width, scheme).await;
                assert!(!chrome.overflows().await, "{name} at {width}");
                assert_eq!(chrome.complaints().await, Vec::<String>::new(), "{name}");
                seen += 1;
            }
        }
    }
    assert!(seen > 10);
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
        chrome.open(&page("failed.report.html"), DESK, scheme).await;
        assert_eq!(chrome.eval(ground).await, color);
    }
    chrome.close().await;
}

#[tokio::test]
async fn the_pointer_reads_out_numbers_and_faults() {
    let chrome = Chrome::start().await;
    chrome
        .open(&page("failed.report.html"), DESK, Scheme::Light)
        .await;
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
    chrome.point(2.0, 2.0).await;
    assert_eq!(chrome.eval(shown).await, false);
    chrome.close().await;
}

#[tokio::test]
async fn the_keyboard_reads_out_the_same() {
    let chrome = Chrome::start().await;
    chrome
        .open(&page("failed.report.html"), DESK, Scheme::Light)
        .await;
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
