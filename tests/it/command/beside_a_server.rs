//! Commands that write while the server runs: the server does the work, and only its owner can ask it to.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use awc::http::Method;
use kaiwa::line::signature;
use kaiwa::model::id::CustomerId;
use kaiwa::model::secret::Secret;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::store::engine::lock::{Lock, Search};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::command::program::{Serving, check_refused, kaiwa, succeed};
use crate::erasure::erase::{holds, printed};
use crate::harness::eventually;
use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};
use crate::intake::replay::forget_texts;
use crate::media::{JPEG, media_once, names, noise, send};
use crate::webhooks;
use crate::webhooks::receiver::Receiver;

/// An arbitrary unprivileged user id.
const STRANGER: u32 = 65_534;

/// A command on the data of a server.
fn command(server: &TestServer, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kaiwa"));
    command.args(arguments).arg("--json");
    command.env_clear().env("KAIWA_DATA_DIRECTORY", server.folder()).current_dir(server.folder());
    command
}

fn run(server: &TestServer, arguments: &[&str]) -> Output {
    command(server, arguments).output().unwrap()
}

#[track_caller]
fn done(server: &TestServer, arguments: &[&str]) -> Value {
    let output = run(server, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Ends the server. Its threads may take a moment to close the database.
async fn halt(server: &mut TestServer) {
    server.halt();
    eventually(|| Lock::take(&server.database()).is_ok()).await;
}

/// The server's response to this line.
fn response_to(server: &TestServer, line: &Value) -> String {
    let mut stream = UnixStream::connect(server.folder().join("run/kaiwa.sock")).unwrap();
    writeln!(stream, "{line}").unwrap();
    let mut response = String::new();
    BufReader::new(stream).read_line(&mut response).unwrap();
    response
}

#[actix_web::test]
async fn only_the_owner_can_open_the_socket_and_it_is_removed_with_the_server() {
    let mut server = TestServer::start();
    let (folder, socket) = (server.folder().join("run"), server.folder().join("run/kaiwa.sock"));

    let mode = |path: &Path| path.symlink_metadata().unwrap().permissions().mode() & 0o777;
    assert!(socket.symlink_metadata().unwrap().file_type().is_socket());
    assert_eq!((mode(&folder), mode(&socket)), (0o700, 0o600));
    halt(&mut server).await;

    assert!(!socket.exists());
}

#[actix_web::test]
async fn customers_and_accounts_are_added_the_same_way_with_and_without_a_running_server() {
    let mut server = TestServer::start();
    std::fs::write(server.folder().join("secret"), "a-secret\n").unwrap();
    let to = |customer: &'static str| {
        ["account", "add", "--customer", customer, "--secret-file", "secret", "--channel-id", "7"]
    };

    let customer = done(&server, &["customer", "add", "--name", "beside", "--message-days", "7"]);
    let account = done(&server, &to("beside"));
    let unknown = run(&server, &to("nobody"));
    let id = customer["id"].as_str().unwrap().parse().unwrap();
    let list =
        Response::to(server.request_of(id, Method::GET, "/v1.0/conversation_accounts"), "").await.json();
    let path = format!("/v1.0/conversation/accounts/{}", account["id"].as_str().unwrap());
    let body = json!({ "destination": "U0", "events": [] }).to_string();
    let webhook = server.anonymous(Method::POST, &path);
    let signed = webhook
        .insert_header((signature::HEADER, signature::sign(&Secret::new("a-secret"), body.as_bytes())));
    let signed = Response::to(signed, body).await;
    halt(&mut server).await;
    let without = done(&server, &["customer", "add", "--name", "without", "--message-days", "7"]);
    let account_without = done(&server, &to("without"));
    let unknown_without = run(&server, &to("nobody"));

    assert_eq!((list["result"].as_array().unwrap().len(), signed.status), (1, 200), "it counts at once");
    assert_eq!(customer["message_days"], json!(7));
    assert_eq!(customer["message_days"], without["message_days"]);
    assert_eq!(account["channel_id"], account_without["channel_id"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(unknown.status, unknown_without.status);
}

#[actix_web::test]
async fn deliveries_are_replayed_and_the_secret_rotated_with_and_without_a_running_server() {
    let receiver = Receiver::start();
    let mut server = webhooks::start(&receiver);
    server.conversation_with(&server.user("Alice")).await;
    eventually(|| receiver.texts().len() == 1).await;
    let customer = server.customer.to_string();
    let list = run(&server, &["webhooks", "list", "--customer", &customer]);
    let lines = String::from_utf8(list.stdout).unwrap();
    let mut listed = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_message = listed.find(|one| one["type"] == "conversation_message_created").unwrap();
    let replay = ["webhooks", "replay", "--customer", &customer, of_message["id"].as_str().unwrap()];

    done(&server, &replay);
    eventually(|| receiver.texts().len() == 2).await;
    let first = done(&server, &["webhooks", "rotate", "--customer", &customer]);
    let unknown = CustomerId::new(Timestamp::now()).to_string();
    let refused = run(&server, &["webhooks", "replay", "--customer", &customer, &unknown]);
    halt(&mut server).await;
    let second = done(&server, &["webhooks", "rotate", "--customer", &customer]);
    done(&server, &replay);
    server.restart();
    eventually(|| receiver.texts().len() == 3).await;

    assert!(first["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_ne!(first["secret"], second["secret"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no such webhook delivery"));
}

#[actix_web::test]
async fn the_running_server_replays_the_journal() {
    let server = TestServer::start();
    let alice = server.user("Alice");
    let conversation = server.conversation_with(&alice).await;
    let events: Vec<Value> = (0..230).map(|number| text_event(&alice, &number.to_string())).collect();
    server.webhook(&events).await;
    forget_texts(&Connection::open(server.database()).unwrap());

    let first = done(&server, &["replay", "--since", "1d"]);
    let second = done(&server, &["replay", "--since", "1d"]);

    assert_eq!(first, json!({ "applied": 231, "unread": 0, "failed": 0 }));
    assert_eq!(second, json!({ "applied": 0, "unread": 0, "failed": 0 }));
    assert_eq!(server.messages(&conversation).await.len(), 100, "a full page");
}

#[actix_web::test]
async fn a_person_is_erased_from_every_byte_of_a_running_server_while_others_write() {
    let mut server = TestServer::start();
    let (alice, bob) = (server.user("Alice from Accounting"), server.user("Bob from Buying"));
    let conversation = server.conversation_with(&alice).await;
    let events: Vec<Value> =
        (0..450).map(|number| text_event(&alice, &format!("private words, number {number}"))).collect();
    server.webhook(&events).await;
    server.say(&conversation, "a private answer").await;
    let others = server.conversation_with(&bob).await;
    let mut erase = command(&server, &["erase", "--user", &alice]);
    let erasing = std::thread::spawn(move || erase.output().unwrap());

    let mut written = 0_u32;
    while !erasing.is_finished() || written == 0 {
        let response = server.webhook(&[text_event(&bob, "a public text")]).await;
        assert_eq!(response.status, 200, "no writer waits for it");
        written += 1;
    }
    let output = erasing.join().unwrap();
    let again = run(&server, &["erase", "--user", &alice]);

    let report = printed(&output);
    assert!(output.status.success(), "{report} {}", String::from_utf8_lossy(&output.stderr));
    let counts = (&report["conversations"], &report["messages"], &report["left"]);
    assert_eq!(counts, (&json!(1), &json!(452), &json!([])));
    assert_eq!(again.status.code(), Some(1), "nothing of it is left");
    assert_eq!(server.get(&format!("/v1.0/conversations/{conversation}")).await.status, 404);
    let remaining = server.value::<u32>("SELECT count(*) FROM messages WHERE text = 'a public text'");
    assert_eq!((remaining, server.messages(&others).await.is_empty()), (written, false));
    halt(&mut server).await;
    for word in [&alice, &conversation, "private", "Accounting"] {
        assert!(!holds(server.folder(), word.as_bytes()), "{word}");
    }
    assert!(holds(server.folder(), b"a public text"));
}

#[actix_web::test]
async fn an_erasure_interrupted_after_deleting_its_rows_is_finished_and_verified_by_the_same_command() {
    let server = TestServer::start();
    let alice = server.user("Alice");
    let conversation = server.conversation_with(&alice).await;
    server.webhook(&[text_event(&alice, "a private text")]).await;
    // An open read transaction, so that the log cannot be reset.
    let other = Connection::open(server.database()).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM messages").unwrap();
    let found = server.database().metadata().unwrap();
    let whom = json!({ "conversation": conversation });
    for step in [json!({ "journal": 0 }), json!({ "chats": i64::MAX })] {
        let asked = json!({
            "version": env!("CARGO_PKG_VERSION"), "database": [found.dev(), found.ino()],
            "operation": { "erase": { "whom": whom, "step": step } },
        });
        let response = response_to(&server, &asked);
        assert!(response.contains("\"words\""), "{response}");
    }
    assert_eq!(server.value::<i64>("SELECT count(*) FROM messages"), 0);
    assert!(holds(server.folder(), b"private text"), "the rows are gone, but not every byte of them");
    drop(other);
    let copy = server.folder().join("copy");
    std::fs::write(&copy, &conversation).unwrap();

    let left = run(&server, &["erase", "--conversation", &conversation]);
    std::fs::remove_file(&copy).unwrap();
    let nothing = run(&server, &["erase", "--conversation", &conversation]);

    assert_eq!(left.status.code(), Some(78));
    assert!(!holds(server.folder(), b"private text"));
    assert_eq!(printed(&left)["left"], json!([{ "file": copy, "count": 1 }]));
    check_nothing(&nothing);
}

#[actix_web::test]
async fn a_second_erasure_is_rejected_until_the_first_has_ended() {
    let server = TestServer::start();
    let conversation = server.conversation_with(&server.user("Alice")).await;
    let erase = ["erase", "--conversation", &conversation];
    let first = Search::begin(server.folder()).unwrap();

    let second = run(&server, &erase);
    let remaining = server.get(&format!("/v1.0/conversations/{conversation}")).await;
    drop(first);
    let third = done(&server, &erase);

    let errors = String::from_utf8_lossy(&second.stderr);
    assert_eq!(
        (second.status.code(), second.stdout.is_empty(), remaining.status),
        (Some(1), true, 200),
        "{errors}"
    );
    assert!(errors.contains("another `kaiwa erase` is at work"), "{errors}");
    assert_eq!((&third["conversations"], &third["left"]), (&json!(1), &json!([])));
}

/// Nothing is left of it, and nothing is reported.
#[track_caller]
fn check_nothing(output: &Output) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(1), true), "{errors}");
    assert!(errors.contains("no such conversation"), "{errors}");
}

#[actix_web::test]
async fn work_in_flight_for_an_erased_person_ends_and_delays_nobody_else() {
    let mut server = TestServer::start();
    let slow = json!({ "path": "/v2/bot/message/", "kind": "slow", "delay_ms": 1_000 });
    server.set_faults(&json!([slow]));
    let image = send(&server, "image", [JPEG, &noise(1, 1_000)].concat()).await;
    let alice = image.user;
    let path = format!("/v1.0/conversations/{}/messages", server.conversation_with(&alice).await);
    let text = json!({ "text": "a private text" });
    let erase = async {
        let in_flight = "SELECT (SELECT count(*) FROM deliveries WHERE state = 'sending') + (SELECT count(*) FROM medias WHERE attempts = 1)";
        eventually(|| server.value::<i64>(in_flight) == 2).await;
        assert_eq!(done(&server, &["erase", "--user", &alice])["left"], json!([]));
    };

    let (response, ()) = futures_util::future::join(server.post(&path, &text), erase).await;

    assert_eq!(response.status, 404, "{response:?}");
    server.set_faults(&json!([]));
    let again = server.conversation_with(&alice).await;
    assert_eq!(server.say(&again, "hello again").await["status"], "sent");
    send(&server, "image", JPEG.to_vec()).await;
    let stored = media_once(&server, "stored").await;
    let is_of_it = |name: &String| name.starts_with(stored["id"].as_str().unwrap());
    assert!(names(&server).iter().all(is_of_it), "the first image is not here");
    halt(&mut server).await;
    assert!(!holds(server.folder(), b"a private text") && !holds(server.folder(), &noise(1, 1_000)));
}

#[actix_web::test]
async fn a_server_that_is_stopping_or_of_another_version_or_database_says_so_and_repeats_nothing() {
    let server = TestServer::start();
    let found = server.database().metadata().unwrap();
    let database = json!([found.dev(), found.ino()]);
    let version = env!("CARGO_PKG_VERSION");
    let asked = |version: &str, database: &Value, operation: Value| {
        response_to(&server, &json!({ "version": version, "database": database, "operation": operation }))
    };

    let other = asked("0.0.0", &database, json!({ "whatever": "whsec_private" }));
    let unknown = asked(version, &database, json!({ "rotate_secret": { "customer": "whsec_private" } }));
    let elsewhere = asked(version, &json!([0, 0]), json!({ "whatever": "whsec_private" }));
    let nothing = response_to(&server, &json!("whsec_private"));
    server.shared().end.begin();
    let output = run(&server, &["customer", "add", "--name", "late"]);

    assert!(other.contains("unusable") && other.contains("this command is kaiwa 0.0.0"), "{other}");
    assert!(elsewhere.contains("another database"), "{elsewhere}");
    for response in [&unknown, &nothing] {
        assert!(response.contains("does not know this command"), "{response}");
    }
    assert!(![other, unknown, elsewhere, nothing].iter().any(|response| response.contains("private")));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && errors.contains("the server is stopping"), "{errors}");
}

#[test]
fn a_stale_socket_is_not_a_server_and_the_next_server_replaces_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let serve = || Serving::start(kaiwa(folder, &["serve"]));
    let socket = folder.join("kaiwa-data/run/kaiwa.sock");
    // It exits as if by `kill -9`.
    drop(serve());
    assert!(socket.exists());

    succeed(folder, &["customer", "add", "--name", "without"]);
    succeed(folder, &["verify", "kaiwa-data"]);
    succeed(folder, &["backup", "backup.tar"]);
    let serving = serve();
    succeed(folder, &["customer", "add", "--name", "beside"]);
    check_refused(kaiwa(folder, &["migrate"]), 78, "another kaiwa process");
    succeed(folder, &["backup", "beside.tar"]);
    drop(serving);

    let customers = succeed(folder, &["customer", "list"]);
    assert!(customers.contains("without") && customers.contains("beside"), "{customers}");
    let backup = std::fs::read(folder.join("beside.tar")).unwrap();
    assert!(!backup.windows(10).any(|window| window == b"kaiwa.sock"));
    // Only the socket is left in the folder: there never was a database.
    let elsewhere = folder.join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::rename(folder.join("kaiwa-data/run"), elsewhere.join("run")).unwrap();
    succeed(folder, &["restore", "backup.tar", "--data", "elsewhere"]);
    std::fs::copy(folder.join("kaiwa-data/secret.key"), elsewhere.join("secret.key")).unwrap();
    let mut migrate = kaiwa(folder, &["migrate"]);
    assert!(migrate.env("KAIWA_DATA_DIRECTORY", &elsewhere).output().unwrap().status.success());
}

#[test]
fn only_the_owner_gets_a_response_even_when_the_socket_is_open_to_all() {
    let outer = tempfile::tempdir().unwrap();
    let (program, folder) = (outer.path().join("kaiwa"), outer.path());
    std::fs::copy(env!("CARGO_BIN_EXE_kaiwa"), &program).unwrap();
    let data = folder.join("kaiwa-data");
    let serving = Serving::start(kaiwa(folder, &["serve"]));
    let as_stranger = || {
        let mut command = Command::new(&program);
        command.args(["customer", "add", "--name", "a"]).current_dir("/").uid(STRANGER).gid(STRANGER);
        command.env_clear().env("KAIWA_DATA_DIRECTORY", &data);
        command
    };
    // Only root can switch to another user.
    if chown(&program, Some(STRANGER), Some(STRANGER)).is_err() {
        return;
    }
    let open = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    open(folder, 0o755);
    open(&data, 0o755);

    check_refused(as_stranger(), 78, "cannot connect to the running server");
    open(&data.join("run"), 0o755);
    check_refused(as_stranger(), 78, "cannot connect to the running server");
    open(&data.join("run/kaiwa.sock"), 0o666);
    check_refused(as_stranger(), 78, "belongs to another user");

    assert_eq!(succeed(folder, &["customer", "list"]), "there is no customer yet\n");
    drop(serving);
}
