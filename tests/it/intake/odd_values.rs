//! Odd input from LINE affects nothing else: webhooks with an odd value in every place, and texts with half a character.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use awc::http::Method;
use kaiwa::line::webhook;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::store::Store;
use kaiwa::store::chats::inbound;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::event_audit;
use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};

/// The JSON of odd values; `#` is a number unique to the webhook.
const ODD: [&str; 23] = [
    "null",
    "#",
    "-1",
    "1.5",
    "1e3",
    "1e400",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "0#",
    "+#.",
    "NaN",
    "true",
    "\"\"",
    "\"odd #\"",
    "\"\\u0000#\"",
    "\"#\\ud83d\"",
    "\"#\\udc00\"",
    "[]",
    "{}",
    "[null,{\"a\":1,\"a\":[]}]",
    "DEEP",
    "HUGE",
];

/// Without these fields it is unknown what happened, and where.
const NEEDED: [&str; 5] = ["/type", "/source", "/source/type", "/source/groupId", "/source/userId"];

/// An event of nearly each type with a text, with all of LINE's fields.
fn events(number: usize) -> Vec<Value> {
    let user = json!({ "type": "user", "userId": format!("U{number}") });
    let group = json!({ "type": "group", "groupId": format!("C{number}") });
    let speaker = json!({ "type": "group", "groupId": format!("C{number}"), "userId": "U1" });
    let message = |source: &Value, mut message: Value| {
        message["id"] = json!(number.to_string());
        (source.clone(), json!({ "type": "message", "message": message }))
    };
    let all = [
        message(
            &speaker,
            json!({
                "type": "text", "text": format!("text {number}"), "quoteToken": "q", "quotedMessageId": "1", "markAsReadToken": "m",
                "mention": { "mentionees": [{ "index": 0, "length": 4, "type": "user", "userId": "U1", "isSelf": false }] },
            }),
        ),
        message(
            &user,
            json!({
                "type": "location", "title": format!("title {number}"), "address": format!("address {number}"), "latitude": 35.5,
                "longitude": -1.25,
            }),
        ),
        message(
            &group,
            json!({
                "type": "sticker", "packageId": "446", "stickerId": "1988", "text": format!("sticker {number}"), "keywords": ["cony"],
            }),
        ),
        message(
            &group,
            json!({
                "type": "file", "fileName": "a.pdf", "fileSize": 2138, "contentProvider": { "type": "line" }, "duration": 1,
                "imageSet": { "id": "1", "index": 1, "total": 2 },
            }),
        ),
        (
            user.clone(),
            json!({ "type": "messageEdited", "message": { "id": number.to_string(), "type": "text", "text": format!("edited {number}") } }),
        ),
        (
            user.clone(),
            json!({ "type": "postback", "postback": { "data": format!("data {number}"), "params": { "date": "2026-11-23" } } }),
        ),
        (
            group.clone(),
            json!({ "type": "memberJoined", "joined": { "members": [{ "type": "user", "userId": "U1" }] } }),
        ),
        (group, json!({ "type": "memberLeft", "left": { "members": [{ "type": "user", "userId": "U1" }] } })),
        (user, json!({ "type": "unsend", "unsend": { "messageId": "1" } })),
    ];
    let with_parts = |(source, parts): (Value, Value)| {
        let mut event = text_event("", "");
        event["source"] = source;
        event.as_object_mut().unwrap().remove("message");
        event.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        event
    };
    all.into_iter().map(with_parts).collect()
}

/// The paths to every value of this JSON.
fn paths(value: &Value, path: &str) -> Vec<String> {
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(entries) => {
            entries.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    let below = entries.into_iter().flat_map(|(name, value)| paths(value, &format!("{path}/{name}")));
    std::iter::once(path.to_owned()).chain(below).collect()
}

/// The texts of an event, which are the strings with a space.
fn texts(event: &Value) -> Vec<String> {
    paths(event, "")
        .iter()
        .filter_map(|path| event.pointer(path)?.as_str())
        .filter(|text| text.contains(' '))
        .map(str::to_owned)
        .collect()
}

/// A webhook whose event has an odd value, or none, at this path, and the texts that must still be shown.
fn odd(event: &Value, number: usize, path: &str, written: Option<&str>) -> (String, Vec<String>) {
    let mut changed = event.clone();
    *changed.pointer_mut(path).unwrap() = json!("ODD");
    let shown = if NEEDED.contains(&path) { Vec::new() } else { texts(&changed) };
    if let (None, Some((parent, name))) = (written, path.rsplit_once('/')) {
        match changed.pointer_mut(parent).unwrap() {
            Value::Object(fields) => drop(fields.remove(name)),
            Value::Array(entries) => drop(entries.remove(name.parse().unwrap())),
            _ => {}
        }
    }
    let written = written.unwrap_or("null").replace('#', &number.to_string());
    let written = written.replace("DEEP", &format!("{}{}", "[".repeat(1_000), "]".repeat(1_000)));
    let written = written.replace("HUGE", &format!("\"{number}{}\"", "x".repeat(2_000)));
    (json!({ "destination": "U0", "events": [changed] }).to_string().replace("\"ODD\"", &written), shown)
}

fn shown(database: &Path) -> BTreeSet<String> {
    let connection = Connection::open(database).unwrap();
    let mut statement = connection.prepare("SELECT text FROM messages").unwrap();
    let texts: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    texts.iter().flat_map(|text| text.split('\n')).map(str::to_owned).collect()
}

#[actix_web::test]
async fn an_odd_value_anywhere_in_a_webhook_affects_nothing_else() {
    let mut server = TestServer::start();
    let (account, keys) = (server.account, server.keys());
    server.stop_and_wait();
    let store = Store::open(&server.database(), &keys, 10).unwrap();
    let (mut bodies, mut expected) = (Vec::new(), BTreeSet::new());
    for (kind, event) in events(0).iter().enumerate() {
        for path in paths(event, "") {
            for written in ODD.iter().copied().map(Some).chain([None]) {
                let number = 1_000 + bodies.len();
                let (body, texts) = odd(&events(number)[kind], number, &path, written);
                bodies.push((body, path.clone()));
                expected.extend(texts);
            }
        }
    }

    let receive = store.write(Timestamp::now(), move |tx| {
        for (body, path) in bodies {
            let events = webhook::parse(body.as_bytes()).unwrap().events;
            let received = inbound::receive(tx, account, ("", &events), Duration::from_hours(24)).unwrap();
            // Two events that are only the same odd value are copies of one.
            assert!(received.stored == 1 || path.is_empty(), "{path} in {body}");
        }
        Ok(())
    });
    receive.await.unwrap();

    let missing: Vec<_> = expected.difference(&shown(&server.database())).cloned().collect();
    assert_eq!(missing, [""; 0], "of {}", expected.len());
    drop(store);
    assert_eq!(event_audit::differences(&server.database(), &keys), [""; 0]);
}

#[actix_web::test]
async fn half_a_character_from_line_is_replaced_and_from_callers_is_rejected() {
    let server = TestServer::start();
    let event = text_event(&server.user("Sally"), "HERE").to_string();
    let half = br"see you \ud83d, \\ud83d".as_slice();
    for (words, shown, stored) in [
        (b"hi \\ud83d\xff".as_slice(), "hi ��", r"hi \udc5c\udc75\udc64\udc38\udc33\udc64\udcff"),
        (br"hi \q \u12", "hi �q �u12", r"hi \udc5cq \udc5cu12"),
        (half, r"see you �, \ud83d", r"see you \ud83d, \\ud83d"),
        (b"see \xf0\x9f\x98", "see �", r"see \udcf0\udc9f\udc98"),
        (br#"01","a":01,"b":[-Infinity],"c":""#, "01", r#""a":"\udc00\udc30\udc31","b":["\udc00\udc2d"#),
    ] {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let mut event: Value = serde_json::from_str(&event).unwrap();
        (event["webhookEventId"], event["message"]["id"]) = (json!(unique[..26]), json!(unique));
        let event = event.to_string();
        let (before, after) = event.split_once("HERE").unwrap();
        let body = [b"{\"events\":[", before.as_bytes(), words, after.as_bytes(), b"]}"].concat();

        assert_eq!(server.webhook_body(body).await.status, 200);

        let conversations = server.get("/v1.0/conversations").await.json();
        let conversation = conversations["result"][0]["id"].as_str().unwrap();
        assert_eq!(server.messages(conversation).await[0]["text"], shown);
        let journal: String = server.value("SELECT body FROM webhook_events ORDER BY key DESC LIMIT 1");
        assert!(journal.contains(stored), "{journal}");
    }

    let conversations = server.get("/v1.0/conversations").await.json();
    let path = format!("/v1.0/conversations/{}/messages", conversations["result"][0]["id"].as_str().unwrap());
    for text in [half, b"see \xf0\x9f\x98", b"1e400\",\"force\":1e400,\"a\":\"", b"a\",\"a\":01,\"b\":\""] {
        let request = server.request(Method::POST, &path).content_type("application/json");
        let response = Response::to(request, [b"{\"text\":\"", text, b"\"}"].concat()).await;
        assert_eq!((response.status, response.reason().as_str()), (400, "INVALID_JSON_BODY"));
        let message = response.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("line 1 column"), "{message}");
    }
    assert_eq!(server.value::<i64>("SELECT count(*) FROM messages"), 5);
}

#[actix_web::test]
async fn an_edit_with_an_impossible_time_changes_the_text_but_not_the_message_time() {
    let server = TestServer::start();
    let user = server.user("Sally");
    let original = text_event(&user, "said");
    server.webhook(std::slice::from_ref(&original)).await;
    let conversations = server.get("/v1.0/conversations").await.json();
    let conversation = conversations["result"][0]["id"].as_str().unwrap();
    let first = server.messages(conversation).await[0]["tm_occur"].clone();

    for (number, time) in
        ["0", "1", "-5", "1293839999999", "253370764800000", "1e400", "01", "null"].iter().enumerate()
    {
        let mut edit = text_event(&user, &format!("edited {number}"));
        (edit["type"], edit["message"]["id"]) = (json!("messageEdited"), original["message"]["id"].clone());
        edit["timestamp"] = json!("TIME");
        let body = json!({ "events": [edit] }).to_string().replace("\"TIME\"", time);
        assert_eq!(server.webhook_body(body).await.status, 200);

        let shown = server.messages(conversation).await[0].clone();
        assert_eq!(shown["text"], format!("edited {number}"), "{time}");
        assert_eq!(shown["tm_occur"], first, "{time}");
    }
}
