//! A bot that sends messages, with and without faults.

use actix_web::rt::time::timeout;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::records::ViolationKind;
use crate::sandbox::records::faults::{FaultKind, FaultRule};
use crate::sandbox::tests::{PUSH, TIMEOUT, TestSandbox};

#[actix_web::test]
async fn a_push_is_executed_once_per_retry_key() {
    let sandbox = TestSandbox::start().await;
    let key = Uuid::new_v4();

    let first = sandbox.push(key).await.unwrap();
    let second = sandbox.push(key).await.unwrap();

    assert_eq!((first.status, second.status), (200, 409));
    assert_eq!(second.accepted_request_id, first.request_id);
    assert_ne!(second.request_id, first.request_id);
    let [first, second]: [Value; 2] =
        [first.body, second.body].map(|body| serde_json::from_slice(&body).unwrap());
    assert_eq!(second["message"], "The retry key is already accepted");
    assert_eq!(second["sentMessages"], first["sentMessages"]);
    let executed = sandbox.platform.executed();
    assert_eq!(executed.len(), 1);
    assert_eq!(executed[0].bytes, sandbox.hello().to_string().as_bytes());
    assert_eq!(sandbox.platform.violations(), []);
}

#[actix_web::test]
async fn another_body_with_the_same_key_is_a_violation() {
    let sandbox = TestSandbox::start().await;
    let key = Uuid::new_v4();

    sandbox.push(key).await.unwrap();
    let mut other = sandbox.hello();
    other["messages"][0]["text"] = json!("other");
    let second = sandbox.send(PUSH, Some(key), &other).await.unwrap();

    assert_eq!(second.status, 409);
    assert_eq!(sandbox.platform.violations()[0].kind, ViolationKind::RetryKeyReused);
}

#[actix_web::test]
async fn a_wrong_token_and_a_misplaced_key_are_refused() {
    let sandbox = TestSandbox::start().await;

    let url = format!("{}{PUSH}", sandbox.url);
    let wrong = sandbox.client.post(url).bearer_auth("wrong").send_json(&sandbox.hello()).await.unwrap();
    let reply = json!({ "replyToken": "x", "messages": [{ "type": "text", "text": "a" }] });
    let misplaced = sandbox.send("/v2/bot/message/reply", Some(Uuid::new_v4()), &reply).await.unwrap();

    assert_eq!((wrong.status().as_u16(), misplaced.status), (401, 400));
    assert!(wrong.headers().contains_key("x-line-request-id"));
    assert_eq!(sandbox.platform.executed().len(), 0);
}

#[actix_web::test]
async fn a_body_over_two_megabytes_gets_a_response() {
    let sandbox = TestSandbox::start().await;
    let mut large = sandbox.hello();
    large["messages"][0]["text"] = json!("a".repeat(3_000_000));

    let response = sandbox.send(PUSH, Some(Uuid::new_v4()), &large).await.unwrap();

    assert_eq!(response.status, 413);
}

#[actix_web::test]
async fn each_fault_executes_and_responds_as_documented() {
    let sandbox = TestSandbox::start().await;

    for (kind, status, is_executed) in [
        (FaultKind::Status, Some(500), false),
        (FaultKind::StatusAfter, Some(500), true),
        (FaultKind::Timeout, None, false),
        (FaultKind::Reset, None, false),
        (FaultKind::Lost, None, true),
        (FaultKind::Slow, Some(200), true),
        (FaultKind::Html, Some(502), false),
        (FaultKind::Garbage, Some(200), true),
        (FaultKind::Redirect, Some(302), false),
    ] {
        sandbox.platform.forget_records();
        sandbox.set_fault(FaultRule { delay_ms: 1, ..FaultRule::new(kind) });
        let key = Uuid::new_v4();

        let response = sandbox.push(key).await;

        assert_eq!(response.as_ref().ok().map(|response| response.status), status, "{kind:?}: {response:?}");
        assert_eq!(sandbox.platform.executed().len(), usize::from(is_executed), "{kind:?}");
        assert_eq!(sandbox.platform.requests()[0].status, status, "{kind:?}");
        let again = sandbox.push(key).await.unwrap();
        assert_eq!(again.status, if is_executed { 409 } else { 200 }, "{kind:?}");
        assert_eq!(sandbox.platform.executed().len(), 1, "{kind:?}");
    }
}

#[actix_web::test]
async fn a_truncated_response_is_not_json() {
    let sandbox = TestSandbox::start().await;
    sandbox.set_fault(FaultRule::new(FaultKind::Garbage));

    let response = sandbox.push(Uuid::new_v4()).await.unwrap();

    assert!(serde_json::from_slice::<Value>(&response.body).is_err());
}

#[actix_web::test]
async fn truncation_never_turns_an_error_into_a_success() {
    let sandbox = TestSandbox::start().await;
    let key = Uuid::new_v4();
    assert_eq!(sandbox.push(key).await.unwrap().status, 200);
    sandbox.set_fault(FaultRule::new(FaultKind::Garbage));

    let refused = sandbox.push(key).await.unwrap();

    assert_eq!(refused.status, 409);
    assert!(serde_json::from_slice::<Value>(&refused.body).is_ok());
}

#[actix_web::test]
async fn a_delayed_request_is_executed_even_if_the_client_has_gone() {
    let sandbox = TestSandbox::start().await;
    sandbox.set_fault(FaultRule { delay_ms: 500, ..FaultRule::new(FaultKind::Slow) });
    let arrived = async {
        while sandbox.platform.requests().is_empty() {
            tokio::task::yield_now().await;
        }
    };

    // The connection is closed as soon as the request has arrived.
    tokio::select! {
        response = sandbox.push(Uuid::new_v4()) => panic!("the client got a response: {response:?}"),
        () = arrived => {}
    }

    assert!(sandbox.platform.executed().is_empty());
    let executed = async {
        while sandbox.platform.executed().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT, executed).await.unwrap();
}
