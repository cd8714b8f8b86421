//! A missing database: it is not mistaken for a new installation, and a server that loses it at runtime exits.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use crate::command::program::{Serving, check_refused, kaiwa, succeed};

/// Every command that creates a missing database.
const MAKERS: [&[&str]; 7] = [
    &["serve"],
    &["migrate"],
    &["customer", "add", "--name", "a"],
    &["erase", "--user", "U7683552461e9b025b065b7f1f45860b9"],
    &["replay", "--since", "2026-01-01 00:00:00.000000"],
    &["webhooks", "rotate", "--customer", "a"],
    &["account", "add", "--customer", "a", "--secret-file", "s", "--channel-id", "1"],
];

/// Every command that needs a database.
const USERS: [&[&str]; 6] = [
    &["secrets", "rotate"],
    &["backup", "../backup.tar"],
    &["verify", "kaiwa-data"],
    &["customer", "list"],
    &["token", "--customer", "a"],
    &["webhooks", "list", "--customer", "a"],
];

/// A folder with `kaiwa-data` as a server leaves it, and a backup beside it.
fn installed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["customer", "add", "--name", "a"]);
    fs::write(folder.path().join("s"), "0123456789abcdef").unwrap();
    fs::create_dir(folder.path().join("backups")).unwrap();
    succeed(folder.path(), &["backup", "backups/monday.tar"]);
    folder
}

fn data(folder: &Path) -> PathBuf {
    folder.join("kaiwa-data")
}

/// A snapshot of a folder, by path: it differs once a command has touched anything.
fn everything(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(everything(&path));
        }
        found.insert(path.clone(), fs::read(&path).unwrap_or_default());
    }
    found
}

/// Leaves remains in a data folder.
type Leave = fn(&Path);

/// The possible remains of a database, and functions that produce them.
const LEFT: [(&str, Leave); 17] = [
    ("kaiwa.db-wal", |data| fs::write(data.join("kaiwa.db-wal"), "rows").unwrap()),
    ("kaiwa.db-wal", |data| {
        fs::write(data.join("kaiwa.db"), "").unwrap();
        fs::write(data.join("kaiwa.db-wal"), "").unwrap();
    }),
    ("kaiwa.db-journal", |data| fs::write(data.join("kaiwa.db-journal"), "pages").unwrap()),
    ("media", |data| fs::write(data.join("media/01a20644-f95c-7717-97b7-0888b5389fe6"), "p").unwrap()),
    ("media", |data| fs::write(data.join("media/01a20644-f95c-7717-97b7-0888b5389fe6.part"), "").unwrap()),
    ("kaiwa.db.old", |data| drop(fs::rename(data.join("away"), data.join("kaiwa.db.old")))),
    ("precious", |data| drop(fs::rename(data.join("../backups/monday.tar"), data.join("precious")))),
    ("unfinished", |data| {
        fs::create_dir(data.join("unfinished")).unwrap();
        fs::write(data.join("unfinished/kaiwa.db"), "half").unwrap();
    }),
    ("kaiwa.db", |data| symlink("/nowhere/kaiwa.db", data.join("kaiwa.db")).unwrap()),
    ("monday.tar", |data| {
        fs::write(data.join("../kaiwa.toml"), "backup.directory = \"backups\"").unwrap();
    }),
    ("monday.tar", |data| {
        fs::write(data.join("../kaiwa.toml"), "backup.directory = \"backups\"").unwrap();
        fs::rename(data, data.with_file_name("elsewhere")).unwrap();
    }),
    ("old/kaiwa.db", |data| {
        fs::create_dir(data.join("old")).unwrap();
        fs::rename(data.join("away"), data.join("old/kaiwa.db")).unwrap();
    }),
    ("backups/monday.tar", |data| {
        fs::rename(data.join("../backups"), data.join("backups")).unwrap();
    }),
    ("monday.tar.gz", |data| fs::write(data.join("monday.tar.gz"), b"\x1f\x8b\x08").unwrap()),
    ("old/kaiwa.db.zst", |data| {
        fs::create_dir(data.join("old")).unwrap();
        fs::write(data.join("old/kaiwa.db.zst"), b"\x28\xb5\x2f\xfd").unwrap();
    }),
    ("monday.tar.xz", |data| {
        fs::write(data.join("../kaiwa.toml"), "backup.directory = \"backups\"").unwrap();
        fs::write(data.join("../backups/monday.tar.xz"), b"\xfd7zXZ\0").unwrap();
        fs::remove_file(data.join("../backups/monday.tar")).unwrap();
    }),
    ("before-2026-11-25T03-18-14.000000", |data| {
        let aside = data.join("before-2026-11-25T03-18-14.000000");
        fs::create_dir(&aside).unwrap();
        fs::rename(data.join("media"), aside.join("media")).unwrap();
    }),
];

fn gone(leave: fn(&Path)) -> tempfile::TempDir {
    let folder = installed();
    let data = data(folder.path());
    fs::create_dir_all(data.join("media")).unwrap();
    fs::rename(data.join("kaiwa.db"), data.join("away")).unwrap();
    // A read-only connection leaves an empty log behind.
    for companion in ["kaiwa.db-wal", "kaiwa.db-shm"] {
        fs::remove_file(data.join(companion)).ok();
    }
    fs::write(folder.path().join("kaiwa.toml"), "").unwrap();
    leave(&data);
    fs::remove_file(data.join("away")).ok();
    folder
}

#[test]
fn no_new_database_replaces_the_remains_of_one_and_nothing_is_touched() {
    for (number, (name, leave)) in LEFT.into_iter().enumerate() {
        let folder = gone(leave);
        let before = everything(folder.path());
        // All creating commands for a remaining log, which SQLite would delete; one command for each of the others.
        let makers = if number < 2 { &MAKERS[..] } else { &MAKERS[..1] };

        for maker in makers {
            let command = kaiwa(folder.path(), &[*maker, &["--config", "kaiwa.toml"]].concat());
            check_refused(command, 78, name);
            assert_eq!(everything(folder.path()), before, "{name}: {maker:?}");
        }
    }
}

#[test]
fn commands_that_use_a_database_do_not_touch_the_log_of_a_missing_one() {
    for (_, leave) in &LEFT[..2] {
        let folder = gone(*leave);
        let before = everything(folder.path());

        for user in USERS {
            check_refused(kaiwa(folder.path(), user), 78, "there is no database");
            assert_eq!(everything(folder.path()), before, "{user:?}");
        }
    }
}

#[test]
fn doctor_reports_a_missing_database_and_touches_nothing() {
    for (name, leave) in LEFT {
        let folder = gone(leave);
        let before = everything(folder.path());

        let output = kaiwa(folder.path(), &["doctor", "--json", "--config", "kaiwa.toml"]).output().unwrap();

        let found = String::from_utf8(output.stdout).unwrap();
        let found: Vec<Value> = found.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of_database: Vec<_> = found.iter().filter(|finding| finding["check"] == "database").collect();
        assert_eq!(of_database.len(), 1, "{found:?}");
        assert_eq!(of_database[0]["level"], "fail");
        assert!(of_database[0]["message"].as_str().unwrap().contains(name), "{of_database:?}");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(everything(folder.path()), before, "{name}");
    }
}

#[test]
fn a_new_database_is_created_on_request_and_the_remains_are_set_aside() {
    let begin: [(&[&str], bool); 2] = [(&["migrate", "--new"], false), (&["serve", "--new"], true)];
    for (arguments, serves) in begin {
        let folder = gone(|data| {
            fs::write(data.join("kaiwa.db-wal"), "rows").unwrap();
            fs::write(data.join("media/01a20644-f95c-7717-97b7-0888b5389fe6"), "picture").unwrap();
        });
        if serves {
            drop(Serving::start(kaiwa(folder.path(), arguments)));
        } else {
            succeed(folder.path(), arguments);
        }

        let data = data(folder.path());
        let aside = data.read_dir().unwrap().map(|entry| entry.unwrap().path());
        let aside: Vec<_> = aside.filter(|path| path.display().to_string().contains("/before-")).collect();
        assert_eq!(aside.len(), 1);
        assert_eq!(fs::read(aside[0].join("kaiwa.db-wal")).unwrap(), b"rows");
        assert_eq!(
            fs::read(aside[0].join("media/01a20644-f95c-7717-97b7-0888b5389fe6")).unwrap(),
            b"picture"
        );
        succeed(folder.path(), &["migrate"]);
        check_refused(kaiwa(folder.path(), &["migrate", "--new"]), 78, "there is a database");
    }
}

#[test]
fn nothing_is_set_aside_when_no_new_database_can_be_created() {
    let hopeless: [(&str, Leave); 4] = [
        ("a link that leads nowhere", |data| symlink("nowhere", data.join("kaiwa.db")).unwrap()),
        ("a link that leads nowhere", |data| symlink("/nowhere/kaiwa.db", data.join("kaiwa.db")).unwrap()),
        ("there is no folder", |data| {
            fs::write(data.join("../kaiwa.toml"), "database_file = \"missing/kaiwa.db\"").unwrap();
        }),
        ("secret.key", |data| fs::write(data.join("secret.key"), "no key").unwrap()),
    ];
    for (expected, leave) in hopeless {
        let folder = gone(leave);
        let data = data(folder.path());
        for name in ["kaiwa.db-wal", "kaiwa.db-shm", "media/01a20644-f95c-7717-97b7-0888b5389fe6"] {
            fs::write(data.join(name), "rows").unwrap();
        }
        let before = everything(folder.path());

        for command in ["migrate", "serve"] {
            let mut refused = kaiwa(folder.path(), &[command, "--new", "--config", "kaiwa.toml"]);
            refused.env("KAIWA_AUTH__JWT_KEY", "0123456789abcdef0123456789abcdef");
            check_refused(refused, 78, expected);
            assert_eq!(everything(folder.path()), before, "{expected}: {command}");
        }
    }
}

#[test]
fn a_key_or_an_interrupted_start_is_not_a_missing_database() {
    let fresh: [fn(&Path); 8] = [
        |_| {},
        |data| fs::write(data.join("secret.key"), "00ff".repeat(16)).unwrap(),
        |data| fs::write(data.join("kaiwa.db"), "").unwrap(),
        |data| {
            fs::write(data.join("kaiwa.db"), "").unwrap();
            fs::write(data.join("kaiwa.db-journal"), "pages").unwrap();
            fs::write(data.join("kaiwa.db.lock"), "").unwrap();
        },
        |data| {
            fs::write(data.join("kaiwa.db"), "").unwrap();
            fs::write(data.join("secret.key"), "00ff".repeat(16)).unwrap();
        },
        |data| fs::create_dir_all(data.join("media/lost+found")).unwrap(),
        |data| {
            fs::create_dir_all(data.join("before-christmas")).unwrap();
            fs::create_dir_all(data.join("photos")).unwrap();
            fs::write(data.join("photos/notes.gz"), b"\x1f\x8b").unwrap();
            fs::write(data.join("photos/notes.db"), "SQLite format 3\0").unwrap();
            fs::write(data.join("lists.tar.txt"), "somebody's").unwrap();
        },
        |data| {
            fs::create_dir(data.join("lost+found")).unwrap();
            fs::write(data.join("notes.tar"), "somebody's").unwrap();
        },
    ];
    for begin in fresh {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(data(folder.path())).unwrap();
        begin(&data(folder.path()));

        succeed(folder.path(), &["migrate"]);
    }
}

#[test]
fn a_server_does_not_start_without_its_media_folder_but_does_with_an_empty_one() {
    let folder = installed();
    let media = data(folder.path()).join("media");
    fs::create_dir_all(&media).unwrap();
    fs::remove_dir(&media).unwrap();
    drop(Serving::start(kaiwa(folder.path(), &["serve"])));
    assert!(media.is_dir(), "without files one is made");
    let row = "INSERT INTO medias (id, customer, kind, status, filename, size, sha256, tm_create)
               SELECT zeroblob(16), key, 'file', 'stored', '', 3, zeroblob(32), 1 FROM customers";
    let inserted = Connection::open(data(folder.path()).join("kaiwa.db")).unwrap().execute(row, []);
    assert_eq!(inserted, Ok(1));

    for leave in [|_: &Path| {}, |media: &Path| symlink("nowhere", media).unwrap()] {
        fs::remove_dir(&media).unwrap();
        leave(&media);

        check_refused(kaiwa(folder.path(), &["serve"]), 78, "there is no folder kaiwa-data/media");
        assert!(!media.exists(), "none is made");
        fs::remove_file(&media).ok();
        fs::create_dir(&media).unwrap();
        drop(Serving::start(kaiwa(folder.path(), &["serve"])));
    }
}

/// A server in a separate process, whose database has an acknowledged message.
fn serving(folder: &Path) -> (Serving, PathBuf) {
    (Serving::start(kaiwa(folder, &["serve"])), data(folder))
}

/// The exit status of a server that exited on its own.
fn ended(serving: &mut Serving) -> ExitStatus {
    let limit = Instant::now() + Duration::from_secs(30);
    loop {
        match serving.child.try_wait().unwrap() {
            Some(status) => return status,
            None => assert!(Instant::now() < limit, "the server exits"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_server_exits_when_its_files_are_moved_removed_or_replaced_and_loses_nothing() {
    type Take = fn(&Path);
    let taken: [(&str, Take); 5] = [
        ("the file is moved", |data| fs::rename(data.join("kaiwa.db"), data.join("../away")).unwrap()),
        ("the file is removed", |data| fs::remove_file(data.join("kaiwa.db")).unwrap()),
        ("the file is replaced", |data| {
            fs::copy(data.join("kaiwa.db"), data.join("../copy")).unwrap();
            fs::rename(data.join("../copy"), data.join("kaiwa.db")).unwrap();
        }),
        ("the folder is moved", |data| fs::rename(data, data.with_file_name("away")).unwrap()),
        ("the log is removed", |data| fs::remove_file(data.join("kaiwa.db-wal")).unwrap()),
    ];
    for (name, take) in taken {
        let folder = tempfile::tempdir().unwrap();
        succeed(folder.path(), &["customer", "add", "--name", "kept"]);
        let (mut serving, data) = serving(folder.path());

        take(&data);

        assert_eq!(ended(&mut serving).code(), Some(78), "{name}");
        if name == "the log is removed" {
            let count: i64 = Connection::open(data.join("kaiwa.db"))
                .unwrap()
                .query_row("SELECT count(*) FROM customers", [], |row| row.get(0))
                .unwrap();
            assert_eq!(count, 1, "rows that were only in the log are in the file");
        } else if !name.contains("replaced") {
            assert!(!data.join("kaiwa.db").exists(), "{name}: nothing is made in its place");
        }
    }
}
