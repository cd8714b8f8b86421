//! A damaged row in a queue: its failure is visible, and the rows after it are processed.

use std::time::Duration;

use serde_json::json;

use crate::harness::eventually;
use crate::harness::server::{TestServer, text_event};
use crate::media::{JPEG, names, send};
use crate::storage::damage::{end, found, harm};
use crate::webhooks::receiver::Receiver;
use crate::webhooks::start;

#[actix_web::test]
async fn customers_are_notified_of_events_after_a_damaged_one() {
    let harms = [
        "data = substr(data, 1, 20)",
        "data = replace(data, 'harmed', CAST(x'ff' AS TEXT))",
        "kind = 'conversation_massage_created'",
        "id = x'00'",
    ];
    let receiver = Receiver::start();
    receiver.answer_all(500);
    let server = start(&receiver);
    for number in 0..harms.len() {
        let user = server.user(&format!("User {number}"));
        server.webhook(&[text_event(&user, &format!("harmed {number}"))]).await;
        server.webhook(&[text_event(&user, &format!("behind {number}"))]).await;
    }
    eventually(|| receiver.calls().len() >= harms.len()).await;
    for (number, harm_sql) in harms.iter().enumerate() {
        harm(&server, &format!("UPDATE events SET {harm_sql} WHERE instr(data, '\"harmed {number}\"') > 0"));
    }
    receiver.answer_all(204);

    server.advance(Duration::from_mins(30));
    let received = |text: &str| receiver.texts().iter().any(|received| received == text);
    eventually(|| (0..harms.len()).all(|number| received(&format!("behind {number}")))).await;

    assert!(
        received("\u{fffd} 1") && !received("harmed 0") && !received("harmed 2") && !received("harmed 3")
    );
    let failed = "SELECT count(*) FROM webhook_deliveries WHERE state = 'failed'";
    assert_eq!(server.value::<i64>(failed), 3, "a damaged event has failed, and says so");
    end(server);
}

#[actix_web::test]
async fn a_damaged_request_fails_its_message_and_later_ones_are_sent() {
    let harms = [
        "body = CAST(replace(CAST(body AS TEXT), 'harmed', 'armed!') AS BLOB)",
        "retry_key = x'00'",
        "retry_key = zeroblob(16)",
    ];
    let count = i64::try_from(harms.len()).unwrap();
    let server = TestServer::start_with(|config| config.delivery.wait = Duration::ZERO);
    server.set_faults(&json!([{ "kind": "status", "status": 500, "path": "/v2/bot/message" }]));
    let mut conversations = Vec::new();
    for number in 0..harms.len() {
        let conversation = server.conversation_with(&server.user(&format!("User {number}"))).await;
        server.say(&conversation, &format!("harmed {number}")).await;
        server.say(&conversation, "behind it").await;
        conversations.push(conversation);
    }
    for (number, harm_sql) in harms.iter().enumerate() {
        let rows = format!("instr(body, CAST('harmed {number}' AS BLOB)) > 0");
        harm(&server, &format!("UPDATE deliveries SET {harm_sql} WHERE {rows}"));
    }
    eventually(|| {
        server.advance(Duration::from_secs(1));
        server.value::<i64>("SELECT count(*) FROM messages WHERE status = 'failed'") == count
    })
    .await;
    server.set_faults(&json!([]));
    eventually(|| {
        server.advance(Duration::from_secs(1));
        server.value::<i64>("SELECT count(*) FROM messages WHERE status = 'sent'") == count
    })
    .await;

    for conversation in &conversations {
        let messages = server.messages(conversation).await;
        assert_eq!((&messages[0]["text"], &messages[0]["status"]), (&json!("behind it"), &json!("sent")));
        assert_eq!(
            (&messages[1]["status"], &messages[1]["error"]["reason"]),
            (&json!("failed"), &json!("INTERNAL"))
        );
        let path = format!(
            "/v1.0/conversations/{conversation}/messages/{}/retry",
            messages[1]["id"].as_str().unwrap()
        );
        let again = server.post(&path, &json!({ "force": true })).await;
        assert!([200, 409].contains(&again.status), "{again:?}");
    }
    let executed = server.line.platform.executed();
    assert!(executed.iter().all(|one| !one.body.to_string().contains("armed!")), "nothing altered is sent");
    end(server);
}

#[actix_web::test]
async fn files_and_names_after_damaged_rows_are_fetched() {
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20)";
    let server = TestServer::start();
    server.conversation_with(&server.user("Bob")).await;
    harm(&server, &format!(
        "{numbers} INSERT INTO medias (id, customer, conversation, message_stamp, kind, status, filename, due_at, tm_create)
        SELECT randomblob(16), 1, 1, tm_create, 'imagf', 'pending', '', 1, 1 FROM n, messages LIMIT 20"
    ));
    for table in [
        "participants (target, conversation, position, target_name)",
        "lookups (target, conversation, due_at)",
    ] {
        let values = if table.starts_with('p') { "1, i + 10, 'x'" } else { "1, 1" };
        harm(
            &server,
            &format!(
                "{numbers} INSERT INTO {table} SELECT CAST(x'55ff' || CAST(i AS BLOB) AS TEXT), {values} FROM n"
            ),
        );
    }

    let sent = send(&server, "image", [JPEG, b"whole"].concat()).await;

    eventually(|| names(&server).len() == 2).await;
    let name = format!("SELECT target_name FROM participants WHERE target = '{}'", sent.user);
    eventually(|| server.value::<String>(&name) == "Alice").await;
    let (file, lookup) =
        ("SELECT min(due_at) FROM medias WHERE kind = 'imagf'", "SELECT count(*) FROM lookups");
    assert!(server.value::<i64>(file) > 1, "they wait, and are looked at again");
    assert_eq!(server.value::<i64>(lookup), 20, "and none is dropped");
    let found = found(&server);
    for table in ["medias with key 1: kind", "lookups with conversation 1, target U\u{fffd}1: target"] {
        assert!(found.iter().any(|found| found.starts_with(table)), "{table}: {found:?}");
    }
    end(server);
}
