//! Unsent content is nowhere: not in the tables, not in the log, not in the folder.

use std::path::Path;
use std::time::Duration;

use kaiwa::sandbox::records::contents::Readiness;
use serde_json::json;

use crate::harness::eventually;
use crate::harness::server::{TestServer, text_event};
use crate::media::{JPEG, Sent, asked, media_once, names, noise, prepare, send, set_readiness, unsend};

/// Whether any file in the folder contains these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return holds(&path, bytes);
        }
        // The server may have removed it in the meantime.
        let found = std::fs::read(&path).unwrap_or_default();
        found.windows(bytes.len()).any(|window| window == bytes)
    })
}

async fn text(server: &TestServer, text: &str) -> Sent {
    let user = server.user("Alice");
    let event = text_event(&user, text);
    let line_id = event["message"]["id"].as_str().unwrap().to_owned();
    assert_eq!(server.webhook(std::slice::from_ref(&event)).await.status, 200);
    Sent { event, line_id, user }
}

#[actix_web::test]
async fn an_unsent_text_and_file_are_in_no_byte_of_the_data_directory() {
    let server = TestServer::start();
    for number in 0..40 {
        text(&server, &format!("a text that stays, number {number}, {}", "x".repeat(number * 13 % 200)))
            .await;
    }
    let secret = text(&server, "the very secret text").await;
    for number in 0..40 {
        text(&server, &format!("a later text that stays, number {number}")).await;
    }
    let mark = noise(77, 64);
    let image = send(&server, "image", [JPEG, &noise(1, 400_000), &mark, &noise(2, 400_000)].concat()).await;
    media_once(&server, "stored").await;
    let events: i64 = server.value("SELECT count(*) FROM events WHERE data LIKE '%the very secret text%'");
    assert_eq!(events, 1, "the event of the text holds it too");
    assert!(holds(server.folder(), b"the very secret text") && holds(server.folder(), &mark));

    unsend(&server, &secret).await;
    unsend(&server, &image).await;

    eventually(|| !holds(server.folder(), &mark)).await;
    eventually(|| !holds(server.folder(), b"the very secret text")).await;
    assert_eq!(names(&server), [""; 0]);
    assert!(holds(server.folder(), b"a later text that stays, number 39"), "the rest still exists");
}

#[actix_web::test]
async fn a_file_unsent_before_it_is_fetched_is_never_fetched() {
    let server = TestServer::start();
    let sent = prepare(&server, "image", noise(1, 1_000));
    set_readiness(&server, &sent, Readiness::Preparing { count: None });
    server.webhook(std::slice::from_ref(&sent.event)).await;

    unsend(&server, &sent).await;
    set_readiness(&server, &sent, Readiness::Ready);
    server.advance(Duration::from_hours(1));
    send(&server, "image", noise(2, 1_000)).await;

    media_once(&server, "stored").await;
    assert_eq!(names(&server).len(), 2, "the later file and its preview, and nothing else");
}

#[actix_web::test]
async fn a_file_unsent_before_its_message_arrives_is_never_requested() {
    let server = TestServer::start();
    let sent = prepare(&server, "image", noise(1, 1_000));

    unsend(&server, &sent).await;
    server.webhook(std::slice::from_ref(&sent.event)).await;
    send(&server, "file", noise(2, 1_000)).await;

    media_once(&server, "stored").await;
    assert_eq!((asked(&server, &sent), names(&server).len()), (0, 1));
}

#[actix_web::test]
async fn a_file_unsent_while_it_is_fetched_leaves_nothing() {
    let server = TestServer::start();
    server.set_faults(&json!([{ "kind": "stall", "path": "/v2/bot/message/", "count": 1 }]));
    let sent = send(&server, "file", noise(5, 2_000_000)).await;
    eventually(|| names(&server).iter().any(|name| name.contains(".part"))).await;

    unsend(&server, &sent).await;

    eventually(|| names(&server).is_empty()).await;
    send(&server, "file", noise(6, 1_000)).await;
    media_once(&server, "stored").await;
    assert_eq!(names(&server).len(), 1);
}

#[actix_web::test]
async fn a_failed_file_removal_is_retried_soon() {
    let server = TestServer::start();
    let sent = send(&server, "file", noise(7, 1_000)).await;
    let media = media_once(&server, "stored").await;
    let path = server.folder().join("media").join(media["id"].as_str().unwrap());
    std::fs::remove_file(&path).unwrap();
    // A folder, which takes another call to remove than a file.
    std::fs::create_dir(&path).unwrap();

    unsend(&server, &sent).await;
    for attempts in 2..5 {
        eventually(|| server.value::<i64>("SELECT attempts FROM medias") >= attempts).await;
        server.advance(Duration::from_secs(11));
    }
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, noise(7, 1_000)).unwrap();
    server.advance(Duration::from_secs(11));

    eventually(|| names(&server).is_empty()).await;
}
