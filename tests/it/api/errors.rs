//! Every error has the same format, and every request has limits.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use actix_web::middleware::from_fn;
use actix_web::test;
use actix_web::web::{self, Data};
use awc::http::Method;
use kaiwa::api::middleware::envelope::wrap;
use kaiwa::runtime::app::App;
use serde_json::json;

use crate::harness::response::Response;
use crate::harness::server::TestServer;
use crate::harness::{PATIENCE, eventually_is};

const UNKNOWN: &str = "/v1.0/conversations/5a6d0b9e-0000-4000-8000-00000000000f";

#[actix_web::test]
async fn errors_of_the_framework_have_our_error_format() {
    let server = TestServer::start();
    let json = ("Content-Type", "application/json");
    let check = async |request: awc::ClientRequest, body: &str, status: u16, reason: &str| {
        let response = Response::to(request, body.to_owned()).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason), "{response:?}");
        response
    };
    let post = |path: &str| server.request(Method::POST, path);
    let messages = format!("{UNKNOWN}/messages");

    check(server.request(Method::GET, "/"), "", 404, "ROUTE_NOT_FOUND").await;
    check(server.request(Method::GET, "/v1.0/conversations/"), "", 404, "ROUTE_NOT_FOUND").await;
    check(server.anonymous(Method::GET, "/v1.0/nothing"), "", 404, "ROUTE_NOT_FOUND").await;
    check(server.request(Method::GET, "/v1.0/conversations/7"), "", 400, "INVALID_ID").await;
    check(server.request(Method::GET, UNKNOWN), "", 404, "CONVERSATION_NOT_FOUND").await;
    check(post(&messages).insert_header(json), "{", 400, "INVALID_JSON_BODY").await;
    check(post(&messages).insert_header(json), r#"{"text":7}"#, 400, "INVALID_JSON_BODY").await;
    check(post(&messages).insert_header(json), r#"["a"]"#, 400, "INVALID_JSON_BODY").await;
    check(post(&messages).insert_header(json), r#"{"text":"a","texd":""}"#, 400, "INVALID_JSON_BODY").await;
    check(post(&messages).insert_header(json), r#"{"text":"hi"}"#, 404, "CONVERSATION_NOT_FOUND").await;
    check(post(&messages).insert_header(("Content-Type", "text/plain")), "{}", 415, "UNSUPPORTED_MEDIA_TYPE")
        .await;
    check(post(&messages), "{}", 415, "UNSUPPORTED_MEDIA_TYPE").await;
    let packed = post(&messages).insert_header(json).insert_header(("Content-Encoding", "gzip"));
    check(packed, "{}", 415, "UNSUPPORTED_MEDIA_TYPE").await;
    let large = json!({ "text": "a".repeat(300_000) }).to_string();
    check(post(&messages).insert_header(json), &large, 413, "BODY_TOO_LARGE").await;
    let basic = server.anonymous(Method::GET, UNKNOWN).insert_header(("Authorization", "Basic YTpi"));
    check(basic, "", 401, "AUTHENTICATION_REQUIRED").await;
}

#[actix_web::test]
async fn a_method_that_is_not_allowed_is_rejected_with_the_allowed_ones() {
    let server = TestServer::start();

    for (method, path, allow) in [
        (Method::POST, "/v1.0/conversations", "GET, HEAD"),
        (Method::GET, "/v1.0/conversations/setup/", ""),
        (Method::DELETE, UNKNOWN, "GET, HEAD, PUT"),
        (Method::PATCH, "/v1.0/conversation_accounts", "GET, HEAD, POST"),
        (Method::TRACE, "/healthz", "GET, HEAD"),
        (Method::GET, server.webhook_path().as_str(), "POST"),
    ] {
        let response = Response::to(server.request(method.clone(), path), "").await;

        let expected = if allow.is_empty() { (404, "ROUTE_NOT_FOUND") } else { (405, "METHOD_NOT_ALLOWED") };
        assert_eq!((response.status, response.reason().as_str()), expected, "{method} {path}");
        assert_eq!(response.header("allow"), allow, "{method} {path}");
    }
}

#[actix_web::test]
async fn a_plain_request_id_is_echoed_and_any_other_is_replaced() {
    let server = TestServer::start();
    let echoed = async |id: &str| {
        let response =
            Response::to(server.anonymous(Method::GET, "/nothing").insert_header(("X-Request-Id", id)), "")
                .await;
        assert_eq!(response.reason(), "ROUTE_NOT_FOUND");
        response.header("x-request-id").to_owned()
    };

    assert_eq!(echoed("my-Request_7").await, "my-Request_7");
    assert_eq!(echoed(&"a".repeat(64)).await, "a".repeat(64));
    for id in ["", "two words", "späße", &"a".repeat(65)] {
        assert_eq!(echoed(id).await.len(), 36, "{id:?} was echoed");
    }
    assert_eq!(server.get("/healthz").await.header("x-request-id").len(), 36);
}

/// Looks like a signature, so that the body has to be read.
const PLAUSIBLE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Sends raw bytes, then one byte every 50 ms until the connection ends, and returns what came back.
fn drip(address: SocketAddr, head: &str) -> String {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut response = Vec::new();
    loop {
        let received = String::from_utf8_lossy(&response);
        assert!(began.elapsed() < PATIENCE, "the connection is still open: {received}");
        let mut buffer = [0; 4_096];
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => response.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
        if stream.write_all(b" ").is_err() {
            break;
        }
    }
    String::from_utf8_lossy(&response).into_owned()
}

#[actix_web::test]
async fn a_slow_request_times_out_on_every_route() {
    let server = TestServer::start_with(|config| config.limits.request_timeout = Duration::from_millis(500));
    let token = server.token();
    let webhook = server.webhook_path();
    let address = server.address;

    std::thread::scope(|scope| {
        let heads = [
            format!("POST {UNKNOWN}/messages?token={token} HTTP/1.1\r\nContent-Type: application/json"),
            format!("POST {webhook} HTTP/1.1\r\nX-Line-Signature: {PLAUSIBLE}"),
            format!("GET {UNKNOWN}?token={token} HTTP/1.1"),
            "GET /healthz HTTP/1.1".to_owned(),
            "POST /nothing HTTP/1.1".to_owned(),
        ];
        let drips = heads.map(|head| {
            scope
                .spawn(move || drip(address, &format!("{head}\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")))
        });
        for (drip, expected) in drips.into_iter().zip(["408", "408", "", "", ""]) {
            let response = drip.join().unwrap();
            assert!(response.contains(expected), "{response}");
        }
        scope.spawn(move || drip(address, "GET /healthz HTTP/1.1\r\nX-Slow: ")).join().unwrap();
    });
    // On a busy machine a valid request may occasionally be too slow for this limit.
    let alive = async || Response::if_any(server.anonymous(Method::GET, "/healthz"), "").await;
    eventually_is(true, async || alive().await.is_ok_and(|response| response.text == r#"{"status":"ok"}"#))
        .await;
}

#[actix_web::test]
async fn a_working_server_is_ready() {
    let server = TestServer::start();

    let ready = server.get("/readyz").await;

    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["checks"], json!({ "storage": "ok", "schema": "ok", "workers": "ok" }));
}

#[actix_web::test]
async fn a_panicking_handler_returns_500_and_the_next_request_succeeds() {
    let server = TestServer::start();
    let app = Data::new(App::new(server.shared()).unwrap());
    let explode = async || -> &'static str { panic!("on purpose") };
    let service =
        actix_web::App::new().app_data(app).wrap(from_fn(wrap)).route("/panic", web::get().to(explode));
    let service = test::init_service(service.configure(kaiwa::api::routes::routes)).await;
    let request =
        |path: &str| test::TestRequest::get().uri(path).insert_header(("X-Request-Id", "mine")).to_request();

    let panicked = test::try_call_service(&service, request("/panic")).await.unwrap_err().error_response();
    let next = test::call_service(&service, request("/healthz")).await;

    assert_eq!(panicked.status(), 500);
    assert_eq!(panicked.headers().get("x-request-id").unwrap(), "mine");
    let body = actix_web::body::to_bytes(panicked.into_body()).await.unwrap();
    let expected = r#"{"error":{"status":"INTERNAL","reason":"INTERNAL","message":"internal error","request_id":"mine"}}"#;
    assert_eq!(body, expected);
    assert_eq!(next.status(), 200);
    assert_eq!(server.get("/readyz").await.json()["counters"]["panics"], 1);
}
