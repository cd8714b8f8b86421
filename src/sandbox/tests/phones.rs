//! People open their chats, whose media the phone loads, and tap the bot's buttons.

use std::net::TcpListener;

use actix_web::web::get;
use actix_web::{App, HttpResponse, HttpServer, rt};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::records::png::green_square;
use crate::sandbox::tests::{PUSH, TestSandbox, bot, next};

/// Starts a server with files, some of which LINE accepts, and returns its URL.
fn files() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = || {
        let image = async || HttpResponse::Ok().content_type("image/png").body(green_square());
        let page = async || HttpResponse::Ok().content_type("image/png").body("<html>");
        let webp = async || HttpResponse::Ok().content_type("image/webp").body("RIFF");
        let large = async || {
            let body = [green_square(), vec![0; 1_000_000]].concat();
            HttpResponse::Ok().content_type("image/png").body(body)
        };
        let redirect = async || HttpResponse::Found().insert_header(("location", "/a.png")).finish();
        App::new()
            .route("/a.png", get().to(image))
            .route("/page.png", get().to(page))
            .route("/a.webp", get().to(webp))
            .route("/large.png", get().to(large))
            .route("/elsewhere.png", get().to(redirect))
            .route("/map/1040", get().to(image))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap();
    rt::spawn(server.run());
    url
}

async fn push(sandbox: &TestSandbox, messages: &Value) {
    let body = json!({ "to": sandbox.hana, "messages": messages });
    let response = sandbox.send(PUSH, Some(Uuid::new_v4()), &body).await.unwrap();
    assert_eq!(response.status, 200, "{response:?}");
}

async fn open(sandbox: &TestSandbox) -> Vec<Value> {
    let views = sandbox.control("POST", "/chats/Hana/open", &Value::Null).await;
    views.as_array().unwrap().clone()
}

fn image(original: &str, preview: &str) -> Value {
    json!({ "type": "image", "originalContentUrl": original, "previewImageUrl": preview })
}

#[actix_web::test]
async fn a_phone_loads_media_that_line_accepts() {
    let (sandbox, files) = (TestSandbox::start().await, files());
    let address = format!("{files}/a.png");
    push(&sandbox, &json!([image(&address, &address)])).await;

    let views = open(&sandbox).await;

    let shown = sandbox.control("GET", "/chats/Hana", &Value::Null).await;
    assert_eq!(shown[0]["media"], json!(views));
    let id = shown[0]["id"].clone();
    let loaded = |property: &str| {
        json!({ "message_id": id, "property": property, "url": address, "status": 200,
            "content_type": "image/png", "size": green_square().len(), "problem": null })
    };
    assert_eq!(views, [loaded("originalContentUrl"), loaded("previewImageUrl")]);
}

#[actix_web::test]
async fn a_phone_reports_what_it_does_not_show() {
    let (sandbox, files) = (TestSandbox::start().await, files());
    let gone = { TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    for (path, status, problem) in [
        (format!("{files}/page.png"), json!(200), "its content is application/octet-stream"),
        (format!("{files}/a.webp"), json!(200), "its content type is not that of a JPEG or PNG image"),
        (format!("{files}/large.png"), json!(200), "it is larger than 1000000 bytes"),
        (format!("{files}/elsewhere.png"), json!(302), "LINE follows no redirects"),
        (format!("{files}/missing.png"), json!(404), "the status is 404 and not 200"),
        (format!("http://{gone}/a.png"), Value::Null, "it cannot be reached"),
        ("https://example.com/a.png".to_owned(), Value::Null, "not loaded"),
    ] {
        push(&sandbox, &json!([image(&format!("{files}/a.png"), &path)])).await;

        let views = open(&sandbox).await.pop().unwrap();

        assert_eq!((&views["url"], &views["status"]), (&json!(path), &status));
        let found = views["problem"].as_str().unwrap();
        assert!(found.starts_with(problem), "{path}: {found}");
    }
}

#[actix_web::test]
async fn a_phone_retries_only_what_failed_to_load() {
    let (sandbox, files) = (TestSandbox::start().await, files());
    let map = json!({ "type": "imagemap", "baseUrl": format!("{files}/map"), "altText": "map",
        "baseSize": { "width": 1040, "height": 1040 }, "actions": [] });
    push(&sandbox, &json!([map])).await;
    let problems = |views: &[Value]| views.iter().filter(|views| !views["problem"].is_null()).count();

    let first = open(&sandbox).await;
    assert_eq!((first.len(), problems(&first)), (5, 4));
    let again = open(&sandbox).await;
    assert_eq!(again, first);

    sandbox.platform.with(|state| {
        let chat = state.people().chat_id("Hana").to_owned();
        let missing = state.chats.missing(&chat);
        assert!(missing.iter().all(|link| !link.url.ends_with("/1040")) && missing.len() == 4);
    });
}

fn buttons() -> Value {
    let actions = json!([
        { "type": "postback", "label": "Yes", "data": "answer=yes", "displayText": "Yes, please" },
        { "type": "message", "label": "No", "text": "No, thanks" },
        { "type": "uri", "label": "Page", "uri": "https://example.com/" },
        { "type": "datetimepicker", "label": "When", "data": "when", "mode": "date", "min": "2026-01-01" },
    ]);
    json!({ "type": "template", "altText": "Well?",
        "template": { "type": "buttons", "text": "Well?", "actions": actions } })
}

fn quick_replies() -> Value {
    let item = |action: Value| json!({ "type": "action", "action": action });
    json!({ "type": "text", "text": "Where?", "quickReply": { "items": [
        item(json!({ "type": "location", "label": "Here" })),
        item(json!({ "type": "postback", "label": "Nowhere", "data": "nowhere" })),
    ] } })
}

/// A sandbox in which these messages were sent, and the webhooks of its bot.
async fn sent(
    messages: &Value,
) -> (TestSandbox, tokio::sync::mpsc::UnboundedReceiver<crate::sandbox::tests::ReceivedWebhook>) {
    let sandbox = TestSandbox::start().await;
    let (url, received) = bot(&[200]);
    sandbox.platform.set_webhook(Some(url));
    push(&sandbox, messages).await;
    (sandbox, received)
}

#[actix_web::test]
async fn tapping_a_button_sends_the_bot_the_same_events_as_line() {
    let (sandbox, mut received) = sent(&json!([buttons()])).await;
    let tap = async |body: Value| sandbox.control("POST", "/users/Hana/tap", &body).await;

    assert_eq!(tap(json!({ "label": "Yes" })).await["reason"], "OK");
    let event = next(&mut received).await.event();
    assert_eq!((&event["type"], &event["postback"]), (&json!("postback"), &json!({ "data": "answer=yes" })));
    assert!(event["replyToken"].is_string());

    tap(json!({ "index": 1 })).await;
    let event = next(&mut received).await.event();
    assert_eq!((&event["type"], &event["message"]["text"]), (&json!("message"), &json!("No, thanks")));

    assert_eq!(tap(json!({ "label": "Page" })).await, json!({ "opened": "https://example.com/" }));
    let chosen = json!({ "label": "When", "params": { "date": "2026-02-28" } });
    tap(chosen).await;
    let event = next(&mut received).await.event();
    let expected = json!({ "data": "when", "params": { "date": "2026-02-28" } });
    assert_eq!(event["postback"], expected, "opening the page caused no event");

    let chat = sandbox.control("GET", "/chats/Hana", &Value::Null).await;
    let texts: Vec<&Value> = chat.as_array().unwrap().iter().map(|shown| &shown["message"]["text"]).collect();
    assert_eq!(texts[1..], ["Yes, please", "No, thanks"]);
}

#[actix_web::test]
async fn a_picker_refuses_values_that_it_does_not_offer() {
    let (sandbox, mut received) = sent(&json!([buttons()])).await;

    for params in [
        Value::Null,
        json!({ "date": "2025-12-31" }),
        json!({ "date": "2026-02-29" }),
        json!({ "date": "2101-01-01" }),
        json!({ "time": "10:00" }),
        json!({ "date": "2026-02-28", "time": "10:00" }),
    ] {
        let tap = json!({ "label": "When", "params": params });
        let refused = sandbox.control("POST", "/users/Hana/tap", &tap).await;
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains("from 2026-01-01 to 2100-12-31"), "{params}: {message}");
    }

    assert!(received.try_recv().is_err());
}

#[actix_web::test]
async fn quick_replies_disappear_after_a_tap_or_another_message() {
    let (sandbox, mut received) = sent(&json!([quick_replies(), quick_replies()])).await;
    let tap = async |label: &str| {
        let body = json!({ "label": label });
        sandbox.control("POST", "/users/Hana/tap", &body).await
    };
    let labels = async || {
        let buttons = sandbox.control("GET", "/users/Hana/buttons", &Value::Null).await;
        buttons.as_array().unwrap().iter().map(|button| button["label"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(labels().await, ["Here", "Nowhere"], "only those of the newest message");

    assert_eq!(tap("Nowhere").await["status"], 200);
    assert_eq!(next(&mut received).await.event()["postback"]["data"], "nowhere");
    assert!(labels().await.is_empty());

    push(&sandbox, &json!([quick_replies()])).await;
    assert_eq!(tap("Here").await["status"], 200);
    assert_eq!(next(&mut received).await.event()["message"]["type"], "location");
    assert!(labels().await.is_empty());

    push(&sandbox, &json!([quick_replies()])).await;
    push(&sandbox, &json!([{ "type": "text", "text": "Never mind" }])).await;
    assert!(labels().await.is_empty());
    assert!(tap("Here").await["message"].is_string());
    assert!(received.try_recv().is_err());
}

#[actix_web::test]
async fn only_buttons_that_were_sent_can_be_tapped() {
    let (sandbox, mut received) = sent(&json!([buttons()])).await;
    let others = json!({ "name": "Family", "members": ["Hana"] });
    sandbox.control("POST", "/groups", &others).await;
    next(&mut received).await;

    let refused = sandbox.control("POST", "/users/Hana/tap", &json!({ "label": "Maybe" })).await;
    let elsewhere = json!({ "label": "Yes", "group": "Family" });
    let elsewhere = sandbox.control("POST", "/users/Hana/tap", &elsewhere).await;

    let labels: Vec<&Value> =
        refused["buttons"].as_array().unwrap().iter().map(|button| &button["label"]).collect();
    assert_eq!(labels, ["Yes", "No", "Page", "When"]);
    assert_eq!(elsewhere["buttons"], json!([]));
    sandbox.control("POST", "/users/Hana/block", &json!({})).await;
    assert_eq!(next(&mut received).await.event()["type"], "unfollow");
    let blocked = sandbox.control("POST", "/users/Hana/tap", &json!({ "label": "Yes" })).await;
    assert!(blocked["message"].as_str().unwrap().contains("blocked"));
    assert!(received.try_recv().is_err());
}
