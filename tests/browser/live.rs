//! The live page as people use it, on a run that happens: it follows, its buttons do what they say, it fits any window.

use std::future::Future;

use chaosrun::history::Steering;
use fantoccini::key::Key;
use serde_json::Value;

use crate::chrome::{Chrome, DESK, PHONE, Scheme};
use crate::game::{DAY, Game, Outcome};

/// A run with its page in a browser, while the script happens.
async fn with_page<T, F: Future<Output = T>>(
    game: &Game,
    script: impl FnOnce(Chrome) -> F,
) -> (Outcome, T) {
    let chrome = Chrome::start().await;
    chrome.open(game.server.url(), DESK, Scheme::Light).await;
    // Through the page that takes the token, to the one that it buys.
    let here = "return location.search === '' && document.querySelector('.now strong') !== null";
    chrome.until(here).await;
    game.play(DAY, script(chrome)).await
}

/// Presses a button as a person does, once it can be pressed.
async fn press(chrome: &Chrome, selector: &str) {
    let free = format!(
        "const b = document.querySelector('{selector}'); return b && !b.disabled && b.offsetParent !== null"
    );
    chrome.until(&free).await;
    let button = fantoccini::Locator::Css(selector);
    let button = chrome.client.find(button).await.unwrap();
    button.click().await.unwrap();
}

fn command(name: &str) -> String {
    format!("[data-command={name}]")
}

async fn write(chrome: &Chrome, selector: &str, text: &str) {
    let field = chrome
        .client
        .find(fantoccini::Locator::Css(selector))
        .await
        .unwrap();
    field.send_keys(text).await.unwrap();
}

async fn answer(chrome: &Chrome, words: &str) {
    let said = format!(
        "return document.getElementById('answer').textContent.includes({})",
        Value::from(words)
    );
    chrome.until(&said).await;
}

#[tokio::test]
async fn the_page_follows_a_run_to_its_verdict() {
    let game = Game::new();
    let (outcome, chrome) = with_page(&game, |chrome| async move {
        chrome.until("return document.querySelector('h1').textContent === 'Frozen <b>& still</b> alive'").await;
        chrome.until("return document.querySelector('.now strong').textContent === 'Baseline'").await;
        // Not at once, but by itself: a figure that grows.
        let reach = "return Number(document.querySelector('.plot')?.dataset.to)";
        chrome.until(&format!("{} > 1500", reach)).await;
        let before = chrome.eval(reach).await.as_f64().unwrap();
        chrome.until(&format!("{reach} > {before}")).await;
        press(&chrome, &command("start")).await;
        answer(&chrome, "step freeze begins").await;
        chrome.until("return document.querySelector('.now .force')?.innerText.includes('freeze')").await;
        chrome.until("return document.querySelector('.band title')?.textContent.startsWith('freeze: pause on a')").await;
        press(&chrome, &command("abort")).await;
        write(&chrome, "#why", "a customer called").await;
        press(&chrome, "dialog .danger").await;
        chrome.until("return document.querySelector('.verdict strong').textContent === 'aborted'").await;
        let reasons = chrome.eval("return document.querySelector('.reasons').innerText").await;
        assert!(reasons.as_str().unwrap().contains("aborted from the live page: a customer called"), "{reasons}");
        assert_eq!(chrome.eval("return document.querySelector('.desk .buttons').offsetParent").await, Value::Null);
        assert_eq!(chrome.complaints().await, Vec::<String>::new());
        chrome
    })
    .await;
    assert_eq!(outcome.report.exit_code, 4);
    assert!(matches!(
        &outcome.did()[..],
        [Steering::Start { .. }, Steering::Abort { .. }]
    ));
    // chaosrun ends, and the page stays.
    game.server.end().await;
    chrome
        .until(
            "return document.getElementById('line').textContent.startsWith('chaosrun has ended')",
        )
        .await;
    let kept = "return document.querySelectorAll('.plot').length + document.querySelectorAll('.step').length";
    assert_eq!(chrome.eval(kept).await, 3);
    let again = chrome
        .eval("return fetch('/events').then(() => 'there', () => 'gone')")
        .await;
    assert_eq!(again, "gone");
    chrome.close().await;
}

#[tokio::test]
async fn each_button_does_what_it_says() {
    let game = Game::new();
    let (outcome, chrome) = with_page(&game, |chrome| async move {
        let start = "return document.querySelector('[data-command=start]').disabled";
        assert_eq!(chrome.eval(start).await, true);
        chrome.until("return document.getElementById('hint').textContent.includes('the baseline takes its 1s first')").await;
        press(&chrome, &command("hold")).await;
        chrome.until("return document.querySelector('.held')?.innerText === 'timeline held'").await;
        chrome.until("return document.querySelector('[data-command=hold]').textContent === 'Release'").await;
        press(&chrome, &command("hold")).await;
        chrome.until("return document.querySelector('.held') === null").await;
        write(&chrome, "#text", "the pager is <i>quiet</i>").await;
        press(&chrome, "#note button").await;
        answer(&chrome, "noted").await;
        assert_eq!(chrome.eval("return document.getElementById('text').value").await, "");
        chrome.until("return document.querySelector('#record ul.plain')?.innerText.includes('note from the live page: the pager is <i>quiet</i>')").await;
        chrome.until("return document.querySelector('[data-command=start]').textContent === 'Start freeze'").await;
        press(&chrome, &command("start")).await;
        chrome.until("return document.querySelector('[data-command=start]').textContent === 'Start cut'").await;
        press(&chrome, &command("start")).await;
        press(&chrome, &command("revert")).await;
        answer(&chrome, "reverting every fault").await;
        chrome.until("return document.querySelector('.verdict strong').textContent === 'inconclusive'").await;
        assert_eq!(chrome.complaints().await, Vec::<String>::new());
        chrome
    })
    .await;
    let did = outcome.did();
    assert!(
        matches!(
            &did[..],
            [
                Steering::Hold,
                Steering::Release,
                Steering::Start { .. },
                Steering::Start { .. },
                Steering::Revert
            ]
        ),
        "{did:?}"
    );
    assert_eq!(outcome.report.notes[0].text, "the pager is <i>quiet</i>");
    assert!(
        game.log().contains(&"connect net b".to_owned()),
        "{:?}",
        game.log()
    );
    chrome.close().await;
}

/// Whoever thinks twice has done nothing.
#[tokio::test]
async fn an_abort_is_asked_about_and_can_be_called_off() {
    let game = Game::new();
    let (outcome, chrome) = with_page(&game, |chrome| async move {
        let open = "return document.getElementById('confirm').open";
        press(&chrome, &command("abort")).await;
        assert_eq!(chrome.eval(open).await, true);
        // Without a reason it is not sent.
        press(&chrome, "dialog .danger").await;
        assert_eq!(chrome.eval(open).await, true);
        press(&chrome, "#stay").await;
        assert_eq!(chrome.eval(open).await, false);
        press(&chrome, &command("abort")).await;
        chrome.press("Escape").await;
        chrome
            .until("return !document.getElementById('confirm').open")
            .await;
        press(&chrome, &command("start")).await;
        answer(&chrome, "step freeze begins").await;
        press(&chrome, &command("abort")).await;
        write(&chrome, "#why", "now").await;
        enter(&chrome).await;
        chrome
            .until("return document.querySelector('.verdict strong').textContent === 'aborted'")
            .await;
        chrome
    })
    .await;
    assert!(matches!(
        &outcome.did()[..],
        [Steering::Start { .. }, Steering::Abort { .. }]
    ));
    chrome.close().await;
}

#[tokio::test]
async fn it_fits_any_window_in_light_and_dark() {
    let game = Game::new();
    let (_, chrome) = with_page(&game, |chrome| async move {
        press(&chrome, &command("start")).await;
        chrome.until("return document.querySelector('.now .force') !== null").await;
        for width in [PHONE, DESK] {
            for (scheme, color) in [(Scheme::Light, "rgb(244, 246, 248)"), (Scheme::Dark, "rgb(26, 30, 36)")] {
                chrome.show(width, scheme).await;
                chrome.until(&format!("return innerWidth === {width}")).await;
                let ground = "return getComputedStyle(document.querySelector('.desk')).backgroundColor";
                assert_eq!(chrome.eval(ground).await, color);
                assert!(!chrome.overflows().await, "at {width}");
                let cut = "return [...document.querySelectorAll('.desk button, .desk input')].filter(one => { const box = one.getBoundingClientRect(); return box.left < 0 || box.right > innerWidth || box.height < 32; }).length";
                assert_eq!(chrome.eval(cut).await, 0, "at {width}");
            }
        }
        press(&chrome, &command("abort")).await;
        write(&chrome, "#why", "seen enough").await;
        press(&chrome, "dialog .danger").await;
        chrome.until("return document.querySelector('.verdict strong').textContent === 'aborted'").await;
        for width in [PHONE, DESK] {
            chrome.show(width, Scheme::Light).await;
            assert!(!chrome.overflows().await, "the end, at {width}");
        }
        assert_eq!(chrome.complaints().await, Vec::<String>::new());
        chrome
    })
    .await;
    chrome.close().await;
}

/// Points there until this is so: the page moves under the pointer as it grows.
async fn point_until(chrome: &Chrome, place: &str, reached: &str) {
    for _ in 0..200 {
        let place = chrome.eval(place).await;
        chrome
            .point(place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
            .await;
        if chrome.eval(reached).await == true {
            return;
        }
    }
    panic!("it never came to: {reached}");
}

/// What is under the pointer is read out, and goes on being so while the figure is drawn anew.
#[tokio::test]
async fn the_pointer_reads_out_what_is_under_it_while_it_grows() {
    let game = Game::new();
    let (_, chrome) = with_page(&game, |chrome| async move {
        chrome
            .until("return Number(document.querySelector('.plot')?.dataset.to) > 1500")
            .await;
        chrome
            .eval("document.querySelector('.plot .drawing').scrollIntoView({ block: 'center' })")
            .await;
        let middle = "const now = document.querySelector('.plot .drawing').getBoundingClientRect(); return [now.x + now.width / 2, now.y + 100]";
        let told = "return document.querySelector('.readout').innerText.includes('good (')";
        point_until(&chrome, middle, told).await;
        // The pointer rests, and the figure does not.
        let drawn = "return document.querySelector('.plot').dataset.to";
        let before = chrome.eval(drawn).await;
        chrome.until(&format!("{drawn} !== '{}'", before.as_str().unwrap())).await;
        chrome.until(told).await;
        let shown = "return document.querySelector('.cursor').classList.contains('shown')";
        chrome.until(shown).await;
        press(&chrome, &command("start")).await;
        chrome.until("return document.querySelector('.band .bar') !== null").await;
        chrome
            .eval("document.querySelector('.plot .drawing').scrollIntoView({ block: 'center' })")
            .await;
        let band = "const now = document.querySelector('.band .bar').getBoundingClientRect(); return [now.x + now.width / 2, now.y + 8]";
        let named = "return document.querySelector('.readout').innerText.includes('freeze: pause on a; injected at ')";
        point_until(&chrome, band, named).await;
        end(&chrome).await;
        chrome
    })
    .await;
    chrome.close().await;
}

/// What a person has opened and where the keyboard is stays so when it is drawn anew.
#[tokio::test]
async fn nothing_that_a_person_has_set_is_lost_when_it_is_drawn_anew() {
    let game = Game::new();
    let (_, chrome) = with_page(&game, |chrome| async move {
        chrome.until("return document.querySelector('.plot details') !== null && Number(document.querySelector('.plot').dataset.to) > 2500").await;
        chrome.eval("document.querySelector('.plot details').open = true; document.querySelector('#record details').open = true").await;
        write(&chrome, "#text", "half a no").await;
        chrome.eval("document.querySelector('.scrub').focus()").await;
        chrome.press("ArrowRight").await;
        chrome.until("return document.querySelector('.scrub').value === '1'").await;
        let drawn = "return document.querySelector('.plot').dataset.to";
        for _ in 0..2 {
            let before = chrome.eval(drawn).await;
            chrome.until(&format!("{drawn} !== {before}")).await;
        }
        let kept = "return [document.querySelector('.plot details').open, document.querySelector('#record details').open,
            document.getElementById('text').value, document.activeElement.className, document.querySelector('.scrub').value]";
        assert_eq!(chrome.eval(kept).await, serde_json::json!([true, true, "half a no", "scrub", "1"]));
        end(&chrome).await;
        chrome
    })
    .await;
    chrome.close().await;
}

#[tokio::test]
async fn the_keyboard_reaches_everything_in_its_order() {
    let game = Game::new();
    let (outcome, chrome) = with_page(&game, |chrome| async move {
        chrome
            .until("return !document.querySelector('[data-command=start]').disabled")
            .await;
        chrome.eval("document.activeElement.blur()").await;
        for (name, ring) in [("start", true), ("hold", true), ("abort", true)] {
            chrome.press("Tab").await;
            let at = chrome
                .eval("return document.activeElement.dataset.command")
                .await;
            assert_eq!(at, name);
            let seen = chrome
                .eval("return getComputedStyle(document.activeElement).outlineStyle !== 'none'")
                .await;
            assert_eq!(seen, ring);
        }
        chrome.press("Tab").await;
        assert_eq!(
            chrome.eval("return document.activeElement.id").await,
            "text"
        );
        write(&chrome, "#text", "typed").await;
        enter(&chrome).await;
        answer(&chrome, "noted").await;
        end(&chrome).await;
        chrome
    })
    .await;
    assert_eq!(outcome.report.notes[0].text, "typed");
    chrome.close().await;
}

/// A second browser has no use for the address.
#[tokio::test]
async fn the_address_is_for_one_browser() {
    let game = Game::new();
    let (_, chrome) = with_page(&game, |chrome| async move {
        end(&chrome).await;
        chrome
    })
    .await;
    let other = Chrome::start().await;
    other.open(game.server.url(), PHONE, Scheme::Dark).await;
    let told = other.eval("return document.body.innerText").await;
    assert!(
        told.as_str()
            .unwrap()
            .contains("it works once, in one browser"),
        "{told}"
    );
    assert!(!other.overflows().await);
    other.close().await;
    chrome.close().await;
}

/// Where the keyboard is.
async fn enter(chrome: &Chrome) {
    let field = chrome.client.active_element().await.unwrap();
    field
        .send_keys(&String::from(char::from(Key::Enter)))
        .await
        .unwrap();
}

/// Ends the run, so that the test does.
async fn end(chrome: &Chrome) {
    let abort = "return fetch('/commands', { method: 'POST', headers: { 'content-type': 'application/json', 'x-chaosrun': '1' },
        body: JSON.stringify({ command: 'abort', why: 'seen enough' }) }).then((answer) => answer.status)";
    assert_eq!(chrome.eval(abort).await, 200);
}
