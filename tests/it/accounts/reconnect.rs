//! A reconnected channel: the conversations of its removed account continue.

use awc::http::Method;
use kaiwa::line::signature;
use kaiwa::model::id::{AccountId, CustomerId};
use kaiwa::model::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};

const PATH: &str = "/v1.0/conversation_accounts";

/// Connects the channel of the server's account as another account and returns its id.
async fn connect(server: &TestServer, customer: CustomerId) -> String {
    let channel = server.line.platform.channel();
    let body = json!({ "type": "line", "secret": channel.secret.expose(), "token": channel.token.expose() });
    let request = server.request_of(customer, Method::POST, PATH).content_type("application/json");
    let created = Response::to(request, body.to_string()).await;
    assert_eq!(created.status, 200, "{created:?}");
    created.json()["id"].as_str().unwrap().to_owned()
}

async fn remove(server: &TestServer, account: impl std::fmt::Display) {
    assert_eq!(server.delete(&format!("{PATH}/{account}")).await.status, 204);
}

/// Delivers a webhook to an account, signed as LINE signs.
async fn deliver(server: &TestServer, account: &str, event: &Value) {
    let body = json!({ "destination": server.line.platform.bot().user_id, "events": [event] }).to_string();
    let signature = signature::sign(&server.line.platform.channel().secret, body.as_bytes());
    let request = server.anonymous(Method::POST, &format!("/v1.0/conversation/accounts/{account}"));
    let response = Response::to(request.insert_header((signature::HEADER, signature)), body).await;
    assert_eq!(response.status, 200, "{response:?}");
}

/// The ids of all conversations of a customer.
async fn conversations(server: &TestServer, customer: CustomerId) -> Vec<String> {
    let list = Response::to(server.request_of(customer, Method::GET, "/v1.0/conversations"), "").await.json();
    let ids = list["result"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[actix_web::test]
async fn conversations_continue_when_their_channel_is_reconnected() {
    let server = TestServer::start();
    let (alice, bob) = (server.user("Alice"), server.user("Bob"));
    let event = text_event(&alice, "before");
    server.webhook(std::slice::from_ref(&event)).await;
    let with_bob = server.conversation_with(&bob).await;
    let before = conversations(&server, server.customer).await;
    remove(&server, server.account).await;
    let refused =
        server.post(&format!("/v1.0/conversations/{with_bob}/messages"), &json!({ "text": "?" })).await;

    let account = connect(&server, server.customer).await;
    let sent = server.say(&with_bob, "we are back").await;
    deliver(&server, &account, &event).await;
    deliver(&server, &account, &text_event(&alice, "after")).await;

    assert_eq!(refused.status, 409);
    assert_eq!(sent["status"], "sent");
    assert_eq!(server.executed(&bob), ["we are back"]);
    assert_eq!(conversations(&server, server.customer).await, before);
    let with_alice = before.iter().find(|id| **id != with_bob).unwrap();
    let texts: Vec<_> = server.messages(with_alice).await.iter().map(|one| one["text"].clone()).collect();
    assert_eq!(texts, ["after", "before"], "an event that came before comes once");
    assert_eq!(server.get(PATH).await.json()["result"][0]["id"], json!(account));
}

#[actix_web::test]
async fn a_channel_is_recognized_by_its_first_webhook_while_line_is_unreachable() {
    let mut server = TestServer::start();
    let alice = server.user("Alice");
    let conversation = server.conversation_with(&alice).await;
    remove(&server, server.account).await;

    // The configuration now gives it another id, and LINE is not asked about it.
    let id = AccountId::new(Timestamp::now());
    server.restart_with(|config| config.accounts[0].id = id);
    deliver(&server, &id.to_string(), &text_event(&alice, "again")).await;
    remove(&server, id).await;
    server.set_faults(&json!([{ "path": "/v2/bot/info", "kind": "reset" }]));
    let third = connect(&server, server.customer).await;
    deliver(&server, &third, &text_event(&alice, "and again")).await;

    assert_eq!(conversations(&server, server.customer).await, std::slice::from_ref(&conversation));
    assert_eq!(server.messages(&conversation).await.len(), 3);
}

#[actix_web::test]
async fn conversations_continue_with_an_account_connected_before_theirs_was_removed() {
    let server = TestServer::start();
    let (alice, bob) = (server.user("Alice"), server.user("Bob"));
    let conversation = server.conversation_with(&alice).await;
    let account = connect(&server, server.customer).await;
    deliver(&server, &account, &text_event(&bob, "I am new")).await;

    remove(&server, server.account).await;
    deliver(&server, &account, &text_event(&alice, "hello?")).await;

    assert_eq!(conversations(&server, server.customer).await.len(), 2);
    assert_eq!(server.messages(&conversation).await.len(), 2);
    assert_eq!(server.say(&conversation, "here").await["status"], "sent");
}

#[actix_web::test]
async fn two_conversations_with_the_same_chat_stay_separate() {
    let server = TestServer::start();
    let alice = server.user("Alice");
    let old = server.conversation_with(&alice).await;
    let account = connect(&server, server.customer).await;
    deliver(&server, &account, &text_event(&alice, "to the new one")).await;

    remove(&server, server.account).await;
    deliver(&server, &account, &text_event(&alice, "to the new one again")).await;

    let all = conversations(&server, server.customer).await;
    let new = all.iter().find(|id| **id != old).unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!((server.messages(&old).await.len(), server.messages(new).await.len()), (1, 2));
}

#[actix_web::test]
async fn another_customer_with_the_same_channel_gets_separate_conversations() {
    let server = TestServer::start();
    let alice = server.user("Alice");
    let mine = server.conversation_with(&alice).await;
    remove(&server, server.account).await;
    let other = CustomerId::new(Timestamp::now());

    let account = connect(&server, other).await;
    deliver(&server, &account, &text_event(&alice, "to the other")).await;

    assert_eq!(conversations(&server, server.customer).await, std::slice::from_ref(&mine));
    let theirs = conversations(&server, other).await;
    assert!(theirs.len() == 1 && theirs[0] != mine, "{theirs:?}");
    assert_eq!(server.messages(&mine).await.len(), 1);
}
