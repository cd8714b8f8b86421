//! Replay of the journal: unsupported events are applied once, after an upgrade.

use std::process::Command;

use kaiwa::store::engine::lock::Lock;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::server::{TestServer, text_event};

/// Runs `kaiwa replay` on the data of a server that has stopped. Its threads may take a moment to close the database.
async fn replay(server: &TestServer, since: &str) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kaiwa"));
    command.args(["replay", "--since", since, "--json"]);
    command.env_clear().env("KAIWA_DATA_DIRECTORY", server.folder()).current_dir(server.folder());
    eventually(|| Lock::take(&server.database()).is_ok()).await;
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Changes the journal to what a version without support for texts leaves there.
pub fn forget_texts(connection: &Connection) {
    connection
        .execute_batch(
            "UPDATE webhook_events SET result = 'unread', line_message_id = NULL;
             DELETE FROM events WHERE message_stamp IS NOT NULL;
             DELETE FROM messages",
        )
        .unwrap();
}

#[actix_web::test]
async fn unsupported_and_failed_events_are_applied_once_and_in_order_after_an_upgrade() {
    let mut server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    server.webhook(&[text_event(&user, "not understood")]).await;
    let connection = Connection::open(server.database()).unwrap();
    forget_texts(&connection);
    let odd = "CREATE TRIGGER odd BEFORE INSERT ON messages WHEN NEW.text = 'cannot be applied'
               BEGIN SELECT RAISE(ABORT, 'odd'); END";
    connection.execute_batch(odd).unwrap();
    server.webhook(&[text_event(&user, "cannot be applied"), text_event(&user, "as always")]).await;
    let mut strange = text_event(&user, "");
    strange["type"] = json!("teleport");
    server.webhook(&[strange]).await;
    connection.execute_batch("DROP TRIGGER odd").unwrap();
    drop(connection);
    server.halt();

    let later = replay(&server, "9998-01-01").await;
    let first = replay(&server, "1h").await;
    let second = replay(&server, "2020-01-01 00:00:00.000000").await;

    assert_eq!(later, json!({ "applied": 0, "unread": 0, "failed": 0 }), "nothing was received since then");
    assert_eq!(first, json!({ "applied": 3, "unread": 1, "failed": 0 }));
    assert_eq!(second, json!({ "applied": 0, "unread": 1, "failed": 0 }));
    server.restart();
    let messages = server.messages(&conversation).await;
    let texts: Vec<_> = messages.iter().rev().map(|message| message["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["as always", "hello", "not understood", "cannot be applied"]);
}

#[actix_web::test]
async fn an_unsent_message_stays_unsent_and_a_used_reply_token_stays_used() {
    let mut server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    let message = text_event(&user, "a secret");
    let mut unsend = text_event(&user, "");
    unsend["type"] = json!("unsend");
    unsend["unsend"] = json!({ "messageId": message["message"]["id"] });
    server.webhook(&[message]).await;
    let connection = Connection::open(server.database()).unwrap();
    forget_texts(&connection);
    server.webhook(&[unsend]).await;
    connection.execute_batch("UPDATE conversations SET reply_token = NULL, reply_token_at = NULL").unwrap();
    drop(connection);
    server.halt();

    assert_eq!(replay(&server, "1h").await["applied"], 2);

    let count = |sql: &str| server.value::<i64>(sql);
    assert_eq!(count("SELECT count(*) FROM messages WHERE text LIKE '%secret%'"), 0);
    assert_eq!(count("SELECT count(*) FROM webhook_events WHERE body LIKE '%secret%'"), 0);
    assert_eq!(count("SELECT count(*) FROM conversations WHERE reply_token IS NOT NULL"), 0);
    server.restart();
    assert_eq!(server.messages(&conversation).await.len(), 1, "the unsent one is not shown");
}
