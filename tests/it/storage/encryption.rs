//! Channel secrets and tokens in the database: encrypted, bound to their rows, and re-encrypted with another key.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use kaiwa::config::key_source::KeySource;
use kaiwa::error::Error;
use kaiwa::model::accounts::account::{Account, Credential, DeliveryMode, NewAccount};
use kaiwa::model::accounts::customer::ProfileChange;
use kaiwa::model::id::{AccountId, CustomerId};
use kaiwa::model::secret::Secret;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::store::accounts::customers;
use kaiwa::store::{Store, accounts};
use rusqlite::Connection;
use serde_json::json;

use crate::harness::server::{KEY, TestServer, text_event};

/// A database of version 1, with plaintext secrets.
const VERSION_1: &str = include_str!("../fixtures/version_1.sql");

/// The number of accounts to re-encrypt: enough to take a moment.
const ACCOUNTS: usize = 300;

/// Whether any file in the folder contains these bytes.
fn holds(folder: &Path, text: &str) -> bool {
    folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        let found = std::fs::read(&path).unwrap_or_default();
        found.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn key_file(folder: &Path) -> PathBuf {
    folder.join("secret.key")
}

fn open(folder: &Path) -> Result<Store, Error> {
    Store::open(&folder.join("kaiwa.db"), &KeySource::File(key_file(folder)), 1_000)
}

/// A database with this many accounts, each with its own secret and token.
fn fill(folder: &Path, count: usize) {
    let now = Timestamp::now();
    let customer = CustomerId::new(now);
    let make = move |tx: &kaiwa::store::engine::transaction::Transaction<'_>| {
        customers::introduce(tx, customer, &ProfileChange::default())?;
        (0..count).try_for_each(|number| {
            let account = NewAccount {
                id: AccountId::new(now),
                name: number.to_string(),
                detail: String::new(),
                secret: Secret::new(format!("canary-secret-{number}")),
                secret_next: None,
                credential: Credential::Token(Secret::new(format!("canary-token-{number}"))),
                delivery_mode: DeliveryMode::default(),
            };
            accounts::create(tx, customer, &account)
        })
    };
    open(folder).unwrap().write_blocking(now, move |tx| make(tx)).unwrap();
}

fn read(store: &Store) -> Result<Vec<Account>, Error> {
    store.reader()?.read(accounts::list)
}

/// Opens a copy: a process that another test is spawning briefly inherits our file handles, and with one of them the lock,
/// so that the next process would find the original locked.
#[track_caller]
fn check_all_open(folder: &Path, count: usize) {
    let copy = tempfile::tempdir().unwrap();
    for file in folder.read_dir().unwrap().map(Result::unwrap).filter(|file| file.path().is_file()) {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let accounts = read(&open(copy.path()).unwrap()).unwrap();

    assert_eq!(accounts.len(), count);
    for account in accounts {
        assert_eq!(account.secret.expose(), format!("canary-secret-{}", account.name));
        assert_eq!(account.token.expose(), format!("canary-token-{}", account.name));
    }
}

fn kaiwa(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kaiwa"));
    command.args(arguments).env_clear().env("KAIWA_AUTH__JWT_KEY", KEY).env("KAIWA_DATA_DIRECTORY", folder);
    command
}

#[track_caller]
fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[track_caller]
fn check_unusable(mut command: Command, words: &str) {
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();

    assert_eq!(output.status.code(), Some(78), "{errors}");
    assert!(errors.contains(words), "{errors:?} does not say {words:?}");
}

#[actix_web::test]
async fn no_secret_or_token_is_in_any_byte_of_the_data_directory() {
    let mut server = TestServer::start();
    let account = json!({ "type": "line", "secret": "canary-secret", "token": "canary-token" });
    let id = server.post("/v1.0/conversation_accounts", &account).await.json()["id"].clone();
    let path = format!("/v1.0/conversation_accounts/{}", id.as_str().unwrap());
    let change = json!({ "secret": "canary-second", "secret_next": "canary-next", "token": "canary-fresh" });
    assert_eq!(server.put(&path, &change).await.status, 200);
    let channel = server.line.platform.channel();
    let all = ["canary-secret", "canary-token", "canary-second", "canary-next", "canary-fresh"];

    let none_is_there = |server: &TestServer| {
        let declared = [channel.secret.expose(), channel.token.expose()];
        for secret in all.into_iter().chain(declared) {
            assert!(!holds(server.folder(), secret), "{secret}");
        }
    };

    none_is_there(&server);
    server.restart();
    none_is_there(&server);
    assert!(holds(server.folder(), "sealed1:"));
    let event = text_event(&server.user("Alice"), "hello");
    assert_eq!(server.webhook(&[event]).await.status, 200, "the secret is still known");
}

#[test]
fn a_secret_moved_to_another_row_or_column_is_rejected() {
    for steal in [
        "UPDATE accounts SET token = (SELECT token FROM accounts WHERE name = '1') WHERE name = '0'",
        "UPDATE accounts SET token = secret WHERE name = '0'",
        "UPDATE accounts SET token = 'canary-token-0' WHERE name = '0'",
    ] {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), 2);
        Connection::open(folder.path().join("kaiwa.db")).unwrap().execute(steal, []).unwrap();

        let read = read(&open(folder.path()).unwrap()).unwrap();

        assert!(read[1].token.expose().starts_with("canary-token-1"), "{steal}: the other is as it was");
        let unknown = read[0].token.expose();
        assert!(unknown.len() == 64 && !unknown.contains("canary"), "{steal}: an unknown secret");
    }
}

#[test]
fn secrets_of_an_earlier_version_are_encrypted_on_opening() {
    let folder = tempfile::tempdir().unwrap();
    Connection::open(folder.path().join("kaiwa.db")).unwrap().execute_batch(VERSION_1).unwrap();
    let secrets =
        ["channel-secret-1", "channel-token-1", "channel-secret-2", "channel-secret-next", "short-lived"];
    assert!(secrets.iter().all(|secret| holds(folder.path(), secret)));

    let accounts = read(&open(folder.path()).unwrap()).unwrap();

    assert_eq!([accounts[0].secret.expose(), accounts[0].token.expose()], secrets[..2]);
    assert_eq!(accounts[1].secret_next.as_ref().unwrap().expose(), "channel-secret-next");
    // The copy made before the migration is the old file, unchanged.
    std::fs::remove_file(folder.path().join("kaiwa.db.version-1")).unwrap();
    assert!(secrets.iter().all(|secret| !holds(folder.path(), secret)));
}

#[test]
fn a_database_does_not_open_without_its_key_and_stays_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 1);
    let before = std::fs::read(folder.path().join("kaiwa.db")).unwrap();
    let (path, aside) = (key_file(folder.path()), folder.path().join("aside"));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let given = |key: &str| {
        let mut command = kaiwa(folder.path(), &["migrate"]);
        command.env("KAIWA_STORAGE__SECRET_KEY", key);
        command
    };

    std::fs::rename(&path, &aside).unwrap();
    check_unusable(kaiwa(folder.path(), &["serve"]), "there is no key in");
    check_unusable(kaiwa(folder.path(), &["account", "list"]), "there is no key in");
    check_unusable(given(&"0f".repeat(32)), "storage.secret_key (or its file) is another key");
    check_unusable(given("short"), "64 hexadecimal digits");
    assert!(!path.exists(), "no new key replaces a missing one");
    std::fs::write(&path, "0f".repeat(32)).unwrap();
    check_unusable(kaiwa(folder.path(), &["serve"]), "holds another key");

    assert!(std::fs::read(folder.path().join("kaiwa.db")).unwrap() == before, "not a byte was changed");
    succeed(given(std::fs::read_to_string(&aside).unwrap().trim()));
    std::fs::rename(&aside, &path).unwrap();
    check_all_open(folder.path(), 1);
}

#[test]
fn a_key_rotation_reencrypts_everything_and_leaves_nothing_of_the_old_key() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 3);
    let old = std::fs::read_to_string(key_file(folder.path())).unwrap();

    let report = succeed(kaiwa(folder.path(), &["secrets", "rotate", "--json"])).stdout;

    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let id = |name: &str| report[name].as_str().unwrap();
    assert!(holds(folder.path(), id("to")) && !holds(folder.path(), id("from")));
    assert!(!holds(folder.path(), old.trim()));
    assert_eq!(key_file(folder.path()).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    check_all_open(folder.path(), 3);
}

#[test]
fn a_key_rotation_names_secrets_that_cannot_be_decrypted_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 3);
    let database = folder.path().join("kaiwa.db");
    let change = |sql: &str| Connection::open(&database).unwrap().execute_batch(sql).unwrap();
    let text = |sql: &str| -> String {
        Connection::open(&database).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let intact = text("SELECT token FROM accounts WHERE name = '1'");
    change("UPDATE accounts SET token = replace(token, 'sealed1', 'sealed0') WHERE name = '1'");
    let damaged = text("SELECT group_concat(secret || token) FROM accounts");
    let key = std::fs::read(key_file(folder.path())).unwrap();
    let sql = "SELECT id FROM accounts WHERE name = '1'";
    let id = Connection::open(&database).unwrap().query_row(sql, [], |row| row.get(0)).unwrap();
    let id = AccountId::from_bytes(id);

    let rotate = || kaiwa(folder.path(), &["secrets", "rotate"]);
    check_unusable(rotate(), &format!("does not open these secrets: accounts.token of {id} \"1\". "));
    check_unusable(rotate(), "PUT /v1.0/conversation_accounts/{id}");

    assert_eq!(text("SELECT group_concat(secret || token) FROM accounts"), damaged);
    assert_eq!(std::fs::read(key_file(folder.path())).unwrap(), key);
    change(&format!("UPDATE accounts SET token = '{intact}' WHERE name = '1'"));
    succeed(rotate());
    check_all_open(folder.path(), 3);
}

#[test]
fn a_configured_key_is_rotated_to_the_one_listed_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = ("aa".repeat(32), "bb".repeat(32));
    let with = |keys: String, arguments: &[&str]| {
        let mut command = kaiwa(folder.path(), arguments);
        command.env("KAIWA_STORAGE__SECRET_KEY", keys);
        command
    };
    succeed(with(old.clone(), &["migrate"]));

    check_unusable(with(old.clone(), &["secrets", "rotate"]), "put the new one before it");
    let both = format!("{new} {old}");
    succeed(with(both.clone(), &["migrate"]));
    succeed(with(both.clone(), &["secrets", "rotate"]));

    succeed(with(both, &["migrate"]));
    succeed(with(new, &["migrate"]));
    check_unusable(with(old, &["migrate"]), "another key");
    assert!(!key_file(folder.path()).exists());
}

#[test]
fn a_killed_key_rotation_leaves_a_database_that_opens_and_can_be_rotated() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), ACCOUNTS);
    let keys = || std::fs::read_to_string(key_file(folder.path())).unwrap().lines().count();

    for round in 0..12 {
        let mut rotate = kaiwa(folder.path(), &["secrets", "rotate"]);
        let mut rotate = rotate.stdout(Stdio::null()).spawn().unwrap();
        // Both keys exist: from now on the secrets are being re-encrypted.
        while keys() < 2 && rotate.try_wait().unwrap().is_none() {}
        let later = Instant::now() + Duration::from_micros(500) * round;
        while Instant::now() < later {}
        rotate.kill().unwrap();
        rotate.wait().unwrap();

        check_all_open(folder.path(), ACCOUNTS);
    }

    succeed(kaiwa(folder.path(), &["secrets", "rotate"]));
    assert_eq!(keys(), 1);
    check_all_open(folder.path(), ACCOUNTS);
}
