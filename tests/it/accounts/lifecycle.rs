//! LINE accounts: what can be written, what is returned, and what never is.

use std::time::Duration;

use awc::http::Method;
use kaiwa::model::id::CustomerId;
use kaiwa::model::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};

const PATH: &str = "/v1.0/conversation_accounts";

fn body(server: &TestServer) -> Value {
    let channel = server.line.platform.channel();
    json!({
        "type": "line", "name": "shop", "detail": "our shop",
        "secret": channel.secret.expose(), "token": channel.token.expose(),
    })
}

#[actix_web::test]
async fn an_account_is_created_read_updated_and_deleted() {
    let server = TestServer::start();

    let created = server.post(PATH, &body(&server)).await;
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let one = format!("{PATH}/{id}");
    let changed = server.put(&one, &json!({ "name": "new shop" })).await.json();
    let list = server.get(PATH).await.json();
    let removed = server.delete(&one).await;

    assert_eq!(created.status, 200, "{created:?}");
    assert_eq!(created.json()["line"]["status"], "good");
    assert_eq!(created.json()["line"]["bot"]["user_id"], server.line.platform.bot().user_id);
    assert_eq!((&changed["name"], &changed["detail"]), (&json!("new shop"), &json!("our shop")));
    assert_eq!(list["result"].as_array().unwrap().len(), 2);
    assert_eq!(list["result"][0], changed, "the newest is first");
    assert_eq!((removed.status, removed.text.as_str()), (204, ""));
    assert_eq!(server.get(&one).await.reason(), "ACCOUNT_NOT_FOUND");
    assert_eq!(server.get(PATH).await.json()["result"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn credentials_are_never_returned() {
    let server = TestServer::start();
    let channel = server.line.platform.channel();
    let created = server.post(PATH, &body(&server)).await;
    let one = format!("{PATH}/{}", created.json()["id"].as_str().unwrap());
    let refused = server.put(&one, &json!({ "token": format!("{} ", channel.token.expose()) })).await;

    for response in
        [created, refused, server.get(&one).await, server.get(PATH).await, server.get("/readyz").await]
    {
        assert!(!response.text.contains(channel.secret.expose()), "{}", response.text);
        assert!(!response.text.contains(channel.token.expose()), "{}", response.text);
    }
}

#[actix_web::test]
async fn an_incomplete_account_is_rejected_naming_what_is_missing() {
    let server = TestServer::start();
    let check = async |change: &dyn Fn(&mut Value), reason: &str, words: &str| {
        let mut body = body(&server);
        change(&mut body);
        let response = server.post(PATH, &body).await;
        assert_eq!((response.status, response.reason().as_str()), (400, reason), "{body}");
        assert!(response.text.contains(words), "{} does not say {words}", response.text);
    };
    let remove =
        |field: &'static str| move |body: &mut Value| drop(body.as_object_mut().unwrap().remove(field));

    check(&remove("type"), "UNSUPPORTED_REFERENCE_TYPE", "line").await;
    check(&remove("secret"), "INVALID_ARGUMENT", "secret").await;
    check(&remove("token"), "INVALID_ARGUMENT", "token").await;
    check(&|body| body["type"] = json!("sms"), "UNSUPPORTED_REFERENCE_TYPE", "line").await;
    check(&|body| body["secret"] = json!(""), "INVALID_ARGUMENT", "secret").await;
    check(&|body| body["token"] = json!("two words"), "INVALID_ARGUMENT", "token").await;
    check(&|body| body["name"] = json!("x".repeat(1_001)), "INVALID_ARGUMENT", "name").await;
    check(&|body| body["custmer"] = json!("x"), "INVALID_JSON_BODY", "custmer").await;
    assert_eq!(server.get(PATH).await.json()["result"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn an_account_created_while_line_is_down_works_and_reports_it() {
    let server = TestServer::start();
    server.set_faults(&json!([{ "path": "/v2/bot/info", "kind": "reset", "count": 1 }]));

    let created = server.post(PATH, &body(&server)).await;

    assert_eq!(created.status, 200);
    assert_eq!(created.json()["line"]["status"], "unreachable");
    assert_ne!(created.json()["line"]["message"], "");
    server.line.platform.set_webhook(created.json()["webhook_uri"].as_str().map(str::to_owned));
    kaiwa::sandbox::control::client::say(&server.line.url, "Alice", "hello").await.unwrap();
    assert_eq!(server.get("/v1.0/conversations").await.json()["result"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_token_that_line_refuses_is_reported_with_lines_message() {
    let server = TestServer::start();
    let mut wrong = body(&server);
    wrong["token"] = json!("wrong");

    let created = server.post(PATH, &wrong).await.json();
    let setup = server.post("/v1.0/conversations/setup", &json!({ "reference_type": "line" })).await;

    assert_eq!(created["line"]["status"], "refused");
    assert!(created["line"]["message"].as_str().unwrap().starts_with("401 Authentication failed"));
    assert_eq!((setup.status, setup.reason().as_str()), (502, "LINE_REFUSED"));
    assert_eq!(setup.json()["error"]["details"][0]["line_status"], 401);
    assert_eq!(setup.json()["error"]["details"][0]["account_id"], created["id"]);
}

#[actix_web::test]
async fn setup_without_an_account_or_of_another_type_is_rejected() {
    let server = TestServer::start();
    let stranger = CustomerId::new(Timestamp::now());
    let setup = async |body: &str| {
        let request = server.request_of(stranger, Method::POST, "/v1.0/conversations/setup");
        Response::to(request.content_type("application/json"), body.to_owned()).await
    };

    assert_eq!(setup(r#"{"reference_type":"line"}"#).await.reason(), "LINE_ACCOUNT_NOT_CONFIGURED");
    assert_eq!(setup(r#"{"reference_type":"sms"}"#).await.reason(), "UNSUPPORTED_REFERENCE_TYPE");
    assert_eq!(setup("{}").await.reason(), "INVALID_JSON_BODY");
}

#[actix_web::test]
async fn setup_reports_that_line_is_down() {
    let server = TestServer::start();
    server.set_faults(&json!([{ "path": "/v2/bot/info", "kind": "status", "status": 503 }]));

    let setup = server.post("/v1.0/conversations/setup", &json!({ "reference_type": "line" })).await;

    assert_eq!((setup.status, setup.reason().as_str()), (502, "LINE_UNAVAILABLE"));
}

#[actix_web::test]
async fn a_removed_account_accepts_no_webhooks_and_its_waiting_messages_fail() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    server.set_faults(&json!([{ "path": "/v2/bot/message/push", "kind": "status", "status": 401 }]));
    let waiting = server.say(&conversation, "waits").await;

    assert_eq!(server.delete(&format!("{PATH}/{}", server.account)).await.status, 204);

    let one = format!("/v1.0/conversations/{conversation}/messages/{}", waiting["id"].as_str().unwrap());
    assert_eq!(server.get(&one).await.json()["error"]["reason"], "ACCOUNT_REMOVED");
    assert_eq!(server.webhook(&[text_event(&user, "too late")]).await.status, 401);
    let send =
        server.post(&format!("/v1.0/conversations/{conversation}/messages"), &json!({ "text": "hi" })).await;
    assert_eq!((send.status, send.reason().as_str()), (409, "STATE_INVALID"));
    server.set_faults(&json!([]));
    server.advance(Duration::from_mins(10));
    assert_eq!(server.messages(&conversation).await.len(), 2, "the conversation stays readable");
    assert!(server.executed(&user).is_empty());
}

#[actix_web::test]
async fn a_message_in_flight_when_its_account_is_removed_is_not_reported_as_not_sent() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    server.set_faults(&json!([{ "path": "/v2/bot/message/push", "kind": "slow", "delay_ms": 500 }]));
    let path = format!("/v1.0/conversations/{conversation}/messages");
    let request = server.request(Method::POST, &path).content_type("application/json");
    let sending = actix_web::rt::spawn(Response::to(request, r#"{"text":"on its way"}"#));
    eventually(|| server.line.platform.requests().iter().any(|request| request.path.ends_with("push"))).await;

    server.delete(&format!("{PATH}/{}", server.account)).await;

    let response = sending.await.unwrap().json();
    assert_eq!(response["error"]["reason"], "OUTCOME_UNKNOWN");
}
