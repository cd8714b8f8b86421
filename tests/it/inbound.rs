//! What each kind of event becomes: pairs of a webhook event and what the messages of its conversation then are.

use serde_json::{Value, json};

use crate::harness::eventually_is;
use crate::harness::server::{TestServer, text_event};

/// An event of a user, of another kind and with other parts than a text.
fn event(user: &str, parts: &Value) -> Value {
    let mut event = text_event(user, "");
    event.as_object_mut().unwrap().remove("message");
    for (name, value) in parts.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

/// A `message` event with this message object.
fn message(user: &str, mut object: Value) -> Value {
    let id = text_event(user, "")["message"]["id"].clone();
    object["id"] = id;
    event(user, &json!({ "message": object }))
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

fn said(user: &str, text: &str, medias: &Value) -> Value {
    json!({ "status": "received", "source_target": user, "text": text, "medias": medias })
}

/// Every kind of `message` object, and the message that it becomes.
fn messages_and_what_they_become() -> Vec<(Value, &'static str, Value)> {
    let at_line = json!({ "type": "line" });
    vec![
        (
            json!({ "type": "text", "text": "hi (brown)", "emojis": [{ "index": 3, "length": 7, "productId": "p", "emojiId": "1" }],
                 "mention": { "mentionees": [{ "index": 0, "length": 2, "type": "all" }] }, "quoteToken": "q",
                 "quotedMessageId": "1" }),
            "hi (brown)",
            json!([]),
        ),
        (
            json!({ "type": "image", "contentProvider": at_line, "quoteToken": "q", "imageSet": { "id": "E", "index": 1, "total": 2 } }),
            "",
            json!([{ "type": "image", "filename": "", "status": "pending", "image_set": { "id": "E", "index": 1, "total": 2 } }]),
        ),
        (
            json!({ "type": "video", "contentProvider": at_line, "duration": 1500, "quoteToken": "q" }),
            "",
            json!([{ "type": "video", "filename": "", "duration_ms": 1500, "status": "pending" }]),
        ),
        (
            json!({ "type": "audio", "contentProvider": at_line, "duration": 900 }),
            "",
            json!([{ "type": "audio", "filename": "", "duration_ms": 900, "status": "pending" }]),
        ),
        (
            json!({ "type": "file", "fileName": "a/b.pdf", "fileSize": 7 }),
            "",
            json!([{ "type": "file", "filename": "b.pdf", "size": 7, "status": "pending" }]),
        ),
        (
            json!({ "type": "location", "title": "Tower", "address": "1-1 Town", "latitude": 35.5, "longitude": 139.75 }),
            "Tower\n1-1 Town\n35.5, 139.75",
            json!([{ "type": "location", "filename": "", "title": "Tower", "address": "1-1 Town", "latitude": 35.5, "longitude": 139.75 }]),
        ),
        (
            json!({ "type": "sticker", "packageId": "446", "stickerId": "1988", "stickerResourceType": "STATIC", "keywords": ["hi"] }),
            "hi",
            json!([{ "type": "sticker", "filename": "", "package_id": "446", "sticker_id": "1988", "keywords": ["hi"] }]),
        ),
    ]
}

#[actix_web::test]
async fn every_kind_of_message_is_shown_as_text_and_media() {
    let server = TestServer::start();
    let user = server.user("Alice");
    // What is at LINE is not ready yet, so that the files are still to be fetched when the messages are looked at.
    server.set_faults(&json!([{ "path": "/v2/bot/message/", "kind": "status", "status": 500 }]));

    let mut expected = vec![said(&user, "hello", &json!([]))];
    let conversation = server.conversation_with(&user).await;
    for (object, text, medias) in messages_and_what_they_become() {
        assert_eq!(server.webhook(&[message(&user, object)]).await.status, 200);
        expected.push(said(&user, text, &medias));
    }

    assert_eq!(shown(&server, &conversation).await, expected);
}

#[actix_web::test]
async fn a_tapped_button_is_shown_and_what_nobody_reads_is_only_kept() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    let unread = async || server.get("/readyz").await.json()["counters"]["events_unread"].clone();
    let events = [
        event(
            &user,
            &json!({ "type": "postback", "postback": { "data": "buy=1", "params": { "date": "2026-11-23" } } }),
        ),
        event(&user, &json!({ "type": "videoPlayComplete", "videoPlayComplete": { "trackingId": "t" } })),
        event(&user, &json!({ "type": "beacon", "beacon": { "hwid": "d41d8cd98f", "type": "enter" } })),
        event(&user, &json!({ "type": "accountLink", "link": { "result": "ok", "nonce": "n" } })),
        event(&user, &json!({ "type": "membership", "membership": { "type": "joined", "membershipId": 7 } })),
        event(&user, &json!({ "type": "follow", "follow": { "isUnblocked": true } })),
        event(&user, &json!({ "type": "module", "module": { "type": "attached" } })),
    ];

    assert_eq!(server.webhook(&events).await.status, 200);

    let expected = [said(&user, "hello", &json!([])), said(&user, "buy=1\ndate: 2026-11-23", &json!([]))];
    assert_eq!(shown(&server, &conversation).await, expected);
    assert_eq!(unread().await, 1, "a module event is kept for a later version");
}

#[actix_web::test]
async fn edits_and_withdrawals_end_the_same_in_every_order() {
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
    let withdrawn =
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

        server.webhook(std::slice::from_ref(&withdrawn)).await;
        server.webhook(&[edited("too late", 30)]).await;
        assert_eq!(shown(&server, &conversation).await.len(), 1, "{order:?}");
    }
}

#[actix_web::test]
async fn a_shuffled_album_in_one_webhook_is_shown_in_its_order() {
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
async fn members_come_and_go_and_what_they_said_stays() {
    let server = TestServer::start();
    let (brown, cony) = (server.user("Brown"), server.user("Cony"));
    let group = server.group("Friends", &[&brown, &cony]);
    let source = json!({ "type": "group", "groupId": group });
    let member = |kind: &str, list: &str| {
        let members = json!({ "members": [{ "type": "user", "userId": cony }] });
        event(&cony, &json!({ "type": kind, "source": source, list: members }))
    };
    let mut speaks = text_event(&brown, "hello");
    speaks["source"] = json!({ "type": "group", "groupId": group, "userId": brown });
    let names = async || {
        let list = server.get("/v1.0/conversations").await.json();
        let participants = list["result"][0]["participants"].as_array().unwrap().clone();
        participants.iter().map(|one| one["target_name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    server.webhook(&[event(&brown, &json!({ "type": "join", "source": source }))]).await;
    server.webhook(&[speaks]).await;
    server.webhook(&[member("memberJoined", "joined")]).await;
    eventually_is(["me", "Friends", "Brown", "Cony"].map(str::to_owned).to_vec(), &names).await;
    server.webhook(&[member("memberLeft", "left")]).await;

    assert_eq!(names().await, ["me", "Friends", "Brown"]);
}
