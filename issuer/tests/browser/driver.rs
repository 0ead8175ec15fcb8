//! A real Chromium without a window, told what to do through chromedriver (`WebDriver`, W3C).

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::error::{CmdError, ErrorStatus};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use shared::encoding::base64_decode;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Says where axe-core is: the path of its `axe.min.js`.
const AXE: &str = "USHER_TEST_AXE";

/// Says where screenshots are kept; below `target` if it does not.
const SCREENSHOTS: &str = "USHER_TEST_SCREENSHOTS";

/// What a page may take to be left.
const LEAVE_MAX: Duration = Duration::from_mins(1);

/// How long a page that is still there is left alone.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The rules of axe-core that count: WCAG 2.2 at level AA, and all that came before.
const RULES: [&str; 6] = [
    "wcag2a",
    "wcag2aa",
    "wcag21a",
    "wcag21aa",
    "wcag22aa",
    "best-practice",
];

/// A browser, and what drives it.
pub(crate) struct Browser {
    /// Takes commands.
    pub(crate) client: Client,
    site: String,
    axe: String,
    driver: Child,
    _profile: TempDir,
}

/// What is needed. `None`, said aloud, where it is not there; in CI that is a failure.
fn needed(test: &str) -> Option<String> {
    let axe = env::var(AXE).map(|path| std::fs::read_to_string(path).unwrap());
    let driver = std::process::Command::new("chromedriver")
        .arg("--version")
        .output();
    match (axe, driver) {
        (Ok(axe), Ok(_)) => Some(axe),
        (axe, driver) => {
            let missing = [driver.err().map(|_| "chromedriver"), axe.err().map(|_| AXE)];
            let missing: Vec<&str> = missing.into_iter().flatten().collect();
            assert!(env::var_os("CI").is_none(), "{test}: CI must have {missing:?}");
            eprintln!(
                "SKIPPED: {test}; to run it install chromium-driver, and set {AXE} to the axe.min.js of axe-core"
            );
            None
        }
    }
}

impl Browser {
    /// Starts one for a site.
    pub(crate) async fn start_or_skip(test: &str, site: &str) -> Option<Self> {
        let axe = needed(test)?;
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let port = port(&mut driver).await;
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-gpu".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--no-first-run".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        if rustix::process::geteuid().is_root() {
            // Its sandbox is not for root.
            arguments.push("--no-sandbox".to_owned());
        }
        let capabilities = json!({
            "goog:chromeOptions": {"args": arguments, "prefs": {"intl.accept_languages": "en"}},
        });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Some(Self {
            client,
            site: site.to_owned(),
            axe,
            driver,
            _profile: profile,
        })
    }

    /// Ends it, and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.client.clone().close().await.unwrap();
        self.end_group();
        self.driver.wait().await.unwrap();
    }

    /// Ends the driver with the browsers that it started.
    fn end_group(&self) {
        let group = self.driver.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(group) = group {
            kill_process_group(group, Signal::KILL).unwrap();
        }
    }

    /// Opens a page of the site.
    pub(crate) async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.site)).await.unwrap();
    }

    /// Path and query of the page that is open.
    pub(crate) async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", url.path())
    }

    /// What a selector finds first.
    pub(crate) async fn find(&self, selector: &str) -> Element {
        self.client
            .find(Locator::Css(selector))
            .await
            .unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// What a selector finds, as text.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    /// Types into a field.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let field = self.find(selector).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses a button or follows a link that leads to another page, and waits for that.
    pub(crate) async fn click(&self, selector: &str) {
        let link = self.find(selector).await;
        self.leave(link.click()).await;
    }

    /// Does what leads to another page, and waits until that is there: a form may be on its way for a while after the key or
    /// the click that sent it was answered.
    pub(crate) async fn leave(&self, act: impl Future<Output = Result<(), CmdError>>) {
        let page = self.find("html").await;
        act.await.unwrap();
        let left = async {
            loop {
                match self.client.find(Locator::Css("html")).await {
                    Ok(other) if other.element_id() != page.element_id() => return,
                    Ok(_) => {}
                    // Asked while the one page goes and the other comes, the driver knows neither.
                    Err(CmdError::Standard(between))
                        if matches!(
                            between.error,
                            ErrorStatus::UnknownError | ErrorStatus::NoSuchElement
                        ) => {}
                    Err(error) => panic!("{error}"),
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let has_left = timeout(LEAVE_MAX, left).await.is_ok();
        assert!(has_left, "the page is still there");
    }

    /// Runs a script on the page.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// A command of the Chrome `DevTools` Protocol.
    pub(crate) async fn devtools(&self, command: &'static str, parameters: Value) -> Value {
        let command = DevTools(command, parameters);
        self.client.issue_cmd(command).await.unwrap()
    }

    /// Sets theme and width of what is shown.
    pub(crate) async fn show_in(&self, theme: &str, width: u32) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Nothing on the page is hard to use for anybody, as far as axe-core can tell, and nothing is cut off.
    pub(crate) async fn is_accessible(&self, what: &str) {
        self.run(&self.axe).await;
        let script = "const [rules, done] = arguments; \
                      axe.run(document, {runOnly: {type: 'tag', values: rules}}).then(done, (error) => done(String(error)));";
        let found = self
            .client
            .execute_async(script, vec![json!(RULES)])
            .await
            .unwrap();
        let violations = found["violations"]
            .as_array()
            .unwrap_or_else(|| panic!("{what}: {found}"));
        assert!(
            found["passes"].as_array().is_some_and(|passes| passes.len() > 10),
            "{what}: {found}"
        );
        let told: Vec<String> = violations
            .iter()
            .map(|violation| {
                format!(
                    "{} {}: {}",
                    violation["impact"], violation["id"], violation["nodes"]
                )
            })
            .collect();
        assert!(told.is_empty(), "{what}: {told:#?}");
        let overflow = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        assert_eq!(self.run(overflow).await, false, "{what}: wider than the screen");
    }

    /// Keeps a picture of the whole page.
    pub(crate) async fn keep_picture(&self, name: &str) {
        let parameters = json!({"format": "png", "captureBeyondViewport": true});
        let picture = self.devtools("Page.captureScreenshot", parameters).await;
        let picture = base64_decode(picture["data"].as_str().unwrap()).unwrap();
        let folder = env::var_os(SCREENSHOTS).map_or_else(
            || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots"),
            PathBuf::from,
        );
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // After a failure too; once its end was waited for there is nobody left.
        self.end_group();
    }
}

/// The port that a driver has chosen, which it says when it listens.
async fn port(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim_end_matches('.').parse().unwrap();
        }
    }
    panic!("chromedriver ended")
}

#[derive(Debug)]
struct DevTools(&'static str, Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/goog/cdp/execute",
            session.unwrap_or_default()
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({"cmd": self.0, "params": self.1});
        (http::Method::POST, Some(body.to_string()))
    }
}
