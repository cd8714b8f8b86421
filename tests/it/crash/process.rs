//! The server as a separate process, which can be killed.

use std::env::var_os;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use awc::Client;
use awc::http::Method;
use kaiwa::line::signature;
use kaiwa::model::id::{AccountId, CustomerId};
use kaiwa::model::secret::Secret;
use kaiwa::model::timestamp::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::line::Line;
use crate::harness::response::Response;
use crate::harness::server::{KEY, token_of};

/// The fault of a program built with one, see `config::seeded`: the tests must fail with each.
const SEEDED_BUG: &str = "SEEDED_BUG";

/// A start takes far less; longer means that the server does not come up.
const START_TIME_MAX: Duration = Duration::from_mins(1);

/// Longer than the server waits for work in flight when it stops.
const STOP_TIME_MAX: Duration = Duration::from_mins(1);

/// A killed server does not respond, and a client must not wait for it.
const RESPONSE_TIME_MAX: Duration = Duration::from_mins(1);

/// The maximum size of a file in a campaign.
const FILE_BYTES_MAX: usize = 1 << 20;

/// The text that the server prints before its address.
const LISTENING: &str = "listening on ";

/// A folder with a configuration and data, for successive processes.
pub struct Installation {
    folder: TempDir,
    customer: CustomerId,
    account: AccountId,
    secret: Secret,
    bot: String,
    mode: &'static str,
    line_timeout: &'static str,
}

/// A running server. It is killed when dropped, if not before.
pub struct Process {
    child: Child,
    log: Option<JoinHandle<Vec<String>>>,
}

/// The server's HTTP API, as used by the customer and by LINE.
pub struct Api {
    client: Client,
    url: String,
    /// The customer's.
    pub token: String,
    webhook_path: String,
    secret: Secret,
    bot: String,
}

impl Installation {
    /// A new folder for a server that uses this LINE with this `delivery_mode` and retries quickly.
    pub fn new(line: &Line, mode: &'static str) -> Self {
        Self::with_timeout(line, mode, "250ms")
    }

    /// The same for a slow LINE, as with large files.
    pub fn patient(line: &Line) -> Self {
        Self::with_timeout(line, "push_only", "30s")
    }

    fn with_timeout(line: &Line, mode: &'static str, line_timeout: &'static str) -> Self {
        let now = Timestamp::now();
        let installation = Self {
            folder: tempfile::tempdir().unwrap(),
            customer: CustomerId::new(now),
            account: AccountId::new(now),
            secret: line.platform.channel().secret,
            bot: line.platform.bot().user_id,
            mode,
            line_timeout,
        };
        std::fs::write(installation.settings(), installation.configuration(line)).unwrap();
        installation
    }

    /// The file of the database; the media folder is beside it.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("data/kaiwa.db")
    }

    /// Starts a process on a free port and waits until it responds: the program of this build, or `CRASH_PROGRAM`.
    pub async fn start(&self) -> (Process, Api) {
        self.start_with(var_os(SEEDED_BUG)).await
    }

    /// The same without a fault, for data that must exist before the test.
    pub async fn start_without_fault(&self) -> (Process, Api) {
        self.start_with(None).await
    }

    async fn start_with(&self, bug: Option<OsString>) -> (Process, Api) {
        let mut child = Command::new(var_os("CRASH_PROGRAM").unwrap_or(env!("CARGO_BIN_EXE_kaiwa").into()))
            .args(["serve", "--config"])
            .arg(self.settings())
            .env_clear()
            .envs(bug.map(|name| (SEEDED_BUG, name)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, receiver) = channel();
        let lines = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || read_log(lines, &sender));
        let process = Process { child, log: Some(log) };
        let url = receiver.recv_timeout(START_TIME_MAX).expect("the server says where it listens");
        let api = self.api(url);
        assert_eq!(api.get("/healthz").await.status, 200);
        (process, api)
    }

    fn api(&self, url: String) -> Api {
        Api {
            client: Client::builder().timeout(RESPONSE_TIME_MAX).disable_redirects().finish(),
            url,
            token: token_of(self.customer),
            webhook_path: format!("/v1.0/conversation/accounts/{}", self.account),
            secret: self.secret.clone(),
            bot: self.bot.clone(),
        }
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("kaiwa.toml")
    }

    fn configuration(&self, line: &Line) -> String {
        let Self { folder, customer, account, mode, line_timeout, .. } = self;
        let (url, channel) = (&line.url, line.platform.channel());
        format!(
            r#"
                listen = "127.0.0.1:0"
                data_directory = "{}"
                [auth]
                jwt_key = "{KEY}"
                [line]
                api_base = "{url}"
                data_base = "{url}"
                timeout = "{line_timeout}"
                [delivery]
                backoff_first = "20ms"
                backoff_max = "100ms"
                [[customers]]
                id = "{customer}"
                [[accounts]]
                id = "{account}"
                customer = "{customer}"
                delivery_mode = "{mode}"
                secret = "{}"
                token = "{}"
            "#,
            folder.path().join("data").display(),
            channel.secret.expose(),
            channel.token.expose(),
        )
    }
}

/// Sends the server's address, and returns all lines at the end.
fn read_log(lines: ChildStderr, address: &Sender<String>) -> Vec<String> {
    let lines = BufReader::new(lines).lines().map_while(Result::ok);
    let pass_on = |line: &String| {
        if let Some((_, url)) = line.split_once(LISTENING) {
            // A test that gave up waiting no longer needs the address.
            address.send(url.to_owned()).ok();
        }
    };
    lines.inspect(pass_on).collect()
}

impl Process {
    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process without warning and returns its log.
    pub fn kill(&mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.take_log()
    }

    /// Asks the process to stop as a service manager does; returns its exit status and log.
    pub async fn stop(&mut self) -> (ExitStatus, Vec<String>) {
        let asked = Command::new("sh").args(["-c", "kill -TERM $0", &self.child.id().to_string()]).status();
        assert!(asked.unwrap().success());
        let limit = Instant::now() + STOP_TIME_MAX;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, self.take_log());
            }
            assert!(Instant::now() < limit, "the server does not stop");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn take_log(&mut self) -> Vec<String> {
        self.log.take().map_or_else(Vec::new, |log| log.join().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // In every passing test it has already ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Api {
    /// The JSON that the customer reads at this path.
    pub async fn get(&self, path: &str) -> Response {
        Response::to(self.request(Method::GET, path).bearer_auth(&self.token), "").await
    }

    /// A whole file as served to the customer; `None` when it is not available.
    pub async fn file(&self, path: &str) -> Option<Vec<u8>> {
        let request = self.request(Method::GET, path).bearer_auth(&self.token);
        let mut response = request.send().await.unwrap();
        let body = response.body().limit(FILE_BYTES_MAX).await.unwrap();
        (response.status() == 200).then(|| body.to_vec())
    }

    /// Uploads an image.
    pub async fn upload(&self, bytes: Vec<u8>) -> Result<Response, String> {
        let request = self.request(Method::POST, "/v1.0/medias").bearer_auth(&self.token);
        Response::if_any(request.content_type("image/jpeg"), bytes).await
    }

    /// Sends a message, optionally waiting for LINE's first response.
    pub async fn say(&self, conversation: &str, body: &Value, wait: bool) -> Result<Response, String> {
        let path = format!("/v1.0/conversations/{conversation}/messages");
        let request = self.request(Method::POST, &path).bearer_auth(&self.token);
        let request = request.content_type("application/json");
        let request = if wait { request } else { request.insert_header(("prefer", "respond-async")) };
        Response::if_any(request, body.to_string()).await
    }

    /// Delivers a webhook with these events, signed as LINE signs.
    pub async fn webhook(&self, events: &[Value]) -> Result<Response, String> {
        let body = json!({ "destination": self.bot, "events": events }).to_string();
        let signature = signature::sign(&self.secret, body.as_bytes());
        let request = self.request(Method::POST, &self.webhook_path);
        Response::if_any(request.insert_header((signature::HEADER, signature)), body).await
    }

    /// A whole list, newest first, read page by page.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut token = String::new();
        loop {
            let page = self.get(&format!("{path}?page_token={}", token.replace(' ', "+"))).await.json();
            let result = page["result"].as_array().unwrap();
            if result.is_empty() {
                return rows;
            }
            rows.extend_from_slice(result);
            page["next_page_token"].as_str().unwrap().clone_into(&mut token);
        }
    }

    /// An unsent request without credentials.
    pub fn request(&self, method: Method, path: &str) -> awc::ClientRequest {
        self.client.request(method, format!("{}{path}", self.url))
    }
}
