//! Golden pairs: an event of every type that LINE documents, and what the API shows for it.

use kaiwa::model::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::harness::eventually_is;
use crate::harness::server::{TestServer, text_event};

/// The event types in LINE's reference.
const EVENTS: [&str; 20] = [
    "accountLink",
    "activated",
    "beacon",
    "botResumed",
    "botSuspended",
    "deactivated",
    "delivery",
    "follow",
    "join",
    "leave",
    "memberJoined",
    "memberLeft",
    "membership",
    "message",
    "messageEdited",
    "module",
    "postback",
    "unfollow",
    "unsend",
    "videoPlayComplete",
];

/// The message types in LINE's reference.
const MESSAGES: [&str; 7] = ["audio", "file", "image", "location", "sticker", "text", "video"];

/// A message object from LINE, and the text and media that are shown.
type Pair = (Value, &'static str, Value);

/// An event of a user with these fields in place of a text.
fn event(user: &str, parts: &Value) -> Value {
    let mut event = text_event(user, "");
    event.as_object_mut().unwrap().remove("message");
    for (name, value) in parts.as_object().unwrap() {
        event[name] = value.clone();
    }
    if event["type"] == "message" {
        event["message"]["id"] = json!(uuid::Uuid::new_v4().as_u128().to_string());
    }
    event
}

/// The quote shown for a message; the quoted message is not stored here.
fn quote(event: &Value) -> Value {
    let quoted = &event["message"]["quotedMessageId"];
    if quoted.is_null() { Value::Null } else { json!({ "message_id": null, "line_message_id": quoted }) }
}

/// The mentions shown for a message.
fn mentions(event: &Value) -> Vec<Value> {
    let named = event["message"]["mention"]["mentionees"].as_array().into_iter().flatten();
    let shown = |one: &Value| {
        json!({ "index": one["index"], "length": one["length"], "kind": one["type"], "participant": one["userId"],
                "is_self": one["isSelf"] == true })
    };
    named.map(shown).collect()
}

/// The message shown for an event, without our ids and arrival times.
fn golden(event: &Value, text: &str, medias: &Value) -> Value {
    let user = &event["source"]["userId"];
    let sent_at = Timestamp::from_milliseconds(event["timestamp"].as_i64().unwrap());
    json!({
        "status": "received", "reference_type": "line", "reference_id": user, "source_target": user, "text": text,
        "medias": medias, "tm_delete": "9999-01-01 00:00:00.000000", "tm_occur": sent_at.to_string(),
        "source_picture_uri": "", "quote": quote(event), "mentions": mentions(event),
    })
}

/// The messages of the only conversation in the same form, oldest first.
async fn shown(server: &TestServer) -> Vec<Value> {
    let list = server.get("/v1.0/conversations").await.json();
    let mut messages = server.messages(list["result"][0]["id"].as_str().unwrap()).await;
    messages.reverse();
    for message in &mut messages {
        let fields = message.as_object_mut().unwrap();
        fields.retain(|name, _| {
            !matches!(name.as_str(), "id" | "conversation_id" | "tm_create" | "tm_update" | "source_name")
        });
        for media in fields["medias"].as_array_mut().unwrap() {
            assert!(media.as_object_mut().unwrap().remove("id").is_some());
        }
    }
    messages
}

fn texts() -> Vec<Pair> {
    let mentionees = json!([
        { "index": 0, "length": 4, "type": "all" },
        { "index": 5, "length": 4, "type": "user", "userId": "U1", "isSelf": true },
    ]);
    vec![
        (json!({ "type": "text", "text": "hi" }), "hi", json!([])),
        (
            json!({ "type": "text", "text": "@All @bot (brown) 👨‍👩‍👧‍👦\n", "quoteToken": "q", "quotedMessageId": "1",
                    "emojis": [{ "index": 10, "length": 7, "productId": "p", "emojiId": "1" }],
                    "mention": { "mentionees": mentionees }, "markAsReadToken": "m" }),
            "@All @bot (brown) 👨‍👩‍👧‍👦\n",
            json!([]),
        ),
        (
            json!({ "type": "location", "title": "Tower", "address": "1-1 Town", "latitude": 35.5, "longitude": -1.25 }),
            "Tower\n1-1 Town\n35.5, -1.25",
            json!([{ "type": "location", "filename": "", "title": "Tower", "address": "1-1 Town", "latitude": 35.5,
                     "longitude": -1.25 }]),
        ),
        (
            json!({ "type": "location", "address": "1-1 Town", "latitude": 1, "longitude": 2 }),
            "1-1 Town\n1, 2",
            json!([{ "type": "location", "filename": "", "address": "1-1 Town", "latitude": 1.0, "longitude": 2.0 }]),
        ),
        (
            json!({ "type": "location", "latitude": 0.5, "longitude": 2 }),
            "0.5, 2",
            json!([{ "type": "location", "filename": "", "latitude": 0.5, "longitude": 2.0 }]),
        ),
        (
            json!({ "type": "sticker", "packageId": "446", "stickerId": "1988", "stickerResourceType": "STATIC",
                    "keywords": ["cony", "hello"], "quoteToken": "q" }),
            "cony, hello",
            json!([{ "type": "sticker", "filename": "", "package_id": "446", "sticker_id": "1988",
                     "keywords": ["cony", "hello"] }]),
        ),
        (
            json!({ "type": "sticker", "packageId": "1", "stickerId": "2", "stickerResourceType": "PER_STICKER_TEXT",
                    "keywords": ["thanks"], "text": "Let's meet", "quotedMessageId": "1" }),
            "Let's meet",
            json!([{ "type": "sticker", "filename": "", "package_id": "1", "sticker_id": "2", "keywords": ["thanks"] }]),
        ),
        (
            json!({ "type": "sticker", "packageId": "30563", "stickerId": "651698630", "stickerResourceType": "NEW" }),
            "",
            json!([{ "type": "sticker", "filename": "", "package_id": "30563", "sticker_id": "651698630", "keywords": [] }]),
        ),
    ]
}

/// Files. External ones have addresses that are never requested.
fn files() -> Vec<Pair> {
    let line = json!({ "type": "line" });
    let elsewhere = |name: &str| {
        json!({ "type": "external", "originalContentUrl": format!("http://127.0.0.1/{name}"),
                "previewImageUrl": "http://127.0.0.1/preview.jpg" })
    };
    vec![
        (
            json!({ "type": "image", "contentProvider": line, "quoteToken": "q" }),
            "",
            json!([{ "type": "image", "filename": "", "status": "pending" }]),
        ),
        (
            json!({ "type": "image", "contentProvider": line, "imageSet": { "id": "E", "index": 1, "total": 2 } }),
            "",
            json!([{ "type": "image", "filename": "", "status": "pending",
                     "image_set": { "id": "E", "index": 1, "total": 2 } }]),
        ),
        (
            json!({ "type": "image", "contentProvider": elsewhere("a.jpg"), "imageSet": { "id": "E" } }),
            "",
            json!([{ "type": "image", "filename": "", "status": "gone", "image_set": { "id": "E" } }]),
        ),
        (
            json!({ "type": "video", "contentProvider": line, "duration": 60_000, "quoteToken": "q" }),
            "",
            json!([{ "type": "video", "filename": "", "duration_ms": 60_000, "status": "pending" }]),
        ),
        (
            json!({ "type": "video", "contentProvider": elsewhere("a.mp4") }),
            "",
            json!([{ "type": "video", "filename": "", "status": "gone" }]),
        ),
        (
            json!({ "type": "audio", "contentProvider": line, "duration": 900 }),
            "",
            json!([{ "type": "audio", "filename": "", "duration_ms": 900, "status": "pending" }]),
        ),
        (
            json!({ "type": "audio", "contentProvider": elsewhere("a.m4a"), "duration": 900 }),
            "",
            json!([{ "type": "audio", "filename": "", "duration_ms": 900, "status": "gone" }]),
        ),
        (
            json!({ "type": "file", "fileName": "../領収書.pdf", "fileSize": 2138 }),
            "",
            json!([{ "type": "file", "filename": "領収書.pdf", "size": 2138, "status": "pending" }]),
        ),
    ]
}

/// The texts of tapped buttons, without media.
fn postbacks() -> Vec<(Value, &'static str)> {
    let picked = |params: Value| json!({ "data": "when", "params": params });
    vec![
        (json!({ "data": "action=buy&item=1" }), "action=buy&item=1"),
        (picked(json!({ "date": "2026-11-23" })), "when\ndate: 2026-11-23"),
        (picked(json!({ "time": "10:00" })), "when\ntime: 10:00"),
        (picked(json!({ "datetime": "2026-11-23T10:00" })), "when\ndatetime: 2026-11-23T10:00"),
        (
            picked(json!({ "newRichMenuAliasId": "b", "status": "SUCCESS" })),
            "when\nnewRichMenuAliasId: b\nstatus: SUCCESS",
        ),
    ]
}

/// Events that change no message, and whether this version understands them.
fn silent(user: &str) -> Vec<(Value, bool)> {
    let group = json!({ "type": "group", "groupId": "C00000000000000000000000000000001", "userId": user });
    let room = json!({ "type": "room", "roomId": "R00000000000000000000000000000001" });
    let members = json!({ "members": [{ "type": "user", "userId": user }] });
    let of = |parts: Value| event(user, &parts);
    let nowhere = |parts: Value| {
        let mut event = of(parts);
        event.as_object_mut().unwrap().remove("source");
        event
    };
    vec![
        (of(json!({ "type": "follow", "follow": { "isUnblocked": true } })), true),
        (of(json!({ "type": "unfollow" })), true),
        (of(json!({ "type": "join", "source": group })), true),
        (of(json!({ "type": "join", "source": room })), true),
        (of(json!({ "type": "memberJoined", "source": group, "joined": members })), true),
        (of(json!({ "type": "memberLeft", "source": group, "left": members })), true),
        (of(json!({ "type": "leave", "source": group })), true),
        (of(json!({ "type": "unsend", "unsend": { "messageId": "7" } })), true),
        (of(json!({ "type": "videoPlayComplete", "videoPlayComplete": { "trackingId": "t" } })), true),
        (of(json!({ "type": "beacon", "beacon": { "hwid": "d41d8cd98f", "type": "enter" } })), true),
        (
            of(json!({ "type": "beacon", "beacon": { "hwid": "d41d8cd98f", "type": "stay", "dm": "00" } })),
            true,
        ),
        (of(json!({ "type": "accountLink", "link": { "result": "ok", "nonce": "n" } })), true),
        (nowhere(json!({ "type": "accountLink", "link": { "result": "failed", "nonce": "n" } })), true),
        (of(json!({ "type": "membership", "membership": { "type": "joined", "membershipId": 7 } })), true),
        (of(json!({ "type": "membership", "membership": { "type": "renewed", "membershipId": 7 } })), true),
        (of(json!({ "type": "membership", "membership": { "type": "left", "membershipId": 7 } })), true),
        (
            nowhere(
                json!({ "type": "module", "module": { "type": "attached", "botId": "U1", "scopes": [] } }),
            ),
            false,
        ),
        (
            nowhere(
                json!({ "type": "module", "module": { "type": "detached", "botId": "U1", "reason": "bot_deleted" } }),
            ),
            false,
        ),
        (of(json!({ "type": "activated", "chatControl": { "expireAt": 1_700_000_000_000_i64 } })), false),
        (of(json!({ "type": "deactivated" })), false),
        (nowhere(json!({ "type": "botSuspended" })), false),
        (nowhere(json!({ "type": "botResumed" })), false),
        (nowhere(json!({ "type": "delivery", "delivery": { "data": "d" } })), false),
        (of(json!({ "type": "teleport", "teleport": { "to": "Osaka" } })), false),
        (of(json!({ "type": "message", "message": { "type": "hologram", "depth": 3 } })), false),
    ]
}

#[actix_web::test]
async fn every_message_and_button_is_shown_as_text_and_media() {
    let server = TestServer::start();
    let user = server.user("Alice");
    // Content at LINE is not ready yet, so that its files are still pending when the messages are checked.
    server.set_faults(&json!([{ "path": "/v2/bot/message/", "kind": "status", "status": 500 }]));
    let received = texts().into_iter().chain(files());
    let received = received
        .map(|(message, text, medias)| (json!({ "type": "message", "message": message }), text, medias));
    let tapped = postbacks()
        .into_iter()
        .map(|(postback, text)| (json!({ "type": "postback", "postback": postback }), text, json!([])));

    let mut expected = Vec::new();
    for (parts, text, medias) in received.chain(tapped) {
        let event = event(&user, &parts);
        assert_eq!(server.webhook(std::slice::from_ref(&event)).await.status, 200);
        expected.push(golden(&event, text, &medias));
    }

    eventually_is(expected, async || shown(&server).await).await;
    let mut kinds: Vec<Value> =
        texts().into_iter().chain(files()).map(|(message, ..)| message["type"].clone()).collect();
    kinds.sort_by_key(Value::to_string);
    kinds.dedup();
    assert_eq!(kinds, MESSAGES, "each kind of message has its pairs");
}

#[actix_web::test]
async fn an_edited_message_shows_its_new_text_with_its_original_time() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let first = event(&user, &json!({ "type": "message", "message": { "type": "text", "text": "first" } }));
    let id = first["message"]["id"].clone();
    let mut edited = event(&user, &json!({ "type": "messageEdited" }));
    edited["message"] = json!({ "id": id, "type": "text", "text": "second", "quoteToken": "q" });
    edited["timestamp"] = json!(first["timestamp"].as_i64().unwrap() + 60_000);
    let mut unsent = event(&user, &json!({ "type": "unsend" }));
    unsent["unsend"] = json!({ "messageId": id });

    server.webhook(&[first.clone(), edited]).await;
    assert_eq!(shown(&server).await, [golden(&first, "second", &json!([]))]);
    server.webhook(&[unsent]).await;

    assert_eq!(shown(&server).await, [Value::Null; 0]);
}

#[actix_web::test]
async fn an_unsupported_event_is_stored_raw_and_shows_no_message() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let hello = event(&user, &json!({ "type": "message", "message": { "type": "text", "text": "hello" } }));
    server.webhook(std::slice::from_ref(&hello)).await;
    let events = silent(&user);

    let all: Vec<Value> = events.iter().map(|(event, _)| event.clone()).collect();
    assert_eq!(server.webhook(&all).await.status, 200);

    let list = server.get("/v1.0/conversations").await.json();
    let mut messages = Vec::new();
    for conversation in list["result"].as_array().unwrap() {
        messages.append(&mut server.messages(conversation["id"].as_str().unwrap()).await);
    }
    assert_eq!(messages.len(), 1, "{messages:#?}");
    let database = rusqlite::Connection::open(server.database()).unwrap();
    for (event, is_read) in &events {
        let sql = "SELECT result, body FROM webhook_events WHERE event_id = ?1";
        let id = event["webhookEventId"].as_str().unwrap();
        let (result, body): (String, String) =
            database.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(
            (result == "applied", serde_json::from_str::<Value>(&body).unwrap()),
            (*is_read, event.clone())
        );
    }
    let unread = events.iter().filter(|(_, is_read)| !is_read).count();
    assert_eq!(server.get("/readyz").await.json()["counters"]["events_unread"], unread);
    let shown = ["message", "messageEdited", "postback"].map(|kind| json!(kind));
    let mut kinds: Vec<Value> = all.iter().map(|event| event["type"].clone()).chain(shown).collect();
    kinds.retain(|kind| EVENTS.iter().any(|name| kind == name));
    kinds.sort_by_key(Value::to_string);
    kinds.dedup();
    assert_eq!(kinds, EVENTS, "each kind of event has its pair");
}
