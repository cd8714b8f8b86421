//! The outcome of each response from LINE: nothing is lost, duplicated or reordered.

use std::time::Duration;

use awc::http::Method;
use kaiwa::model::id::CustomerId;
use kaiwa::model::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};
use crate::harness::{PATIENCE, eventually, eventually_is};

const PUSH: &str = "/v2/bot/message/push";

async fn with_conversation() -> (TestServer, String, String) {
    let server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    (server, user, conversation)
}

/// Sends without waiting for LINE.
async fn post(server: &TestServer, conversation: &str, text: &str) -> String {
    let path = format!("/v1.0/conversations/{conversation}/messages");
    let request = server.request(Method::POST, &path).insert_header(("Prefer", "respond-async"));
    let response =
        Response::to(request.content_type("application/json"), json!({ "text": text }).to_string()).await;
    assert_eq!(response.status, 200, "{response:?}");
    response.json()["id"].as_str().unwrap().to_owned()
}

async fn message(server: &TestServer, conversation: &str, id: &str) -> Value {
    server.get(&format!("/v1.0/conversations/{conversation}/messages/{id}")).await.json()
}

async fn status(server: &TestServer, conversation: &str, id: &str) -> String {
    message(server, conversation, id).await["status"].as_str().unwrap().to_owned()
}

async fn suspended(server: &TestServer) -> Value {
    server.get(&format!("/v1.0/conversation_accounts/{}", server.account)).await.json()["suspended"].clone()
}

fn pushes(server: &TestServer) -> Vec<kaiwa::sandbox::records::RequestRecord> {
    server.line.platform.requests().into_iter().filter(|request| request.path == PUSH).collect()
}

/// Every fault after which LINE may or may not have executed the request.
#[actix_web::test]
async fn an_unclear_response_is_followed_by_the_same_bytes_under_the_same_key() {
    for fault in ["status_after", "lost", "reset", "status"] {
        let (server, user, conversation) = with_conversation().await;
        server.set_faults(&json!([{ "path": PUSH, "kind": fault, "status": 500, "count": 2 }]));

        let id = post(&server, &conversation, "exactly once").await;
        eventually_is("sent".to_owned(), async || status(&server, &conversation, &id).await).await;

        assert_eq!(server.executed(&user), ["exactly once"], "{fault}");
        let pushes = pushes(&server);
        assert_eq!(pushes.len(), 3, "{fault}");
        assert!(
            pushes.iter().all(|push| push.retry_key == pushes[0].retry_key && push.body == pushes[0].body)
        );
        assert!(server.line.platform.violations().is_empty(), "{fault}");
    }
}

#[actix_web::test]
async fn the_response_reports_the_first_outcome_and_delivery_continues() {
    let (server, _, conversation) = with_conversation().await;
    server.set_faults(&json!([{ "path": PUSH, "kind": "status", "status": 500, "count": 1 }]));

    let sent = server.say(&conversation, "hi").await;

    assert_eq!(sent["status"], "sending");
    let id = sent["id"].as_str().unwrap();
    eventually_is("sent".to_owned(), async || status(&server, &conversation, id).await).await;
}

#[actix_web::test]
async fn a_permanent_refusal_by_line_fails_the_message_and_the_next_one_is_sent() {
    let server = TestServer::start();
    let stranger = "U00000000000000000000000000000bad";
    let conversation = server.conversation_with(stranger).await;

    let failed = server.say(&conversation, "to nobody").await;

    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["error"]["reason"], "LINE_REFUSED");
    let message = failed["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("400 Failed to send messages (LINE request "), "{message}");
    let path = format!("/v1.0/conversations/{conversation}/messages/{}", failed["id"].as_str().unwrap());
    let end = r#""tm_delete":"9999-01-01 00:00:00.000000","error":{"reason":"LINE_REFUSED","message":"#;
    assert!(server.get(&path).await.text.contains(end), "new keys come after those of the tutorial");
    assert_eq!(server.say(&conversation, "again").await["status"], "failed");
    assert_eq!(pushes(&server).len(), 2, "a refused message is not tried again");
}

#[actix_web::test]
async fn a_wrong_token_suspends_the_account_until_it_has_a_new_one() {
    let (server, user, conversation) = with_conversation().await;
    let account = format!("/v1.0/conversation_accounts/{}", server.account);
    let good = server.line.platform.channel().token;
    server.put(&account, &json!({ "token": "wrong" })).await;

    let first = server.say(&conversation, "one").await;
    let second = post(&server, &conversation, "two").await;

    assert_eq!(first["status"], "sending");
    assert_eq!(suspended(&server).await["reason"], "token");
    assert!(server.executed(&user).is_empty());
    let changed = server.put(&account, &json!({ "token": good.expose() })).await.json();
    assert_eq!((&changed["line"]["status"], &changed["suspended"]), (&json!("good"), &Value::Null));
    eventually_is("sent".to_owned(), async || status(&server, &conversation, &second).await).await;
    assert_eq!(server.executed(&user), ["one", "two"]);
}

#[actix_web::test]
async fn a_late_refusal_of_the_old_token_does_not_affect_the_new_one() {
    let (server, user, conversation) = with_conversation().await;
    let refusal = json!({ "path": PUSH, "kind": "status", "status": 401, "delay_ms": 400, "count": 1 });
    server.set_faults(&json!([refusal]));
    let account = format!("/v1.0/conversation_accounts/{}", server.account);
    let good = server.line.platform.channel().token;
    server.put(&account, &json!({ "token": "old" })).await;
    let id = post(&server, &conversation, "on its way").await;
    eventually(|| !pushes(&server).is_empty()).await;

    server.put(&account, &json!({ "token": good.expose() })).await;

    eventually_is("sent".to_owned(), async || status(&server, &conversation, &id).await).await;
    assert_eq!(suspended(&server).await, Value::Null);
    assert_eq!(server.executed(&user), ["on its way"]);
}

#[actix_web::test]
async fn an_exhausted_quota_suspends_the_account_and_a_probe_resumes_it() {
    let (server, user, conversation) = with_conversation().await;
    let other = server.conversation_with(&server.user("Bob")).await;
    server.line.platform.set_quota(Some(10), 10);

    let first = server.say(&conversation, "one").await;
    let second = post(&server, &other, "two").await;

    assert_eq!(first["status"], "sending");
    assert_eq!(suspended(&server).await["reason"], "quota");
    let until = suspended(&server).await["until"].clone();
    server.advance(Duration::from_mins(61));
    eventually(|| pushes(&server).len() == 2).await;
    eventually_is(true, async || suspended(&server).await["until"].as_str() > until.as_str()).await;
    assert_eq!(pushes(&server).len(), 2, "one probe, and no other");
    server.line.platform.set_quota(Some(1_000), 10);
    server.advance(Duration::from_mins(61));
    eventually_is("sent".to_owned(), async || status(&server, &other, &second).await).await;
    eventually(|| server.executed(&user) == ["one"]).await;
    assert_eq!(suspended(&server).await, Value::Null);
}

#[actix_web::test]
async fn missing_permission_and_redirects_suspend_the_account_and_fail_no_message() {
    for (fault, reason, pause) in [
        (json!({ "path": PUSH, "kind": "status", "status": 403, "count": 1 }), "permission", 61),
        (json!({ "path": PUSH, "kind": "redirect", "count": 1 }), "redirect", 6),
    ] {
        let (server, user, conversation) = with_conversation().await;
        server.set_faults(&json!([fault]));

        let sent = server.say(&conversation, "patience").await;

        assert_eq!(suspended(&server).await["reason"], reason);
        server.advance(Duration::from_mins(pause));
        let id = sent["id"].as_str().unwrap();
        eventually_is("sent".to_owned(), async || status(&server, &conversation, id).await).await;
        assert_eq!(server.executed(&user), ["patience"]);
    }
}

#[actix_web::test]
async fn a_monthly_limit_without_lines_message_is_recognized_by_the_quota() {
    let (server, _, conversation) = with_conversation().await;
    server.line.platform.set_quota(Some(5), 5);
    server.set_faults(
        &json!([{ "path": PUSH, "kind": "status", "status": 429, "message": "reworded", "count": 1 }]),
    );

    server.say(&conversation, "hi").await;

    assert_eq!(suspended(&server).await["reason"], "quota");
    assert!(suspended(&server).await["message"].as_str().unwrap().starts_with("429 reworded"));
}

#[actix_web::test]
async fn after_23_hours_an_unclear_delivery_ends_and_is_never_repeated() {
    let (server, user, conversation) = with_conversation().await;
    server.set_faults(&json!([{ "path": PUSH, "kind": "lost" }]));
    let id = post(&server, &conversation, "who knows").await;
    eventually(|| pushes(&server).len() > 1).await;

    server.advance(Duration::from_hours(23));

    eventually_is("failed".to_owned(), async || status(&server, &conversation, &id).await).await;
    assert_eq!(message(&server, &conversation, &id).await["error"]["reason"], "OUTCOME_UNKNOWN");
    server.set_faults(&json!([]));
    assert_eq!(server.say(&conversation, "next").await["status"], "sent");
    assert_eq!(server.executed(&user), ["who knows", "next"]);
}

#[actix_web::test]
async fn a_request_that_was_certainly_not_sent_can_wait_for_days_and_gets_a_new_key() {
    let (server, user, conversation) = with_conversation().await;
    server.line.platform.set_quota(Some(0), 0);
    let id = post(&server, &conversation, "late").await;
    eventually_is(json!("quota"), async || suspended(&server).await["reason"].clone()).await;

    server.line.platform.set_quota(None, 0);
    server.advance(Duration::from_hours(3 * 24));

    eventually_is("sent".to_owned(), async || status(&server, &conversation, &id).await).await;
    let pushes = pushes(&server);
    assert_ne!(pushes[0].retry_key, pushes[1].retry_key, "LINE has forgotten the old key");
    assert_eq!(server.executed(&user), ["late"]);
}

#[actix_web::test]
async fn messages_of_a_chat_never_overtake_each_other() {
    let (server, user, conversation) = with_conversation().await;
    server.set_faults(&json!([
        { "path": PUSH, "kind": "lost", "probability": 0.3 },
        { "path": PUSH, "kind": "status", "status": 500, "probability": 0.3 },
    ]));
    let texts: Vec<String> = (0..30).map(|number| format!("number {number}")).collect();

    for text in &texts {
        post(&server, &conversation, text).await;
    }

    eventually(|| server.executed(&user).len() == texts.len()).await;
    assert_eq!(server.executed(&user), texts);
}

#[actix_web::test]
async fn a_chat_that_gets_no_response_delays_no_other() {
    let (server, _, conversation) = with_conversation().await;
    let bob = server.user("Bob");
    let other = server.conversation_with(&bob).await;
    let alice = server.user("Alice");
    server.set_faults(&json!([{ "path": PUSH, "recipient": alice, "kind": "timeout" }]));

    post(&server, &conversation, "into the void").await;
    let sent = server.say(&other, "hi").await;

    assert_eq!(sent["status"], "sent");
    let silent = &server.messages(&conversation).await[0];
    assert_eq!((&silent["text"], &silent["status"]), (&json!("into the void"), &json!("sending")));
}

#[actix_web::test]
async fn a_long_text_is_split_into_bubbles_and_a_longer_one_rejected() {
    let (server, user, conversation) = with_conversation().await;
    let path = format!("/v1.0/conversations/{conversation}/messages");
    let words = "word ".repeat(2_400);

    assert_eq!(server.say(&conversation, &words).await["text"], words);
    let refused = server.post(&path, &json!({ "text": "a".repeat(25_001) })).await;

    let bubbles = server.executed(&user);
    assert_eq!((bubbles.len(), bubbles.concat()), (3, words));
    assert_eq!(pushes(&server).len(), 1);
    assert_eq!((refused.status, refused.reason().as_str()), (400, "TEXT_TOO_LONG"));
    for empty in [json!({}), json!({ "text": "" }), json!({ "text": "", "medias": [] })] {
        assert_eq!(server.post(&path, &empty).await.reason(), "INVALID_ARGUMENT");
    }
    assert_eq!(server.messages(&conversation).await.len(), 2, "what was refused is not stored");
}

#[actix_web::test]
async fn a_message_of_two_requests_is_sent_when_both_are_and_fails_with_the_first() {
    let (server, user, conversation) = with_conversation().await;
    let text = format!("a{}b", "😀".repeat(12_499));

    assert_eq!(server.say(&conversation, &text).await["status"], "sent");
    assert_eq!(server.executed(&user).concat(), text);
    server.set_faults(&json!([{ "path": PUSH, "kind": "status", "status": 400, "count": 1 }]));
    let failed = server.say(&conversation, &text).await;

    assert_eq!(failed["status"], "failed");
    assert_eq!(pushes(&server).len(), 3, "the second part of a failed message is not sent");
    assert_eq!(server.say(&conversation, "after").await["status"], "sent");
}

#[actix_web::test]
async fn a_stopping_server_responds_to_waiting_callers_and_accepts_no_new_ones() {
    let mut server = TestServer::start_with(|config| config.limits.shutdown_timeout = PATIENCE);
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    server.set_faults(&json!([{ "path": PUSH, "kind": "slow", "delay_ms": 400 }]));
    let path = format!("/v1.0/conversations/{conversation}/messages");
    let request = server.request(Method::POST, &path).content_type("application/json");
    let waiting = actix_web::rt::spawn(Response::to(request, r#"{"text":"just in time"}"#));
    eventually(|| !pushes(&server).is_empty()).await;

    server.stop();

    let response = waiting.await.unwrap();
    assert_eq!((response.status, &response.json()["status"]), (200, &json!("sent")));
    assert_eq!(server.executed(&user), ["just in time"]);
    assert!(server.anonymous(Method::GET, "/healthz").send().await.is_err());
}

#[actix_web::test]
async fn an_account_with_few_messages_does_not_wait_for_one_with_many() {
    let server = TestServer::start_with(|config| config.delivery.concurrency = 2);
    let quiet = second_account(&server).await;
    let busy: Vec<String> = (0..12).map(|number| server.user(&format!("busy {number}"))).collect();
    let events: Vec<Value> = busy.iter().map(|user| text_event(user, "hello")).collect();
    server.webhook(&events).await;
    server.set_faults(&json!([{ "path": PUSH, "kind": "slow", "delay_ms": 300 }]));
    let conversations = server.get("/v1.0/conversations").await.json()["result"].as_array().unwrap().clone();

    for conversation in &conversations {
        post(&server, conversation["id"].as_str().unwrap(), "one of many").await;
    }
    eventually(|| pushes(&server).len() >= 3).await;
    quiet.send("alone").await;

    eventually(|| server.line.platform.executed().iter().any(|one| one.body.to_string().contains("alone")))
        .await;
    let before =
        server.line.platform.executed().iter().filter(|one| one.body.to_string().contains("many")).count();
    assert!(before < 10, "{before} messages of the busy account went first");
}

/// Another customer's account, with one conversation.
struct SecondAccount<'server> {
    server: &'server TestServer,
    customer: CustomerId,
    conversation: String,
}

async fn second_account(server: &TestServer) -> SecondAccount<'_> {
    let customer = CustomerId::new(Timestamp::now());
    let channel = server.line.platform.channel();
    let body = json!({ "type": "line", "secret": channel.secret.expose(), "token": channel.token.expose() });
    let request = server.request_of(customer, Method::POST, "/v1.0/conversation_accounts");
    let account = Response::to(request.content_type("application/json"), body.to_string()).await.json();
    server.line.platform.set_webhook(account["webhook_uri"].as_str().map(str::to_owned));
    kaiwa::sandbox::control::client::say(&server.line.url, "Quiet", "hello").await.unwrap();
    let list = Response::to(server.request_of(customer, Method::GET, "/v1.0/conversations"), "").await.json();
    let conversation = list["result"][0]["id"].as_str().unwrap().to_owned();
    SecondAccount { server, customer, conversation }
}

impl SecondAccount<'_> {
    async fn send(&self, text: &str) {
        let path = format!("/v1.0/conversations/{}/messages", self.conversation);
        let request = self.server.request_of(self.customer, Method::POST, &path);
        let request = request.insert_header(("Prefer", "respond-async")).content_type("application/json");
        assert_eq!(Response::to(request, json!({ "text": text }).to_string()).await.status, 200);
    }
}

#[actix_web::test]
async fn a_rate_limited_chat_delays_no_other() {
    let (server, alice, conversation) = with_conversation().await;
    let other = server.conversation_with(&server.user("Bob")).await;
    let flood = "The API rate limit has been exceeded. Try again later.";
    server.set_faults(
        &json!([{ "path": PUSH, "recipient": alice, "kind": "status", "status": 429, "message": flood }]),
    );

    let waiting = server.say(&conversation, "too fast").await;

    assert_eq!(waiting["status"], "sending");
    assert_eq!(suspended(&server).await, Value::Null);
    assert_eq!(server.say(&other, "hi").await["status"], "sent");
    server.set_faults(&json!([]));
    let id = waiting["id"].as_str().unwrap();
    eventually_is("sent".to_owned(), async || status(&server, &conversation, id).await).await;
}

#[actix_web::test]
async fn waiting_messages_are_not_sent_into_a_chat_another_system_took_over() {
    let (server, user, conversation) = with_conversation().await;
    server.set_faults(&json!([{ "path": PUSH, "kind": "status", "status": 500 }]));
    let id = post(&server, &conversation, "held").await;
    eventually(|| !pushes(&server).is_empty()).await;
    let mut standby = text_event(&user, "to the other system");
    standby["mode"] = json!("standby");
    server.webhook(&[standby]).await;
    server.set_faults(&json!([]));
    server.advance(Duration::from_secs(30));
    assert_eq!(status(&server, &conversation, &id).await, "sending");

    server.webhook(&[text_event(&user, "back to you")]).await;
    server.advance(Duration::from_mins(2));

    eventually_is("sent".to_owned(), async || status(&server, &conversation, &id).await).await;
    assert_eq!(server.executed(&user), ["held"]);
}
