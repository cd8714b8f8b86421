//! Data older than its retention is removed with everything that belongs to it; the rest stays.

use std::time::Duration;

use kaiwa::config::section::RetentionSettings;
use kaiwa::worker::retention::RetentionWorker;
use serde_json::json;

use crate::harness::eventually;
use crate::harness::server::{TestServer, text_event};
use crate::media::{names, noise, send};

const DAY: Duration = Duration::from_hours(24);

/// Removes everything that has expired now.
pub async fn clean_up(server: &TestServer, settings: RetentionSettings) -> usize {
    let worker = RetentionWorker::new(server.shared().store.clone(), &settings);
    let mut removed = 0;
    loop {
        match worker.step(server.clock.now()).await.unwrap() {
            0 => return removed,
            count => removed += count,
        }
    }
}

#[actix_web::test]
async fn expired_messages_go_with_their_files_deliveries_and_raw_events_and_the_rest_stays() {
    let server = TestServer::start_with(|config| config.delivery.wait = Duration::from_secs(2));
    send(&server, "image", noise(1, 10_000)).await;
    let conversation = server.conversation_with(&server.user("Alice")).await;
    media_once_listed(&server, &conversation).await;
    for number in 0..150 {
        server.webhook(&[text_event(&server.user("Alice"), &format!("old {number}"))]).await;
    }
    assert_eq!(server.say(&conversation, "an old answer").await["status"], "sent");
    let newest = json!({ "text": "still in flight" });
    server.set_faults(&json!([{ "kind": "stall", "path": "/v2/bot/message/push" }]));
    let waiting = server.post(&format!("/v1.0/conversations/{conversation}/messages"), &newest).await.json();
    assert_eq!(waiting["status"], "sending");
    server.clock.advance(DAY * 30);
    let mut younger = text_event(&server.user("Alice"), "younger");
    let quoted = server.value::<String>("SELECT line_id FROM sent_ids");
    younger["message"]["quotedMessageId"] = json!(quoted);
    server.webhook(std::slice::from_ref(&younger)).await;
    server.clock.advance(DAY);
    let keep = RetentionSettings { message_days: 30, webhook_body_days: 0, ..RetentionSettings::default() };

    let removed = clean_up(&server, keep).await;

    assert!(removed >= 153, "{removed}");
    let texts = server.messages(&conversation).await;
    assert_eq!(
        texts[0]["quote"],
        json!({ "message_id": null, "line_message_id": quoted }),
        "what it quotes is gone"
    );
    let texts: Vec<_> = texts.iter().map(|message| message["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["younger", "still in flight"]);
    eventually(|| names(&server).is_empty()).await;
    eventually(|| server.value::<i64>("SELECT count(*) FROM medias") == 0).await;
    assert_eq!(server.value::<i64>("SELECT count(*) FROM webhook_events WHERE body IS NOT NULL"), 1);
    assert_eq!(
        server.value::<i64>("SELECT count(*) FROM webhook_events"),
        153,
        "that they came is remembered"
    );
    assert_eq!(server.get(&format!("/v1.0/conversations/{conversation}")).await.status, 200);
    assert_eq!(clean_up(&server, keep).await, 0);
}

/// Waits until the file of the oldest message is stored.
async fn media_once_listed(server: &TestServer, conversation: &str) {
    eventually(|| names(server).len() == 2).await;
    assert_eq!(server.messages(conversation).await.len(), 2);
}

#[actix_web::test]
async fn a_customer_can_have_its_own_retention_and_zero_means_forever() {
    for (default, own, remaining) in
        [(0, None, 1), (10, None, 0), (10, Some(0), 1), (0, Some(10), 0), (10, Some(99), 1)]
    {
        let server = TestServer::start_with(|config| config.customers[0].message_days = own);
        let conversation = server.conversation_with(&server.user("Alice")).await;
        server.clock.advance(DAY * 11);

        clean_up(
            &server,
            RetentionSettings { message_days: default, webhook_body_days: 0, ..RetentionSettings::default() },
        )
        .await;

        assert_eq!(server.messages(&conversation).await.len(), remaining, "{default} {own:?}");
        let bodies = "SELECT count(*) FROM webhook_events WHERE body IS NOT NULL";
        assert_eq!(server.value::<i64>(bodies), i64::try_from(remaining).unwrap());
    }
}

#[actix_web::test]
async fn raw_events_have_their_own_retention_and_duplicates_are_recognized_afterwards() {
    let server = TestServer::start();
    let conversation = server.conversation_with(&server.user("Alice")).await;
    let event = text_event(&server.user("Alice"), "a secret as LINE wrote it");
    server.webhook(std::slice::from_ref(&event)).await;
    server.clock.advance(DAY * 6);
    server.webhook(&[text_event(&server.user("Alice"), "younger")]).await;
    server.clock.advance(DAY * 2);

    clean_up(
        &server,
        RetentionSettings { message_days: 0, webhook_body_days: 7, ..RetentionSettings::default() },
    )
    .await;
    server.webhook(&[event]).await;

    assert_eq!(server.messages(&conversation).await.len(), 3, "the message stays, and is not doubled");
    assert_eq!(server.value::<i64>("SELECT count(*) FROM webhook_events WHERE body IS NOT NULL"), 1);
}

#[actix_web::test]
async fn a_running_server_removes_expired_data_on_its_own() {
    let mut server = TestServer::start_with(|config| config.retention.message_days = 1);
    let conversation = server.conversation_with(&server.user("Alice")).await;
    server.clock.advance(DAY * 2);

    server.restart();

    eventually(|| server.value::<i64>("SELECT count(*) FROM messages") == 0).await;
    assert_eq!(server.get(&format!("/v1.0/conversations/{conversation}")).await.status, 200);
    assert_eq!(server.get("/readyz").await.status, 200);
}
