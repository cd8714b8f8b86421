//! Events that arrive in any order, repeatedly and in any number of webhooks lead to the same state.

use kaiwa::model::timestamp::Timestamp;
use proptest::prelude::{Just, Strategy};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::server::TestServer;

/// The number of orders that are tried.
const ORDERS: usize = 20;

/// The time of the first event, in milliseconds: 2022-06-17 06:06:14.
const BEGIN: i64 = 1_655_445_974_000;

/// A chat with everything whose order matters: edits, unsends, an album, and a user who blocks the account twice.
/// Each run has another user with other messages.
struct Chat {
    run: usize,
}

impl Chat {
    fn user(&self) -> String {
        format!("U{:032x}", self.run)
    }

    /// The events in the order in which they happened, one second apart.
    fn events(&self) -> Vec<Value> {
        let text =
            |number: usize, text: &str| json!({ "type": "text", "text": text, "id": self.message(number) });
        let image = |number: usize, index: u32| {
            json!({ "type": "image", "id": self.message(number), "contentProvider": { "type": "line" },
                    "imageSet": { "id": "E", "index": index, "total": 3 } })
        };
        let received = |message: Value| json!({ "type": "message", "message": message });
        let edited = |message: Value| json!({ "type": "messageEdited", "message": message });
        let unsent =
            |number: usize| json!({ "type": "unsend", "unsend": { "messageId": self.message(number) } });
        let events = [
            json!({ "type": "follow", "follow": { "isUnblocked": false } }),
            received(text(1, "first")),
            received(text(2, "regretted")),
            received(image(3, 1)),
            received(image(4, 2)),
            received(image(5, 3)),
            edited(text(1, "second")),
            json!({ "type": "unfollow" }),
            json!({ "type": "follow", "follow": { "isUnblocked": true } }),
            edited(text(2, "still regretted")),
            unsent(2),
            edited(text(1, "third")),
            unsent(4),
            json!({ "type": "postback", "postback": { "data": "buy=1" } }),
            json!({ "type": "unfollow" }),
        ];
        events.into_iter().zip(1..).map(|(event, number)| self.complete(event, number)).collect()
    }

    fn complete(&self, mut event: Value, number: i64) -> Value {
        event["timestamp"] = json!(BEGIN + 1_000 * number);
        event["webhookEventId"] = json!(format!("{:013}{number:013}", self.run));
        event["mode"] = json!("active");
        event["source"] = json!({ "type": "user", "userId": self.user() });
        event["deliveryContext"] = json!({ "isRedelivery": false });
        event
    }

    fn message(&self, number: usize) -> String {
        format!("{}", 1_000 * self.run + number)
    }

    /// Everything shown of the chat, in LINE's order, without our ids and times.
    async fn shown(&self, server: &TestServer) -> Value {
        let list = server.get("/v1.0/conversations?page_size=1").await.json();
        let mut conversation = list["result"][0].clone();
        let id = conversation["id"].as_str().unwrap().to_owned();
        let mut messages = server.messages(&id).await;
        messages.sort_by_key(|message| message["tm_occur"].as_str().unwrap().to_owned());
        let sent = server.post(&format!("/v1.0/conversations/{id}/messages"), &json!({ "text": "hi" })).await;
        strip(&mut conversation);
        for message in &mut messages {
            strip(message);
            message["medias"].as_array_mut().unwrap().iter_mut().for_each(strip);
        }
        let shown = json!({ "conversation": conversation, "messages": messages, "sending": sent.reason() });
        serde_json::from_str(&shown.to_string().replace(&self.user(), "user")).unwrap()
    }
}

/// Removes values that differ from run to run.
fn strip(object: &mut Value) {
    for name in ["id", "conversation_id", "tm_create", "tm_update"] {
        object.as_object_mut().unwrap().remove(name);
    }
}

/// The events in random order, some of them twice, in batches of random length.
fn deliveries(events: Vec<Value>) -> impl Strategy<Value = Vec<Vec<Value>>> {
    let copies = proptest::sample::subsequence(events.clone(), 0..=events.len());
    let all = (Just(events), copies).prop_map(|(events, copies)| {
        let again = copies.into_iter().map(|mut copy| {
            copy["deliveryContext"]["isRedelivery"] = json!(true);
            copy
        });
        events.into_iter().chain(again).collect::<Vec<_>>()
    });
    (all.prop_shuffle(), 1..=4_usize)
        .prop_map(|(events, size)| events.chunks(size).map(<[Value]>::to_vec).collect())
}

#[actix_web::test]
async fn a_chat_ends_in_the_same_state_whatever_the_order_of_arrival() {
    let server = TestServer::start();
    // Nothing is fetched, so that files and names look the same at any time.
    server.set_faults(&json!([{ "path": "/v2/bot/", "kind": "status", "status": 500 }]));
    let orderly = Chat { run: 0 };
    for event in orderly.events() {
        assert_eq!(server.webhook(&[event]).await.status, 200);
    }
    let expected = orderly.shown(&server).await;
    let texts: Vec<_> =
        expected["messages"].as_array().unwrap().iter().map(|message| &message["text"]).collect();
    assert_eq!(texts, ["third", "", "", "buy=1"]);
    assert_eq!(expected["sending"], "STATE_INVALID");

    let mut runner = TestRunner::deterministic();
    for run in 1..=ORDERS {
        let chat = Chat { run };
        let delivered = deliveries(chat.events()).new_tree(&mut runner).unwrap().current();
        for events in &delivered {
            assert_eq!(server.webhook(events).await.status, 200);
        }
        assert_eq!(chat.shown(&server).await, expected, "{delivered:#?}");
    }
}

#[actix_web::test]
async fn a_received_message_shows_when_it_was_written_and_a_sent_one_does_not() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    let received = json!({ "type": "message", "message": { "type": "text", "text": "late", "id": "1" } });
    let mut late = Chat { run: 1 }.complete(received, 446);
    late["source"]["userId"] = json!(user);
    assert_eq!(server.webhook(&[late]).await.status, 200);

    let response = server.say(&conversation, "hi").await;
    let messages = server.messages(&conversation).await;

    assert_eq!(response.get("tm_occur"), None);
    assert_eq!(messages[1]["tm_occur"], "2022-06-17 06:13:40.000000");
    let spoken: Timestamp = messages[2]["tm_occur"].as_str().unwrap().parse().unwrap();
    assert!(
        spoken > messages[1]["tm_occur"].as_str().unwrap().parse().unwrap(),
        "the order of arrival is another"
    );
}
