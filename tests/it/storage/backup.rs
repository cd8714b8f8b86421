//! Backups: made beside a running server, complete or rejected, and safe to start from.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use kaiwa::config::key_source::KeySource;
use kaiwa::config::section::Checkpoint;
use kaiwa::error::Error;
use kaiwa::metrics::Backups;
use kaiwa::model::accounts::account::DeliveryMode;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::store::backup::restore::{restore, verify};
use kaiwa::store::backup::{self, BackupSummary};
use kaiwa::store::engine::lock::Lock;
use kaiwa::store::files::hashing::Cancel;
use kaiwa::store::files::media_store::MediaStore;
use kaiwa::worker::backups::BackupWorker;
use rusqlite::Connection;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use crate::harness::eventually;
use crate::harness::feed::Feed;
use crate::harness::server::{TestServer, text_event};
use crate::media::{media_once, noise, send};

const DATABASE: &str = "kaiwa.db";

fn back_up(server: &TestServer, file: &Path) -> BackupSummary {
    let folder = MediaStore::open(server.folder()).unwrap();
    backup::write(&server.database(), &folder, file, Timestamp::now(), &Cancel::default()).unwrap()
}

/// A server with an image, a text, and a backup of both.
async fn backed_up() -> (TestServer, TempDir, PathBuf) {
    let server = TestServer::start();
    server.webhook(&[text_event(&server.user("Bob"), "in the backup")]).await;
    send(&server, "image", noise(1, 300_000)).await;
    media_once(&server, "stored").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kaiwa.tar");
    back_up(&server, &file);
    (server, folder, file)
}

/// No key: secrets are not decrypted.
fn keys() -> KeySource {
    KeySource::File("no key".into())
}

fn count(database: &Path, sql: &str) -> i64 {
    Connection::open(database).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let names = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[actix_web::test]
async fn a_backup_contains_everything_acknowledged_before_it_while_writes_continue() {
    let server = TestServer::start();
    send(&server, "image", noise(1, 300_000)).await;
    media_once(&server, "stored").await;
    let user = server.user("Bob");
    let conversation = server.conversation_with(&user).await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("data");

    for number in 0..5 {
        let text = format!("acknowledged before backup {number}");
        server.webhook(&[text_event(&user, &text)]).await;
        let file = folder.path().join(format!("{number}.tar"));
        let made = {
            let (database, folder, file) =
                (server.database(), MediaStore::open(server.folder()).unwrap(), file.clone());
            std::thread::spawn(move || {
                backup::write(&database, &folder, &file, Timestamp::now(), &Cancel::default())
            })
        };
        while !made.is_finished() {
            assert_eq!(server.webhook(&[text_event(&user, "meanwhile")]).await.status, 200);
        }
        made.join().unwrap().unwrap();
        assert!(verify(&file, &keys(), Timestamp::now()).unwrap().findings.is_empty());
        std::fs::remove_dir_all(&target).ok();
        restore(&file, &target, Path::new(DATABASE), Timestamp::now()).unwrap();
        let found = format!("SELECT count(*) FROM messages WHERE text = '{text}'");
        assert_eq!(count(&target.join(DATABASE), &found), 1);
    }

    let stored = server.messages(&conversation).await;
    assert!(stored.iter().any(|message| message["text"] == "meanwhile"), "the server has gone on");
    assert_eq!(names(&target.join("media")), names(&server.folder().join("media")));
    assert_eq!(names(folder.path()).len(), 6, "five backups and a folder, and no temporary files");
}

#[actix_web::test]
async fn a_server_starts_from_a_backup_with_all_its_data() {
    let (mut server, folder, file) = backed_up().await;
    let (before, media) =
        (server.get("/v1.0/conversations").await.json(), media_once(&server, "stored").await);
    let path = media["uri"].as_str().unwrap();
    let bytes = crate::media::download(&server, path, &[]).await.body;
    let target = folder.path().join("restored/data");

    restore(&file, &target, Path::new(DATABASE), Timestamp::now()).unwrap();
    std::fs::copy(server.folder().join("secret.key"), target.join("secret.key")).unwrap();
    server.restart_with(|config| config.data_directory.clone_from(&target));

    assert_eq!(server.get("/v1.0/conversations").await.json(), before);
    assert_eq!(crate::media::download(&server, path, &[]).await.body, bytes);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&target), mode(&target.join(DATABASE))), (0o600, 0o700, 0o600));
    // Before its data, which is read once more.
    drop(server);
}

#[actix_web::test]
async fn a_feed_reader_from_before_a_restore_is_reset() {
    let (mut server, folder, file) = backed_up().await;
    let user = server.user("Alice");
    let mut feed = Feed::open(&server, "").await;
    server.webhook(&[text_event(&user, "after the backup")]).await;
    feed.until(|event| event.text() == "after the backup").await;
    let target = folder.path().join("data");

    restore(&file, &target, Path::new(DATABASE), Timestamp::now()).unwrap();
    std::fs::copy(server.folder().join("secret.key"), target.join("secret.key")).unwrap();
    server.restart_with(|config| config.data_directory.clone_from(&target));
    for number in 0..10 {
        server.webhook(&[text_event(&user, &format!("after the restore, number {number}"))]).await;
    }
    let mut again = Feed::open(&server, &format!("?last_event_id={}", feed.last_id)).await;
    server.webhook(&[text_event(&user, "live")]).await;

    assert_eq!(again.next().await.kind, "reset", "numbers from after the backup are not given again");
    again.until(|event| event.text() == "live").await;
    drop(server);
}

#[actix_web::test]
async fn a_message_waiting_in_a_backup_and_sent_since_is_not_executed_twice() {
    for mode in [DeliveryMode::PushOnly, DeliveryMode::PreferReply] {
        let mut server = TestServer::start_with(|config| {
            config.accounts[0].delivery_mode = Some(mode);
            config.delivery.wait = Duration::ZERO;
        });
        let user = server.user("Alice");
        let conversation = server.conversation_with(&user).await;
        server.set_faults(&json!([{ "kind": "stall", "path": "/v2/bot/message/", "count": 1 }]));
        for text in ["in flight", "behind it"] {
            server.say(&conversation, text).await;
        }
        let folder = tempfile::tempdir().unwrap();
        let (file, target) = (folder.path().join("kaiwa.tar"), folder.path().join("data"));
        back_up(&server, &file);
        server.set_faults(&json!([]));
        // A restart ends what hangs, and sends the rest.
        server.restart();
        eventually(|| server.executed(&user).contains(&"behind it".to_owned())).await;
        let executed = server.executed(&user);

        restore(&file, &target, Path::new(DATABASE), Timestamp::now()).unwrap();
        std::fs::copy(server.folder().join("secret.key"), target.join("secret.key")).unwrap();
        server.restart_with(|config| config.data_directory.clone_from(&target));

        let database = target.join(DATABASE);
        assert_eq!(server.get("/readyz").await.status, 200);
        eventually(|| count(&database, "SELECT count(*) FROM messages WHERE status = 'sending'") == 0).await;
        assert_eq!(server.executed(&user), executed, "{mode:?}");
        let unknown = "SELECT count(*) FROM messages WHERE failure_reason = 'outcome_unknown'";
        assert_eq!(count(&database, unknown), i64::from(mode == DeliveryMode::PreferReply) * 2, "{mode:?}");
        drop(server);
    }
}

#[actix_web::test]
async fn a_backup_with_a_changed_byte_is_rejected_and_leaves_nothing_behind() {
    let (_server, folder, file) = backed_up().await;
    let whole = std::fs::read(&file).unwrap();
    let (damaged, target) = (folder.path().join("damaged.tar"), folder.path().join("data"));
    // In the database, in the image, in the manifest, and in a name.
    let after = |needle: &[u8]| whole.windows(needle.len()).position(|window| window == needle).unwrap();
    let media = after(b"media/");
    for at in [600, media + 512 + 70_000, after(b"\"sha256\":\"") + 12, media + 8] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&damaged, bytes).unwrap();

        let found = verify(&damaged, &keys(), Timestamp::now());
        let refused = restore(&damaged, &target, Path::new(DATABASE), Timestamp::now());

        assert!(found.map_or(true, |judged| !judged.findings.is_empty()), "{at}");
        assert!(matches!(refused, Err(Error::Unusable(_))), "{at}: {refused:?}");
        assert!(!target.exists(), "{at}: something was left behind");
    }
    for length in [0, 100, 5_000, whole.len() / 2, whole.len() - 3_000] {
        std::fs::write(&damaged, &whole[..length]).unwrap();

        assert!(
            matches!(verify(&damaged, &keys(), Timestamp::now()), Err(Error::Unusable(_))),
            "cut at {length}"
        );
    }
    assert_eq!(names(folder.path()), ["damaged.tar", "kaiwa.tar"]);
}

#[test]
fn an_archive_with_paths_outside_is_rejected_and_touches_nothing_outside() {
    let folder = tempfile::tempdir().unwrap();
    let (file, target) = (folder.path().join("evil.tar"), folder.path().join("data"));
    let entries = [
        ("../outside", EntryType::Regular),
        ("media/../../outside", EntryType::Regular),
        ("/tmp/kaiwa-outside", EntryType::Regular),
        (DATABASE, EntryType::Symlink),
        ("media/0190a1b2-c3d4-4a00-8000-0000000f0001", EntryType::Link),
    ];
    for (name, kind) in entries {
        let mut builder = Builder::new(File::create(&file).unwrap());
        let mut header = Header::new_gnu();
        // Bypasses the checks of the library: the raw name in the header.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_link_name("../outside").unwrap();
        header.set_size(4);
        header.set_cksum();
        builder.append(&header, &b"evil"[..]).unwrap();
        builder.into_inner().unwrap().flush().unwrap();

        let refused = restore(&file, &target, Path::new(DATABASE), Timestamp::now());

        assert!(matches!(refused, Err(Error::Unusable(_))), "{name}: {refused:?}");
        assert_eq!(names(folder.path()), ["evil.tar"], "{name}");
        assert!(!Path::new("/tmp/kaiwa-outside").exists());
    }
}

#[actix_web::test]
async fn a_non_empty_directory_and_an_existing_file_are_not_overwritten() {
    let (server, folder, file) = backed_up().await;
    let target = folder.path().join("data");
    std::fs::create_dir(&target).unwrap();
    std::fs::write(target.join("precious"), "mine").unwrap();
    let before = std::fs::read(&file).unwrap();

    let restored = restore(&file, &target, Path::new(DATABASE), Timestamp::now());
    let media = MediaStore::open(server.folder()).unwrap();
    let written = backup::write(&server.database(), &media, &file, Timestamp::now(), &Cancel::default());

    assert!(matches!(restored, Err(Error::Conflict(_))) && matches!(written, Err(Error::Conflict(_))));
    assert_eq!(names(&target), ["precious"]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    std::fs::remove_file(target.join("precious")).unwrap();
    restore(&file, &target, Path::new(DATABASE), Timestamp::now()).unwrap();
    assert_eq!(names(&target), [DATABASE, "media"]);
}

#[actix_web::test]
async fn a_server_makes_scheduled_backups_and_keeps_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("backups");
    let server = TestServer::start_with(|config| {
        config.backup.directory = Some(directory.clone());
        config.backup.keep = 2;
    });
    server.webhook(&[text_event(&server.user("Bob"), "kept")]).await;
    let is_made = |name: &String| !name.starts_with('.');
    let made =
        || if directory.exists() { names(&directory).iter().filter(|name| is_made(name)).count() } else { 0 };
    eventually(|| made() == 1).await;
    let files = MediaStore::open(server.folder()).unwrap();
    let worker = BackupWorker::new(&server.shared().config, &files, Backups::default()).unwrap();
    let later = |hours| server.clock.now().after(Duration::from_hours(hours));

    let too_early = worker.step(later(23), &Cancel::default()).unwrap();
    let due = [25, 50].map(|hours| worker.step(later(hours), &Cancel::default()).unwrap());

    assert_eq!(too_early, None);
    assert!(due.iter().all(Option::is_some));
    assert_eq!(made(), 2, "the first has gone");
    for name in names(&directory) {
        let target = folder.path().join(&name);
        restore(&directory.join(name), &target, Path::new(DATABASE), Timestamp::now()).unwrap();
        assert_eq!(count(&target.join(DATABASE), "SELECT count(*) FROM messages WHERE text = 'kept'"), 1);
    }
}

#[actix_web::test]
async fn a_log_owned_by_another_process_is_truncated_only_by_that_process() {
    let mut server = TestServer::start_with(|config| config.storage.checkpoint = Checkpoint::External);
    let user = server.user("Bob");
    let other = Connection::open(server.database()).unwrap();
    let length = |ending: &str| {
        std::fs::metadata(server.folder().join(format!("{DATABASE}{ending}"))).map_or(0, |file| file.len())
    };
    let (file_before, mut log_before) = (length(""), length("-wal"));
    // As a replicating process does: its open read transaction prevents a reset of the log while it copies file and log.
    other.execute_batch("BEGIN; SELECT count(*) FROM messages").unwrap();
    for number in 0..30 {
        server.webhook(&[text_event(&user, &format!("message {number}"))]).await;
        assert!(length("-wal") >= log_before, "the log was reset");
        log_before = length("-wal");
    }
    let copy = tempfile::tempdir().unwrap();
    for ending in ["", "-wal"] {
        std::fs::copy(
            format!("{}{ending}", server.database().display()),
            copy.path().join(format!("copy.db{ending}")),
        )
        .unwrap();
    }

    let written = "SELECT count(*) FROM messages WHERE text LIKE 'message %'";
    assert_eq!(count(&copy.path().join("copy.db"), written), 30);
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(length(""), file_before, "the server has copied nothing into the file");
    let trimmed: (i64, i64, i64) =
        other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.try_into()).unwrap();
    assert_eq!((trimmed.0, length("-wal")), (0, 0), "the other process can");
    server.webhook(&[text_event(&user, "message 30")]).await;
    drop(other);
    server.halt();
    eventually(|| Lock::take(&server.database()).is_ok()).await;
    let left = std::fs::metadata(server.folder().join("kaiwa.db-wal")).map_or(0, |log| log.len());
    assert!(left > 0, "the log stays for the other process when the server stops");
    server.restart();
    assert_eq!(count(&server.database(), written), 31);
}

fn kaiwa(server: &TestServer, arguments: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kaiwa"));
    command.args(arguments).env_clear().env("KAIWA_DATA_DIRECTORY", server.folder());
    command.current_dir(server.folder()).output().unwrap()
}

#[actix_web::test]
async fn backup_restore_and_verify_work_beside_a_running_server() {
    let (server, folder, _) = backed_up().await;
    let (file, data) = (folder.path().join("by-command.tar"), folder.path().join("data"));
    let path = Path::new;
    let printed = |arguments: &[&Path]| -> Value {
        let output = kaiwa(&server, arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };

    let made = printed(&[path("backup"), &file, path("--json")]);
    let restored = printed(&[path("restore"), &file, path("--data"), &data, path("--json")]);
    let verified = printed(&[path("verify"), server.folder(), path("--json")]);

    assert_eq!((&made["media_files"], &made["media_lost"]), (&json!(1), &json!(0)));
    assert_eq!(restored["created_at"], made["created_at"]);
    assert_eq!((&verified["findings"], &verified["media_files"]), (&json!([]), &json!(1)));
    let image = server.folder().join("media").read_dir().unwrap().next().unwrap().unwrap().path();
    let whole = image.with_extension("");
    std::fs::write(&whole, "something else").unwrap();
    let damaged = kaiwa(&server, &[path("verify"), server.folder()]);
    assert_eq!(damaged.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&damaged.stdout).contains("is not what was stored"));
    std::fs::remove_file(&whole).unwrap();
    let lost = kaiwa(&server, &[path("backup"), &folder.path().join("lost.tar")]);
    assert_eq!(lost.status.code(), Some(78), "a lost file is reported, and the backup exists anyway");
    assert_eq!(
        verify(&folder.path().join("lost.tar"), &keys(), Timestamp::now()).unwrap().summary.media_lost,
        1
    );
}
