//! The limits of one caller, and what happens beyond them.

use std::time::Duration;

use awc::http::Method;
use kaiwa::config::Config;
use serde_json::json;

use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};

/// A server behind a proxy that forwards client addresses, with a burst of three requests.
fn behind_a_proxy(change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::start_with(|config| {
        config.proxies.trusted = vec!["127.0.0.1".parse().unwrap()];
        config.limits.address_requests_per_second = 1;
        config.limits.address_requests_burst = 3;
        change(config);
    })
}

async fn ask_from(server: &TestServer, address: &str) -> Response {
    let request = server.request(Method::GET, "/v1.0/conversations");
    Response::to(request.insert_header(("x-forwarded-for", address)), "").await
}

/// Sends requests until the limit is hit; returns how many got this response, and the one that did not. On a busy machine
/// a second may pass, which lets one more through.
async fn until_refused(status: u16, ask: impl AsyncFn() -> Response) -> (usize, Response) {
    for count in 0..30 {
        let response = ask().await;
        if response.status == 429 {
            return (count, response);
        }
        assert_eq!(response.status, status);
    }
    panic!("thirty requests in a row were accepted");
}

#[actix_web::test]
async fn a_rate_limited_address_learns_when_to_retry() {
    let server = behind_a_proxy(|_| {});

    let (taken, refused) = until_refused(200, async || ask_from(&server, "192.0.2.1").await).await;
    let other = ask_from(&server, "192.0.2.2").await;
    server.clock.advance(Duration::from_secs(1));
    let later = ask_from(&server, "192.0.2.1").await;

    assert!(taken >= 3, "{taken}");
    assert_eq!(refused.reason(), "RATE_LIMIT_EXCEEDED");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!((other.status, later.status), (200, 200));
}

#[actix_web::test]
async fn requests_rejected_before_routing_count_too() {
    let server = behind_a_proxy(|config| config.base_path = "/kaiwa".to_owned());

    for (number, (path, status, header)) in [
        ("/healthz", 404, ("accept", "*/*")),
        ("/kaiwa", 404, ("accept", "*/*")),
        ("/kaiwas/healthz", 404, ("accept", "*/*")),
        ("//kaiwa/healthz", 404, ("accept", "*/*")),
        ("/kaiwa/v1.0/conversations", 415, ("content-encoding", "gzip")),
    ]
    .into_iter()
    .enumerate()
    {
        let address = format!("192.0.2.{number}");
        let ask = async || {
            let request = server.anonymous(Method::GET, path).insert_header(header);
            Response::to(request.insert_header(("x-forwarded-for", address.as_str())), "").await
        };
        let (taken, _) = until_refused(status, ask).await;

        assert!(taken >= 3, "{path}: {taken}");
    }
}

#[actix_web::test]
async fn each_token_has_its_own_rate_limit() {
    let server = TestServer::start_with(|config| {
        config.limits.token_requests_per_second = 1;
        config.limits.token_requests_burst = 2;
    });

    let (taken, _) = until_refused(200, async || server.get("/v1.0/conversations").await).await;
    let anonymous = Response::to(server.anonymous(Method::GET, "/healthz"), "").await;

    assert!(taken >= 2, "{taken}");
    assert_eq!(anonymous.status, 200);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.get("/v1.0/conversations").await.status, 200);
}

#[actix_web::test]
async fn a_request_with_a_key_is_charged_once_and_keeps_its_key() {
    let server = TestServer::start_with(|config| {
        config.limits.token_requests_per_second = 1;
        config.limits.token_requests_burst = 4;
    });
    let path =
        format!("/v1.0/conversations/{}/messages", server.conversation_with(&server.user("Alice")).await);
    server.clock.advance(Duration::from_secs(10));
    let keyed = async || {
        let request = server.request(Method::POST, &path).insert_header(("idempotency-key", "one"));
        let request = request.insert_header(("prefer", "respond-async")).content_type("application/json");
        Response::to(request, json!({ "text": "hello" }).to_string()).await
    };

    let (taken, _) = until_refused(200, keyed).await;
    server.clock.advance(Duration::from_secs(10));

    assert!(taken >= 4, "{taken} of 4: each is one request");
    let messages =
        server.messages(path.trim_start_matches("/v1.0/conversations/").split('/').next().unwrap()).await;
    assert_eq!(messages.len(), 2, "what she wrote, and one reply: none was sent without its key");
}

#[actix_web::test]
async fn a_customer_has_a_limited_number_of_waiting_messages() {
    let server = TestServer::start_with(|config| config.limits.pending_messages = 3);
    let conversation = server.conversation_with(&server.user("Alice")).await;
    let path = format!("/v1.0/conversations/{conversation}/messages");
    server.set_faults(&json!([{ "path": "/v2/bot/message/push", "kind": "status", "status": 401 }]));
    let send = async || {
        let request = server.request(Method::POST, &path).insert_header(("prefer", "respond-async"));
        Response::to(request.content_type("application/json"), json!({ "text": "a" }).to_string()).await
    };

    let taken = [send().await.status, send().await.status, send().await.status];
    let refused = send().await;

    assert_eq!(taken, [200, 200, 200]);
    assert_eq!((refused.status, refused.reason().as_str()), (429, "RATE_LIMIT_EXCEEDED"));
    assert_eq!(refused.header("retry-after"), "5");
    let sent = server.messages(&conversation).await.into_iter().filter(|one| one["source_target"] == "");
    assert_eq!(sent.count(), 3, "the refused one was not stored");
    assert_eq!(server.webhook(&[text_event(&server.user("Alice"), "still")]).await.status, 200);
    server.clock.advance(Duration::from_secs(3));
    assert_eq!(send().await.status, 429, "even after a recount");
}

#[actix_web::test]
async fn a_nearly_full_disk_accepts_webhooks_from_line_but_no_messages_to_send() {
    let server = TestServer::start_with(|config| config.limits.disk_free_bytes = 1 << 60);
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;

    let sent =
        server.post(&format!("/v1.0/conversations/{conversation}/messages"), &json!({ "text": "a" })).await;
    let upload = server.request(Method::POST, "/v1.0/medias?filename=a.txt").content_type("text/plain");
    let uploaded = Response::to(upload, "a file").await;

    assert_eq!((sent.status, uploaded.status), (503, 503));
    assert_eq!(sent.reason(), "SERVICE_UNAVAILABLE");
    assert_eq!(server.webhook(&[text_event(&user, "still")]).await.status, 200);
    assert_eq!(server.messages(&conversation).await.len(), 2, "what she wrote, and nothing else");
}
