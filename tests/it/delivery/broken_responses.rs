//! Peers whose responses are truncated or unusually framed.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::harness::external_server::ExternalServer;
use crate::harness::server::{TestServer, text_event};
use crate::harness::{eventually, eventually_is};
use crate::media::{names, newest};
use crate::webhooks::receiver::{Receiver, status};
use crate::webhooks::{start, states_are, write};

const PICTURE: &str = "GIF89a and more";
const EARLY: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n";

fn head(of_body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{of_body}\r\n\r\n")
}

fn sized(body: &str) -> String {
    head(&format!("content-length: {}", body.len())) + body
}

/// Chunked, without the last chunk.
fn in_chunks(body: &str) -> String {
    format!("{}{:x}\r\n{body}\r\n", head("transfer-encoding: chunked"), body.len())
}

/// Responses that may be incomplete.
fn parts() -> Vec<String> {
    let in_chunks = in_chunks(PICTURE);
    vec![
        in_chunks[..in_chunks.len() - 5].to_owned(),
        format!("{EARLY}{in_chunks}"),
        sized(PICTURE).replace("length: 1", "length: 2"),
        head("connection: close") + PICTURE,
        head("connection: close"),
    ]
}

/// A server whose LINE has this content: the first response for each message, then the second.
fn with_content(first: Vec<String>, second: String) -> (TestServer, ExternalServer) {
    let content = ExternalServer::responding(move |requests| {
        let newest = requests.last().unwrap();
        let line = newest.lines().next();
        let again = requests.iter().filter(|request| request.lines().next() == line).count() > 1;
        let number: usize = newest.split('/').nth(4).unwrap().parse().unwrap();
        let response = if newest.contains("/preview") {
            ""
        } else if again {
            &second
        } else {
            &first[number]
        };
        response.as_bytes().to_vec()
    });
    let url = content.url.parse().unwrap();
    (TestServer::start_with(|config| config.line.data_base = url), content)
}

/// A user sends a file for each number; some of the events state its size.
async fn send(server: &TestServer, kind: &str, sizes: &[Option<usize>]) {
    let user = server.user("Alice");
    for (number, size) in sizes.iter().enumerate() {
        let mut event = text_event(&user, "");
        event["message"] =
            json!({ "type": kind, "id": number.to_string(), "contentProvider": { "type": "line" } });
        if let Some(size) = size {
            event["message"]["fileSize"] = json!(size);
            event["message"]["fileName"] = json!("a.gif");
        }
        assert_eq!(server.webhook(&[event]).await.status, 200);
    }
}

/// The content of a request; headers come in any order, and the date is that of the attempt.
fn lines(request: &str) -> BTreeSet<&str> {
    request.lines().filter(|line| !line.starts_with("date: ")).collect()
}

fn tried(server: &TestServer) -> i64 {
    server.value("SELECT count(*) FROM medias WHERE last_error <> '' OR status <> 'pending'")
}

fn failed_calls(server: &TestServer) -> i64 {
    server.value("SELECT count(*) FROM webhook_attempts WHERE error IS NOT NULL")
}

fn stored(server: &TestServer) -> i64 {
    server.value("SELECT count(*) FROM medias WHERE status = 'stored'")
}

#[actix_web::test]
async fn content_that_may_be_incomplete_stays_pending_and_is_fetched_again() {
    for size in [None, Some(PICTURE.len() + 1)] {
        let mut parts = parts();
        if size.is_some() {
            parts.extend([sized(""), head("transfer-encoding: chunked") + "0\r\n\r\n"]);
        }
        let count = parts.len();
        let whole = format!("{EARLY}{}0\r\n\r\n", in_chunks(PICTURE));
        let (server, _content) = with_content(parts, whole);

        send(&server, if size.is_some() { "file" } else { "image" }, &vec![size; count]).await;
        let count = i64::try_from(count).unwrap();
        eventually_is(count, async || tried(&server)).await;

        assert_eq!(stored(&server), 0, "{size:?}");
        assert_eq!(newest(&server).await["medias"][0]["status"], "pending");
        assert_eq!(names(&server), [""; 0]);
        server.advance(Duration::from_secs(2));
        eventually_is(count, async || stored(&server)).await;
    }
}

#[actix_web::test]
async fn content_ended_by_closing_the_connection_is_accepted_when_the_event_stated_its_size() {
    let closing = head("connection: close");
    let (server, content) = with_content(vec![closing.clone() + PICTURE, closing, sized("")], sized("again"));

    send(&server, "file", &[Some(PICTURE.len()), Some(0), Some(0)]).await;

    eventually_is(3, async || stored(&server)).await;
    assert_eq!(content.heads().len(), 3, "none of them was asked for again");
}

#[actix_web::test]
async fn a_truncated_response_from_line_is_unclear_and_the_push_is_repeated_under_its_key() {
    const SENT: &str = r#"{"sentMessages":[{"id":"1"}]}"#;
    let in_chunks = in_chunks(SENT);
    let closing = head("connection: close");
    for cut in [
        in_chunks[..in_chunks.len() - 5].to_owned(),
        in_chunks,
        sized(SENT)[..sized(SENT).len() - 1].to_owned(),
        closing.clone(),
        closing + &SENT[..20],
    ] {
        let line = ExternalServer::responding(move |requests| {
            let pushes = requests.iter().filter(|request| request.contains("/message/push ")).count();
            let response = if pushes == 1 { cut.clone() } else { format!("{EARLY}{}", sized(SENT)) };
            response.into_bytes()
        });
        let url = line.url.parse().unwrap();
        let server = TestServer::start_with(|config| config.line.api_base = url);
        let conversation = server.conversation_with("U0123456789abcdef0123456789abcdef").await;
        let pushes =
            || line.heads().into_iter().filter(|request| request.contains("/message/push ")).collect();

        let message = server.say(&conversation, "once").await;
        assert_eq!(message["status"], "sending");
        server.advance(Duration::from_mins(1));
        eventually(|| Vec::len(&pushes()) == 2).await;
        let path = format!("/v1.0/conversations/{conversation}/messages/{}", message["id"].as_str().unwrap());
        eventually_is(json!("sent"), async || server.get(&path).await.json()["status"].clone()).await;

        let pushes: Vec<String> = pushes();
        assert!(pushes[0].contains("x-line-retry-key: "), "{pushes:?}");
        assert_eq!(lines(&pushes[0]), lines(&pushes[1]));
    }
}

#[actix_web::test]
async fn a_receiver_accepts_an_event_with_its_final_response_whatever_came_before() {
    for whole in [
        format!("{EARLY}{EARLY}{}", sized("ok")),
        format!("{EARLY}{}0\r\n\r\n", in_chunks("ok")),
        head("connection: close") + "ok",
        head("connection: close").replace("1.1", "1.0"),
        format!("HTTP/1.1 102 Processing\r\n\r\n{}", status(204)),
    ] {
        let receiver = Receiver::start();
        receiver.respond(move |_| Some(whole.clone()));
        let server = start(&receiver);

        write(&server, &server.user("Alice"), "hello").await;

        states_are(&server, &["delivered", "delivered", "delivered"]).await;
    }
}

#[actix_web::test]
async fn an_event_is_delivered_again_when_the_receiver_cuts_its_response() {
    for cut in [format!("{EARLY}{}", in_chunks("ok")), sized("ok").replace("ok", "o"), EARLY.to_owned()] {
        let receiver = Receiver::start();
        receiver.respond(move |call| (call.json()["type"] == "conversation_created").then(|| cut.clone()));
        let server = start(&receiver);

        write(&server, &server.user("Alice"), "hello").await;
        eventually(|| failed_calls(&server) == 1).await;
        receiver.answer_all(204);
        server.advance(Duration::from_secs(6));

        states_are(&server, &["delivered", "delivered", "delivered"]).await;
        let calls = receiver.calls();
        assert_eq!(calls[0].body, calls[1].body);
    }
}
