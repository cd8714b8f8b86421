//! The program as started from a shell: results, logs, exit codes, signals.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

pub const KEY: &str = "a key for tests, of more than 32 bytes";

/// The program with an empty environment except for a key and a free port.
pub fn kaiwa(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kaiwa"));
    command.args(arguments).current_dir(folder).env_clear().env("KAIWA_AUTH__JWT_KEY", KEY);
    command.env("KAIWA_LISTEN", "127.0.0.1:0");
    command
}

#[track_caller]
fn run(folder: &Path, arguments: &[&str]) -> Output {
    kaiwa(folder, arguments).output().unwrap()
}

#[track_caller]
pub fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
pub fn check_refused(mut command: Command, code: i32, words: &str) {
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();

    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(words), "{errors:?} does not say {words:?}");
    assert!(output.stdout.is_empty(), "results only on standard output");
}

/// A running server and its address.
pub struct Serving {
    pub child: Child,
    pub url: String,
}

impl Serving {
    /// Starts a server and waits until it listens.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines
            .find(|line| line.as_ref().is_ok_and(|line| line.contains("listening on ")))
            .unwrap()
            .unwrap();
        // Writing to a closed pipe fails, so the rest of the log has to be read.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: line.split("listening on ").nth(1).unwrap().to_owned() }
    }

    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn an_unusable_configuration_exits_with_78_and_a_usage_error_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let with = |arguments: &[&str], name: &str, value: &str| {
        let mut command = kaiwa(folder.path(), arguments);
        command.env(name, value);
        command
    };

    check_refused(with(&["serve"], "KAIWA_AUTH__JWT_KEY", "short"), 78, "openssl rand -hex 32");
    check_refused(with(&["serve"], "KAIWA_LISTN", "x"), 78, "KAIWA_LISTEN");
    check_refused(with(&["serve"], "KAIWA_LISTEN", "256.0.0.1:1"), 78, "listen");
    check_refused(with(&["serve", "--config", "missing.toml"], "A", "b"), 78, "missing.toml");
    check_refused(with(&["customer", "list"], "A", "b"), 78, "there is no database");
    check_refused(with(&["token", "--customer", "nobody"], "A", "b"), 78, "there is no database");
    check_refused(with(&["serv"], "A", "b"), 2, "serve");
    check_refused(with(&["customer", "add", "--name", "a", "--id", "7"], "A", "b"), 2, "UUID");
    check_refused(with(&["token", "--customer", "a", "--ttl", "0s"], "A", "b"), 2, "at least 1s");
    let mut without_key = kaiwa(folder.path(), &["serve"]);
    without_key.env_remove("KAIWA_AUTH__JWT_KEY");
    check_refused(without_key, 78, "auth.jwt_key is missing");
    std::os::unix::fs::symlink("nowhere", folder.path().join("kaiwa.toml")).unwrap();
    check_refused(kaiwa(folder.path(), &["customer", "list"]), 78, "cannot read kaiwa.toml");
}

#[test]
fn a_newer_database_is_rejected_and_left_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["migrate"]);
    let file = folder.path().join("kaiwa-data/kaiwa.db");
    rusqlite::Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 1000").unwrap();
    let before = std::fs::read(&file).unwrap();

    check_refused(kaiwa(folder.path(), &["serve"]), 78, "newer");
    check_refused(kaiwa(folder.path(), &["migrate"]), 78, "left untouched");

    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn customers_accounts_and_tokens_are_created_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("secret"), "channel-secret\n").unwrap();
    std::fs::write(folder.join("token"), "channel-token\n").unwrap();
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();

    let customer = json(&succeed(folder, &["customer", "add", "--name", "shop", "--json"]));
    let id = customer["id"].as_str().unwrap();
    let changed = json(&succeed(folder, &["customer", "add", "--id", id, "--message-days", "7", "--json"]));
    assert!(changed["name"] == "shop" && changed["message_days"] == 7, "{changed}");
    let add = [
        "account",
        "add",
        "--customer",
        "shop",
        "--name",
        "line",
        "--secret-file",
        "secret",
        "--token-file",
        "token",
    ];
    let account = succeed(folder, &add);
    let token = json(&succeed(folder, &["token", "--customer", "shop", "--ttl", "1h", "--json"]));

    assert_eq!(token["customer_id"], customer["id"]);
    assert_eq!(token["token"].as_str().unwrap().split('.').count(), 3);
    assert!(succeed(folder, &["customer", "list"]).contains(customer["id"].as_str().unwrap()));
    let listed = succeed(folder, &["account", "list", "--json"]);
    assert!(account.contains(json(&listed)["id"].as_str().unwrap()));
    assert!(!listed.contains("channel-"), "credentials were printed: {listed}");
    check_refused(kaiwa(folder, &["token", "--customer", "nobody"]), 1, "no such customer");
}

#[test]
fn an_account_can_be_added_with_a_channel_id_instead_of_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("secret"), "channel-secret\n").unwrap();
    succeed(folder, &["customer", "add", "--name", "shop"]);
    let add = ["account", "add", "--customer", "shop", "--secret-file", "secret"];

    let with_id =
        [&add[..], &["--channel-id", "1234567890", "--secret-next-file", "secret", "--json"]].concat();
    let account: Value = serde_json::from_str(&succeed(folder, &with_id)).unwrap();

    assert_eq!((&account["channel_id"], &account["has_secret_next"]), (&"1234567890".into(), &true.into()));
    assert_eq!(account["delivery_mode"], "prefer_reply");
    check_refused(kaiwa(folder, &add), 2, "--token-file");
}

#[actix_web::test]
async fn a_running_server_locks_its_database_and_stops_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(kaiwa(folder.path(), &["serve"]));

    check_refused(kaiwa(folder.path(), &["serve"]), 78, "another kaiwa process");
    check_refused(kaiwa(folder.path(), &["secrets", "rotate"]), 78, "another kaiwa process");
    assert!(
        succeed(folder.path(), &["customer", "list"]).contains("no customer"),
        "reading is still possible"
    );
    let client = awc::Client::builder().finish();
    let response = client.get(format!("{}/healthz", serving.url)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    serving.signal("-TERM");

    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    let log = std::fs::metadata(folder.path().join("kaiwa-data/kaiwa.db-wal"));
    assert_eq!(log.map_or(0, |log| log.len()), 0, "the log is folded into the file");
}

#[actix_web::test]
async fn a_request_is_logged_on_one_line_without_its_query() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = kaiwa(folder.path(), &["serve"]);
    command
        .env("KAIWA_LOG__FORMAT", "json")
        .env("KAIWA_PROXIES__TRUSTED", "127.0.0.1,10.0.0.0/8")
        .stderr(Stdio::piped());
    let mut serving = Serving { child: command.spawn().unwrap(), url: String::new() };
    let mut lines = BufReader::new(serving.child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let json = |line: String| serde_json::from_str::<Value>(&line).unwrap();
    let listening =
        lines.by_ref().map(json).find(|line| line["message"].to_string().contains("listening on "));
    let message = listening.unwrap()["message"].as_str().unwrap().to_owned();
    let url = message.split("listening on ").nth(1).unwrap();

    let request = awc::Client::new().get(format!("{url}/v1.0/conversations/7?token=canary"));
    let request = request.insert_header(("x-forwarded-for", "8.8.8.8, 203.0.113.9, 10.0.0.1"));
    request.insert_header(("x-request-id", "my-id")).send().await.unwrap();
    let line = lines.by_ref().map(json).find(|line| line["request_id"] == "my-id").unwrap();

    let texts = ["method", "path", "route", "remote"].map(|name| line[name].as_str().unwrap().to_owned());
    assert_eq!(texts, ["GET", "/v1.0/conversations/7", "/v1.0/conversations/{id}", "203.0.113.9"]);
    assert_eq!(line["status"], 401);
    assert!(line["bytes"].as_u64().unwrap() > 50 && line["micros"].is_u64(), "{line}");
    serving.signal("-TERM");
    assert!(!line.to_string().contains("canary") && lines.all(|line| !line.contains("canary")));
}

#[test]
fn files_are_readable_only_by_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["migrate"]);
    let mode = |path: &str| std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;

    assert_eq!(mode("kaiwa-data"), 0o700);
    assert_eq!(mode("kaiwa-data/kaiwa.db"), 0o600);
}

#[test]
fn the_version_is_printed_as_text_and_as_json() {
    let folder = tempfile::tempdir().unwrap();

    assert!(succeed(folder.path(), &["version"]).starts_with("kaiwa 0."));
    let versions: Value = serde_json::from_str(&succeed(folder.path(), &["version", "--json"])).unwrap();
    assert_eq!(versions["schema"], kaiwa::store::engine::schema::current_version());
}

/// A running sandbox.
struct Sandbox(Child);

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line
}

#[actix_web::test]
async fn the_sandbox_prints_one_line_of_json_once_everything_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = kaiwa(folder.path(), &["sandbox", "--port", "0", "--json"]);
    let mut sandbox = Sandbox(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());

    let summary: Value = serde_json::from_str(&first_line(&mut sandbox.0)).unwrap();

    let text = |name: &str| summary[name].as_str().unwrap().to_owned();
    for name in ["api", "line", "token", "customer_id", "account_id", "channel_secret", "data"] {
        assert_ne!(text(name), "", "{name}");
    }
    let printed = succeed(folder.path(), &["sandbox", "say", "hello again", "--as", "Bob"]);
    assert!(printed.contains("Bob") && printed.contains("OK"), "{printed}");
    let printed = succeed(folder.path(), &["sandbox", "say", "-5 degrees", "--as", "Bob"]);
    assert!(printed.contains("Bob") && printed.contains("OK"), "{printed}");
    let client = awc::Client::builder().finish();
    let url = format!("{}/v1.0/conversations?token={}", text("api"), text("token"));
    let mut response = client.get(url).send().await.unwrap();
    let conversations: Value = serde_json::from_slice(&response.body().await.unwrap()).unwrap();
    assert_eq!(conversations["result"].as_array().unwrap().len(), 2, "Alice's and Bob's");
}

#[test]
fn the_sandbox_can_run_lines_side_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = kaiwa(folder.path(), &["sandbox", "--line-only", "--port", "0", "--json"]);
    let mut sandbox = Sandbox(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());

    let summary: Value = serde_json::from_str(&first_line(&mut sandbox.0)).unwrap();

    assert!(summary["line"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert_eq!(summary["channel_secret"].as_str().unwrap().len(), 32);
}
