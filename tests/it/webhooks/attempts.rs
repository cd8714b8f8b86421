//! The outcome of each response, and the time of the next attempt.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{eventually, eventually_is};
use crate::webhooks::receiver::{Receiver, status, with_header};
use crate::webhooks::{called, deliveries, delivery, secret_of, start, start_with, states_are, write};

const SECOND: Duration = Duration::from_secs(1);

#[actix_web::test]
async fn an_event_is_delivered_once_and_signed_over_its_exact_bytes() {
    let receiver = Receiver::start();
    let server = start(&receiver);
    let alice = server.user("Alice");

    let conversation = server.conversation_with(&alice).await;
    states_are(&server, &["delivered", "delivered", "delivered"]).await;

    let secret = secret_of(&server, server.customer);
    let calls = receiver.calls();
    let types: Vec<_> = calls.iter().map(|call| call.json()["type"].clone()).collect();
    assert_eq!(types, ["conversation_created", "conversation_message_created", "conversation_updated"]);
    for (call, delivery) in calls.iter().zip(deliveries(&server, "").await) {
        assert_eq!(call.line, "POST /events HTTP/1.1");
        assert_eq!(call.header("content-type"), "application/json");
        assert!(call.header("user-agent").starts_with("kaiwa/"), "{call:?}");
        assert_eq!(call.header("webhook-id"), delivery["id"]);
        assert!(call.is_signed_with(&secret), "{call:?}");
        let keys: Vec<_> = call.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["data", "timestamp", "type"]);
        assert_eq!(delivery["type"], call.json()["type"]);
        assert_eq!(delivery["conversation_id"], conversation);
        assert_eq!((&delivery["attempt_count"], &delivery["next_attempt"]), (&json!(1), &Value::Null));
        assert_eq!(delivery["last_attempt"]["status"], 204);
    }
    let (mut delivered, mut shown) =
        (calls[1].json()["data"].clone(), server.messages(&conversation).await[0].clone());
    // The author's name is read when it is shown, and LINE has returned it by now.
    assert_eq!(
        (delivered["source_name"].take(), shown["source_name"].take()),
        (json!("Unknown"), json!("Alice"))
    );
    assert_eq!(delivered, shown);
}

#[actix_web::test]
async fn a_failed_delivery_is_retried_on_schedule_with_the_same_id_and_bytes() {
    let receiver = Receiver::start();
    receiver.answer_all(500);
    let server = start(&receiver);
    write(&server, &server.user("Alice"), "hello").await;
    called(&receiver, 1).await;
    let id = deliveries(&server, "").await[0]["id"].clone();
    let calls = |id: &Value| {
        let calls = receiver.calls().into_iter();
        calls.filter(|call| call.header("webhook-id") == id).collect::<Vec<_>>()
    };

    // Each pause of the schedule, in seconds, and the number of attempts before it.
    let pauses = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    for (times, pause) in (1..).zip(pauses) {
        eventually_is(json!(times), async || delivery(&server, &id).await["attempt_count"].clone()).await;
        server.advance(SECOND * pause * 8 / 10);
        server.get("/v1.0/webhook_deliveries").await;
        assert_eq!(calls(&id).len(), times, "too early after {times} attempts");
        // Jitter adds at most a tenth.
        server.advance(SECOND * pause * 3 / 10 + SECOND);
        eventually(|| calls(&id).len() == times + 1).await;
    }
    let calls = calls(&id);
    assert!(calls.iter().all(|call| call.body == calls[0].body));
    eventually_is(json!("failed"), async || delivery(&server, &id).await["state"].clone()).await;
    let attempts = delivery(&server, &id).await["attempts"].clone();
    assert_eq!(attempts.as_array().unwrap().len(), 10);
    assert!(attempts.as_array().unwrap().iter().all(|attempt| attempt["status"] == 500));
}

#[actix_web::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let receiver = Receiver::start();
    let elsewhere = Receiver::start();
    let location = format!("location: {}", elsewhere.url);
    receiver.respond(move |_| Some(with_header(302, &location)));
    let server = start(&receiver);

    write(&server, &server.user("Alice"), "hello").await;
    called(&receiver, 1).await;

    eventually_is(json!(302), async || deliveries(&server, "").await[0]["last_attempt"]["status"].clone())
        .await;
    states_are(&server, &["waiting", "waiting", "waiting"]).await;
    assert_eq!(elsewhere.calls().len(), 0);
}

#[actix_web::test]
async fn an_endpoint_that_responds_gone_gets_nothing_until_it_is_enabled() {
    for by_setup in [false, true] {
        gone_until_enabled(by_setup).await;
    }
}

/// Enabled by the call that sets the endpoint, or by another setup.
async fn gone_until_enabled(by_setup: bool) {
    let receiver = Receiver::start();
    receiver.answer_all(410);
    let server = start(&receiver);
    write(&server, &server.user("Alice"), "one").await;
    eventually_is(json!("gone"), async || {
        server.get("/v1.0/webhook").await.json()["disabled"]["reason"].clone()
    })
    .await;

    write(&server, &server.user("Bob"), "two").await;
    server.advance(Duration::from_hours(30));
    server.get("/v1.0/webhook_deliveries").await;
    assert_eq!(receiver.calls().len(), 1);

    receiver.answer_all(200);
    let enabled = if by_setup {
        server.post("/v1.0/conversations/setup", &json!({ "reference_type": "line" })).await
    } else {
        server.put("/v1.0/webhook", &json!({})).await
    };
    assert_eq!(enabled.status, 200, "{enabled:?}");
    assert_eq!(server.get("/v1.0/webhook").await.json()["disabled"], Value::Null);
    eventually(|| receiver.texts().len() == 2).await;
    eventually_is(0, async || deliveries(&server, "?state=waiting").await.len()).await;
}

#[actix_web::test]
async fn a_receiver_that_asks_for_a_pause_gets_it_and_then_one_probe() {
    let receiver = Receiver::start();
    receiver.respond(|_| Some(with_header(429, "retry-after: 600")));
    let server = start(&receiver);
    write(&server, &server.user("Alice"), "one").await;
    eventually(|| receiver.calls().len() == 1).await;
    let paused = async || !server.get("/v1.0/webhook").await.json()["paused_until"].is_null();
    eventually_is(true, paused).await;

    for name in ["Bob", "Carol", "Dave"] {
        write(&server, &server.user(name), "more").await;
    }
    server.advance(SECOND * 500);
    server.get("/v1.0/webhook_deliveries").await;
    assert_eq!(receiver.calls().len(), 1, "nothing is sent during the pause");

    receiver.respond(|_| Some(with_header(503, "retry-after: 600")));
    server.advance(SECOND * 101);
    called(&receiver, 2).await;
    // The pause counts from when the outcome is recorded.
    let was_put_off = |delivery: &Value| delivery["last_attempt"]["status"] == 503;
    eventually_is(true, async || deliveries(&server, "").await.iter().any(was_put_off)).await;
    receiver.answer_all(200);
    server.advance(SECOND * 601);
    eventually(|| receiver.texts().len() >= 4).await;
    eventually_is(false, paused).await;
}

#[actix_web::test]
async fn a_receiver_that_does_not_respond_times_out() {
    let receiver = Receiver::start();
    receiver.hang();
    let server = start_with(&receiver, |config| config.webhooks.timeout = Duration::from_millis(200));

    write(&server, &server.user("Alice"), "hello").await;

    eventually_is(json!("timeout"), async || {
        deliveries(&server, "").await[0]["last_attempt"]["error"].clone()
    })
    .await;
}

#[actix_web::test]
async fn a_restart_loses_nothing_and_repeats_the_same_call() {
    let receiver = Receiver::start();
    receiver.hang();
    let mut server = start(&receiver);
    write(&server, &server.user("Alice"), "hello").await;
    called(&receiver, 1).await;

    server.restart();
    receiver.answer_all(200);
    eventually(|| receiver.texts() == ["hello"]).await;

    let calls = receiver.calls();
    assert_eq!(calls[0].header("webhook-id"), calls[1].header("webhook-id"));
    assert_eq!(calls[0].body, calls[1].body);
    let first = deliveries(&server, "").await[0]["id"].clone();
    assert_eq!(delivery(&server, &first).await["attempts"][0]["error"], "interrupted");
}

#[actix_web::test]
async fn a_delivered_event_can_be_replayed() {
    let receiver = Receiver::start();
    let server = start(&receiver);
    write(&server, &server.user("Alice"), "hello").await;
    states_are(&server, &["delivered", "delivered", "delivered"]).await;
    let id = deliveries(&server, "").await[1]["id"].clone();

    let path = format!("/v1.0/webhook_deliveries/{}/replay", id.as_str().unwrap());
    let replayed = server.post(&path, &json!({})).await;

    assert_eq!((replayed.status, &replayed.json()["id"]), (200, &id));
    called(&receiver, 4).await;
    assert_eq!(receiver.calls()[3].header("webhook-id"), id);
    assert_eq!(receiver.calls()[3].body, receiver.calls()[1].body);
    eventually_is(json!(2), async || delivery(&server, &id).await["attempt_count"].clone()).await;
}

#[actix_web::test]
async fn responses_of_any_size_and_shape_are_harmless() {
    let receiver = Receiver::start();
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n{}", "x".repeat(1 << 20));
    receiver.respond(move |call| match call.json()["data"]["text"].as_str() {
        Some("long") => Some(long.clone()),
        Some("nonsense") => Some("nonsense\r\n\r\n".to_owned()),
        Some("nothing") => None,
        _ => Some(status(200)),
    });
    let server = start(&receiver);

    for text in ["long", "nonsense", "nothing"] {
        write(&server, &server.user(text), text).await;
    }

    let attempts = async || {
        let deliveries = deliveries(&server, "").await;
        let created = |one: &&Value| one["type"] == "conversation_message_created";
        let last =
            |one: &Value| (one["last_attempt"]["status"].clone(), one["last_attempt"]["error"].clone());
        deliveries.iter().filter(created).map(last).collect::<Vec<_>>()
    };
    let expected = vec![
        (json!(200), Value::Null),
        (Value::Null, json!("answer_unreadable")),
        (Value::Null, json!("unreachable")),
    ];
    eventually_is(expected, attempts).await;
}
