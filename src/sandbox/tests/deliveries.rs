//! Webhook deliveries to a listening bot, driven by the control API.

use serde_json::{Value, json};

use crate::line::signature;
use crate::sandbox::control::client::say;
use crate::sandbox::records::faults::{FaultKind, FaultRule};
use crate::sandbox::state::Redelivery;
use crate::sandbox::tests::{TestSandbox, bot, next};

#[actix_web::test]
async fn a_message_of_a_person_is_delivered_and_signed() {
    let sandbox = TestSandbox::start().await;
    let (url, mut received) = bot(&[200]);
    sandbox.platform.set_webhook(Some(url));

    let outcome = sandbox.control("POST", "/users/Hana/say", &json!({ "text": "こんにちは 😀\n" })).await;

    let webhook = next(&mut received).await;
    let secret = sandbox.platform.channel().secret;
    assert!(signature::verify(&secret, &webhook.body, webhook.signature.as_bytes()));
    assert_eq!(webhook.user_agent, "LineBotWebhook/2.0");
    let event = webhook.event();
    assert_eq!(event["message"]["text"], "こんにちは 😀\n");
    assert_eq!(event["source"], json!({ "type": "user", "userId": sandbox.hana }));
    assert_eq!(event["deliveryContext"]["isRedelivery"], false);
    assert_eq!(outcome["webhook_event_id"], event["webhookEventId"]);
    assert_eq!(outcome["message_id"], event["message"]["id"]);
    assert_eq!((&outcome["status"], &outcome["reason"]), (&json!(200), &json!("OK")));
}

#[actix_web::test]
async fn a_failed_webhook_is_redelivered_with_the_same_event_id() {
    let sandbox = TestSandbox::start().await;
    let (url, mut received) = bot(&[500, 503, 200]);
    sandbox.platform.set_webhook(Some(url));
    let schedule_ms = vec![0, 1, 0];
    sandbox.platform.set_redelivery(Redelivery { enabled: true, schedule_ms, ..Redelivery::default() });

    let outcome = sandbox.control("POST", "/users/Hana/say", &json!({ "text": "a" })).await;

    assert_eq!(outcome["reason"], "ERROR_STATUS_CODE");
    let [first, second, third] =
        [next(&mut received).await, next(&mut received).await, next(&mut received).await]
            .map(|webhook| webhook.event());
    assert_eq!(first["deliveryContext"]["isRedelivery"], false);
    assert_eq!(second["deliveryContext"]["isRedelivery"], true);
    assert_eq!(second["webhookEventId"], first["webhookEventId"]);
    assert_eq!(second["replyToken"], first["replyToken"]);
    assert_eq!(third, second);
}

#[actix_web::test]
async fn a_redelivery_can_be_duplicated() {
    let sandbox = TestSandbox::start().await;
    let (url, mut received) = bot(&[500, 200]);
    sandbox.platform.set_webhook(Some(url));
    let twice = json!({ "enabled": true, "schedule_ms": [0], "duplicate": true });
    sandbox.control("PUT", "/redelivery", &twice).await;

    sandbox.control("POST", "/users/Hana/say", &json!({ "text": "a" })).await;

    next(&mut received).await;
    let (second, third) = (next(&mut received).await, next(&mut received).await);
    assert_eq!(second.body, third.body);
    assert_eq!(second.event()["deliveryContext"]["isRedelivery"], true);
}

#[actix_web::test]
async fn without_redelivery_a_failed_webhook_is_lost() {
    let sandbox = TestSandbox::start().await;
    let (url, mut received) = bot(&[500]);
    sandbox.platform.set_webhook(Some(url));

    sandbox.control("POST", "/users/Hana/say", &json!({ "text": "a" })).await;
    sandbox.control("POST", "/users/Hana/say", &json!({ "text": "b" })).await;

    assert_eq!(next(&mut received).await.event()["message"]["text"], "a");
    assert_eq!(next(&mut received).await.event()["message"]["text"], "b");
    assert_eq!(sandbox.platform.attempts().len(), 3);
}

#[actix_web::test]
async fn custom_events_are_completed_and_copied() {
    let sandbox = TestSandbox::start().await;
    let (url, mut received) = bot(&[200]);
    sandbox.platform.set_webhook(Some(url));
    let future = json!({ "type": "future", "timestamp": 1, "source": { "type": "user", "userId": "U1" } });
    let wrong = json!({ "events": [future, { "type": "follow" }], "copies": 2 });

    let outcome = sandbox.control("POST", "/events", &wrong).await;

    let webhooks = [next(&mut received).await, next(&mut received).await];
    assert_eq!(webhooks[0].body, webhooks[1].body);
    let event = webhooks[0].event();
    assert_eq!((&event["type"], &event["timestamp"]), (&json!("future"), &json!(1)));
    assert_eq!(event["webhookEventId"].as_str().unwrap().len(), 26);
    assert_eq!(event["replyToken"], Value::Null);
    assert_eq!(outcome["webhook_event_ids"].as_array().unwrap().len(), 2);
    assert_eq!(outcome["outcomes"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn raw_bytes_can_be_signed_wrongly() {
    let sandbox = TestSandbox::start().await;
    let (url, mut received) = bot(&[200]);
    sandbox.platform.set_webhook(Some(url));

    sandbox.control("POST", "/webhooks?signature=wrong", &json!("not a webhook")).await;

    let webhook = next(&mut received).await;
    let secret = sandbox.platform.channel().secret;
    assert_eq!(webhook.body, "\"not a webhook\"");
    assert!(!signature::verify(&secret, &webhook.body, webhook.signature.as_bytes()));
}

#[actix_web::test]
async fn an_endpoint_is_tested_with_an_empty_webhook() {
    let sandbox = TestSandbox::start().await;
    let (url, mut received) = bot(&[200, 403]);
    let path = "/v2/bot/channel/webhook/test";

    let unset = sandbox.send(path, None, &json!({})).await.unwrap();
    let good = sandbox.send(path, None, &json!({ "endpoint": url })).await.unwrap();
    let bad = sandbox.send(path, None, &json!({ "endpoint": url })).await.unwrap();
    let closed = sandbox.send(path, None, &json!({ "endpoint": "http://127.0.0.1:1/" })).await.unwrap();

    assert_eq!(unset.status, 404);
    let [good, bad, closed] =
        [good, bad, closed].map(|seen| serde_json::from_slice::<Value>(&seen.body).unwrap());
    assert_eq!((&good["success"], &good["reason"]), (&json!(true), &json!("OK")));
    assert_eq!((&bad["success"], &bad["statusCode"]), (&json!(false), &json!(403)));
    assert_eq!((&closed["statusCode"], &closed["reason"]), (&json!(0), &json!("COULD_NOT_CONNECT")));
    assert_eq!(
        serde_json::from_slice::<Value>(&next(&mut received).await.body).unwrap()["events"],
        json!([])
    );
}

#[actix_web::test]
async fn the_command_line_sends_a_message_from_a_new_person() {
    let sandbox = TestSandbox::start().await;

    let line = say(&sandbox.url, "Ken", "Hello").await.unwrap();

    assert!(line.starts_with("Ken wrote message "), "{line}");
    assert!(line.contains("NO_ENDPOINT"), "{line}");
    let chat = sandbox.control("GET", "/chats/Ken", &Value::Null).await;
    assert_eq!(chat[0]["message"]["text"], "Hello");
    assert!(say("http://127.0.0.1:1", "Ken", "Hello").await.is_err());
}

#[actix_web::test]
async fn the_control_api_changes_the_whole_state() {
    let sandbox = TestSandbox::start().await;

    let group = json!({ "name": "Family", "members": ["Hana", "Ken"] });
    let group = sandbox.control("POST", "/groups", &group).await["group"].clone();
    let members = json!({ "members": ["Yui"] });
    sandbox.control("POST", "/groups/Family/members", &members).await;
    sandbox.control("DELETE", "/groups/Family/members", &json!({ "members": ["Ken"] })).await;
    sandbox.control("PUT", "/quota", &json!({ "value": 7 })).await;
    sandbox.control("PUT", "/redelivery", &json!({ "enabled": true, "schedule_ms": [0] })).await;
    sandbox.control("PUT", "/webhook", &json!({ "active": false })).await;
    sandbox.control("PUT", "/reply-tokens", &json!({ "life_ms": 5 })).await;
    let faults = sandbox.control("PUT", "/faults", &json!([{ "kind": "reset", "count": 3 }])).await;
    let sent = json!({ "text": "a", "group": "Family" });
    let sent = sandbox.control("POST", "/users/Yui/say", &sent).await;
    let unsent = json!({ "message_id": sent["message_id"] });
    sandbox.control("POST", "/users/Yui/unsend", &unsent).await;
    let blocked = sandbox.control("POST", "/users/Hana/block", &json!({})).await;
    let refused = sandbox.control("POST", "/users/Hana/say", &json!({ "text": "a" })).await;
    let unknown = sandbox.control("GET", "/nothing", &json!({})).await;

    let state = sandbox.control("GET", "/state", &Value::Null).await;
    assert_eq!(state["groups"][0]["members"].as_array().unwrap().len(), 2);
    assert_eq!(state["groups"][0]["id"], group["id"]);
    assert_eq!(state["quota"], json!({ "value": 7, "used": 0 }));
    assert_eq!((&state["webhook"]["active"], &state["reply_tokens"]["life_ms"]), (&json!(false), &json!(5)));
    assert_eq!((&state["faults"], &faults[0]["count"]), (&faults, &json!(3)));
    assert_eq!(state["channel"]["secret"], sandbox.platform.channel().secret.expose());
    assert_eq!(sandbox.control("GET", "/chats/Family", &Value::Null).await[0]["unsent"], true);
    assert!(blocked["webhook_event_id"].is_string());
    assert_eq!(refused["message"], "Hana has blocked the bot and cannot write to it");
    assert!(unknown["message"].is_string());
}

#[actix_web::test]
async fn large_content_is_streamed_and_can_be_cut() {
    let sandbox = TestSandbox::start().await;
    let file = json!({ "message": { "type": "file" }, "content_size": 20_000_000 });
    let sent = sandbox.control("POST", "/users/Hana/send", &file).await;
    let path = format!("/v2/bot/message/{}/content", sent["message_id"].as_str().unwrap());
    let get = async || {
        let token = sandbox.platform.channel().token;
        let request = sandbox.client.get(format!("{}{path}", sandbox.url)).bearer_auth(token.expose());
        request.send().await.unwrap().body().limit(30_000_000).await
    };

    let complete = get().await.unwrap();
    sandbox.platform.set_faults(vec![FaultRule { count: Some(1), ..FaultRule::new(FaultKind::Garbage) }]);
    let half = get().await.unwrap();
    sandbox.platform.set_faults(vec![FaultRule { count: Some(1), ..FaultRule::new(FaultKind::Cut) }]);
    let cut = get().await;

    assert_eq!(complete.len(), 20_000_000);
    assert!(complete.starts_with(b"sandbox file0123"));
    assert_eq!(half, complete.slice(..10_000_000));
    // This client accepts a truncated body, but it must be shorter than announced.
    assert!(cut.map_or(0, |cut| cut.len()) <= 10_000_000, "the second half arrived too");
}

#[actix_web::test]
async fn a_bot_that_leaves_a_group_gets_the_event() {
    let sandbox = TestSandbox::start().await;
    let (url, mut received) = bot(&[200]);
    sandbox.platform.set_webhook(Some(url));
    let family = json!({ "name": "Family", "members": ["Hana"] });
    let joined = sandbox.control("POST", "/groups", &family).await;
    next(&mut received).await;
    let path = format!("/v2/bot/group/{}/leave", joined["group"]["id"].as_str().unwrap());

    assert_eq!(sandbox.send(&path, None, &json!({})).await.unwrap().status, 200);

    let event = next(&mut received).await.event();
    assert_eq!((&event["type"], &event["source"]["groupId"]), (&json!("leave"), &joined["group"]["id"]));
    assert_eq!(sandbox.send(&path, None, &json!({})).await.unwrap().status, 404);
    assert!(received.try_recv().is_err());
}

#[actix_web::test]
async fn an_album_is_one_webhook_per_image() {
    let sandbox = TestSandbox::start().await;
    let (url, mut received) = bot(&[200]);
    sandbox.platform.set_webhook(Some(url));

    let album = json!({ "images": 5, "shuffle": true });
    let sent = sandbox.control("POST", "/users/Hana/album", &album).await;

    let mut sets = Vec::new();
    for sent in sent["images"].as_array().unwrap() {
        let message = next(&mut received).await.event()["message"].clone();
        assert_eq!((&message["type"], &message["id"]), (&json!("image"), &sent["message_id"]));
        sets.push(message["imageSet"].clone());
    }
    let indexes: Vec<i64> = sets.iter().map(|set| set["index"].as_i64().unwrap()).collect();
    let mut sorted = indexes.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [1, 2, 3, 4, 5]);
    assert_ne!(indexes, sorted, "the seed of the tests shuffles five images");
    assert!(sets.iter().all(|set| set["id"] == sets[0]["id"] && set["total"] == 5));
    let none = sandbox.control("POST", "/users/Hana/album", &json!({ "images": 0 })).await;
    assert!(none["message"].is_string());
}

#[actix_web::test]
async fn an_https_url_is_called_with_tls() {
    let sandbox = TestSandbox::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    sandbox.platform.set_webhook(Some(format!("https://{}/callback", listener.local_addr().unwrap())));
    let hello = async {
        let (connection, _) = listener.accept().await.unwrap();
        let mut first = [0; 2];
        assert_eq!(connection.peek(&mut first).await.unwrap(), 2);
        first
    };

    let say = json!({ "text": "a" });
    let (first, outcome) = tokio::join!(hello, sandbox.control("POST", "/users/Hana/say", &say));

    assert_eq!(first, [0x16, 0x03], "a TLS handshake, and nothing in clear text");
    assert_eq!(outcome["reason"], "COULD_NOT_CONNECT");
}

#[actix_web::test]
async fn a_text_in_a_group_can_be_edited_by_its_sender_only() {
    let sandbox = TestSandbox::start().await;
    let (url, mut received) = bot(&[200]);
    sandbox.control("POST", "/groups", &json!({ "name": "Family", "members": ["Hana", "Ken"] })).await;
    sandbox.platform.set_webhook(Some(url));
    let sent = sandbox.control("POST", "/users/Hana/say", &json!({ "text": "a", "group": "Family" })).await;
    let sent = (sent["message_id"].clone(), next(&mut received).await.event());
    let alone =
        sandbox.control("POST", "/users/Hana/say", &json!({ "text": "a" })).await["message_id"].clone();
    next(&mut received).await;

    let change = json!({ "message_id": sent.0, "text": "b" });
    assert_eq!(sandbox.control("POST", "/users/Hana/edit", &change).await["reason"], "OK");

    let event = next(&mut received).await.event();
    let mut message = sent.1["message"].clone();
    message["text"] = json!("b");
    assert_eq!((&event["type"], &event["message"]), (&json!("messageEdited"), &message));
    assert_eq!(event["source"], sent.1["source"]);
    let chat = sandbox.control("GET", "/chats/Family", &Value::Null).await;
    assert_eq!((chat.as_array().unwrap().len(), &chat[0]["message"]["text"]), (1, &json!("b")));
    let refused = sandbox.control("POST", "/users/Ken/edit", &change).await;
    assert!(refused["message"].is_string(), "it is not Ken's message");
    let change = json!({ "message_id": alone, "text": "b" });
    let refused = sandbox.control("POST", "/users/Hana/edit", &change).await;
    assert!(refused["message"].is_string(), "LINE has no edits in chats with the bot alone");
    sandbox.control("POST", "/users/Hana/unsend", &json!({ "message_id": sent.0 })).await;
    assert_eq!(next(&mut received).await.event()["type"], "unsend");
    let change = json!({ "message_id": sent.0, "text": "c" });
    assert!(sandbox.control("POST", "/users/Hana/edit", &change).await["message"].is_string());
    assert!(received.try_recv().is_err());
}
