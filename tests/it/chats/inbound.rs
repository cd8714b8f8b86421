//! The combined effect of events on a conversation: edits, unsends, albums, members.

use std::time::Duration;

use kaiwa::model::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::harness::eventually_is;
use crate::harness::server::{TestServer, text_event};

/// An event of a user with another type and other fields than a text.
fn event(user: &str, parts: &Value) -> Value {
    let mut event = text_event(user, "");
    event.as_object_mut().unwrap().remove("message");
    for (name, value) in parts.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

/// The messages of a conversation without what differs from run to run, oldest first.
async fn shown(server: &TestServer, conversation: &str) -> Vec<Value> {
    let mut messages = server.messages(conversation).await;
    messages.reverse();
    for message in &mut messages {
        let fields = message.as_object_mut().unwrap();
        fields.retain(|name, _| matches!(name.as_str(), "status" | "source_target" | "text" | "medias"));
        for media in fields["medias"].as_array_mut().unwrap() {
            drop(media.as_object_mut().unwrap().remove("id"));
        }
    }
    messages
}

#[actix_web::test]
async fn edits_and_unsends_have_the_same_result_in_any_order() {
    let user = "U00000000000000000000000000000bad";
    let original = text_event(user, "first");
    let at = |mut event: Value, seconds: i64| {
        event["timestamp"] = json!(original["timestamp"].as_i64().unwrap() + seconds * 1_000);
        event
    };
    let edited = |text: &str, seconds: i64| {
        let object = json!({ "type": "text", "text": text, "id": original["message"]["id"] });
        at(event(user, &json!({ "type": "messageEdited", "message": object })), seconds)
    };
    let unsent =
        event(user, &json!({ "type": "unsend", "unsend": { "messageId": original["message"]["id"] } }));
    let (second, third) = (edited("second", 10), edited("third", 20));
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

    for order in orders {
        let server = TestServer::start();
        let events = [&original, &second, &third];
        for index in order {
            server.webhook(&[events[index].clone(), events[index].clone()]).await;
        }
        let conversation = server.conversation_with(user).await;
        let texts: Vec<Value> =
            shown(&server, &conversation).await.iter().map(|one| one["text"].clone()).collect();
        assert_eq!(texts, ["third", "hello"], "{order:?}");

        server.webhook(std::slice::from_ref(&unsent)).await;
        server.webhook(&[edited("too late", 30)]).await;
        assert_eq!(shown(&server, &conversation).await.len(), 1, "{order:?}");
    }
}

#[actix_web::test]
async fn a_shuffled_album_in_one_webhook_is_shown_in_order() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    let numbered = |number: i64| {
        let mut event = text_event(&user, &number.to_string());
        event["timestamp"] = json!(event["timestamp"].as_i64().unwrap() + number * 1_000);
        event
    };

    server.webhook(&[numbered(3), numbered(1), numbered(2)]).await;

    let texts: Vec<Value> =
        shown(&server, &conversation).await.iter().map(|one| one["text"].clone()).collect();
    assert_eq!(texts, ["hello", "1", "2", "3"]);
}

#[actix_web::test]
async fn membership_follows_the_latest_event_by_time_not_by_arrival() {
    const ORDERS: [[usize; 4]; 6] =
        [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [2, 0, 3, 1], [3, 0, 1, 2], [2, 3, 1, 0]];
    let server = TestServer::start();
    let begin = Timestamp::now().before(Duration::from_mins(1)).as_microseconds() / 1_000;
    for (order, stays) in ORDERS.iter().flat_map(|order| [(order, false), (order, true)]) {
        let cony = server.user("Cony");
        let group = server.group("Friends", &[&cony]);
        let source = json!({ "type": "group", "groupId": group });
        let members = json!({ "members": [{ "type": "user", "userId": cony }] });
        let mut message = text_event(&cony, "hello");
        message["source"] = json!({ "type": "group", "groupId": group, "userId": cony });
        let membership =
            |kind: &str, list: &str| event(&cony, &json!({ "type": kind, "source": source, list: members }));
        let mut events =
            vec![membership("memberJoined", "joined"), message, membership("memberLeft", "left")];
        events.push(if stays {
            membership("memberJoined", "joined")
        } else {
            membership("memberLeft", "left")
        });
        for (event, second) in events.iter_mut().zip(0_i64..) {
            event["timestamp"] = json!(begin + 1_000 * second);
        }

        for &one in order {
            assert_eq!(server.webhook(&[events[one].clone()]).await.status, 200);
        }

        let list = server.get("/v1.0/conversations?page_size=1").await.json();
        let others = list["result"][0]["participants"].as_array().unwrap();
        assert_eq!(others.iter().any(|one| one["target"] == cony), stays, "{order:?}: {others:?}");
    }
}

#[actix_web::test]
async fn members_join_and_leave_and_their_messages_stay() {
    let server = TestServer::start();
    let (brown, cony) = (server.user("Brown"), server.user("Cony"));
    let group = server.group("Friends", &[&brown, &cony]);
    let source = json!({ "type": "group", "groupId": group });
    let member = |kind: &str, list: &str| {
        let members = json!({ "members": [{ "type": "user", "userId": cony }] });
        event(&cony, &json!({ "type": kind, "source": source, list: members }))
    };
    let mut message = text_event(&brown, "hello");
    message["source"] = json!({ "type": "group", "groupId": group, "userId": brown });
    let names = async || {
        let list = server.get("/v1.0/conversations").await.json();
        let participants = list["result"][0]["participants"].as_array().unwrap().clone();
        participants.iter().map(|one| one["target_name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    server.webhook(&[event(&brown, &json!({ "type": "join", "source": source }))]).await;
    server.webhook(&[message]).await;
    server.webhook(&[member("memberJoined", "joined")]).await;
    eventually_is(["me", "Friends", "Brown", "Cony"].map(str::to_owned).to_vec(), &names).await;
    server.webhook(&[member("memberLeft", "left")]).await;

    assert_eq!(names().await, ["me", "Friends", "Brown"]);
}
