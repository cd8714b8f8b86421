//! Long work shows its progress on a terminal, and nowhere else.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Command, Output, Stdio};

use kaiwa::store::engine::lock::Lock;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::harness::eventually;
use crate::harness::server::TestServer;

/// Runs a command whose standard error is a terminal. Also returns what was printed there.
fn on_a_terminal(mut command: Command) -> (Output, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(name).unwrap();
    let child = command.env("TERM", "xterm").stderr(terminal).stdin(Stdio::null()).stdout(Stdio::piped());
    let child = child.spawn().unwrap();
    // The child's end of the terminal is closed here too, so that reading ends.
    drop(command);
    let reader = std::thread::spawn(move || {
        let (mut master, mut shown) = (File::from(master), Vec::new());
        // On Linux, reading a terminal with no open writers is an error, not an end.
        master.read_to_end(&mut shown).ok();
        String::from_utf8_lossy(&shown).into_owned()
    });
    (child.wait_with_output().unwrap(), reader.join().unwrap())
}

#[actix_web::test]
async fn progress_is_shown_only_on_a_terminal() {
    let mut server = TestServer::start();
    let alice = server.user("Alice");
    let conversation = server.conversation_with(&alice).await;
    server.halt();
    eventually(|| Lock::take(&server.database()).is_ok()).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let path = |name: &str| elsewhere.path().join(name).display().to_string();
    let kaiwa = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kaiwa"));
        command.args(arguments).arg("--json").current_dir(elsewhere.path()).env_clear();
        command.env("KAIWA_DATA_DIRECTORY", server.folder());
        command
    };
    let folder = server.folder().display().to_string();

    for (arguments, what) in [
        (&["migrate"][..], "opening the database"),
        (&["replay", "--since", "1d"], "applying events"),
        (&["backup", &path("first.tar")], "copying the database"),
        (&["verify", &path("first.tar")], "reading the backup"),
        (&["verify", &folder], "checking the database"),
        (&["restore", &path("first.tar"), "--data", &path("restored")], "reading the backup"),
        (&["erase", "--conversation", &conversation], "searching all files"),
    ] {
        let (output, shown) = on_a_terminal(kaiwa(arguments));

        assert!(output.status.success(), "{arguments:?}: {shown}");
        assert!(shown.contains(what), "{arguments:?}: {shown:?}");
        let results = String::from_utf8(output.stdout).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&results).is_ok(), "{arguments:?}: {results}");
    }
    for arguments in [&["backup", &path("second.tar")][..], &["verify", &folder], &["migrate"]] {
        let output = kaiwa(arguments).output().unwrap();

        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}
