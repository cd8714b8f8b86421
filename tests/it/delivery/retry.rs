//! Retries of failed messages: safe when nothing was sent, and otherwise only with force.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::response::Response;
use crate::harness::server::TestServer;
use crate::harness::{eventually, eventually_is};

const PUSH: &str = "/v2/bot/message/push";

async fn with_conversation() -> (TestServer, String, String) {
    let server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    (server, user, conversation)
}

async fn retry(server: &TestServer, conversation: &str, id: &Value, body: &Value) -> Response {
    let id = id.as_str().unwrap();
    server.post(&format!("/v1.0/conversations/{conversation}/messages/{id}/retry"), body).await
}

#[actix_web::test]
async fn a_retry_of_a_refused_message_gets_a_new_key_and_queues_behind_later_messages() {
    let (server, user, conversation) = with_conversation().await;
    server.set_faults(&json!([{ "path": PUSH, "kind": "status", "status": 400, "count": 1 }]));
    let failed = server.say(&conversation, "first").await;
    server.say(&conversation, "second").await;

    let again = retry(&server, &conversation, &failed["id"], &json!({})).await;

    assert_eq!((again.status, &again.json()["status"]), (200, &json!("sent")), "{again:?}");
    assert_eq!((&again.json()["id"], again.json().get("error")), (&failed["id"], None));
    assert_eq!(server.executed(&user), ["second", "first"]);
    assert!(server.line.platform.violations().is_empty());
    let twice = retry(&server, &conversation, &failed["id"], &json!({})).await;
    assert_eq!((twice.status, twice.reason().as_str()), (409, "STATE_INVALID"));
    assert_eq!(server.executed(&user).len(), 2);
}

#[actix_web::test]
async fn a_message_that_may_have_been_sent_is_retried_only_with_force() {
    let (server, user, conversation) = with_conversation().await;
    server.set_faults(&json!([{ "path": PUSH, "kind": "lost" }]));
    let path = format!("/v1.0/conversations/{conversation}/messages");
    let id = server.say(&conversation, "who knows").await["id"].clone();
    eventually(|| !server.executed(&user).is_empty()).await;
    server.advance(Duration::from_hours(23));
    let one = format!("{path}/{}", id.as_str().unwrap());
    eventually_is(json!("failed"), async || server.get(&one).await.json()["status"].clone()).await;
    server.set_faults(&json!([]));

    let refused = retry(&server, &conversation, &id, &json!({})).await;
    let forced = retry(&server, &conversation, &id, &json!({ "force": true })).await;

    assert_eq!((refused.status, refused.reason().as_str()), (409, "STATE_INVALID"));
    assert!(refused.text.contains("twice") && refused.text.contains("force"), "{}", refused.text);
    assert_eq!((forced.status, &forced.json()["status"]), (200, &json!("sent")));
    assert_eq!(server.executed(&user), ["who knows", "who knows"], "as was warned");
}

#[actix_web::test]
async fn a_retry_sends_only_the_request_of_a_message_that_was_not_sent() {
    let (server, user, conversation) = with_conversation().await;
    let text = format!("a{}b", "😀".repeat(12_499));
    server.set_faults(&json!([
        { "path": PUSH, "kind": "slow", "count": 1 },
        { "path": PUSH, "kind": "status", "status": 400, "count": 1 },
    ]));
    let failed = server.say(&conversation, &text).await;
    assert_eq!((&failed["status"], &failed["cost"]), (&json!("failed"), &json!(1)), "half of it was sent");

    let again = retry(&server, &conversation, &failed["id"], &json!({})).await;

    assert_eq!((&again.json()["status"], &again.json()["cost"]), (&json!("sent"), &json!(2)));
    assert_eq!(server.executed(&user).concat(), text);
}

#[actix_web::test]
async fn only_a_failed_message_can_be_retried() {
    let (server, _, conversation) = with_conversation().await;
    let sent = server.say(&conversation, "hi").await;
    let received = server.messages(&conversation).await[1].clone();
    let nobody = json!("a7bc12b7-f95c-43e6-82a1-38f4b7ff9b3f");

    for message in [&sent, &received] {
        assert_eq!(retry(&server, &conversation, &message["id"], &json!({})).await.status, 409);
    }
    assert_eq!(retry(&server, &conversation, &nobody, &json!({})).await.reason(), "MESSAGE_NOT_FOUND");
    assert_eq!(
        retry(&server, &conversation, &sent["id"], &json!({ "a": 1 })).await.reason(),
        "INVALID_JSON_BODY"
    );
}
