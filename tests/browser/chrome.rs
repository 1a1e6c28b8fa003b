//! A headless Chromium, driven as a person would: pages of any width, light or dark, pointer and keyboard, and what the browser
//! complained of meanwhile. Needs `chromium` and `chromedriver`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::{ParseError, Url};

/// Of the reader's system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

/// A phone's width, and a desk's.
pub(crate) const PHONE: u32 = 375;
pub(crate) const DESK: u32 = 1440;

pub(crate) struct Chrome {
    pub(crate) client: Client,
    driver: Driver,
}

/// `chromedriver` on a free port; it goes when this does.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

impl Chrome {
    pub(crate) async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map(Driver)
            .expect("chromedriver starts (apt-get install chromium-driver)");
        let said = BufReader::new(driver.0.stdout.take().expect("it is piped"));
        let port = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("chromedriver says its port");
        let capabilities: Capabilities = serde_json::from_value(json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"] },
            "goog:loggingPrefs": { "browser": "ALL" },
        }))
        .expect("it is an object");
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromium starts (apt-get install chromium)");
        Self { client, driver }
    }

    /// Shows a page in a window of this size.
    pub(crate) async fn open(&self, url: &str, width: u32, scheme: Scheme) {
        self.show(width, scheme).await;
        self.client.goto(url).await.expect("the page loads");
    }

    /// Makes the window of the page that is open of this size.
    pub(crate) async fn show(&self, width: u32, scheme: Scheme) {
        let metrics =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// What a script's `return` gives.
    pub(crate) async fn eval(&self, script: &str) -> Value {
        let found = self.client.execute(script, vec![]).await;
        found.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// What `script` gives once it is true; panics after ten seconds.
    pub(crate) async fn until(&self, script: &str) -> Value {
        for _ in 0..200 {
            let found = self.eval(script).await;
            if found != Value::Null && found != Value::Bool(false) {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("it never came to: {script}")
    }

    /// Moves the pointer to this place in the window, in pixels.
    pub(crate) async fn point(&self, x: f64, y: f64) {
        let moved = json!({ "type": "mouseMoved", "x": x, "y": y });
        self.devtools("Input.dispatchMouseEvent", moved).await;
    }

    /// Presses a key by its name, such as `ArrowRight`.
    pub(crate) async fn press(&self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            let code = match key {
                "ArrowLeft" => 37,
                "ArrowUp" => 38,
                "ArrowRight" => 39,
                "ArrowDown" => 40,
                "Home" => 36,
                "End" => 35,
                "Enter" => 13,
                "Tab" => 9,
                "Escape" => 27,
                other => panic!("{other} has no code here"),
            };
            let event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.devtools("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Warnings and errors on the console since it was last asked.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.issue("se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().expect("a list").iter();
        entries
            .filter(|entry| entry["level"] != "INFO" && entry["level"] != "DEBUG")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Speaks to the browser's own protocol.
    pub(crate) async fn devtools(&self, method: &str, params: Value) -> Value {
        let body = json!({ "cmd": method, "params": params });
        self.issue("goog/cdp/execute", body).await
    }

    /// Does the page reach beyond the window's width?
    pub(crate) async fn overflows(&self) -> bool {
        let wider =
            "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        self.eval(wider).await == Value::Bool(true)
    }

    pub(crate) async fn close(self) {
        let Self { client, driver } = self;
        client.close().await.expect("the session ends");
        drop(driver);
    }

    async fn issue(&self, path: &'static str, body: Value) -> Value {
        let command = Own { path, body };
        let answer = self.client.issue_cmd(command).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// One of chromedriver's own commands.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _url: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}
