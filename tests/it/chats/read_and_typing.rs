//! Calls of an account to LINE other than messages: the quota, read marks and the typing indicator.

use std::time::Duration;

use awc::http::Method;
use kaiwa::sandbox::control::client;
use kaiwa::sandbox::records::RequestRecord;
use serde_json::{Value, json};

use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};

const READ: &str = "/v2/bot/chat/markAsRead";
const LOADING: &str = "/v2/bot/chat/loading/start";

async fn with_message_of_alice() -> (TestServer, String) {
    let server = TestServer::start();
    client::say(&server.line.url, "Alice", "hello").await.unwrap();
    let list = server.get("/v1.0/conversations").await.json();
    let conversation = list["result"][0]["id"].as_str().unwrap().to_owned();
    (server, conversation)
}

fn requests(server: &TestServer, path: &str) -> Vec<RequestRecord> {
    server.line.platform.requests().into_iter().filter(|request| request.path.starts_with(path)).collect()
}

#[actix_web::test]
async fn the_quota_is_returned_as_line_reports_it_and_fetched_once_a_minute() {
    let server = TestServer::start();
    let path = format!("/v1.0/conversation_accounts/{}/quota", server.account);
    server.line.platform.set_quota(Some(200), 30);

    let first = server.get(&path).await;
    server.line.platform.set_quota(None, 31);
    let cached = server.get(&path).await;
    server.advance(Duration::from_secs(61));
    let later = server.get(&path).await.json();

    let expected = r#"{"type":"limited","value":200,"used":30,"remaining":170,"fetched_at":""#;
    assert!(first.text.starts_with(expected), "{}", first.text);
    assert_eq!(cached.text, first.text);
    assert_eq!(
        (&later["type"], &later["value"], &later["used"], &later["remaining"]),
        (&json!("none"), &Value::Null, &json!(31), &Value::Null)
    );
    assert_eq!(requests(&server, "/v2/bot/message/quota").len(), 4);
}

#[actix_web::test]
async fn the_quota_is_unknown_while_line_is_down() {
    let server = TestServer::start();
    server.set_faults(&json!([{ "path": "/v2/bot/message/quota", "kind": "reset" }]));

    let response = server.get(&format!("/v1.0/conversation_accounts/{}/quota", server.account)).await;

    assert_eq!((response.status, response.reason().as_str()), (502, "LINE_UNAVAILABLE"));
}

#[actix_web::test]
async fn a_conversation_is_marked_as_read_with_the_token_of_its_newest_message() {
    let (server, conversation) = with_message_of_alice().await;
    let path = format!("/v1.0/conversations/{conversation}/read");
    let alice = server.user("Alice");

    let read = Response::to(server.request(Method::POST, &path), "").await;

    assert_eq!((read.status, read.text.as_str()), (204, ""));
    let shown = server.line.platform.with(|state| json!(state.chats.messages(&alice)));
    assert_eq!(shown[0]["read"], true, "{shown}");
    let other = server.user("Bob");
    let mut event = text_event(&other, "without a token");
    event["message"].as_object_mut().unwrap().remove("markAsReadToken");
    assert_eq!(server.webhook(&[event]).await.status, 200);
    let list = server.get("/v1.0/conversations").await.json();
    let path = format!("/v1.0/conversations/{}/read", list["result"][0]["id"].as_str().unwrap());
    let none = server.post(&path, &json!({})).await;
    assert_eq!((none.status, none.reason().as_str()), (409, "STATE_INVALID"));
    assert_eq!(requests(&server, READ).len(), 1);
}

#[actix_web::test]
async fn a_user_sees_the_typing_indicator_and_a_group_does_not() {
    let (server, conversation) = with_message_of_alice().await;
    let path = format!("/v1.0/conversations/{conversation}/typing");

    assert_eq!(Response::to(server.request(Method::POST, &path), "").await.status, 204);
    assert_eq!(server.post(&path, &json!({ "seconds": 60 })).await.status, 204);
    for seconds in [json!(0), json!(4), json!(7), json!(65)] {
        assert_eq!(server.post(&path, &json!({ "seconds": seconds })).await.reason(), "INVALID_ARGUMENT");
    }
    let bodies: Vec<String> =
        requests(&server, LOADING).iter().map(|request| json!(request)["body"].to_string()).collect();
    assert_eq!(bodies.len(), 2);
    assert!(bodies[0].contains("20") && bodies[1].contains("60"), "{bodies:?}");

    let group = server.group("team", &[&server.user("Alice")]);
    let mut event = text_event(&server.user("Alice"), "hi");
    event["source"] = json!({ "type": "group", "groupId": group, "userId": server.user("Alice") });
    assert_eq!(server.webhook(&[event]).await.status, 200);
    let list = server.get("/v1.0/conversations").await.json();
    let path = format!("/v1.0/conversations/{}/typing", list["result"][0]["id"].as_str().unwrap());
    let none = server.post(&path, &json!({})).await;
    assert_eq!((none.status, none.reason().as_str()), (409, "STATE_INVALID"));
}

#[actix_web::test]
async fn read_and_typing_are_retried_when_line_has_just_closed_an_idle_connection() {
    let server = TestServer::start_with(|config| config.workers = 1);
    client::say(&server.line.url, "Alice", "hello").await.unwrap();
    let list = server.get("/v1.0/conversations").await.json();
    let path = format!("/v1.0/conversations/{}/typing", list["result"][0]["id"].as_str().unwrap());
    assert_eq!(server.post(&path, &json!({})).await.status, 204);
    server.set_faults(&json!([{ "path": LOADING, "kind": "reset", "count": 1 }]));

    let again = server.post(&path, &json!({})).await;

    assert_eq!(again.status, 204, "{}", again.text);
    let statuses: Vec<_> = requests(&server, LOADING).iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(202), None, Some(202)]);
    server.set_faults(&json!([{ "path": LOADING, "kind": "reset" }]));
    assert_eq!(server.post(&path, &json!({})).await.reason(), "LINE_UNAVAILABLE");
}

#[actix_web::test]
async fn a_refusal_by_line_names_the_account_and_a_removed_account_can_do_nothing() {
    let (server, conversation) = with_message_of_alice().await;
    let path = format!("/v1.0/conversations/{conversation}/typing");
    server.set_faults(&json!([{ "path": LOADING, "kind": "status", "status": 403, "count": 1 }]));

    let refused = server.post(&path, &json!({})).await;

    assert_eq!((refused.status, refused.reason().as_str()), (502, "LINE_REFUSED"));
    assert_eq!(refused.json()["error"]["details"][0]["account_id"], server.account.to_string());
    let account = format!("/v1.0/conversation_accounts/{}", server.account);
    assert_eq!(server.delete(&account).await.status, 204);
    assert_eq!(server.post(&path, &json!({})).await.reason(), "STATE_INVALID");
    let path = format!("/v1.0/conversations/{conversation}/read");
    assert_eq!(server.post(&path, &json!({})).await.reason(), "STATE_INVALID");
}
