//! Folders as found on real disks: with files of the system, with names that are not UTF-8, and full.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::command::program::{check_refused, kaiwa, succeed};

/// "Japan" in EUC-JP, which is not UTF-8.
const NO_TEXT: &[u8] = b"\xc6\xfc\xcb\xdc";

/// A folder with `kaiwa-data` and a backup of it.
fn backed_up() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["customer", "add", "--name", "a"]);
    succeed(folder.path(), &["backup", "backup.tar"]);
    folder
}

#[test]
fn a_backup_is_restored_into_an_empty_volume_root_but_not_beside_other_files() {
    let folder = backed_up();
    let volume = folder.path().join("volume");
    fs::create_dir_all(volume.join("lost+found")).unwrap();

    succeed(folder.path(), &["restore", "backup.tar", "--data", "volume", "--yes"]);

    assert!(volume.join("lost+found").is_dir());
    succeed(folder.path(), &["verify", "volume"]);
    let other = folder.path().join("other");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("lost+found"), "a file").unwrap();
    check_refused(kaiwa(folder.path(), &["restore", "backup.tar", "--data", "other"]), 1, "not empty");
    fs::remove_file(other.join("lost+found")).unwrap();
    fs::create_dir_all(other.join("lost+found")).unwrap();
    fs::write(folder.path().join("broken.tar"), "not a backup").unwrap();
    check_refused(kaiwa(folder.path(), &["restore", "broken.tar", "--data", "other"]), 78, "not a backup");
    assert_eq!(other.read_dir().unwrap().count(), 1, "what was there stays, and nothing else");
}

#[test]
fn a_folder_whose_name_is_not_utf_8_is_used_and_no_other_appears() {
    let folder = backed_up();
    let outer = folder.path().join("outer");
    fs::create_dir(&outer).unwrap();
    let named = outer.join(OsStr::from_bytes(NO_TEXT));
    let run = |arguments: &[&OsStr]| -> Output {
        let mut command = kaiwa(folder.path(), &[]);
        command.args(arguments).output().unwrap()
    };
    let word = OsStr::new;
    let tar = named.join("backup.tar");

    let steps: [&[&OsStr]; 4] = [
        &[word("restore"), word("backup.tar"), word("--data"), named.as_os_str(), word("--json")],
        &[word("verify"), named.as_os_str(), word("--json")],
        &[word("backup"), tar.as_os_str(), word("--json")],
        &[word("verify"), tar.as_os_str(), word("--json")],
    ];
    for step in steps {
        let output = run(step);
        assert!(output.status.success(), "{step:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(outer.read_dir().unwrap().count(), 1, "{step:?}");
    }
    fs::remove_dir_all(&named).unwrap();
    check_sandbox(folder.path(), &named);
    assert_eq!(outer.read_dir().unwrap().count(), 1);
    assert!(named.join("kaiwa.db").exists() && named.join("line.json").exists());
    let mut serve = kaiwa(folder.path(), &["serve"]);
    serve.env("KAIWA_DATA_DIRECTORY", &named);
    check_refused(serve, 78, "is not Unicode text");
}

/// Starts a sandbox in this folder and waits until it prints its address.
fn check_sandbox(folder: &Path, data: &Path) {
    let mut command = kaiwa(folder, &["sandbox", "--json", "--port", "0", "--data"]);
    let mut child = command.arg(data).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("\"api\""), "{line}");
}

/// Runs a script that may mount; `None` where the system does not permit it.
fn where_mounting_is_allowed(folder: &Path, script: &str) -> Option<String> {
    let mount = "mount -t tmpfs -o size=512k tmpfs volume";
    let run = |script: &str| {
        let script = format!("mkdir -p volume && {mount} && {{ {script}; }}");
        Command::new("unshare").args(["-rm", "sh", "-c", &script]).current_dir(folder).output()
    };
    let is_allowed = run("true").is_ok_and(|output| output.status.success());
    let output = is_allowed.then(|| run(script).unwrap())?;
    Some(String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_full_disk_is_reported_and_nothing_intact_is_called_damaged() {
    let folder = backed_up();
    let program = env!("CARGO_BIN_EXE_kaiwa");
    let fill = "dd if=/dev/zero of=volume/filler bs=1k 2>/dev/null";
    let scripts = [
        format!(
            "dd if=/dev/zero of=volume/filler bs=1k count=448 2>/dev/null; {program} restore backup.tar --data volume/data"
        ),
        format!("{fill}; {program} restore backup.tar --data volume/data"),
        format!("cp backup.tar volume; {fill}; {program} verify volume/backup.tar"),
        format!(
            "cp -r kaiwa-data volume; {fill}; KAIWA_DATA_DIRECTORY=volume/kaiwa-data {program} secrets rotate"
        ),
        format!(
            "cp -r kaiwa-data volume; {fill}; KAIWA_DATA_DIRECTORY=volume/kaiwa-data {program} customer add --name b"
        ),
    ];
    for script in scripts {
        let Some(printed) = where_mounting_is_allowed(folder.path(), &script) else { return };

        assert!(printed.contains("is full") && printed.contains("volume"), "{script}: {printed}");
        for word in ["damaged", "cannot be read", "not a backup"] {
            assert!(!printed.contains(word), "{script}: {printed}");
        }
    }
}

/// Even reading a database needs space for SQLite's index of its log.
#[test]
fn commands_that_only_read_report_a_full_disk_and_no_other_remedy() {
    let folder = backed_up();
    let program = env!("CARGO_BIN_EXE_kaiwa");
    let setup = "cp -r kaiwa-data volume; rm -f volume/kaiwa-data/kaiwa.db-*; dd if=/dev/zero of=volume/filler bs=1k 2>/dev/null; \
                 export KAIWA_DATA_DIRECTORY=volume/kaiwa-data KAIWA_AUTH__JWT_KEY=0123456789abcdef0123456789abcdef";
    for command in [
        "account list",
        "customer list",
        "webhooks list --customer a",
        "token --customer a",
        "backup elsewhere.tar",
        "verify volume/kaiwa-data",
        "doctor >&2",
    ] {
        let script = format!("{setup}; {program} {command}");
        let Some(printed) = where_mounting_is_allowed(folder.path(), &script) else { return };

        assert!(printed.contains("the disk of volume/kaiwa-data/kaiwa.db is full"), "{command}: {printed}");
        for word in ["damaged", "I/O error", "BACKUP.md", "SECRETS.md", "tampered"] {
            assert!(!printed.contains(word), "{command}: {printed}");
        }
        assert!(!folder.path().join("elsewhere.tar").exists(), "{command}");
    }
}

#[test]
fn a_backup_that_does_not_fit_names_the_full_disk_at_every_stage() {
    let folder = backed_up();
    let program = env!("CARGO_BIN_EXE_kaiwa");
    for room in [4, 16, 64, 192, 320, 448] {
        let script = format!(
            "dd if=/dev/zero of=volume/filler bs=1k count=$((512 - {room})) 2>/dev/null; {program} backup volume/b.tar; \
             ls -A volume >&2"
        );
        let Some(printed) = where_mounting_is_allowed(folder.path(), &script) else { return };

        assert!(printed.contains("is full") && printed.contains("volume/b.tar"), "{room}: {printed}");
        assert!(!printed.contains("internal") && printed.ends_with("\nfiller\n"), "{room}: {printed}");
    }
}

#[test]
fn a_terminal_user_is_asked_before_anything_is_erased_or_restored() {
    let folder = backed_up();
    let program = env!("CARGO_BIN_EXE_kaiwa");
    let at_terminal = |arguments: &str, response: &str| {
        let mut command = Command::new("script");
        command.args(["-qec", &format!("{program} {arguments}"), "/dev/null"]).current_dir(folder.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(response.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let restore = "restore backup.tar --data restored";

    let (refused, printed) = at_terminal(restore, "n\n");
    assert_eq!(refused, Some(1));
    assert!(
        printed.contains("Restore backup.tar into restored?") && printed.contains("nothing was done"),
        "{printed}"
    );
    assert!(!folder.path().join("restored").exists());
    let (refused, printed) = at_terminal("erase --user U7683552461e9b025b065b7f1f45860b9", "\n");
    assert_eq!(refused, Some(1));
    assert!(printed.contains("Permanently erase") && printed.contains("nothing was done"), "{printed}");
    assert_eq!(at_terminal(restore, "y\n").0, Some(0));
    assert_eq!(at_terminal("restore backup.tar --data again --yes", "").0, Some(0));
}
