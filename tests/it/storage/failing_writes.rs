//! Writes that the storage does not accept: nothing is acknowledged.

use std::time::Duration;

use kaiwa::config::Config;
use rusqlite::Connection;
use serde_json::json;

use crate::harness::server::{TestServer, text_event};

/// Another program holds SQLite's write lock, which blocks every commit like a stuck disk.
fn lock(server: &TestServer) -> Connection {
    let connection = Connection::open(server.database()).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

#[actix_web::test]
async fn a_webhook_that_cannot_be_stored_in_time_is_rejected_within_two_seconds() {
    let limit = Config::default().limits.webhook_timeout;
    assert!(limit <= Duration::from_millis(1_500), "LINE waits two seconds, and the answer has a way to go");
    let server = TestServer::start_with(|config| config.limits.webhook_timeout = limit);
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    let event = text_event(&user, "while locked");
    let other = lock(&server);

    let late = server.webhook(std::slice::from_ref(&event)).await;

    assert_eq!((late.status, late.reason().as_str()), (503, "SERVICE_UNAVAILABLE"));
    assert_eq!(server.get(&format!("/v1.0/conversations/{conversation}")).await.status, 200, "reads go on");
    drop(other);
    assert_eq!(server.webhook(&[event]).await.status, 200, "LINE's next copy is accepted");
    let texts = server.messages(&conversation).await;
    assert_eq!(texts.iter().filter(|message| message["text"] == "while locked").count(), 1);
}

#[actix_web::test]
async fn a_server_that_cannot_write_is_not_ready_and_recovers() {
    let server = TestServer::start();
    let other = lock(&server);

    let unready = server.get("/readyz").await;

    assert_eq!(unready.status, 503);
    assert_eq!(unready.json()["status"], "unavailable");
    assert_ne!(unready.json()["checks"]["storage"], "ok");
    drop(other);
    assert_eq!(server.get("/readyz").await.status, 200);
}

#[actix_web::test]
async fn each_readiness_check_of_an_idle_server_writes_to_its_disk() {
    let server = TestServer::start();
    let stamp = "SELECT last_stamp FROM clock";
    let mut before: i64 = server.value(stamp);

    for _ in 0..5 {
        assert_eq!(server.get("/readyz").await.status, 200);
        let after: i64 = server.value(stamp);
        assert!(after > before, "SQLite writes nothing for a row that stays as it is");
        assert!(after < before + 1_000_000, "a clock that is ahead is not followed");
        before = after;
    }
}

#[actix_web::test]
async fn every_readiness_check_fails_after_a_failed_write_until_the_disk_accepts_one() {
    let server = TestServer::start();
    assert_eq!(server.get("/readyz").await.status, 200);
    let other = lock(&server);

    for _ in 0..2 {
        assert_eq!(server.get("/readyz").await.status, 503);
    }
    drop(other);
    assert_eq!(server.get("/readyz").await.status, 200);
}

#[actix_web::test]
async fn an_unsent_text_is_nowhere_in_the_tables() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let message = text_event(&user, "a very secret text");
    let mut unsend = text_event(&user, "");
    unsend["type"] = json!("unsend");
    unsend["unsend"] = json!({ "messageId": message["message"]["id"] });

    server.webhook(&[message]).await;
    server.webhook(&[unsend]).await;

    let count = |sql: &str| server.value::<i64>(sql);
    assert_eq!(count("SELECT count(*) FROM messages WHERE text LIKE '%secret%'"), 0);
    assert_eq!(count("SELECT count(*) FROM webhook_events WHERE body LIKE '%secret%'"), 0);
    assert_eq!(count("SELECT count(*) FROM messages WHERE tm_delete IS NOT NULL"), 1);
}
