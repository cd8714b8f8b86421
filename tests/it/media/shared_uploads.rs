//! Uploads shown by several messages: the file stays until the last of them is gone.

use std::time::Duration;

use awc::http::Method;
use kaiwa::config::section::RetentionSettings;
use serde_json::{Value, json};

use crate::erasure::erase::{erase, holds, printed};
use crate::erasure::retention::clean_up;
use crate::harness::eventually;
use crate::harness::server::TestServer;
use crate::media::names;
use crate::media::uploads::{image, uploaded};

const DAY: Duration = Duration::from_hours(24);

const FIVE_DAYS: fn() -> RetentionSettings =
    || RetentionSettings { message_days: 5, webhook_body_days: 0, ..RetentionSettings::default() };

async fn conversation(server: &TestServer, name: &str) -> String {
    server.conversation_with(&server.user(name)).await
}

async fn send(server: &TestServer, conversation: &str, message: &Value) {
    let response = server.post(&format!("/v1.0/conversations/{conversation}/messages"), message).await;
    assert_eq!((response.status, &response.json()["status"]), (200, &json!("sent")), "{response:?}");
}

/// The status that a phone gets at the address of a sent file.
async fn fetched(server: &TestServer, id: &str) -> u16 {
    let response = server.anonymous(Method::GET, &format!("/m/{id}/a.png")).send().await.unwrap();
    response.status().as_u16()
}

/// Messages that show an upload, in every possible way.
fn ways(server: &TestServer, id: &str) -> Vec<Value> {
    let address = server.url(&format!("/m/{id}/a.png"));
    let video = "https://example.com/a.mp4";
    let layout = json!({ "type": "bubble", "hero": { "type": "image", "url": address } });
    vec![
        json!({ "medias": [{ "type": "image", "id": id }] }),
        json!({ "medias": [{ "type": "file", "id": id }] }),
        json!({ "medias": [{ "type": "video", "uri": video, "preview_id": id }] }),
        json!({ "medias": [{ "type": "image", "uri": address, "preview_uri": address }] }),
        json!({ "medias": [{ "type": "flex", "alt_text": "a layout", "contents": layout }] }),
        json!({ "text": format!("as I said: {address}") }),
        json!({ "text": "under an image", "sender": { "name": "Shop", "icon_uri": address } }),
    ]
}

#[actix_web::test]
async fn a_file_stays_until_the_last_message_that_shows_it_is_gone() {
    let server = TestServer::start();
    let (first, second) = (conversation(&server, "Alice").await, conversation(&server, "Bob").await);
    let count = ways(&server, "").len();
    let mut ids = Vec::new();
    for way in 0..count {
        let bytes = image(2 + u32::try_from(way).unwrap());
        let id = uploaded(&server, "image/png", "a%20shared%20name.png", bytes).await["id"].clone();
        send(&server, &first, &json!({ "medias": [{ "type": "image", "id": id }] })).await;
        ids.push(id.as_str().unwrap().to_owned());
    }
    server.clock.advance(DAY * 4);
    for (way, id) in ids.iter().enumerate() {
        send(&server, &second, &ways(&server, id)[way]).await;
    }
    server.clock.advance(DAY * 4);

    clean_up(&server, FIVE_DAYS()).await;

    assert_eq!((server.messages(&first).await.len(), server.messages(&second).await.len()), (0, count));
    for (way, id) in ids.iter().enumerate() {
        assert_eq!(fetched(&server, id).await, 200, "{}", ways(&server, id)[way]);
        send(&server, &first, &json!({ "medias": [{ "type": "image", "id": id }] })).await;
    }
    server.clock.advance(DAY * 4);
    clean_up(&server, FIVE_DAYS()).await;
    for id in &ids {
        assert_eq!(fetched(&server, id).await, 200, "it was sent once more after its first message had gone");
    }
    assert_eq!(names(&server).len(), count);

    server.clock.advance(DAY * 4);
    clean_up(&server, FIVE_DAYS()).await;

    eventually(|| names(&server).is_empty()).await;
    eventually(|| server.value::<i64>("SELECT count(*) FROM medias") == 0).await;
    eventually(|| !holds(server.folder(), b"a shared name")).await;
    for id in &ids {
        assert_eq!(fetched(&server, id).await, 404);
    }
}

#[actix_web::test]
async fn an_erasure_keeps_a_file_that_was_also_sent_to_others() {
    let mut server = TestServer::start();
    let (first, second) = (conversation(&server, "Alice").await, conversation(&server, "Bob").await);
    let (shared, own) = (image(16), image(17));
    let id = uploaded(&server, "image/png", "shared.png", shared.as_slice()).await["id"].clone();
    let other = uploaded(&server, "image/png", "own.png", own.as_slice()).await["id"].clone();
    for (conversation, upload) in [(&first, &id), (&first, &other), (&second, &id), (&second, &id)] {
        send(&server, conversation, &json!({ "medias": [{ "type": "image", "id": upload }] })).await;
    }
    let (id, other) = (id.as_str().unwrap(), other.as_str().unwrap());

    let report = printed(&erase(&mut server, &["--conversation", &first]).await);

    assert_eq!((&report["files"], &report["left"]), (&json!(1), &json!([])), "{report}");
    for trace in [own.as_slice(), other.as_bytes(), b"own.png", first.as_bytes()] {
        assert!(!holds(server.folder(), trace), "{}", String::from_utf8_lossy(trace));
    }
    assert!(holds(server.folder(), &shared), "Bob has it too");
    server.restart();
    assert_eq!((fetched(&server, id).await, fetched(&server, other).await), (200, 404));
    assert_eq!(server.messages(&second).await[0]["medias"][0]["filename"], "shared.png");

    let report = printed(&erase(&mut server, &["--conversation", &second]).await);

    assert_eq!((&report["files"], &report["left"]), (&json!(1), &json!([])), "{report}");
    for trace in [shared.as_slice(), id.as_bytes(), b"shared.png", second.as_bytes()] {
        assert!(!holds(server.folder(), trace), "{}", String::from_utf8_lossy(trace));
    }
    assert!(names(&server).is_empty());
}

#[actix_web::test]
async fn an_address_in_a_message_neither_keeps_nor_opens_another_customers_upload() {
    let server = TestServer::start();
    let conversation = conversation(&server, "Alice").await;
    let other = kaiwa::model::id::CustomerId::new(kaiwa::model::timestamp::Timestamp::now());
    let request = server.request_of(other, Method::POST, "/v1.0/medias").content_type("image/png");
    let foreign = crate::harness::response::Response::to(request, image(16)).await.json();
    let id = foreign["id"].as_str().unwrap();

    send(&server, &conversation, &json!({ "text": server.url(&format!("/m/{id}/a.png")) })).await;

    assert_eq!(fetched(&server, id).await, 404);
    server.advance(Duration::from_hours(25));
    eventually(|| names(&server).is_empty()).await;
}
