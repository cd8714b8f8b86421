//! Order within a conversation, and independence of conversations and customers.

use std::time::Duration;

use serde_json::json;

use crate::harness::server::text_event;
use crate::harness::{eventually, eventually_is};
use crate::webhooks::receiver::{Receiver, status};
use crate::webhooks::{Other, deliveries, start, start_with, write};

#[actix_web::test]
async fn events_of_a_conversation_are_delivered_in_order_and_delay_no_other() {
    let receiver = Receiver::start();
    let server = start(&receiver);
    let (alice, bob) = (server.user("Alice"), server.user("Bob"));
    let refused = alice.clone();
    receiver.respond(move |call| Some(status(if call.body.contains(&refused) { 500 } else { 200 })));

    for text in ["one", "two", "three"] {
        write(&server, &alice, text).await;
        write(&server, &bob, text).await;
    }
    eventually(|| receiver.texts() == ["one", "two", "three"]).await;

    let of_alice = receiver.calls().iter().filter(|call| call.body.contains(&alice)).count();
    assert_eq!(of_alice, 1, "only the oldest of a conversation is tried");
    receiver.answer_all(200);
    server.advance(Duration::from_secs(6));
    eventually(|| receiver.texts().len() == 6).await;
    assert_eq!(receiver.texts()[3..], ["one", "two", "three"]);
}

#[actix_web::test]
async fn a_customer_whose_receiver_hangs_delays_no_other() {
    let (hanging, healthy) = (Receiver::start(), Receiver::start());
    hanging.hang();
    let server = start_with(&hanging, |config| config.webhooks.concurrency = 8);
    let other = Other::connect(&server, &healthy).await;
    let many: Vec<_> =
        (0..40).map(|number| text_event(&server.user(&format!("U{number}")), "into the void")).collect();
    assert_eq!(server.webhook(&many).await.status, 200);
    eventually(|| !hanging.calls().is_empty()).await;

    for text in ["one", "two"] {
        other.receive(&server, &[text_event(&server.user("Zoe"), text)]).await;
    }

    eventually(|| healthy.texts() == ["one", "two"]).await;
    assert!(hanging.calls().len() <= 2, "a quarter of eight for one customer");
}

#[actix_web::test]
async fn an_unsent_message_is_delivered_without_its_text() {
    let receiver = Receiver::start();
    receiver.answer_all(500);
    let server = start(&receiver);
    let alice = server.user("Alice");
    let event = text_event(&alice, "a secret");
    assert_eq!(server.webhook(std::slice::from_ref(&event)).await.status, 200);
    eventually(|| !receiver.calls().is_empty()).await;
    let mut unsend = text_event(&alice, "");
    unsend["type"] = json!("unsend");
    unsend["unsend"] = json!({ "messageId": event["message"]["id"] });
    assert_eq!(server.webhook(&[unsend]).await.status, 200);

    receiver.answer_all(200);
    server.advance(Duration::from_secs(6));
    eventually_is(0, async || deliveries(&server, "?state=waiting").await.len()).await;

    assert!(receiver.calls().iter().all(|call| !call.body.contains("a secret")), "the text was delivered");
    assert_eq!(receiver.texts(), [""]);
}
