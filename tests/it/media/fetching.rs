//! Fetching content from LINE, with and without failures.

use std::time::Duration;

use kaiwa::model::timestamp::Timestamp;
use kaiwa::sandbox::records::contents::{Readiness, SampleContent};
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::server::TestServer;
use crate::media::{asked, download, image, media, media_once, names, newest, prepare, send, set_readiness};

const CONTENT: &str = "/v2/bot/message/";

/// The time until the pending file is requested again; during a request, longer than any pause.
fn due_in(server: &TestServer) -> Duration {
    let due_at = server.value("SELECT due_at FROM medias WHERE status = 'pending'");
    Timestamp::from_microseconds(due_at).since(server.shared().clock.now())
}

fn last_error(server: &TestServer) -> String {
    server.value("SELECT last_error FROM medias")
}

async fn check_fetched_after(server: &TestServer, fault: Value) {
    server.set_faults(&json!([fault]));
    let bytes = image(1, 300_000);

    send(server, "image", bytes.clone()).await;
    eventually(|| !last_error(server).is_empty()).await;
    assert_eq!(media(server).await["status"], "pending");
    server.advance(Duration::from_secs(10));

    let stored = media_once(server, "stored").await;
    assert_eq!(download(server, stored["uri"].as_str().unwrap(), &[]).await.body, bytes);
}

#[actix_web::test]
async fn an_image_is_pending_first_and_then_stored_with_its_metadata() {
    let server = TestServer::start();
    let sent = prepare(&server, "image", image(1, 300_000));
    set_readiness(&server, &sent, Readiness::Preparing { count: None });

    server.webhook(std::slice::from_ref(&sent.event)).await;
    let pending = newest(&server).await;
    set_readiness(&server, &sent, Readiness::Ready);
    server.advance(Duration::from_mins(2));

    let media = media_once(&server, "stored").await;
    let stored = newest(&server).await;
    let id = media["id"].as_str().unwrap();
    assert_eq!(pending["medias"][0]["status"], "pending");
    assert_eq!(pending["medias"][0]["id"], id);
    assert_eq!(
        media,
        json!({ "id": id, "type": "image", "filename": "", "content_type": "image/jpeg", "size": 300_011,
            "uri": format!("/v1.0/medias/{id}"), "preview_uri": format!("/v1.0/medias/{id}/preview"),
            "status": "stored" })
    );
    assert!(stored["tm_update"].as_str() > pending["tm_update"].as_str());
    assert_eq!(stored["tm_create"], pending["tm_create"]);
}

#[actix_web::test]
async fn content_that_line_is_still_preparing_is_requested_again_on_schedule() {
    let server = TestServer::start();
    let sent = prepare(&server, "video", b"\0\0\0\x18ftypmp42\0\0\0\0film".to_vec());
    set_readiness(&server, &sent, Readiness::Preparing { count: Some(2) });

    server.webhook(std::slice::from_ref(&sent.event)).await;
    eventually(|| asked(&server, &sent) == 1).await;
    eventually(|| last_error(&server).starts_with("202")).await;
    server.advance(Duration::from_secs(1));
    eventually(|| asked(&server, &sent) == 2).await;
    eventually(|| due_in(&server) <= Duration::from_secs(2)).await;
    assert!(due_in(&server) > Duration::from_secs(1), "the second pause is two seconds");
    server.advance(Duration::from_secs(2));

    assert_eq!(media_once(&server, "stored").await["content_type"], "video/mp4");
    assert_eq!(asked(&server, &sent), 3);
}

#[actix_web::test]
async fn empty_content_is_not_an_image_and_is_requested_again() {
    let server = TestServer::start();

    let sent = send(&server, "image", Vec::new()).await;
    eventually(|| last_error(&server).starts_with("perhaps half an answer")).await;
    let content = SampleContent::new("image", "text/html", image(1, 10));
    server.line.platform.with(|state| state.contents.put(&sent.line_id, content));
    server.advance(Duration::from_secs(2));

    assert_eq!(media_once(&server, "stored").await["content_type"], "image/jpeg");
}

#[actix_web::test]
async fn a_truncated_preview_is_requested_again_a_few_times() {
    for (count, tries, has_preview) in [(1, 2, true), (2, 3, true), (9, 3, false)] {
        let server = TestServer::start();
        let sent = prepare(&server, "image", image(1, 10));
        let path = format!("{CONTENT}{}/content/preview", sent.line_id);
        server.set_faults(&json!([{ "kind": "cut", "path": path, "count": count }]));

        server.webhook(std::slice::from_ref(&sent.event)).await;
        let stored = media_once(&server, "stored").await;

        let asked = server.line.platform.requests().iter().filter(|request| request.path == path).count();
        assert_eq!((asked, stored.get("preview_uri").is_some()), (tries, has_preview), "{count} cut");
    }
}

#[actix_web::test]
async fn failures_of_line_and_truncated_responses_are_retried() {
    for fault in [
        json!({ "kind": "status", "status": 500, "path": CONTENT, "count": 1 }),
        json!({ "kind": "status", "status": 429, "path": CONTENT, "count": 1 }),
        json!({ "kind": "status", "status": 400, "path": CONTENT, "count": 1 }),
        json!({ "kind": "reset", "path": CONTENT, "count": 1 }),
        json!({ "kind": "html", "path": CONTENT, "count": 1 }),
        json!({ "kind": "cut", "path": CONTENT, "count": 1 }),
    ] {
        let server = TestServer::start();

        check_fetched_after(&server, fault).await;
    }
}

#[actix_web::test]
async fn a_fetch_with_a_refused_token_is_retried_after_minutes() {
    let server = TestServer::start();
    server.set_faults(&json!([{ "kind": "status", "status": 401, "path": CONTENT, "count": 1 }]));

    let sent = send(&server, "image", image(1, 10)).await;
    eventually(|| last_error(&server).starts_with("401")).await;

    assert!(due_in(&server) > Duration::from_mins(4));
    assert_eq!(asked(&server, &sent), 1);
    server.advance(Duration::from_mins(5));
    media_once(&server, "stored").await;
}

#[actix_web::test]
async fn content_that_line_no_longer_has_is_gone_and_requested_once() {
    for readiness in [Readiness::Missing, Readiness::Unsent] {
        let server = TestServer::start();
        let sent = prepare(&server, "file", b"%PDF-1.7".to_vec());
        set_readiness(&server, &sent, readiness);

        server.webhook(std::slice::from_ref(&sent.event)).await;
        let gone = media_once(&server, "gone").await;
        server.advance(Duration::from_hours(2));

        let response = server.get(&format!("/v1.0/medias/{}", gone["id"].as_str().unwrap())).await;
        assert_eq!((response.status, response.reason().as_str()), (404, "MEDIA_NOT_FOUND"));
        assert_eq!(gone.get("uri"), None);
        assert_eq!((asked(&server, &sent), names(&server).len()), (1, 0));
    }
}

#[actix_web::test]
async fn a_lasting_refusal_ends_the_retries() {
    let server = TestServer::start();
    server.set_faults(&json!([{ "kind": "status", "status": 400, "path": CONTENT }]));

    let sent = send(&server, "image", image(1, 10)).await;
    eventually(|| last_error(&server).starts_with("400")).await;
    server.advance(Duration::from_hours(4));

    media_once(&server, "gone").await;
    assert_eq!(asked(&server, &sent), 2);
}

#[actix_web::test]
async fn a_file_that_is_too_large_is_given_up_and_leaves_nothing_behind() {
    let server = TestServer::start_with(|config| config.limits.media_bytes = 100_000);

    send(&server, "file", vec![7; 100_001]).await;

    media_once(&server, "gone").await;
    assert_eq!(last_error(&server), "it has more than 100000 bytes");
    assert_eq!(names(&server), [""; 0]);
    send(&server, "file", vec![7; 100_000]).await;
    media_once(&server, "stored").await;
}

#[actix_web::test]
async fn a_fetch_waits_while_the_customers_storage_is_full() {
    let server = TestServer::start_with(|config| config.limits.media_customer_bytes = 150_000);
    let first = send(&server, "file", vec![1; 100_000]).await;
    media_once(&server, "stored").await;

    let second = send(&server, "file", vec![2; 100_000]).await;
    eventually(|| asked(&server, &second) == 1).await;
    eventually(|| due_in(&server) > Duration::from_mins(50)).await;
    crate::media::unsend(&server, &first).await;
    eventually(|| names(&server).is_empty()).await;

    assert!(due_in(&server) > Duration::from_mins(50), "it is tried once an hour");
    assert_eq!(asked(&server, &second), 1);
    server.advance(Duration::from_mins(65));
    media_once(&server, "stored").await;
}

#[actix_web::test]
async fn a_crash_during_a_fetch_leaves_no_partial_file_visible_and_the_next_start_completes_it() {
    let mut server = TestServer::start();
    let bytes = image(3, 2_000_000);
    server.set_faults(&json!([{ "kind": "stall", "path": CONTENT, "count": 1 }]));
    send(&server, "image", bytes.clone()).await;
    let half = |name: &String| {
        server.folder().join("media").join(name).metadata().is_ok_and(|file| file.len() > 500_000)
    };
    eventually(|| names(&server).iter().any(half)).await;
    let pending = media(&server).await;
    let uri = format!("/v1.0/medias/{}", pending["id"].as_str().unwrap());
    let early = server.get(&uri).await;

    server.restart();

    assert_eq!((early.status, pending["status"].as_str()), (404, Some("pending")));
    assert!(early.text.contains("pending"), "{early:?}");
    media_once(&server, "stored").await;
    assert_eq!(download(&server, &uri, &[]).await.body, bytes);
    assert!(names(&server).iter().all(|name| !name.contains(".part")));
}

#[actix_web::test]
async fn a_partial_file_of_content_that_line_no_longer_has_is_removed() {
    let server = TestServer::start();
    let sent = prepare(&server, "image", image(1, 10));
    set_readiness(&server, &sent, Readiness::Preparing { count: None });
    server.webhook(std::slice::from_ref(&sent.event)).await;
    let pending = newest(&server).await["medias"][0]["id"].as_str().unwrap().to_owned();
    // As if the process had exited before the row was written.
    std::fs::write(server.folder().join("media").join(&pending), "the whole file").unwrap();

    set_readiness(&server, &sent, Readiness::Unsent);
    server.advance(Duration::from_mins(2));

    media_once(&server, "gone").await;
    eventually(|| names(&server).is_empty()).await;
}

#[actix_web::test]
async fn orphaned_files_are_removed_at_start_once_they_are_an_hour_old() {
    let mut server = TestServer::start();
    send(&server, "image", image(1, 10)).await;
    media_once(&server, "stored").await;
    let stored = names(&server).len();
    let orphan = |name: &str| std::fs::write(server.folder().join("media").join(name), "orphan").unwrap();
    orphan("7b0c2a52-3f0e-4d0b-9d7e-0b4f4ab7a001");
    orphan("7b0c2a52-3f0e-4d0b-9d7e-0b4f4ab7a002.preview");
    orphan("7b0c2a52-3f0e-4d0b-9d7e-0b4f4ab7a003.part");

    server.restart();
    eventually(|| names(&server).len() == stored + 2).await;
    server.advance(Duration::from_hours(2));

    eventually(|| names(&server).len() == stored).await;
    media_once(&server, "stored").await;
}
