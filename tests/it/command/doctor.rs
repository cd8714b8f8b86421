//! `kaiwa doctor` finds and names problems with their remedies, and prints no secrets.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use kaiwa::model::secret::Secret;
use serde_json::{Value, json};

use crate::harness::external_server::ExternalServer;
use crate::harness::line::Line;
use crate::harness::server::{KEY, TestServer};

/// The exit code, and the level of each finding by its check. Account ids are removed from the names.
fn examine(folder: &Path, variables: &[(&str, &str)]) -> (i32, Vec<(String, String)>, String) {
    examine_with(&[], folder, variables)
}

fn examine_with(
    arguments: &[&str],
    folder: &Path,
    variables: &[(&str, &str)],
) -> (i32, Vec<(String, String)>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kaiwa"));
    command.args(["doctor", "--json"]).args(arguments).env_clear().env("KAIWA_AUTH__JWT_KEY", KEY);
    command.env("KAIWA_DATA_DIRECTORY", folder).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let findings = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let name = |check: String| match check.strip_prefix("account ").and_then(|rest| rest.split_once(' ')) {
        Some((_, what)) => what.to_owned(),
        None => check,
    };
    let levels = findings.map(|finding| (name(word(&finding, "check")), word(&finding, "level"))).collect();
    (output.status.code().unwrap(), levels, text)
}

fn of_server(server: &TestServer) -> (i32, Vec<(String, String)>, String) {
    let url = server.url("");
    let listen = url.trim_start_matches("http://");
    let settings = [
        ("KAIWA_LINE__API_BASE", server.line.url.as_str()),
        ("KAIWA_PUBLIC_URL", url.as_str()),
        ("KAIWA_LISTEN", listen),
    ];
    examine(server.folder(), &settings)
}

#[track_caller]
fn check_level(levels: &[(String, String)], check: &str, level: &str) {
    let found: Vec<_> = levels.iter().filter(|(name, _)| name == check).map(|(_, level)| level).collect();

    assert_eq!(found, [level], "{check} in {levels:?}");
}

#[actix_web::test]
async fn with_a_healthy_server_every_check_passes_and_no_secret_is_printed() {
    let server = TestServer::start();
    std::fs::set_permissions(server.folder(), std::fs::Permissions::from_mode(0o700)).unwrap();

    let (code, levels, text) = of_server(&server);

    assert_eq!(code, 0, "{text}");
    for check in [
        "file system",
        "files",
        "database",
        "secrets",
        "clock",
        "signature",
        "webhook",
        "webhook test",
        "quota",
    ] {
        check_level(&levels, check, "ok");
    }
    check_level(&levels, "storage.secret_key", "warn");
    check_level(&levels, "switches", "warn");
    let channel = server.line.platform.channel();
    let key = std::fs::read_to_string(server.folder().join("secret.key")).unwrap();
    for secret in [channel.secret.expose(), channel.token.expose(), KEY, key.trim()] {
        assert!(!text.contains(secret));
    }
}

#[actix_web::test]
async fn problems_at_line_are_named() {
    let server = TestServer::start();
    std::fs::set_permissions(server.folder(), std::fs::Permissions::from_mode(0o755)).unwrap();
    server.set_faults(&json!([{ "path": "/v2/bot/info", "kind": "status", "status": 401 }]));
    server.line.platform.set_webhook(Some("https://elsewhere.example/".to_owned()));

    let (code, levels, text) = of_server(&server);

    assert_eq!(code, 1);
    for check in ["token", "webhook", "webhook test", "data directory"] {
        check_level(&levels, check, "fail");
    }
    check_level(&levels, "database", "ok");
    assert!(text.contains("elsewhere.example") && text.contains("chmod 700"), "{text}");
}

#[test]
fn a_network_failure_is_reported_once_and_accounts_are_known_before_the_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let id = "d9d32881-12fd-4b19-a6b2-6d5ffb6acd76";
    let account = format!("[[accounts]]\nid = \"{id}\"\ncustomer = \"x\"\nsecret = \"s\"\ntoken = \"t\"\n");
    std::fs::write(folder.path().join("kaiwa.toml"), account).unwrap();
    let file = folder.path().join("kaiwa.toml").display().to_string();
    let data = folder.path().join("data");

    for nowhere in ["http://127.0.0.1:1", "http://[::1]:1"] {
        let settings = [("KAIWA_LINE__API_BASE", nowhere), ("KAIWA_LISTEN", "127.0.0.1:1")];
        let (code, levels, text) = examine_with(&["--config", &file], &data, &settings);

        assert_eq!(code, 1, "{text}");
        let failed: Vec<_> = levels.iter().filter(|(_, level)| level == "fail").collect();
        assert_eq!(failed, [&("network".to_owned(), "fail".to_owned())], "{text}");
        for check in ["clock", "token", "chat mode", "webhook", "webhook test", "quota"] {
            check_level(&levels, check, "skipped");
        }
        assert!(!text.contains("new token"), "{text}");
        assert!(!data.exists(), "nothing is made");
    }
}

/// The remedy of each check before the first start, when LINE responds to everything with this.
fn remedies(response: &str) -> Vec<(String, String)> {
    let line = ExternalServer::start(response.as_bytes());
    let folder = tempfile::tempdir().unwrap();
    let id = "d9d32881-12fd-4b19-a6b2-6d5ffb6acd76";
    let account = format!("[[accounts]]\nid = \"{id}\"\ncustomer = \"x\"\nsecret = \"s\"\ntoken = \"t\"\n");
    let file = folder.path().join("kaiwa.toml");
    std::fs::write(&file, account).unwrap();
    let settings = [("KAIWA_LINE__API_BASE", line.url.as_str()), ("KAIWA_LISTEN", "127.0.0.1:1")];

    let (_, _, text) =
        examine_with(&["--config", file.to_str().unwrap()], &folder.path().join("data"), &settings);

    let findings = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = |check: &Value| word(check).replace(&format!("account {id} "), "");
    findings.map(|finding| (name(&finding["check"]), word(&finding["remedy"]))).collect()
}

#[test]
fn each_remedy_fits_the_response() {
    let date = "date: Sat, 28 Nov 2026 06:00:00 GMT\r\n";
    let (later, between, none) = ("try again later", "unlikely to be LINE", "");
    let responses = [
        ("401 Unauthorized", date, "{}", "new token", none),
        ("403 Forbidden", date, "{}", "permissions", "permissions"),
        ("404 Not Found", date, "{}", between, "conversations/setup"),
        ("429 Too Many Requests", date, "{}", later, later),
        ("302 Found", date, "", between, between),
        ("500 Internal Server Error", date, "{}", later, later),
        ("503 Service Unavailable", date, "oops", later, later),
        ("200 OK", date, "<html>sign in</html>", later, later),
        ("401 Unauthorized", "", "{}", "new token", none),
        ("401 Unauthorized", "date: yesterday\r\n", "{}", "new token", none),
        ("503 Service Unavailable", "", "oops", later, later),
        ("200 OK", "", "<html>sign in</html>", later, later),
    ];
    for (status, date, body, of_token, of_webhook) in responses {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\n{date}content-length: {length}\r\nconnection: close\r\n\r\n");
        let found = remedies(&format!("{head}{body}"));

        let of = |check: &str| &found.iter().find(|(name, _)| name == check).unwrap().1;
        assert!(found.iter().all(|(name, _)| name != "network"), "{status}: {found:?}");
        assert!(of("token").contains(of_token), "{status}: {found:?}");
        assert!(of("webhook").contains(of_webhook), "{status}: {found:?}");
        assert!(of_webhook != none || of("webhook").is_empty(), "{status}: {found:?}");
        let new_tokens = found.iter().filter(|(_, remedy)| remedy.contains("new token")).count();
        assert_eq!(new_tokens, usize::from(status.starts_with("401")), "{status}: {found:?}");
        assert_eq!(of("clock").contains(between), !date.contains("2026"), "{status}: {found:?}");
    }
}

#[actix_web::test]
async fn a_provisioned_account_is_checked_before_the_first_start() {
    let line = Line::start();
    let channel = line.platform.channel();
    let folder = tempfile::tempdir().unwrap();
    let account = format!(
        "[[accounts]]\nid = \"d9d32881-12fd-4b19-a6b2-6d5ffb6acd76\"\ncustomer = \"x\"\nsecret = {:?}\ntoken = {:?}\n",
        channel.secret.expose(),
        channel.token.expose()
    );
    let file = folder.path().join("kaiwa.toml");
    std::fs::write(&file, account).unwrap();
    let settings = [("KAIWA_LINE__API_BASE", line.url.as_str()), ("KAIWA_LISTEN", "127.0.0.1:1")];
    let arguments = ["--config", file.to_str().unwrap()];

    let (code, levels, text) = examine_with(&arguments, &folder.path().join("data"), &settings);

    assert_eq!(code, 0, "{text}");
    for (check, level) in
        [("clock", "ok"), ("token", "ok"), ("webhook", "warn"), ("webhook test", "skipped"), ("quota", "ok")]
    {
        check_level(&levels, check, level);
    }
    line.platform.with(|state| state.saved_mut().channel.token = Secret::new("another"));
    let (code, levels, text) = examine_with(&arguments, &folder.path().join("data"), &settings);
    assert_eq!(code, 1, "{text}");
    check_level(&levels, "token", "fail");
    check_level(&levels, "quota", "skipped");
}

#[actix_web::test]
async fn a_missing_key_and_a_damaged_database_are_found() {
    let mut server = TestServer::start();
    server.stop_and_wait();
    std::fs::remove_file(server.folder().join("secret.key")).unwrap();

    let (code, levels, _) = of_server(&server);

    assert_eq!(code, 1);
    check_level(&levels, "secrets", "fail");
    check_level(&levels, "database", "ok");
    std::fs::write(server.database(), "this is no database").unwrap();
    check_level(&of_server(&server).1, "database", "fail");
}

#[actix_web::test]
async fn files_that_others_can_read_are_named() {
    let server = TestServer::start();
    let (settings, key) = (server.folder().join("kaiwa.toml"), server.folder().join("jwt.key"));
    std::fs::set_permissions(server.folder(), std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::set_permissions(server.database(), std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::write(&key, KEY).unwrap();
    std::fs::write(&settings, format!("auth.jwt_key_file = {key:?}")).unwrap();
    for path in [&settings, &key] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }

    let mut command = Command::new(env!("CARGO_BIN_EXE_kaiwa"));
    command
        .args(["doctor", "--config"])
        .arg(&settings)
        .env_clear()
        .env("KAIWA_DATA_DIRECTORY", server.folder());
    let output = command.output().unwrap();

    let text = String::from_utf8(output.stdout).unwrap();
    let [settings, key] = [&settings, &key].map(|path| path.display().to_string());
    assert!(
        text.contains(&format!("warn  configuration: everyone on this machine can read {settings}")),
        "{text}"
    );
    assert!(text.contains(&format!("fail  secret file: everyone on this machine can read {key}")), "{text}");
    assert!(text.contains("fail  files: accessible to others in the data directory: 3 files"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn before_the_first_start_only_missing_settings_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("not-there");

    let (code, levels, _) = examine(&nowhere, &[]);
    let (refused, _, text) = examine(&nowhere, &[("KAIWA_WORKERS", "many")]);

    assert_eq!(code, 0);
    check_level(&levels, "public_url", "warn");
    assert!(!nowhere.exists(), "nothing is made");
    assert_eq!(refused, 1);
    assert!(text.contains("KAIWA_WORKERS"), "{text}");
    assert_eq!(examine(&nowhere, &[("KAIWA_AUTH__JWT_KEY", "short")]).0, 1);
}
