//! A damaged value affects nothing else: it is shown as far as possible, it is reported, and everything around it works.

mod bits;
mod numbers;
mod queues;
mod starts;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use kaiwa::config::section::RetentionSettings;
use kaiwa::error::Error;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::server::Server;
use kaiwa::store::engine::lock::Lock;
use kaiwa::store::verify;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::erasure::erase::{erase, holds, printed};
use crate::erasure::retention::clean_up;
use crate::harness::eventually;
use crate::harness::feed::Feed;
use crate::harness::server::{KEY, TestServer, text_event};

/// SQL for a text whose last byte is replaced by one that is invalid in UTF-8.
const BREAK: &str = "CAST(CAST(substr({}, 1, length({}) - 1) AS BLOB) || x'ff' AS TEXT)";

/// Changes rows as a disk fault would: no constraint is checked.
fn harm(server: &TestServer, sql: &str) {
    let connection = Connection::open(server.database()).unwrap();
    connection
        .execute_batch(
            "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; PRAGMA secure_delete = ON",
        )
        .unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
}

/// Breaks a text of these rows.
fn break_text(server: &TestServer, table: &str, column: &str, rows: &str) {
    harm(server, &format!("UPDATE {table} SET {column} = {} WHERE {rows}", BREAK.replace("{}", column)));
}

fn kaiwa(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kaiwa"));
    command.args(arguments).env_clear().env("KAIWA_DATA_DIRECTORY", folder).current_dir(folder);
    command.env("KAIWA_AUTH__JWT_KEY", KEY);
    command.output().unwrap()
}

/// The findings of `kaiwa verify` in a data folder.
fn found(server: &TestServer) -> Vec<String> {
    let output = kaiwa(server.folder(), &["verify", server.folder().to_str().unwrap(), "--json"]);
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        output.status.code(),
        Some(if printed["findings"] == json!([]) { 0 } else { 78 }),
        "{printed}"
    );
    printed["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding.as_str().unwrap().to_owned())
        .collect()
}

/// Stops a server until it is restarted. Its threads may take a moment to close the database.
async fn halt(server: &mut TestServer) {
    server.halt();
    closed(&server.database()).await;
}

/// The reason why a start on the data of a stopped server fails; `None` when it succeeds.
async fn refused_start(server: &TestServer) -> Option<Error> {
    let (config, clock) = (server.config.clone(), server.clock.clone());
    // A start blocks on writes, which a thread of a runtime must not.
    let refused = std::thread::spawn(move || Server::bind(config, clock).err()).join().unwrap();
    closed(&server.database()).await;
    refused
}

/// Waits until nobody has the database open.
async fn closed(database: &Path) {
    eventually(|| Lock::take(database).is_ok()).await;
}

/// Stops a server without the event audit, since its rows differ from its events.
fn end(mut server: TestServer) {
    server.halt();
    std::fs::remove_file(server.database()).unwrap();
}

/// Alice has written three texts and got a reply; Bob has written too.
async fn filled() -> (TestServer, String) {
    let server = TestServer::start();
    let (alice, bob) = (server.user("Alice"), server.user("Bob"));
    let conversation = server.conversation_with(&alice).await;
    for text in ["first", "second"] {
        server.webhook(&[text_event(&alice, text)]).await;
    }
    server.say(&conversation, "an answer").await;
    server.conversation_with(&bob).await;
    (server, conversation)
}

/// The texts of a conversation, newest first, read in pages of size one.
async fn one_by_one(server: &TestServer, conversation: &str) -> Vec<String> {
    let (mut texts, mut token) = (Vec::new(), String::new());
    loop {
        let token_query = token.replace(' ', "%20");
        let path =
            format!("/v1.0/conversations/{conversation}/messages?page_size=1&page_token={token_query}");
        let page = server.get(&path).await.json();
        let Some(message) = page["result"].get(0) else { return texts };
        texts.push(message["text"].as_str().unwrap().to_owned());
        page["next_page_token"].as_str().unwrap().clone_into(&mut token);
    }
}

#[actix_web::test]
async fn a_damaged_message_is_shown_as_far_as_possible_and_affects_no_other() {
    let harms = [
        ("text", "CAST(x'66697273ff' AS TEXT)", Some("firs\u{fffd}")),
        ("text", "CAST(x'ff' AS TEXT)", Some("\u{fffd}")),
        ("source_target", "CAST(x'55ff' AS TEXT)", Some("text 2")),
        ("medias", "'[{\"id\":'", Some("text 3")),
        ("medias", "CAST(x'5b7b22ff227d5d' AS TEXT)", Some("text 4")),
        ("status", "'reseived'", None),
        ("id", "x'00'", None),
        ("failure_reason", "'refuzed'", None),
        ("quote_token", "'another'", Some("text 8")),
        ("quoted_line_id", "'another'", Some("text 9")),
        ("mentions", "'[ ]'", Some("text 10")),
        ("text", "'text 99'", Some("text 99")),
    ];
    let server = TestServer::start();
    let alice = server.user("Alice");
    let conversation = server.conversation_with(&alice).await;
    let events: Vec<_> =
        (0..harms.len()).map(|number| text_event(&alice, &format!("text {number}"))).collect();
    server.webhook(&events).await;
    server.say(&conversation, "an answer").await;
    assert_eq!(found(&server), [""; 0]);

    for (number, (column, value, _)) in harms.iter().enumerate() {
        harm(&server, &format!("UPDATE messages SET {column} = {value} WHERE text = 'text {number}'"));
    }

    let shown = harms.iter().rev().filter_map(|(_, _, shown)| *shown);
    let expected: Vec<_> = std::iter::once("an answer").chain(shown).chain(["hello"]).collect();
    assert_eq!(one_by_one(&server, &conversation).await, expected);
    assert_eq!(server.messages(&conversation).await.len(), expected.len());
    let found = found(&server);
    for (column, value, _) in harms {
        let names = |found: &String| {
            found.starts_with("messages with conversation 1, tm_create ")
                && (found.contains(&format!(": {column}: ")) || found.contains("the checksum does not match"))
        };
        assert!(found.iter().any(names), "{column} = {value}: {found:?}");
    }
    let as_written = found.iter().filter(|found| found.contains("the checksum does not match")).count();
    assert_eq!(as_written, harms.len(), "each differs from its checksum: {found:?}");
    let figures = server.get("/readyz").await.json()["figures"].clone();
    assert!(figures["damaged_reads"].as_u64().unwrap() >= 8, "it is counted: {figures}");
    end(server);
}

#[actix_web::test]
async fn a_damaged_name_hides_nothing_else() {
    let (server, conversation) = filled().await;
    let columns = [
        ("conversations", "name", "1"),
        ("conversations", "detail", "1"),
        ("conversations", "chat_id", "key = 1"),
        ("participants", "target_name", "1"),
        ("participants", "target", "conversation = 1"),
        ("customers", "name", "1"),
        ("accounts", "name", "1"),
        ("accounts", "check_message", "1"),
        ("accounts", "bot_display_name", "1"),
        ("accounts", "token", "1"),
        ("accounts", "secret", "1"),
    ];
    let lengthen =
        "UPDATE accounts SET check_message = 'a message', bot_display_name = 'a bot', name = 'an account'";
    harm(&server, lengthen);
    for (table, column, rows) in columns {
        break_text(&server, table, column, rows);
    }
    harm(&server, "UPDATE conversations SET reach = 'opem', chat_kind = 'uzer' WHERE key = 1");

    let list = server.get("/v1.0/conversations").await.json();
    let one = server.get(&format!("/v1.0/conversations/{conversation}")).await.json();
    let accounts = server.get("/v1.0/conversation_accounts").await.json();

    assert_eq!(list["result"].as_array().unwrap().len(), 2, "{list}");
    assert_eq!(one["name"], "conversatio\u{fffd}");
    assert!(one["participants"][1]["target"].as_str().unwrap().ends_with('\u{fffd}'), "{one}");
    assert_eq!(accounts["result"][0]["name"], "an accoun\u{fffd}");
    assert_eq!(server.messages(&conversation).await.len(), 4);
    let event = text_event(&server.user("Bob"), "under the old secret");
    assert_eq!(
        server.webhook(&[event]).await.status,
        401,
        "a secret that cannot be decrypted fits no signature"
    );
    let found = found(&server);
    for (table, column, _) in columns {
        let names = |found: &String| found.starts_with(table) && found.contains(&format!(": {column}: "));
        assert!(found.iter().any(names), "{table}.{column}: {found:?}");
    }
    let doctor = verify::diagnostics::database(&server.database(), Timestamp::now()).unwrap_err();
    assert!(doctor.to_string().contains("is damaged"), "doctor finds it too: {doctor}");
    end(server);
}

#[actix_web::test]
async fn the_feed_continues_after_a_damaged_event() {
    let (server, _) = filled().await;
    let number = |text: &str| -> i64 {
        let created = "SELECT sequence FROM events WHERE kind = 'conversation_message_created'";
        server.value(&format!("{created} AND json_extract(data, '$.text') = '{text}'"))
    };
    let [first, second, response] = ["first", "second", "an answer"].map(number);
    let harm_data = |data: &str, number: i64| {
        harm(&server, &format!("UPDATE events SET data = {data} WHERE sequence = {number}"));
    };
    harm_data("replace(data, '\"first\"', CAST(x'22ff22' AS TEXT))", first);
    harm_data("substr(data, 1, 20)", second);

    let mut feed = Feed::open(&server, &format!("?last_event_id={}", first - 1)).await;

    let printed = feed.next().await;
    assert_eq!((printed.id, printed.text()), (first, "\u{fffd}"));
    let behind = feed.until(|event| event.id == response).await;
    assert_eq!(behind.last().unwrap().text(), "an answer");
    assert!(behind.iter().all(|event| event.id != second), "an event that is no longer JSON is left out");
    let found = found(&server);
    for number in [first, second] {
        let name = format!("events with sequence {number}: ");
        assert!(found.iter().any(|found| found.starts_with(&name)), "{found:?}");
    }
    end(server);
}

#[actix_web::test]
async fn damaged_data_is_erased_like_any_other() {
    let (mut server, conversation) = filled().await;
    let alice =
        server.get(&format!("/v1.0/conversations/{conversation}")).await.json()["reference_id"].clone();
    let harms = [
        "UPDATE messages SET text = CAST(text || x'ff' || ' in private' AS TEXT) WHERE conversation = 1",
        "UPDATE messages SET id = x'00' WHERE text LIKE 'first%'",
        "UPDATE messages SET medias = '[{' WHERE text LIKE 'second%'",
        "UPDATE messages SET line_id = CAST(line_id || x'ff' AS TEXT) WHERE text LIKE 'hello%' AND conversation = 1",
        "UPDATE participants SET target_name = CAST(x'ff' || target_name AS TEXT) WHERE conversation = 1",
        "UPDATE conversations SET name = CAST(x'ff' AS TEXT)",
        "UPDATE webhook_events SET body = replace(body, '{', '[') WHERE instr(body, 'hello') > 0",
    ];

    for sql in harms {
        harm(&server, sql);
    }
    let output = erase(&mut server, &["--user", alice.as_str().unwrap()]).await;

    let printed = printed(&output);
    assert!(output.status.success() && printed["left"] == json!([]), "{printed}");
    assert_eq!((&printed["conversations"], &printed["messages"]), (&json!(1), &json!(4)));
    for word in [alice.as_str().unwrap(), conversation.as_str(), "in private"] {
        assert!(!holds(server.folder(), word.as_bytes()), "{word}");
    }
    end(server);
}

#[actix_web::test]
async fn a_damaged_message_expires_like_any_other() {
    let (server, conversation) = filled().await;
    break_text(&server, "messages", "text", "text = 'first'");
    break_text(&server, "messages", "line_id", "text = 'second'");
    harm(&server, "UPDATE messages SET id = x'00', medias = '[{' WHERE text = 'an answer'");
    server.clock.advance(Duration::from_hours(48));

    let keep = RetentionSettings { message_days: 1, webhook_body_days: 0, ..RetentionSettings::default() };
    clean_up(&server, keep).await;

    assert!(server.messages(&conversation).await.is_empty());
    assert_eq!(server.value::<i64>("SELECT count(*) FROM messages"), 0);
    end(server);
}
