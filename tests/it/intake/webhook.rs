//! Events from LINE are stored once, whatever else is in the batch; forged webhooks are rejected.

use awc::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};
use crate::harness::{eventually, eventually_is};

async fn texts(server: &TestServer, conversation: &str) -> Vec<String> {
    let messages = server.messages(conversation).await;
    messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

async fn counter(server: &TestServer, name: &str) -> Value {
    server.get("/readyz").await.json()["counters"][name].clone()
}

#[actix_web::test]
async fn five_hundred_copies_of_one_event_at_once_store_one_message() {
    let server = TestServer::start();
    let event = text_event(&server.user("Sally"), "once");
    let mut copy = event.clone();
    copy["deliveryContext"]["isRedelivery"] = json!(true);
    let (first, again) = ([event], [copy]);

    let deliveries = (0..500).map(|number| server.webhook(if number % 2 == 0 { &first } else { &again }));
    let responses = join_all(deliveries).await;

    assert!(responses.iter().all(|response| response.status == 200));
    let conversations = server.get("/v1.0/conversations").await.json();
    assert_eq!(conversations["result"].as_array().unwrap().len(), 1);
    assert_eq!(texts(&server, conversations["result"][0]["id"].as_str().unwrap()).await, ["once"]);
    assert_eq!(counter(&server, "events_stored").await, 1);
    assert_eq!(counter(&server, "events_duplicate").await, 499);
}

#[actix_web::test]
async fn odd_events_in_a_batch_do_not_affect_the_others() {
    let server = TestServer::start();
    let user = server.user("Moon");
    let mut unknown = text_event(&user, "?");
    unknown["type"] = json!("teleport");
    let mut hologram = text_event(&user, "?");
    hologram["message"] = json!({ "type": "hologram", "id": "77" });
    let events = [
        text_event(&user, "one"),
        unknown,
        Value::Null,
        hologram,
        json!({ "type": 7 }),
        text_event(&user, "two"),
    ];

    let response = server.webhook(&events).await;

    assert_eq!(response.status, 200);
    let conversation = server.conversation_with(&user).await;
    assert_eq!(texts(&server, &conversation).await, ["hello", "two", "one"]);
    assert_eq!(counter(&server, "events_unread").await, 4);
}

#[actix_web::test]
async fn a_webhook_without_lines_signature_is_rejected_and_leaves_nothing() {
    let server = TestServer::start();
    let body =
        json!({ "destination": "U0", "events": [text_event(&server.user("James"), "forged")] }).to_string();
    let send = async |path: &str, signature: Option<&str>| {
        let request = server.anonymous(Method::POST, path);
        let request = signature
            .into_iter()
            .fold(request, |request, value| request.insert_header(("X-Line-Signature", value)));
        Response::to(request, body.clone()).await
    };
    let path = server.webhook_path();
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    for signature in [None, Some(""), Some("?"), Some("AAAA"), Some(zeros)] {
        let response = send(&path, signature).await;
        assert_eq!(
            (response.status, response.reason().as_str()),
            (401, "INVALID_CREDENTIALS"),
            "{signature:?}"
        );
    }

    let unknown = send("/v1.0/conversation/accounts/5a6d0b9e-0000-4000-8000-00000000000f", Some(zeros)).await;
    let known = send(&path, Some(zeros)).await;
    assert_eq!(unknown.json()["error"]["message"], known.json()["error"]["message"]);
    assert_eq!(unknown.status, known.status);
    assert_eq!(counter(&server, "webhooks_refused").await, 7);
    assert_eq!(server.get("/v1.0/conversations").await.json()["result"], json!([]));
}

#[actix_web::test]
async fn the_signature_covers_the_raw_bytes() {
    let server = TestServer::start();
    let user = server.user("Edward");
    let event = text_event(&user, "PLACE").to_string().replace("PLACE", r"\ud83d\ude00 \u4f1a\n");
    let body = format!("{{ \"events\" : [{event} ],\n\"destination\":\"U0\"}} \n");

    assert_eq!(server.webhook_body(&body).await.status, 200);
    assert_eq!(server.webhook_body(r#"{"destination":"U0","events":[]}"#).await.status, 200);
    assert_eq!(server.webhook_body("{}").await.reason(), "INVALID_JSON_BODY");

    let conversation = server.conversation_with(&user).await;
    assert_eq!(texts(&server, &conversation).await, ["hello", "😀 会\n"]);
}

#[actix_web::test]
async fn an_unsent_message_disappears_even_when_its_unsend_arrives_first() {
    let server = TestServer::start();
    let user = server.user("Jessica");
    let unsend = |event: &Value| {
        let mut unsend = text_event(&user, "");
        unsend["type"] = json!("unsend");
        unsend["unsend"] = json!({ "messageId": event["message"]["id"] });
        unsend
    };
    let (orderly, overtaken) = (text_event(&user, "secret one"), text_event(&user, "secret two"));

    server.webhook(&[orderly.clone(), text_event(&user, "stays")]).await;
    server.webhook(&[unsend(&orderly)]).await;
    server.webhook(&[unsend(&overtaken)]).await;
    server.webhook(&[overtaken]).await;

    let conversation = server.conversation_with(&user).await;
    assert_eq!(texts(&server, &conversation).await, ["hello", "stays"]);
}

#[actix_web::test]
async fn a_user_who_blocked_the_account_is_written_to_only_with_force() {
    let server = TestServer::start();
    let user = server.user("Boss");
    let conversation = server.conversation_with(&user).await;
    let path = format!("/v1.0/conversations/{conversation}/messages");
    let mut unfollow = text_event(&user, "");
    unfollow["type"] = json!("unfollow");
    server.webhook(&[unfollow]).await;

    let refused = server.post(&path, &json!({ "text": "hi" })).await;
    let forced = server.post(&path, &json!({ "text": "hi", "force": true })).await;

    assert_eq!((refused.status, refused.reason().as_str()), (409, "STATE_INVALID"));
    assert_eq!(forced.json()["status"], "sent");
    server.webhook(&[text_event(&user, "I am back")]).await;
    assert_eq!(server.say(&conversation, "welcome").await["status"], "sent");
}

#[actix_web::test]
async fn nothing_is_sent_into_a_chat_that_another_system_controls() {
    let server = TestServer::start();
    let user = server.user("Leonard");
    let conversation = server.conversation_with(&user).await;
    let mut standby = text_event(&user, "to the other system");
    standby["mode"] = json!("standby");
    server.webhook(&[standby]).await;

    let refused =
        server.post(&format!("/v1.0/conversations/{conversation}/messages"), &json!({ "text": "hi" })).await;

    assert_eq!((refused.status, refused.reason().as_str()), (409, "STATE_INVALID"));
    assert_eq!(server.line.platform.executed().len(), 0);
}

#[actix_web::test]
async fn a_group_is_a_conversation_with_a_name_and_speakers() {
    let server = TestServer::start();
    let speaker = server.user("Brown");
    let group = server.group("Friends", &[&speaker]);
    let mut event = text_event(&speaker, "hello all");
    event["source"] = json!({ "type": "group", "groupId": group, "userId": speaker });
    let mut anonymous = text_event(&speaker, "who am I");
    anonymous["source"] = json!({ "type": "group", "groupId": group });

    server.webhook(&[event, anonymous]).await;

    let participants =
        async || server.get("/v1.0/conversations").await.json()["result"][0]["participants"].clone();
    eventually_is(json!(["Friends", "Brown"]), async || {
        let participants = participants().await;
        json!([participants[1]["target_name"], participants[2]["target_name"]])
    })
    .await;
    let participants = participants().await;
    assert_eq!(
        participants[1],
        json!({ "type": "line", "target": group, "target_name": "Friends", "name": "", "detail": "" })
    );
    assert_eq!(participants.as_array().unwrap().len(), 3);
}

#[actix_web::test]
async fn a_message_is_shown_even_when_line_does_not_return_the_name() {
    let server = TestServer::start();
    let stranger = "U00000000000000000000000000000bad";

    let conversation = server.conversation_with(stranger).await;

    let asked = || server.line.platform.requests().iter().any(|request| request.path.ends_with(stranger));
    eventually(asked).await;
    let participants =
        server.get(&format!("/v1.0/conversations/{conversation}")).await.json()["participants"].clone();
    assert_eq!(participants[1]["target_name"], "Unknown");
    assert_eq!(texts(&server, &conversation).await, ["hello"]);
    let answered =
        server.line.platform.requests().into_iter().find(|request| request.path.ends_with(stranger));
    assert_eq!(answered.unwrap().status, Some(404));
}

#[actix_web::test]
async fn the_latest_event_wins_in_any_order_of_arrival() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    let path = format!("/v1.0/conversations/{conversation}/messages");
    let at = |kind: &str, seconds: i64| {
        let mut event = text_event(&user, "hi");
        event["type"] = json!(kind);
        event["timestamp"] = json!(event["timestamp"].as_i64().unwrap() + seconds * 1_000);
        event
    };
    let reachable = async || server.post(&path, &json!({ "text": "hi" })).await.status == 200;

    server.webhook(&[at("message", 20)]).await;
    server.webhook(&[at("unfollow", 10)]).await;
    assert!(reachable().await, "the message came after the block");
    server.webhook(&[at("unfollow", 40)]).await;
    server.webhook(&[at("follow", 30)]).await;
    assert!(!reachable().await, "the block came after the follow");
    server.webhook(&[at("follow", 50)]).await;
    assert!(reachable().await);
}

#[actix_web::test]
async fn one_large_webhook_of_many_users_is_accepted() {
    let server = TestServer::start();
    let events: Vec<Value> = (0..100)
        .map(|number| text_event(&server.user(&format!("user {number}")), &"long ".repeat(1_000)))
        .collect();

    let large = server.webhook(&events).await;
    let too_large = server.webhook_body(&" ".repeat(2 << 20)).await;

    assert_eq!(large.status, 200, "half a megabyte");
    assert_eq!(server.get("/v1.0/conversations").await.json()["result"].as_array().unwrap().len(), 100);
    assert_eq!((too_large.status, too_large.reason().as_str()), (413, "BODY_TOO_LARGE"));
}
