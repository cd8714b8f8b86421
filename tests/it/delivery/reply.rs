//! Free replies: used while possible, never repeated, and replaced by a push only when nothing was sent.

use std::time::Duration;

use awc::http::Method;
use kaiwa::config::Config;
use kaiwa::model::accounts::account::DeliveryMode;
use kaiwa::sandbox::control::client;
use serde_json::{Value, json};

use crate::harness::eventually_is;
use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};

const REPLY: &str = "/v2/bot/message/reply";
const PUSH: &str = "/v2/bot/message/push";

/// A server that prefers replies, and the conversation that Alice has just started.
async fn replying() -> (TestServer, String) {
    replying_with(|_| {}).await
}

async fn replying_with(change: impl FnOnce(&mut Config)) -> (TestServer, String) {
    let server = TestServer::start_with(|config| {
        config.accounts[0].delivery_mode = Some(DeliveryMode::PreferReply);
        change(config);
    });
    let conversation = alice_writes(&server).await;
    (server, conversation)
}

/// Alice writes, which provides a reply token; returns the id of her conversation.
async fn alice_writes(server: &TestServer) -> String {
    client::say(&server.line.url, "Alice", "hello").await.unwrap();
    let list = server.get("/v1.0/conversations").await.json();
    list["result"][0]["id"].as_str().unwrap().to_owned()
}

fn requests(server: &TestServer, path: &str) -> usize {
    server.line.platform.requests().iter().filter(|request| request.path == path).count()
}

/// Replies, pushes and executed texts so far.
fn done(server: &TestServer) -> (usize, usize, Vec<String>) {
    (requests(server, REPLY), requests(server, PUSH), server.executed(&server.user("Alice")))
}

#[actix_web::test]
async fn thirty_replies_to_recent_messages_are_free() {
    let (server, conversation) = replying().await;

    for number in 0..30 {
        alice_writes(&server).await;
        let sent = server.say(&conversation, &format!("number {number}")).await;
        assert_eq!((&sent["status"], &sent["cost"]), (&json!("sent"), &json!(0)), "{sent}");
    }

    let (replies, pushes, texts) = done(&server);
    assert_eq!((replies, pushes, texts.len()), (30, 0, 30));
    assert_eq!(server.line.platform.with(|state| state.quota.used), 0);
    assert!(server.line.platform.violations().is_empty(), "replies carry no retry key");
}

#[actix_web::test]
async fn one_message_of_the_user_allows_one_free_reply() {
    let (server, conversation) = replying().await;

    let first = server.say(&conversation, "free").await;
    let second = server.say(&conversation, "not free").await;

    assert_eq!((&first["cost"], &second["cost"]), (&json!(0), &json!(1)));
    assert_eq!(done(&server), (1, 1, vec!["free".to_owned(), "not free".to_owned()]));
    let one = format!("/v1.0/conversations/{conversation}/messages/{}", first["id"].as_str().unwrap());
    let place = r#""tm_delete":"9999-01-01 00:00:00.000000","cost":0,"#;
    assert!(server.get(&one).await.text.contains(place), "it comes after the keys of the tutorial");
    let received = &server.messages(&conversation).await[2];
    assert_eq!((&received["status"], received.get("cost")), (&json!("received"), None));
}

#[actix_web::test]
async fn an_old_reply_token_is_not_used_and_a_refused_one_is_followed_by_a_push() {
    let (server, conversation) = replying().await;
    server.advance(Duration::from_secs(46));
    assert_eq!(server.say(&conversation, "late").await["cost"], 1);
    assert_eq!(requests(&server, REPLY), 0);

    alice_writes(&server).await;
    server.line.platform.with(|state| state.reply_tokens.set_lifetime(Duration::ZERO));
    let sent = server.say(&conversation, "refused as a reply").await;

    assert_eq!(
        (&sent["status"], &sent["cost"]),
        (&json!("sent"), &json!(1)),
        "the caller waits for the push"
    );
    let (replies, pushes, texts) = done(&server);
    assert_eq!((replies, pushes), (1, 2));
    assert_eq!(texts, ["late", "refused as a reply"]);
    assert!(server.line.platform.violations().is_empty());
}

/// Every fault after which LINE may or may not have executed the reply.
#[actix_web::test]
async fn a_reply_with_an_unclear_outcome_is_never_repeated() {
    for fault in ["lost", "status_after", "reset", "status", "html", "garbage", "timeout"] {
        // The timeout is short only for silent faults: regular responses may take their time.
        let timeout = Duration::from_secs(if fault == "timeout" { 2 } else { 30 });
        let (server, conversation) = replying_with(|config| config.line.timeout = timeout).await;
        server.set_faults(&json!([{ "path": REPLY, "kind": fault, "execute": true, "count": 1 }]));

        let first = server.say(&conversation, "once at most").await;
        alice_writes(&server).await;
        let second = server.say(&conversation, "goes on").await;

        if fault == "garbage" {
            // LINE returned 200, whatever the rest was.
            assert_eq!(first["status"], "sent");
        } else {
            assert_eq!(
                (&first["status"], &first["error"]["reason"]),
                (&json!("failed"), &json!("OUTCOME_UNKNOWN"))
            );
            let message = first["error"]["message"].as_str().unwrap();
            assert!(message.contains("may have been sent"), "{fault}: {message}");
            let one =
                format!("/v1.0/conversations/{conversation}/messages/{}", first["id"].as_str().unwrap());
            let again = server.post(&format!("{one}/retry"), &json!({})).await;
            assert_eq!((again.status, again.reason().as_str()), (409, "STATE_INVALID"), "{fault}");
        }
        assert_eq!(second["status"], "sent");
        server.advance(Duration::from_hours(24));
        server.say(&conversation, "and on").await;
        let (replies, pushes, texts) = done(&server);
        assert_eq!((replies, pushes), (2, 1), "{fault}");
        assert!(texts.iter().filter(|text| *text == "once at most").count() <= 1, "{fault}: {texts:?}");
    }
}

#[actix_web::test]
async fn a_reply_that_was_certainly_not_sent_goes_out_as_a_push() {
    for (status, waits) in [(429, false), (401, true), (403, true)] {
        let (server, conversation) = replying().await;
        server.set_faults(&json!([{ "path": REPLY, "kind": "status", "status": status, "count": 1 }]));

        let sent = server.say(&conversation, "hi").await;

        assert_eq!(sent["status"] == "sending", waits, "{status}: {sent}");
        server.advance(Duration::from_mins(61));
        let one = format!("/v1.0/conversations/{conversation}/messages/{}", sent["id"].as_str().unwrap());
        eventually_is(json!("sent"), async || server.get(&one).await.json()["status"].clone()).await;
        assert_eq!(done(&server), (1, 1, vec!["hi".to_owned()]), "{status}");
    }
}

#[actix_web::test]
async fn a_reply_that_line_refuses_for_another_reason_fails() {
    let (server, conversation) = replying().await;
    server.set_faults(
        &json!([{ "path": REPLY, "kind": "status", "status": 400, "message": "no such thing", "count": 1 }]),
    );

    let failed = server.say(&conversation, "hi").await;

    assert_eq!(failed["error"]["reason"], "LINE_REFUSED");
    assert_eq!(done(&server), (1, 0, Vec::new()));
}

#[actix_web::test]
async fn a_push_only_account_never_replies() {
    let (server, conversation) = replying().await;
    let account = format!("/v1.0/conversation_accounts/{}", server.account);
    let mode = async |body: Value| server.put(&account, &body).await.json()["delivery_mode"].clone();

    assert_eq!(mode(json!({})).await, "prefer_reply");
    assert_eq!(mode(json!({ "delivery_mode": "push_only" })).await, "push_only");
    let sent = server.say(&conversation, "hi").await;

    assert_eq!(sent["cost"], 1);
    assert_eq!(requests(&server, REPLY), 0);
    assert_eq!(
        server.put(&account, &json!({ "delivery_mode": "sometimes" })).await.reason(),
        "INVALID_JSON_BODY"
    );
}

#[actix_web::test]
async fn a_long_text_is_sent_as_a_reply_as_far_as_one_token_allows() {
    let (server, conversation) = replying().await;

    let long = server.say(&conversation, &format!("a{}b", "😀".repeat(12_499))).await;

    assert_eq!((&long["status"], &long["cost"]), (&json!("sent"), &json!(1)));
    assert_eq!((requests(&server, REPLY), requests(&server, PUSH)), (1, 1));
}

#[actix_web::test]
async fn a_push_to_a_group_costs_one_message_per_member() {
    let server = TestServer::start();
    let [alice, bob, carol] = ["Alice", "Bob", "Carol"].map(|name| server.user(name));
    let group = server.group("team", &[&alice, &bob, &carol]);
    let in_group = |kind: &str, content: &Value| {
        let mut event = text_event(&alice, "hi");
        event["source"] = json!({ "type": "group", "groupId": group, "userId": alice });
        event["type"] = json!(kind);
        event[if kind == "memberLeft" { "left" } else { "message" }] = content.clone();
        event
    };
    let text = json!({ "type": "text", "id": "1", "text": "hi", "quoteToken": "q" });
    assert_eq!(server.webhook(&[in_group("message", &text)]).await.status, 200);
    let conversation = async || server.get("/v1.0/conversations").await.json()["result"][0].clone();
    eventually_is(json!("team"), async || conversation().await["participants"][1]["target_name"].clone())
        .await;
    let id = conversation().await["id"].as_str().unwrap().to_owned();

    let to_three = server.say(&id, "hello all").await;
    server.line.platform.with(|state| state.people_mut().group_mut(&group).unwrap().members.pop());
    let left = json!({ "members": [{ "type": "user", "userId": carol }] });
    assert_eq!(server.webhook(&[in_group("memberLeft", &left)]).await.status, 200);

    assert_eq!((&to_three["status"], &to_three["cost"]), (&json!("sent"), &json!(3)));
    eventually_is(json!(2), async || server.say(&id, "hello both").await["cost"].clone()).await;
}

/// A user writes, which provides a reply token; returns the id of their conversation.
async fn writes(server: &TestServer, name: &str) -> String {
    client::say(&server.line.url, name, "hello").await.unwrap();
    let list = server.get("/v1.0/conversations").await.json();
    let mut conversations = list["result"].as_array().unwrap().iter();
    let user = server.user(name);
    let found = conversations.find(|one| one["reference_id"] == user).unwrap();
    found["id"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn while_the_quota_is_exhausted_free_replies_go_out_and_one_push_is_the_probe() {
    let server =
        TestServer::start_with(|config| config.accounts[0].delivery_mode = Some(DeliveryMode::PreferReply));
    let (alice, bob) = (writes(&server, "Alice").await, writes(&server, "Bob").await);
    let pushes = || requests(&server, PUSH);
    let texts = |name: &str| server.executed(&server.user(name));
    let suspended = async || {
        let account = server.get(&format!("/v1.0/conversation_accounts/{}", server.account)).await.json();
        account["suspended"]["reason"].clone()
    };
    server.line.platform.set_quota(Some(10), 10);
    server.advance(Duration::from_secs(46));
    assert_eq!(server.say(&alice, "waits").await["status"], "sending");
    assert_eq!((suspended().await, pushes()), (json!("quota"), 1));

    writes(&server, "Bob").await;
    let free = server.say(&bob, "free").await;
    assert_eq!((&free["status"], &free["cost"]), (&json!("sent"), &json!(0)));
    let path = format!("/v1.0/conversations/{bob}/messages");
    let request = server.request(Method::POST, &path).insert_header(("Prefer", "respond-async"));
    let waiting = Response::to(request.content_type("application/json"), r#"{"text":"waits too"}"#).await;
    assert_eq!(waiting.json()["status"], "sending");
    writes(&server, "Alice").await;
    eventually_is(vec!["waits".to_owned()], async || texts("Alice")).await;
    assert_eq!((suspended().await, pushes()), (json!("quota"), 1), "a reply says nothing about a quota");

    server.advance(Duration::from_mins(61));
    eventually_is(2, async || pushes()).await;
    assert_eq!(suspended().await, "quota");
    writes(&server, "Alice").await;
    assert_eq!(server.say(&alice, "free as well").await["cost"], 0);
    assert_eq!((texts("Bob"), pushes()), (vec!["free".to_owned()], 2), "one message probes, once");

    server.line.platform.set_quota(Some(100), 10);
    writes(&server, "Alice").await;
    server.advance(Duration::from_secs(30));
    assert_eq!(server.say(&alice, "free before the probe").await["cost"], 0);
    server.advance(Duration::from_mins(61));
    eventually_is(vec!["free".to_owned(), "waits too".to_owned()], async || texts("Bob")).await;
    eventually_is(Value::Null, suspended).await;
    assert_eq!(pushes(), 3);
}

#[actix_web::test]
async fn a_reply_refused_while_the_quota_is_exhausted_waits_as_a_push() {
    let (server, conversation) = replying().await;
    server.line.platform.set_quota(Some(10), 10);
    server.advance(Duration::from_secs(46));
    assert_eq!(server.say(&conversation, "waits").await["status"], "sending");
    let bob = writes(&server, "Bob").await;
    server.line.platform.with(|state| state.reply_tokens.set_lifetime(Duration::ZERO));

    let sent = server.say(&bob, "refused as a reply").await;

    assert_eq!(sent["status"], "sending");
    assert_eq!((requests(&server, REPLY), requests(&server, PUSH)), (1, 1));
    assert_eq!(server.executed(&server.user("Bob")), [""; 0]);
}
