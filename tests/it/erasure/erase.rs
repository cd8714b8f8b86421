//! Erasing a conversation or a person: nothing of it is left in any byte, and the search that verifies it can fail.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use kaiwa::store::engine::lock::Lock;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::server::{TestServer, text_event};
use crate::harness::{eventually, eventually_is};
use crate::media::{JPEG, media_once, names, noise, send};
use crate::webhooks;
use crate::webhooks::receiver::Receiver;

const TEXT: &str = "a \"very\" private text\nof Alice 😀";

/// Whether any file in the folder contains these bytes.
pub fn holds(folder: &Path, bytes: &[u8]) -> bool {
    folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return holds(&path, bytes);
        }
        // A socket has no contents.
        path.is_file() && std::fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes)
    })
}

/// Runs `kaiwa erase` on the data of a server that has stopped. Its threads may take a moment to close the database.
pub async fn erase(server: &mut TestServer, arguments: &[&str]) -> Output {
    server.halt();
    eventually(|| Lock::take(&server.database()).is_ok()).await;
    run(server, arguments)
}

fn run(server: &TestServer, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kaiwa"));
    command.arg("erase").args(arguments).arg("--json");
    command.env_clear().env("KAIWA_DATA_DIRECTORY", server.folder()).current_dir(server.folder());
    command.output().unwrap()
}

pub fn printed(output: &Output) -> Value {
    assert!(!String::from_utf8_lossy(&output.stdout).contains("private"), "the erased text is printed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A text in a group.
fn in_group(group: &str, user: &str, text: &str) -> Value {
    let mut event = text_event(user, text);
    event["source"] = json!({ "type": "group", "groupId": group, "userId": user });
    event
}

/// Alice writes, sends an image, gets a reply, and writes in a group with Bob. Returns Alice and her conversation.
async fn alice_and_bob(server: &TestServer) -> (String, String) {
    let (alice, bob) = (server.user("Alice from Accounting"), server.user("Bob from Buying"));
    let conversation = server.conversation_with(&alice).await;
    // As LINE may encode it: in ASCII, with escapes.
    let mut event = text_event(&alice, "TEXT").to_string();
    event = event.replace("\"TEXT\"", r#""a \"very\" private text\nof Alice \uD83D\uDE00""#);
    let destination = &server.line.platform.bot().user_id;
    server.webhook_body(&format!(r#"{{"destination":"{destination}","events":[{event}]}}"#)).await;
    server.say(&conversation, "a private answer").await;
    let group = server.group("Team", &[&alice, &bob]);
    let (hers, his) =
        (in_group(&group, &alice, "Alice is private too"), in_group(&group, &bob, "Bob says hello"));
    let mut joined = in_group(&group, &bob, "");
    joined["type"] = json!("memberJoined");
    joined["joined"] = json!({ "members": [{ "type": "user", "userId": alice }] });
    server.webhook(&[hers, his, joined]).await;
    server.webhook(&[text_event(&bob, "hello")]).await;
    server.conversation_with(&bob).await;
    let name = "SELECT count(*) FROM participants WHERE target_name = 'Alice from Accounting'";
    eventually(|| server.value::<i64>(name) == 2).await;
    (alice, conversation)
}

#[actix_web::test]
async fn nothing_of_an_erased_person_is_left_in_any_byte_and_others_keep_theirs() {
    let mut server = TestServer::start();
    let mark = noise(7, 64);
    let image = [JPEG, &noise(1, 100_000), &mark, &noise(2, 100_000)].concat();
    let sent = send(&server, "image", image).await;
    media_once(&server, "stored").await;
    let (alice, conversation) = alice_and_bob(&server).await;
    assert_eq!(names(&server).len(), 2);

    let first = erase(&mut server, &["--user", &sent.user]).await;
    let output = erase(&mut server, &["--user", &alice]).await;

    let report = printed(&output);
    assert!(output.status.success(), "{report}");
    assert_eq!(printed(&first)["files"], 1);
    assert_eq!(
        (&report["conversations"], &report["messages"], &report["left"]),
        (&json!(1), &json!(4), &json!([]))
    );
    assert!(report["elsewhere"].as_u64().unwrap() <= 4, "texts that Bob wrote too: {report}");
    for word in [&alice, &conversation, "private", "Accounting", &sent.user, r"\uD83D", "😀"] {
        assert!(!holds(server.folder(), word.as_bytes()), "{word}");
    }
    assert!(!holds(server.folder(), &mark) && names(&server).is_empty());
    assert!(holds(server.folder(), b"Bob says hello"));
    server.restart();
    let list = server.get("/v1.0/conversations").await.json();
    let mut names: Vec<_> =
        list["result"].as_array().unwrap().iter().map(|one| one["reference_id"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names.len(), 2, "Bob's and the group's");
    let beside = run(&server, &["--user", &alice]);
    assert_eq!(beside.status.code(), Some(1), "nothing is left for the running server either");
    let unknown = erase(&mut server, &["--user", &alice]).await;
    assert_eq!(unknown.status.code(), Some(1), "nothing of it is left");
}

#[actix_web::test]
async fn a_late_redelivery_does_not_bring_back_an_erased_conversation() {
    let mut server = TestServer::start();
    let (alice, conversation) = alice_and_bob(&server).await;
    let event = text_event(&alice, TEXT);
    server.webhook(std::slice::from_ref(&event)).await;

    let output = erase(&mut server, &["--conversation", &conversation]).await;

    let report = printed(&output);
    assert!(output.status.success(), "{report}");
    assert!(!holds(server.folder(), conversation.as_bytes()) && !holds(server.folder(), b"private text"));
    assert!(
        holds(server.folder(), alice.as_bytes()),
        "her messages in the group belong to another conversation"
    );
    assert!(holds(server.folder(), b"Alice is private too"));
    server.restart();
    server.webhook(&[event]).await;
    assert!(!holds(server.folder(), b"private text"));
    assert_eq!(server.get(&format!("/v1.0/conversations/{conversation}")).await.status, 404);
}

#[actix_web::test]
async fn pending_webhooks_of_erased_data_are_dropped_and_the_rest_are_delivered() {
    let receiver = Receiver::start();
    receiver.answer_all(500);
    let mut server = webhooks::start(&receiver);
    let (alice, bob) = (server.user("Alice"), server.user("Bob"));
    let conversation = server.conversation_with(&alice).await;
    for (user, text) in [(&alice, "a private text"), (&bob, "a public text")] {
        assert_eq!(server.webhook(&[text_event(user, text)]).await.status, 200);
    }
    // One call for each conversation, whose later events wait for it.
    eventually(|| receiver.calls().len() == 2).await;

    let output = erase(&mut server, &["--conversation", &conversation]).await;

    assert!(output.status.success(), "{}", printed(&output));
    assert!(!holds(server.folder(), b"private text") && holds(server.folder(), b"public text"));
    receiver.answer_all(204);
    server.restart();
    server.advance(Duration::from_secs(10));
    eventually(|| receiver.texts().contains(&"a public text".to_owned())).await;
    assert!(!receiver.texts().contains(&"a private text".to_owned()));
    let list = server.get("/v1.0/webhook_deliveries").await.json();
    let is_of = |one: &Value| one["conversation_id"] == conversation.as_str();
    assert!(!list["result"].as_array().unwrap().iter().any(is_of), "{list}");
}

#[actix_web::test]
async fn data_left_in_copies_or_in_a_forgotten_table_is_found_and_reported() {
    let mut server = TestServer::start();
    let (alice, conversation) = alice_and_bob(&server).await;
    let connection = Connection::open(server.database()).unwrap();
    let table = "CREATE TABLE forgotten (id BLOB); INSERT INTO forgotten SELECT id FROM messages";
    connection.execute_batch(table).unwrap();
    drop(connection);
    std::fs::create_dir(server.folder().join("old")).unwrap();
    std::fs::write(server.folder().join("old/copy"), format!("… {conversation} …")).unwrap();
    std::fs::write(server.folder().join("notes"), TEXT.replace('\n', "\\n").replace('"', "\\\"")).unwrap();

    let output = erase(&mut server, &["--user", &alice]).await;

    let left = printed(&output)["left"].clone();
    let files: Vec<_> = left.as_array().unwrap().iter().map(|left| left["file"].as_str().unwrap()).collect();
    assert_eq!(output.status.code(), Some(78));
    assert!(files.iter().any(|file| file.ends_with("kaiwa.db")), "{files:?}");
    assert!(files.iter().any(|file| file.ends_with("old/copy")), "{files:?}");
    assert!(files.iter().any(|file| file.ends_with("notes")), "{files:?}");
    assert_eq!(files.len(), 3);
    assert!(String::from_utf8_lossy(&output.stderr).contains("traces remain"));
}

#[actix_web::test]
async fn an_erased_person_is_no_longer_quoted_or_mentioned_by_others() {
    let mut server = TestServer::start();
    let (alice, bob) = (server.user("Alice from Accounting"), server.user("Bob from Buying"));
    let group = server.group("Team", &[&alice, &bob]);
    let hers = in_group(&group, &alice, "Alice is private too");
    let mut his = in_group(&group, &bob, "@Al yes");
    his["message"]["quotedMessageId"] = hers["message"]["id"].clone();
    let mentionees = json!([{ "index": 0, "length": 3, "type": "user", "userId": alice }]);
    his["message"]["mention"] = json!({ "mentionees": mentionees });
    server.webhook(&[hers.clone(), his]).await;

    let output = erase(&mut server, &["--user", &alice]).await;

    let report = printed(&output);
    assert_eq!((output.status.success(), &report["left"]), (true, &json!([])), "{report}");
    for word in [alice.as_str(), hers["message"]["id"].as_str().unwrap(), "private"] {
        assert!(!holds(server.folder(), word.as_bytes()), "{word}");
    }
    server.restart();
    let list = server.get("/v1.0/conversations").await.json();
    let messages = server.messages(list["result"][0]["id"].as_str().unwrap()).await;
    let mention = json!({ "index": 0, "length": 3, "kind": "user", "participant": null, "is_self": false });
    assert_eq!((messages.len(), &messages[0]["text"]), (1, &json!("@Al yes")));
    assert_eq!((&messages[0]["quote"], &messages[0]["mentions"]), (&Value::Null, &json!([mention])));
}

#[actix_web::test]
async fn a_mention_in_a_message_that_was_not_sent_is_erased_too() {
    let mut server = TestServer::start_with(|config| config.delivery.wait = Duration::ZERO);
    let (alice, bob) = (server.user("Alice"), server.user("Bob"));
    let group = server.group("Team", &[&alice, &bob]);
    server.webhook(&[in_group(&group, &bob, "hello")]).await;
    let list = server.get("/v1.0/conversations").await.json();
    let conversation = list["result"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1.0/conversations/{conversation}/messages");
    let mention = json!([{ "index": 0, "length": 2, "participant": alice }]);
    let say = async |text: &str| {
        let sent = server.post(&path, &json!({ "text": text, "mentions": mention })).await.json();
        format!("{path}/{}", sent["id"].as_str().unwrap())
    };
    let status = async |path: &str| server.get(path).await.json()["status"].clone();
    server.set_faults(&json!([{ "kind": "status", "status": 400, "path": "/v2/bot/message/", "count": 1 }]));
    let refused = say("@A is refused").await;
    eventually_is(json!("failed"), async || status(&refused).await).await;
    server.set_faults(&json!([{ "kind": "status", "status": 500, "path": "/v2/bot/message/" }]));
    let unclear = say("@A is perhaps sent").await;
    let tried = "SELECT count(*) FROM deliveries WHERE state = 'queued' AND ambiguous = 1";
    eventually(|| server.value::<i64>(tried) == 1).await;
    let waiting = say("@A waits behind it").await;

    let output = erase(&mut server, &["--user", &alice]).await;

    let report = printed(&output);
    assert_eq!((output.status.success(), &report["left"]), (true, &json!([])), "{report}");
    assert!(!holds(server.folder(), alice.as_bytes()));
    server.set_faults(&json!([]));
    server.restart();
    for (path, reason) in
        [(&refused, "LINE_REFUSED"), (&unclear, "OUTCOME_UNKNOWN"), (&waiting, "LINE_REFUSED")]
    {
        let message = server.get(path).await.json();
        assert_eq!((&message["status"], &message["error"]["reason"]), (&json!("failed"), &json!(reason)));
        let again = server.post(&format!("{path}/retry"), &json!({ "force": true })).await;
        assert_eq!(again.status, 409, "{again:?}");
        assert!(again.text.contains("erased"), "{again:?}");
    }
}

#[actix_web::test]
async fn a_group_member_without_messages_is_erased_too() {
    let mut server = TestServer::start();
    let (alice, bob) = (server.user("Alice from Accounting"), server.user("Bob from Buying"));
    let group = server.group("Team", &[&alice, &bob]);
    let mut joined = in_group(&group, &bob, "");
    joined["type"] = json!("memberJoined");
    joined["joined"] = json!({ "members": [{ "type": "user", "userId": alice }] });
    server.webhook(&[in_group(&group, &bob, "hello"), joined]).await;
    let name = "SELECT count(*) FROM participants WHERE target_name = 'Alice from Accounting'";
    eventually(|| server.value::<i64>(name) == 1).await;
    let connection = Connection::open(server.database()).unwrap();
    connection.execute_batch("PRAGMA secure_delete = ON; UPDATE webhook_events SET body = NULL").unwrap();
    drop(connection);

    let output = erase(&mut server, &["--user", &alice]).await;

    let report = printed(&output);
    assert_eq!(
        (&report["conversations"], &report["messages"], &report["left"]),
        (&json!(0), &json!(0), &json!([]))
    );
    assert!(!holds(server.folder(), alice.as_bytes()) && !holds(server.folder(), b"Accounting"));
    server.restart();
    let list = server.get("/v1.0/conversations").await.json();
    assert_eq!(list["result"][0]["participant_count"], json!(3), "we, the group and Bob");
}
