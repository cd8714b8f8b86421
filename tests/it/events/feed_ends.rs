//! How a feed starts and ends: for which customer, from which event, in which framing, and until when.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use awc::http::Method;
use kaiwa::model::accounts::customer::ProfileChange;
use kaiwa::model::secret::Secret;
use kaiwa::runtime::bearer::{Bearer, sign};
use serde_json::{Value, json};

use crate::harness::feed::{Event, Feed};
use crate::harness::response::Response;
use crate::harness::server::{KEY, TestServer, text_event};

/// A token of the server's customer that is valid for this long by the server's clock.
fn token_for(server: &TestServer, life: Duration) -> String {
    let bearer = Bearer { customer: server.customer, profile: ProfileChange::default() };
    sign(&Secret::new(KEY), &bearer, server.clock.now(), life).unwrap()
}

async fn feed_by(server: &TestServer, token: &str) -> Feed {
    Feed::of(server.anonymous(Method::GET, "/v1.0/events").bearer_auth(token)).await
}

async fn ticket_by(server: &TestServer, token: &str) -> Value {
    let request = server.anonymous(Method::POST, "/v1.0/events/tickets").bearer_auth(token);
    Response::to(request, "").await.json()
}

#[actix_web::test]
async fn a_feed_ends_when_its_token_expires_and_others_continue() {
    let server = TestServer::start();
    let short = token_for(&server, Duration::from_mins(10));
    let ticket = ticket_by(&server, &short).await;
    let path = format!("/v1.0/events?ticket={}", ticket["ticket"].as_str().unwrap());
    let mut by_token = feed_by(&server, &short).await;
    let mut by_ticket = Feed::of(server.anonymous(Method::GET, &path)).await;
    let mut lasting = feed_by(&server, &token_for(&server, Duration::from_hours(1))).await;

    server.clock.advance(Duration::from_mins(9));
    server.webhook(&[text_event(&server.user("Alice"), "before")]).await;
    let before = [by_token.next().await.kind, by_ticket.next().await.kind];
    server.clock.advance(Duration::from_mins(1));
    server.webhook(&[text_event(&server.user("Bob"), "after")]).await;

    assert_eq!(before, ["conversation_created"; 2]);
    for feed in [&mut by_token, &mut by_ticket] {
        let mut received = String::new();
        while let Some(block) = feed.block().await {
            received.push_str(&block);
        }
        assert!(!received.contains("after"), "no event after the token has expired: {received}");
    }
    lasting.until(|event| event.text() == "after").await;
}

#[actix_web::test]
async fn an_idle_feed_ends_in_time_too() {
    let server = TestServer::start();
    let mut feed = feed_by(&server, &token_for(&server, Duration::from_secs(2))).await;

    assert_eq!(feed.block().await, None, "long before a sign of life is due");
}

#[actix_web::test]
async fn a_ticket_expires_with_the_token_that_requested_it() {
    let server = TestServer::start();
    let short = token_for(&server, Duration::from_secs(30));
    let ticket = ticket_by(&server, &short).await;
    server.clock.advance(Duration::from_secs(30));

    let path = format!("/v1.0/events?ticket={}", ticket["ticket"].as_str().unwrap());
    let late = Response::to(server.anonymous(Method::GET, &path), "").await;

    assert_eq!((late.status, late.reason().as_str()), (401, "INVALID_CREDENTIALS"));
}

/// The next message event; an event with its author's name may come first.
async fn message(feed: &mut Feed) -> Event {
    loop {
        let event = feed.next().await;
        if event.kind == "conversation_message_created" {
            return event;
        }
    }
}

#[actix_web::test]
async fn an_empty_last_event_id_is_ignored_and_an_unknown_one_causes_a_reset() {
    let server = TestServer::start();
    server.conversation_with(&server.user("Alice")).await;
    let with = |id: &str| server.request(Method::GET, "/v1.0/events").insert_header(("Last-Event-ID", id));

    for id in ["", " "] {
        let mut feed = Feed::of(with(id)).await;
        server.webhook(&[text_event(&server.user("Alice"), "now")]).await;
        assert_eq!(message(&mut feed).await.text(), "now", "{id:?}: from now on");
    }
    let mut in_query = Feed::open(&server, "?last_event_id=").await;
    server.webhook(&[text_event(&server.user("Alice"), "again")]).await;
    assert_eq!(message(&mut in_query).await.text(), "again");

    for id in ["one", "-1", "1.0", "+1", "0x1", "99999999999999999999", "1000000", "\u{e9}"] {
        assert_eq!(Feed::of(with(id)).await.next().await.kind, "reset", "{id:?}");
    }
    assert_eq!(Feed::open(&server, "?last_event_id=one").await.next().await.kind, "reset");
}

/// The server's response to these bytes until it closes the connection, or up to `until`.
fn say(server: &TestServer, head: &str, until: &str) -> String {
    say_to(server.address, head, until)
}

fn say_to(address: SocketAddr, head: &str, until: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let (mut response, mut bytes) = (String::new(), [0; 4_096]);
    while !response.contains(until) {
        match stream.read(&mut bytes).unwrap() {
            0 => break,
            count => response.push_str(std::str::from_utf8(&bytes[..count]).unwrap()),
        }
    }
    response
}

#[actix_web::test]
async fn an_http_1_0_client_gets_no_chunks_and_reads_until_the_connection_closes() {
    let server = TestServer::start();
    let feed = |rest: &str| {
        let head = format!("GET /v1.0/events?token={} {rest}\r\n\r\n", server.token());
        say(&server, &head, "id: 0\n\n").to_ascii_lowercase()
    };

    for rest in ["HTTP/1.0", "HTTP/1.0\r\nHost: a", "HTTP/1.0\r\nConnection: keep-alive"] {
        let received = feed(rest);
        let (head, body) = received.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("http/1.0 200"), "{head}");
        for framing in ["transfer-encoding", "content-length", "keep-alive"] {
            assert!(!head.contains(framing), "only closing the connection ends it: {head}");
        }
        assert!(body.starts_with("retry: 1000\n"), "{body}");
    }
    let received = feed("HTTP/1.1\r\nHost: a");
    assert!(received.contains("transfer-encoding: chunked"), "{received}");
}

#[actix_web::test]
async fn a_request_with_bare_line_feeds_is_rejected_everywhere() {
    let server = TestServer::start_with(|config| config.metrics.listen = Some("127.0.0.1:0".to_owned()));
    let line = server.line.url.strip_prefix("http://").unwrap().parse().unwrap();

    for (address, path) in
        [(server.address, "/healthz"), (server.metrics.unwrap(), "/metrics"), (line, "/sandbox/users")]
    {
        let ask = |head: &str| say_to(address, &head.replace("PATH", path), "\r\n\r\n");
        for head in [
            "GET PATH HTTP/1.1\nHost: a\n\n",
            "GET PATH HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
            "GET PATH HTTP/1.1\r\nHost: a\r\n\n",
            "\nGET PATH HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            let response = ask(head);
            assert!(response.starts_with("HTTP/1.1 400"), "{path}, {head:?}: {response}");
        }
        assert!(ask("\r\nGET PATH HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 200"), "{path}");
    }
}

#[actix_web::test]
async fn a_chunked_body_ending_with_bare_line_feeds_is_rejected_at_once() {
    let server = TestServer::start();
    let path = format!("/v1.0/webhook?token={}", server.token());
    let headers = "Host: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked";
    let limit = server.shared().config.limits.request_timeout / 2;

    for chunks in [
        "0\r\n\n",
        "0\r\nA: b\n\n",
        "0\r\nA: b\n\r\n",
        "0\r\nA: b\r\n\n",
        "2\r\nab\r\n0\r\n\n",
        "2\nab\r\n0\r\n\r\n",
    ] {
        let started = Instant::now();
        let request = format!("PUT {path} HTTP/1.1\r\n{headers}\r\n\r\n{chunks}");
        let response = say(&server, &request, "\r\n\r\n");
        assert!(response.starts_with("HTTP/1.1 400"), "{chunks:?}: {response}");
        assert!(started.elapsed() < limit, "{chunks:?}");
    }
}

#[actix_web::test]
async fn a_head_request_to_the_feed_takes_no_slot_and_uses_up_no_ticket() {
    let server = TestServer::start_with(|config| config.limits.customer_feeds = 1);
    let ticket = server.post("/v1.0/events/tickets", &json!({})).await.json();
    let path = format!("/v1.0/events?ticket={}", ticket["ticket"].as_str().unwrap());

    for _ in 0..3 {
        let looked = Response::to(server.anonymous(Method::HEAD, &path), "").await;
        assert_eq!((looked.status, looked.header("content-type")), (200, "text/event-stream"));
        assert_eq!(looked.text, "");
    }
    assert_eq!(server.shared().feeds.count(), 0);
    let _feed = Feed::of(server.anonymous(Method::GET, &path)).await;
    let full = Response::to(server.request(Method::HEAD, "/v1.0/events"), "").await;
    assert_eq!(full.status, 429, "like GET");
}
