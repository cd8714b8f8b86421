//! Everything that can be sent: the objects that LINE gets, and that messages LINE would refuse are rejected unstored.

mod counts;
mod lengths;
mod shapes;

use kaiwa::sandbox::records::tokens;
use serde_json::{Value, json};

use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};
use crate::outbound::shapes::{URL, area, bubble, imagemap, press, quick};

struct Chat {
    server: TestServer,
    user: String,
    path: String,
}

impl Chat {
    async fn begin() -> Self {
        let server = TestServer::start();
        let user = server.user("Alice");
        let conversation = server.conversation_with(&user).await;
        Self { server, user, path: format!("/v1.0/conversations/{conversation}/messages") }
    }

    async fn post(&self, body: &Value) -> Response {
        self.server.post(&self.path, body).await
    }

    /// The message of the response, once LINE has accepted it.
    async fn sent(&self, body: &Value) -> Value {
        let response = self.post(body).await;
        assert_eq!(
            (response.status, &response.json()["status"]),
            (200, &json!("sent")),
            "{body} {response:?}"
        );
        response.json()
    }

    /// The rejected properties, in order; nothing is stored and nothing is sent.
    async fn refused(&self, body: &Value) -> Vec<(String, String)> {
        let (stored, sent) = (self.ids().await, self.requests().len());

        let response = self.post(body).await;

        assert_eq!(
            (response.status, response.reason().as_str()),
            (400, "INVALID_ARGUMENT"),
            "{body} {response:?}"
        );
        assert_eq!((self.ids().await, self.requests().len()), (stored, sent), "{body}");
        let text = |detail: &Value, name: &str| detail[name].as_str().unwrap().to_owned();
        let details = response.json()["error"]["details"].as_array().cloned().unwrap_or_default();
        details.iter().map(|detail| (text(detail, "property"), text(detail, "message"))).collect()
    }

    /// The first rejected property.
    async fn refused_for(&self, body: &Value) -> String {
        self.refused(body).await.into_iter().next().map_or_else(String::new, |(property, _)| property)
    }

    async fn stored(&self) -> Value {
        self.server.get(&self.path).await.json()["result"].clone()
    }

    /// The ids of all messages: everything else may change when LINE returns the user's name.
    async fn ids(&self) -> Vec<Value> {
        self.stored().await.as_array().unwrap().iter().map(|message| message["id"].clone()).collect()
    }

    /// The bodies that LINE has executed, in order.
    fn requests(&self) -> Vec<Value> {
        self.server.line.platform.executed().into_iter().map(|one| one.body).collect()
    }

    /// The message objects of the latest request.
    fn objects(&self) -> Value {
        self.requests().last().unwrap()["messages"].clone()
    }

    /// The id of a quotable message that the user writes.
    async fn receives(&self, text: &str) -> (String, String) {
        let mut event = text_event(&self.user, text);
        let id = event["message"]["id"].as_str().unwrap().to_owned();
        let token = tokens::quote(&self.server.line.platform.channel().secret, &self.user, &id);
        event["message"]["quoteToken"] = token.clone().into();
        assert_eq!(self.server.webhook(&[event]).await.status, 200);
        (self.stored().await[0]["id"].as_str().unwrap().to_owned(), token)
    }
}

#[actix_web::test]
async fn each_type_becomes_lines_message_object_and_is_shown_as_sent() {
    let chat = Chat::begin().await;
    let confirm = json!({ "type": "confirm", "text": "?", "actions": [press("yes"), press("no")] });
    let map = imagemap(&area(&json!({ "type": "message", "text": "t" })), 1)["medias"][0].clone();
    let text = bubble(&json!({ "type": "text", "text": "hi" }));
    for (media, object) in [
        (
            json!({ "type": "sticker", "package_id": "446", "sticker_id": "1988" }),
            json!({ "type": "sticker", "packageId": "446", "stickerId": "1988" }),
        ),
        (
            json!({ "type": "location", "title": "Tower", "address": "1-1", "latitude": 35.5, "longitude": -1.25 }),
            json!({ "type": "location", "title": "Tower", "address": "1-1", "latitude": 35.5, "longitude": -1.25 }),
        ),
        (
            json!({ "type": "template", "alt_text": "alt", "contents": confirm }),
            json!({ "type": "template", "altText": "alt", "template": confirm }),
        ),
        (
            map.clone(),
            json!({ "type": "imagemap", "altText": "alt", "baseUrl": map["contents"]["baseUrl"],
                "baseSize": map["contents"]["baseSize"], "actions": map["contents"]["actions"] }),
        ),
        (
            json!({ "type": "flex", "alt_text": "alt", "contents": text }),
            json!({ "type": "flex", "altText": "alt", "contents": text }),
        ),
        (
            json!({ "type": "image", "filename": "a.png", "uri": URL, "preview_uri": "https://example.com/b.png" }),
            json!({ "type": "image", "originalContentUrl": URL, "previewImageUrl": "https://example.com/b.png" }),
        ),
        (
            json!({ "type": "image", "filename": "", "uri": URL }),
            json!({ "type": "image", "originalContentUrl": URL, "previewImageUrl": URL }),
        ),
        (
            json!({ "type": "video", "uri": "https://example.com/a.mp4", "preview_uri": URL, "duration_ms": 9_000 }),
            json!({ "type": "video", "originalContentUrl": "https://example.com/a.mp4", "previewImageUrl": URL }),
        ),
        (
            json!({ "type": "audio", "uri": "https://example.com/a.m4a", "duration_ms": 60_000 }),
            json!({ "type": "audio", "originalContentUrl": "https://example.com/a.m4a", "duration": 60_000 }),
        ),
    ] {
        let sent = chat.sent(&json!({ "medias": [media] })).await;

        assert_eq!(chat.objects(), json!([object]));
        let mut shown = sent["medias"][0].clone();
        assert!(shown["id"].is_string(), "{sent}");
        let fields = shown.as_object_mut().unwrap();
        fields.remove("id");
        fields.retain(|name, value| name != "filename" || !media["filename"].is_null() || value != "");
        assert_eq!((&shown, &sent["text"]), (&media, &json!("")));
        assert_eq!(chat.stored().await[0]["medias"], sent["medias"]);
    }
    assert!(chat.server.line.platform.violations().is_empty());
}

#[actix_web::test]
async fn a_file_is_sent_as_a_link_and_says_so() {
    let chat = Chat::begin().await;
    let uri = "https://example.com/r.pdf";

    let sent = chat.sent(&json!({ "medias": [{ "type": "file", "filename": "r.pdf", "uri": uri }] })).await;
    let text = format!("r.pdf\n{uri}");

    assert_eq!(chat.objects(), json!([{ "type": "text", "text": text }]));
    assert_eq!(sent["medias"][0]["alt_text"], text);
    assert_eq!((&sent["medias"][0]["filename"], &sent["medias"][0]["uri"]), (&json!("r.pdf"), &json!(uri)));
    chat.sent(&json!({ "medias": [{ "type": "file", "uri": uri }] })).await;
    assert_eq!(chat.objects(), json!([{ "type": "text", "text": uri }]));
}

#[actix_web::test]
async fn the_text_comes_first_and_more_than_five_objects_take_further_requests_in_order() {
    let chat = Chat::begin().await;
    let place = |title: usize| json!({ "type": "location", "title": title.to_string(), "address": "a", "latitude": 1, "longitude": 2 });
    let medias: Vec<Value> = (1..=5).map(place).collect();
    let replies = quick(&press("yes"), 1)["quick_replies"].clone();
    let body = json!({ "text": "first", "medias": medias, "quick_replies": replies, "notification_disabled": true,
        "sender": { "name": "Ann", "icon_uri": URL } });

    chat.sent(&body).await;

    let requests = chat.requests();
    let counts: Vec<usize> =
        requests.iter().map(|request| request["messages"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [5, 1]);
    let objects: Vec<&Value> =
        requests.iter().flat_map(|request| request["messages"].as_array().unwrap()).collect();
    let texts: Vec<&Value> = objects
        .iter()
        .map(|object| if object["text"].is_null() { &object["title"] } else { &object["text"] })
        .collect();
    assert_eq!(texts, ["first", "1", "2", "3", "4", "5"]);
    assert!(requests.iter().all(|request| request["notificationDisabled"] == true));
    assert!(objects.iter().all(|object| object["sender"] == json!({ "name": "Ann", "iconUrl": URL })));
    let (last, others) = objects.split_last().unwrap();
    assert_eq!(
        last["quickReply"]["items"], replies,
        "LINE shows quick replies under the newest message only"
    );
    assert!(others.iter().all(|object| object["quickReply"].is_null()));
}

#[actix_web::test]
async fn only_quotable_messages_of_the_same_conversation_can_be_quoted() {
    let chat = Chat::begin().await;
    let (received, token) = chat.receives("what?").await;

    let response = chat.sent(&json!({ "text": "that", "quote": received })).await;
    assert_eq!(chat.objects()[0]["quoteToken"], token);
    chat.sent(&json!({ "text": "I mean", "quote": response["id"] })).await;
    assert!(chat.objects()[0]["quoteToken"].is_string(), "LINE returns a quote token for our own message");
    let sticker = json!({ "type": "sticker", "package_id": "446", "sticker_id": "1988" });
    let image = json!({ "type": "image", "uri": URL });
    chat.sent(&json!({ "medias": [image, sticker], "quote": received })).await;
    assert!(chat.objects()[0]["quoteToken"].is_null());
    assert_eq!(chat.objects()[1]["quoteToken"], token, "an image cannot quote");

    let place = json!({ "type": "location", "title": "t", "address": "a", "latitude": 1, "longitude": 2 });
    let unquotable = chat.sent(&json!({ "medias": [place] })).await;
    let other = chat.server.conversation_with(&chat.server.user("Bob")).await;
    let elsewhere = chat.server.messages(&other).await[0]["id"].clone();
    let unknown = json!("01a20645-6ac7-755e-bdd0-ef62118912dc");
    for quote in [&unquotable["id"], &elsewhere, &unknown, &json!("7")] {
        assert_eq!(chat.refused_for(&json!({ "text": "?", "quote": quote })).await, "quote", "{quote}");
    }
    assert_eq!(chat.refused_for(&json!({ "medias": [image], "quote": received })).await, "quote");
}

#[actix_web::test]
async fn missing_unknown_and_mistyped_fields_are_named() {
    let chat = Chat::begin().await;
    let good = json!({ "type": "sticker", "package_id": "446", "sticker_id": "1988" });
    for (body, properties) in [
        (
            json!({ "medias": [good, { "type": "sticker" }] }),
            vec!["medias[1].package_id", "medias[1].sticker_id"],
        ),
        (json!({ "medias": [{ "type": "hologram" }] }), vec!["medias[0].type"]),
        (json!({ "medias": [{}] }), vec!["medias[0].type"]),
        (json!({ "medias": [7] }), vec!["medias[0]"]),
        (
            json!({ "medias": [{ "type": "image", "uri": "http://example.com/a.png", "preview_uri": URL }] }),
            vec!["medias[0].uri"],
        ),
        (json!({ "medias": [{ "type": "video", "uri": URL }] }), vec!["medias[0].preview_uri"]),
        (
            json!({ "medias": [{ "type": "image", "originalContentUrl": URL }] }),
            vec!["medias[0].originalContentUrl", "medias[0].uri"],
        ),
        (
            json!({ "medias": [{ "type": "flex", "alt_text": "a", "contents": { "type": "bubble", "bdy": {} } }] }),
            vec!["medias[0].contents.bdy"],
        ),
        (json!({ "medias": [{ "type": "file", "filename": "a" }] }), vec!["medias[0].uri"]),
        (
            json!({ "text": "hi", "sender": { "name": "LINE", "iconUrl": URL } }),
            vec!["sender.iconUrl", "sender.name"],
        ),
        (json!({ "text": "hi", "sender": "Ann" }), vec!["sender"]),
        (json!({ "text": "hi", "quick_replies": [{ "type": "action" }] }), vec!["quick_replies[0].action"]),
        (
            json!({ "text": "hi", "medias": [good, good, good, good, { "type": "location", "title": "t" }] }),
            vec!["medias[4].address", "medias[4].latitude", "medias[4].longitude"],
        ),
    ] {
        let found = chat.refused(&body).await;

        let found: Vec<&str> = found.iter().map(|(property, _)| property.as_str()).collect();
        assert_eq!(found, properties, "{body}");
    }
    assert!(chat.refused(&json!({})).await.is_empty());
    assert_eq!(chat.requests().len(), 0);
}
