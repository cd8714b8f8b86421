//! Requests to the webhook that are not LINE's: they are rate limited, and as little of them is read as possible.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use awc::http::Method;
use kaiwa::line::signature;
use kaiwa::model::secret::Secret;
use serde_json::json;

use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};

const LINE: &str = "192.0.2.9";
const FORGER: &str = "192.0.2.66";

/// The burst of one address. It hardly refills during a test: by one per hour.
const BURST: usize = 3;

/// A server behind a proxy that forwards client addresses.
fn behind_a_proxy() -> TestServer {
    TestServer::start_with(|config| {
        config.proxies.trusted = vec!["127.0.0.1".parse().unwrap()];
        config.limits.address_requests_per_second = 1;
        config.limits.address_requests_burst = u32::try_from(BURST).unwrap();
    })
}

/// A body from LINE, and its signature.
fn genuine(server: &TestServer) -> (String, String) {
    let body = json!({ "destination": "U0", "events": [text_event("U1", "hello")] }).to_string();
    let signature = signature::sign(&server.line.platform.channel().secret, body.as_bytes());
    (body, signature)
}

/// A signature with a wrong secret.
fn forged() -> String {
    signature::sign(&Secret::new("another secret"), b"{}")
}

async fn deliver(server: &TestServer, address: &str, body: &str, signature: &str) -> u16 {
    let request = server.anonymous(Method::POST, &server.webhook_path());
    let request =
        request.insert_header((signature::HEADER, signature)).insert_header(("x-forwarded-for", address));
    Response::to(request, body.to_owned()).await.status
}

async fn deliver_genuine(server: &TestServer, address: &str) -> u16 {
    let (body, signature) = genuine(server);
    deliver(server, address, &body, &signature).await
}

/// The status returned for a head whose body never comes; `None` when the server waits for the body.
fn unread(server: &TestServer, request: &str, address: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    write!(stream, "{request}\r\nhost: a\r\nx-forwarded-for: {address}\r\n\r\n").unwrap();
    let (mut received, mut bytes) = (Vec::new(), [0; 1_024]);
    while received.len() < 12 {
        match stream.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => received.extend_from_slice(&bytes[..count]),
            Err(_) => return None,
        }
    }
    String::from_utf8_lossy(&received).get(9..12)?.parse().ok()
}

#[actix_web::test]
async fn a_request_that_can_be_rejected_without_its_body_is_rejected_before_it() {
    let server = behind_a_proxy();
    let (path, signature) = (server.webhook_path(), forged());
    let unknown = "/v1.0/conversation/accounts/01a20644-f95c-7717-97b7-0888b5389fe6";
    let body = "content-length: 100";

    for (number, (request, expected)) in [
        (format!("POST {path} HTTP/1.1\r\n{body}"), Some(401)),
        (format!("POST {path} HTTP/1.1\r\nx-line-signature: AAAA\r\n{body}"), Some(401)),
        (format!("POST {path} HTTP/1.1\r\nx-line-signature: {signature}=\r\n{body}"), Some(401)),
        (format!("POST {unknown} HTTP/1.1\r\nx-line-signature: {signature}\r\n{body}"), Some(401)),
        (format!("POST {path}x HTTP/1.1\r\nx-line-signature: {signature}\r\n{body}"), Some(401)),
        (format!("PUT {path} HTTP/1.1\r\nx-line-signature: {signature}\r\n{body}"), Some(405)),
        (format!("POST {path}/x HTTP/1.1\r\nx-line-signature: {signature}\r\n{body}"), Some(404)),
        (
            format!("POST {path} HTTP/1.1\r\nx-line-signature: {signature}\r\ncontent-length: 9999999"),
            Some(413),
        ),
        (
            format!(
                "POST {path} HTTP/1.1\r\ncontent-encoding: gzip\r\nx-line-signature: {signature}\r\n{body}"
            ),
            Some(415),
        ),
        (format!("POST {path} HTTP/1.1\r\nx-line-signature: {signature}\r\n{body}"), None),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(unread(&server, &request, &format!("198.51.100.{number}")), expected, "{request}");
    }
}

#[actix_web::test]
async fn everything_on_the_webhook_path_but_a_signed_webhook_is_rate_limited() {
    let server = behind_a_proxy();
    let (path, signature) = (server.webhook_path(), forged());
    let (body, _) = genuine(&server);

    for (number, (method, path, header)) in [
        (Method::GET, path.clone(), ""),
        (Method::POST, format!("{path}/more"), signature.as_str()),
        (Method::POST, format!("{path}x"), signature.as_str()),
        (Method::POST, path.clone(), ""),
        (Method::POST, path.clone(), "AAAA"),
        (Method::POST, path.clone(), signature.as_str()),
    ]
    .into_iter()
    .enumerate()
    {
        let address = format!("198.51.100.{number}");
        let mut statuses = Vec::new();
        while statuses.last() != Some(&429) && statuses.len() < 30 {
            let request =
                server.anonymous(method.clone(), &path).insert_header(("x-forwarded-for", address.as_str()));
            let request = request.insert_header((signature::HEADER, header));
            statuses.push(Response::to(request, body.clone()).await.status);
        }
        assert!(
            statuses.len() > BURST && statuses.last() == Some(&429),
            "{method} {path} {header:?}: {statuses:?}"
        );
        assert_eq!(
            deliver_genuine(&server, &address).await,
            200,
            "{method} {path}: LINE's own is accepted anyway"
        );
    }
}

#[actix_web::test]
async fn signed_webhooks_are_never_rate_limited_and_their_address_is_always_read() {
    let server = behind_a_proxy();
    for _ in 0..4 * BURST {
        assert_eq!(deliver_genuine(&server, LINE).await, 200);
    }
    let (path, signature) = (server.webhook_path(), forged());
    let head = format!("POST {path} HTTP/1.1\r\nx-line-signature: {signature}\r\ncontent-length: 100");

    for address in [LINE, FORGER] {
        while deliver(&server, address, "{}", &signature).await != 429 {}
    }

    assert_eq!(unread(&server, &head, FORGER), Some(429), "the body is not waited for");
    assert_eq!(unread(&server, &head, LINE), None, "it could be LINE's");
    for _ in 0..2 * BURST {
        assert_eq!(deliver_genuine(&server, LINE).await, 200);
    }
}
