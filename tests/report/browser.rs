//! A real browser with a page: Debian's Chromium, driven through its WebDriver.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use fantoccini::{
    Client, ClientBuilder,
    actions::{InputSource, KeyAction, KeyActions},
    wd::WebDriverCompatibleCommand,
};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use s2_harness::clock;
use serde_json::{Value, json};
use testkit::AnyError;

/// By then a page has done what it will.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const HELP: &str = "the pages are looked at by Debian's chromium: apt-get install chromium chromium-driver";

/// A browser, with its driver.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    /// Where the driver may go on to speak: one that nobody listens to ends.
    _said: BufReader<ChildStdout>,
    client: Client,
}

/// A log of the browser's.
#[derive(Debug)]
struct ReadLog(&'static str);

impl WebDriverCompatibleCommand for ReadLog {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": self.0 }).to_string()))
    }
}

/// What the browser can be told beyond what a WebDriver must know (<https://chromedevtools.github.io/devtools-protocol/>).
#[derive(Debug)]
struct DevTools(&'static str, Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "cmd": self.0, "params": self.1 }).to_string()))
    }
}

impl Browser {
    /// Starts one.
    pub(crate) async fn start() -> Result<Self, AnyError> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = command.spawn().map_err(|error| format!("cannot start chromedriver: {error}; {HELP}"))?;
        let stdout = driver.stdout.take().ok_or("its output was asked for")?;
        let mut said = BufReader::new(stdout);
        let Some(port) = port_of(&mut said) else {
            let _ = (driver.kill(), driver.wait());
            return Err(format!("chromedriver says no port; {HELP}").into());
        };
        let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let capabilities = [
            ("goog:chromeOptions", json!({ "args": arguments })),
            ("goog:loggingPrefs", json!({ "browser": "ALL", "performance": "ALL" })),
        ];
        let capabilities = capabilities.map(|(name, value)| (name.to_owned(), value));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let connected =
            builder.capabilities(capabilities.into_iter().collect()).connect(&format!("http://127.0.0.1:{port}")).await;
        match connected {
            Ok(client) => Ok(Self { driver, port, _said: said, client }),
            Err(error) => {
                let _ = (shut_down(port), driver.kill(), driver.wait());
                Err(format!("chromedriver starts no browser: {error}; {HELP}").into())
            }
        }
    }

    /// Opens a page in a window so wide.
    pub(crate) async fn open(&self, url: &str, width: u32) -> Result<(), AnyError> {
        self.client.set_window_size(width, 900).await?;
        // What was logged of the page before is not of this one.
        self.log("browser").await?;
        self.log("performance").await?;
        Ok(self.client.goto(url).await?)
    }

    /// Is a reader's who has the machine light or dark.
    pub(crate) async fn prefer(&self, scheme: &str) -> Result<(), AnyError> {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.client.issue_cmd(DevTools("Emulation.setEmulatedMedia", media)).await?;
        Ok(())
    }

    /// Runs no script of a page that is opened from now on, or does again.
    pub(crate) async fn run_scripts(&self, is_run: bool) -> Result<(), AnyError> {
        let disabled = json!({ "value": !is_run });
        self.client.issue_cmd(DevTools("Emulation.setScriptExecutionDisabled", disabled)).await?;
        Ok(())
    }

    /// What a script in the page gives.
    pub(crate) async fn says(&self, script: &str) -> Result<Value, AnyError> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Waits until a script in the page gives true.
    pub(crate) async fn until(&self, what: &str, script: &str) -> Result<(), AnyError> {
        let began = clock::now();
        loop {
            let said = self.says(script).await?;
            if said == true {
                return Ok(());
            }
            if clock::now().saturating_duration_since(began) > PATIENCE {
                let errors = self.errors().await?;
                return Err(format!("it never came: {what}; last {said}; errors: {errors:?}").into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Presses keys, one after another, on whatever has the focus.
    pub(crate) async fn press(&self, keys: &[char]) -> Result<(), AnyError> {
        let pressed = keys.iter().fold(KeyActions::new("keyboard".to_owned()), |actions, key| {
            actions.then(KeyAction::Down { value: *key }).then(KeyAction::Up { value: *key })
        });
        Ok(self.client.perform_actions(pressed).await?)
    }

    /// What the page did wrong so far: errors and warnings on its console, exceptions, what its policy forbade.
    pub(crate) async fn errors(&self) -> Result<Vec<Value>, AnyError> {
        let log = self.log("browser").await?;
        Ok(log.into_iter().filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING").collect())
    }

    /// What the page has asked for so far, itself among it.
    pub(crate) async fn asked_for(&self) -> Result<Vec<String>, AnyError> {
        let log = self.log("performance").await?;
        let messages = log.iter().filter_map(|entry| entry["message"].as_str());
        let events = messages.filter_map(|message| serde_json::from_str::<Value>(message).ok());
        let requests = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        let urls = requests.filter_map(|event| Some(event["message"]["params"]["request"]["url"].as_str()?.to_owned()));
        Ok(urls.filter(|url| !url.starts_with("data:")).collect())
    }

    /// Keeps what the window shows.
    pub(crate) async fn keep(&self, path: &Path) -> Result<(), AnyError> {
        Ok(std::fs::write(path, self.client.screenshot().await?)?)
    }

    /// Ends it.
    pub(crate) async fn close(self) -> Result<(), AnyError> {
        Ok(self.client.clone().close().await?)
    }

    async fn log(&self, kind: &'static str) -> Result<Vec<Value>, AnyError> {
        let log = self.client.issue_cmd(ReadLog(kind)).await?;
        Ok(log.as_array().cloned().unwrap_or_default())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // They were ours to start. A driver that is killed leaves its browsers behind: it is asked first.
        let _ = shut_down(self.port);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Has a driver end its browsers, and itself; back when they have ended.
fn shut_down(port: u16) -> io::Result<()> {
    let mut driver = TcpStream::connect(("127.0.0.1", port))?;
    driver.set_read_timeout(Some(PATIENCE))?;
    driver.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    driver.read(&mut [0]).map(|_| ())
}

fn port_of(said: &mut BufReader<ChildStdout>) -> Option<u16> {
    let started = said
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("successfully on port ")?.1.to_owned()))?;
    started.trim_end_matches('.').parse().ok()
}
