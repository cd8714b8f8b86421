//! `Idempotency-Key`: repeated requests create nothing more and return what exists.

use std::time::Duration;

use awc::http::Method;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use kaiwa::model::id::CustomerId;
use kaiwa::model::timestamp::Timestamp;
use serde_json::json;

use crate::harness::eventually;
use crate::harness::response::Response;
use crate::harness::server::TestServer;

const KEYS: usize = 50;
const COPIES: usize = 5;

/// Keys that are sent at once, each with all of its copies.
const AT_ONCE: usize = 20;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

async fn post(server: &TestServer, path: &str, key: &str, body: &str) -> Response {
    let request = server.request(Method::POST, path).content_type("application/json");
    let request = request.insert_header(("Idempotency-Key", key)).insert_header(("Prefer", "respond-async"));
    Response::to(request, body.to_owned()).await
}

async fn upload(server: &TestServer, key: &str, bytes: &[u8]) -> Response {
    let request = server.request(Method::POST, "/v1.0/medias?filename=a.png").content_type("image/png");
    Response::to(request.insert_header(("Idempotency-Key", key)), bytes.to_vec()).await
}

fn count(server: &TestServer, sql: &str) -> usize {
    usize::try_from(server.value::<i64>(sql)).unwrap()
}

fn sent(server: &TestServer) -> usize {
    count(server, "SELECT count(*) FROM messages WHERE status <> 'received'")
}

fn is_replayed(response: &Response) -> bool {
    response.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

async fn messages_path(server: &TestServer) -> String {
    format!("/v1.0/conversations/{}/messages", server.conversation_with(&server.user("Alice")).await)
}

#[track_caller]
fn check_refused(response: &Response, status: u16, reason: &str) {
    assert_eq!((response.status, response.reason().as_str()), (status, reason));
    assert!(!is_replayed(response));
}

#[actix_web::test]
async fn fifty_keys_sent_five_times_at_once_create_fifty_messages() {
    let server = TestServer::start();
    let path = messages_path(&server).await;
    let say = async |number: usize| {
        let body = json!({ "text": format!("message {number}") }).to_string();
        let key = format!("key {number}");
        let copies = join_all((0..COPIES).map(|_| post(&server, &path, &key, &body))).await;
        let (done, busy): (Vec<_>, Vec<_>) = copies.iter().partition(|response| response.status == 200);
        for response in busy {
            check_refused(response, 409, "IDEMPOTENCY_KEY_IN_USE");
        }
        let last = post(&server, &path, &key, &body).await;
        assert!(is_replayed(&last));
        assert_eq!(done.iter().filter(|response| !is_replayed(response)).count(), 1, "message {number}");
        assert!(done.iter().all(|response| response.json()["id"] == last.json()["id"]));
    };

    stream::iter(0..KEYS).for_each_concurrent(AT_ONCE, say).await;

    assert_eq!(sent(&server), KEYS);
    assert_eq!(count(&server, "SELECT count(*) FROM idempotency_keys"), KEYS);
}

#[actix_web::test]
async fn a_repeated_request_returns_the_message_as_it_is_now_even_after_a_restart() {
    let mut server = TestServer::start();
    let path = messages_path(&server).await;
    let body = r#"{"text":"once"}"#;
    let first = post(&server, &path, "a", body).await;
    let id = first.json()["id"].clone();
    eventually(|| {
        sent(&server) == 1 && count(&server, "SELECT count(*) FROM messages WHERE status = 'sent'") == 1
    })
    .await;

    server.restart();
    let again = post(&server, &path, "a", body).await;

    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!((again.json()["id"].clone(), again.json()["status"].clone()), (id, json!("sent")));
    assert_eq!(sent(&server), 1);
}

#[actix_web::test]
async fn a_key_reused_for_a_different_request_is_rejected() {
    let server = TestServer::start();
    let path = messages_path(&server).await;
    let other =
        format!("/v1.0/conversations/{}/messages", server.conversation_with(&server.user("Bob")).await);
    post(&server, &path, "a", r#"{"text":"once"}"#).await;

    check_refused(&post(&server, &path, "a", r#"{"text":"twice"}"#).await, 422, "IDEMPOTENCY_KEY_REUSED");
    check_refused(&post(&server, &other, "a", r#"{"text":"once"}"#).await, 422, "IDEMPOTENCY_KEY_REUSED");
    check_refused(&upload(&server, "a", PNG).await, 422, "IDEMPOTENCY_KEY_REUSED");

    assert_eq!((sent(&server), count(&server, "SELECT count(*) FROM medias")), (1, 0));
}

#[actix_web::test]
async fn a_repeat_during_the_first_request_is_asked_to_retry_later() {
    let server = TestServer::start();
    let path = messages_path(&server).await;
    server.set_faults(&json!([{ "kind": "stall", "path": "/v2/bot/message/", "count": 1 }]));
    let request = server.request(Method::POST, &path).content_type("application/json");
    let first = Response::to(request.insert_header(("Idempotency-Key", "a")), r#"{"text":"once"}"#);
    let first = actix_web::rt::spawn(first);
    eventually(|| sent(&server) == 1).await;

    check_refused(&post(&server, &path, "a", r#"{"text":"once"}"#).await, 409, "IDEMPOTENCY_KEY_IN_USE");

    first.abort();
    assert_eq!(sent(&server), 1);
}

#[actix_web::test]
async fn files_and_accounts_are_created_only_once_too() {
    let server = TestServer::start();
    let account = json!({ "type": "line", "secret": "secret", "token": "token" }).to_string();
    let accounts = || count(&server, "SELECT count(*) FROM accounts");
    let before = accounts();

    let files = [upload(&server, "file", PNG).await, upload(&server, "file", PNG).await];
    let made = [
        post(&server, "/v1.0/conversation_accounts", "account", &account).await,
        post(&server, "/v1.0/conversation_accounts", "account", &account).await,
    ];

    for [first, again] in [&files, &made] {
        assert_eq!((first.status, again.status), (200, 200), "{first:?} {again:?}");
        assert!(!is_replayed(first) && is_replayed(again));
        assert_eq!(first.text, again.text);
    }
    check_refused(&upload(&server, "file", &[PNG, b"more"].concat()).await, 422, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!((count(&server, "SELECT count(*) FROM medias"), accounts()), (1, before + 1));
    assert_eq!(server.folder().join("media").read_dir().unwrap().count(), 1);
}

#[actix_web::test]
async fn an_idempotency_key_belongs_to_its_customer() {
    let server = TestServer::start();
    let account = json!({ "type": "line", "secret": "secret", "token": "token" }).to_string();
    let path = "/v1.0/conversation_accounts";
    let ask = async |customer: CustomerId| {
        let request = server.request_of(customer, Method::POST, path).content_type("application/json");
        Response::to(request.insert_header(("Idempotency-Key", "same")), account.clone()).await
    };

    let (mine, theirs) = (ask(server.customer).await, ask(CustomerId::new(Timestamp::now())).await);

    assert!(!is_replayed(&mine) && !is_replayed(&theirs));
    assert_ne!(mine.json()["id"], theirs.json()["id"]);
}

#[actix_web::test]
async fn a_request_that_creates_nothing_leaves_its_key_unused() {
    let server = TestServer::start();
    let path = messages_path(&server).await;

    check_refused(&post(&server, &path, "a", r#"{"text":""}"#).await, 400, "INVALID_ARGUMENT");
    let nobody = server.anonymous(Method::POST, &path).insert_header(("Idempotency-Key", "a"));
    check_refused(&Response::to(nobody, "{}").await, 401, "AUTHENTICATION_REQUIRED");
    let taken = post(&server, &path, "a", r#"{"text":"once"}"#).await;

    assert_eq!((taken.status, is_replayed(&taken)), (200, false));
}

#[actix_web::test]
async fn a_key_must_be_printable_ascii() {
    let server = TestServer::start();
    let path = messages_path(&server).await;

    for key in ["", &"k".repeat(256), "schlüssel", "tab\tbed"] {
        check_refused(&post(&server, &path, key, r#"{"text":"hi"}"#).await, 400, "INVALID_ARGUMENT");
    }
    assert_eq!(sent(&server), 0);
    assert_eq!(post(&server, &path, &"k".repeat(255), r#"{"text":"hi"}"#).await.status, 200);
}

#[actix_web::test]
async fn a_key_is_stored_for_one_day() {
    let server = TestServer::start();
    let path = messages_path(&server).await;
    let say = async |key: &str| is_replayed(&post(&server, &path, key, r#"{"text":"hi"}"#).await);
    assert!(!say("a").await && !say("b").await);

    server.advance(Duration::from_hours(24) - Duration::from_mins(1));
    assert!(say("a").await);
    server.advance(Duration::from_mins(2));
    assert!(!say("a").await);

    assert_eq!(sent(&server), 3);
    assert_eq!(
        count(&server, "SELECT count(*) FROM idempotency_keys"),
        1,
        "the other one is removed on the way"
    );
}
