//! Files that customers upload and send: what is accepted, what LINE gets, and who can fetch them.

use std::time::Duration;

use awc::http::Method;
use futures_util::future::join_all;
use image::{ImageFormat, RgbImage};
use kaiwa::error::Error;
use kaiwa::model::id::{CustomerId, MediaId, MessageId};
use kaiwa::model::timestamp::Timestamp;
use kaiwa::store::outbox::sending::{self, NewMessage};
use serde_json::{Value, json};

use crate::harness::response::Response;
use crate::harness::server::TestServer;
use crate::harness::{eventually, eventually_is};

const VIDEO: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom and a video";
const AUDIO: &[u8] = b"\0\0\0\x1cftypM4A \0\0\0\0 and some audio";

/// An incompressible square image with this many pixels per side.
pub fn image(side: u32) -> Vec<u8> {
    let mut seed = 1_u32;
    let noise = |_: u32, _: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        image::Rgb([
            (seed >> 8).to_le_bytes()[0],
            (seed >> 16).to_le_bytes()[0],
            (seed >> 24).to_le_bytes()[0],
        ])
    };
    let mut png = std::io::Cursor::new(Vec::new());
    RgbImage::from_fn(side, side, noise).write_to(&mut png, ImageFormat::Png).unwrap();
    png.into_inner()
}

async fn upload(server: &TestServer, content_type: &str, name: &str, bytes: impl Into<Vec<u8>>) -> Response {
    let request = server.request(Method::POST, &format!("/v1.0/medias?filename={name}"));
    Response::to(request.content_type(content_type), bytes).await
}

pub async fn uploaded(
    server: &TestServer,
    content_type: &str,
    name: &str,
    bytes: impl Into<Vec<u8>>,
) -> Value {
    let response = upload(server, content_type, name, bytes).await;
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

async fn begin() -> (TestServer, String) {
    let server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    (server, format!("/v1.0/conversations/{conversation}/messages"))
}

async fn send(server: &TestServer, path: &str, media: &Value) -> Response {
    server.post(path, &json!({ "medias": [media] })).await
}

/// The property and the message of the first detail.
fn detail(response: &Response) -> (String, String) {
    assert_eq!((response.status, response.reason().as_str()), (400, "INVALID_ARGUMENT"), "{response:?}");
    let detail = &response.json()["error"]["details"][0];
    let text = |name: &str| detail[name].as_str().unwrap().to_owned();
    (text("property"), text("message"))
}

/// The last message object that LINE executed.
fn object(server: &TestServer) -> Value {
    server.line.platform.executed().last().unwrap().body["messages"][0].clone()
}

/// A response as bytes, since files are not text.
async fn fetch(address: &Value, range: Option<&str>) -> (u16, awc::http::header::HeaderMap, Vec<u8>) {
    let client = awc::Client::builder().disable_redirects().finish();
    let mut request = client.get(address.as_str().unwrap());
    if let Some(range) = range {
        request = request.insert_header(("Range", range));
    }
    let mut response = request.send().await.unwrap();
    let body = response.body().limit(64 << 20).await.unwrap();
    (response.status().as_u16(), response.headers().clone(), body.to_vec())
}

#[actix_web::test]
async fn an_uploaded_image_can_be_fetched_as_soon_as_it_is_sent() {
    let (server, path) = begin().await;
    let bytes = image(16);
    let shown = uploaded(&server, "image/png", "my%20menu.png", bytes.clone()).await;
    let id = shown["id"].as_str().unwrap().to_owned();
    let expected = json!({ "id": id, "type": "image", "filename": "my menu.png", "content_type": "image/png",
        "size": bytes.len(), "uri": format!("/v1.0/medias/{id}"), "status": "stored" });
    assert_eq!(shown, expected);
    let address = json!(server.url(&format!("/m/{id}/mymenu.png")));
    assert_eq!(fetch(&address, None).await.0, 404, "it was not sent yet");
    let own = json!(server.url(&format!("/v1.0/medias/{id}?token={}", server.token())));
    assert_eq!(fetch(&own, None).await.2, bytes, "its owner can read it anyway");

    let sent = send(&server, &path, &json!({ "type": "image", "id": id })).await.json();

    assert_eq!((&sent["status"], &sent["medias"]), (&json!("sent"), &json!([expected])));
    let sent_object = json!({ "type": "image", "originalContentUrl": address, "previewImageUrl": address });
    assert_eq!(object(&server), sent_object);
    let (status, headers, body) = fetch(&address, None).await;
    assert_eq!((status, &body), (200, &bytes));
    assert_eq!(headers.get("content-type").unwrap(), "image/png");
    assert_eq!(headers.get("x-content-type-options").unwrap(), "nosniff");
    assert!(!headers.contains_key("set-cookie"));
    let past_the_end = format!("bytes={}-", bytes.len());
    assert_eq!(fetch(&address, Some(&past_the_end)).await.0, 416);
    let (status, headers, body) = fetch(&address, Some("bytes=1-3")).await;
    assert_eq!((status, body.as_slice()), (206, b"PNG".as_slice()));
    assert_eq!(headers.get("content-range").unwrap(), &format!("bytes 1-3/{}", bytes.len()));
    for unknown in ["/m/5a6d0b9e-0000-4000-8000-00000000000f/a.png", "/m/7/a.png"] {
        assert_eq!(fetch(&json!(server.url(unknown)), None).await.0, 404);
    }
}

#[actix_web::test]
async fn an_image_of_more_than_a_megabyte_gets_a_smaller_preview() {
    let (server, path) = begin().await;
    let bytes = image(700);
    assert!(bytes.len() > 1_000_000);
    let id = uploaded(&server, "image/png", "", bytes).await["id"].clone();

    let sent = send(&server, &path, &json!({ "type": "image", "id": id })).await.json();

    let address = object(&server)["previewImageUrl"].clone();
    assert!(address.as_str().unwrap().ends_with("/preview/file.jpg"), "{address}");
    let (status, headers, preview) = fetch(&address, None).await;
    assert_eq!((status, headers.get("content-type").unwrap().to_str().unwrap()), (200, "image/jpeg"));
    assert!(preview.starts_with(b"\xff\xd8\xff") && preview.len() <= 1_000_000, "{} bytes", preview.len());
    assert!(sent["medias"][0]["preview_uri"].as_str().unwrap().ends_with("/preview"));
}

#[actix_web::test]
async fn videos_audio_and_files_are_sent_by_their_id_too() {
    let (server, path) = begin().await;
    let video = uploaded(&server, "video/mp4", "a.mp4", VIDEO).await["id"].clone();
    let cover = uploaded(&server, "image/png", "c.png", image(16)).await["id"].clone();
    let audio = uploaded(&server, "audio/mp4", "a.m4a", AUDIO).await["id"].clone();
    let report = uploaded(&server, "application/pdf", "r.pdf", "%PDF-1.7").await["id"].clone();
    let address = |id: &Value, name: &str| json!(server.url(&format!("/m/{}/{name}", id.as_str().unwrap())));

    send(&server, &path, &json!({ "type": "video", "id": video, "preview_id": cover })).await;
    let sent_object = json!({ "type": "video", "originalContentUrl": address(&video, "a.mp4"),
        "previewImageUrl": address(&cover, "c.png") });
    assert_eq!(object(&server), sent_object);
    assert_eq!(fetch(&sent_object["previewImageUrl"], None).await.0, 200, "the preview is sent too");
    send(&server, &path, &json!({ "type": "audio", "id": audio, "duration_ms": 7_000 })).await;
    assert_eq!(object(&server)["originalContentUrl"], address(&audio, "a.m4a"));
    let sent = send(&server, &path, &json!({ "type": "file", "id": report })).await.json();
    let text = format!("r.pdf\n{}", address(&report, "r.pdf").as_str().unwrap());
    assert_eq!((&object(&server)["text"], &sent["medias"][0]["alt_text"]), (&json!(text), &json!(text)));
    let (_, headers, _) = fetch(&address(&report, "r.pdf"), None).await;
    let named = "attachment; filename=\"r.pdf\"; filename*=UTF-8''r.pdf";
    assert_eq!(headers.get("content-disposition").unwrap(), named);

    let without = send(&server, &path, &json!({ "type": "video", "id": video })).await;
    assert_eq!(detail(&without).0, "medias[0].preview_uri");
    let without = send(&server, &path, &json!({ "type": "audio", "id": audio })).await;
    assert_eq!(detail(&without), ("medias[0].duration_ms".to_owned(), "must be specified".to_owned()));
}

#[actix_web::test]
async fn a_phone_shows_everything_that_was_uploaded_and_sent() {
    let (server, path) = begin().await;
    let large = uploaded(&server, "image/png", "large.png", image(700)).await["id"].clone();
    let cover = uploaded(&server, "image/png", "c.png", image(16)).await["id"].clone();
    let video = uploaded(&server, "video/mp4", "a.mp4", VIDEO).await["id"].clone();
    let audio = uploaded(&server, "audio/mp4", "a.m4a", AUDIO).await["id"].clone();
    for media in [
        json!({ "type": "image", "id": large }),
        json!({ "type": "video", "id": video, "preview_id": cover }),
        json!({ "type": "audio", "id": audio, "duration_ms": 7_000 }),
    ] {
        assert_eq!(send(&server, &path, &media).await.status, 200);
    }

    let open = awc::Client::default().post(format!("{}/sandbox/chats/Alice/open", server.line.url));
    let seen: Value = open.send().await.unwrap().json().await.unwrap();

    let seen = seen.as_array().unwrap();
    let types: Vec<&str> = seen.iter().map(|seen| seen["content_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["image/png", "image/jpeg", "video/mp4", "image/png", "audio/mp4"]);
    assert!(seen.iter().all(|seen| seen["problem"].is_null()), "{seen:?}");
}

#[actix_web::test]
async fn an_upload_works_only_for_its_type_and_its_customer() {
    let (server, path) = begin().await;
    let audio = uploaded(&server, "audio/mp4", "a.m4a", AUDIO).await["id"].clone();
    let other = CustomerId::new(Timestamp::now());
    let request = server.request_of(other, Method::POST, "/v1.0/medias").content_type("image/png");
    let foreign = Response::to(request, image(16)).await.json()["id"].clone();

    let both = json!({ "type": "audio", "id": audio, "uri": "https://example.com/a.m4a", "duration_ms": 1 });
    for (media, property) in [
        (json!({ "type": "image", "id": audio }), "medias[0].id"),
        (json!({ "type": "image", "id": foreign }), "medias[0].id"),
        (json!({ "type": "image", "id": 7 }), "medias[0].id"),
        (json!({ "type": "image", "id": "5a6d0b9e-0000-4000-8000-00000000000f" }), "medias[0].id"),
        (both, "medias[0].uri"),
        (
            json!({ "type": "video", "uri": "https://example.com/a.mp4", "preview_id": audio }),
            "medias[0].preview_id",
        ),
        (json!({ "type": "sticker", "id": audio }), "medias[0].id"),
    ] {
        assert_eq!(detail(&send(&server, &path, &media).await).0, property, "{media}");
    }
    assert_eq!(server.get(&path).await.json()["result"].as_array().unwrap().len(), 1, "nothing was stored");
}

#[actix_web::test]
async fn an_upload_that_line_does_not_accept_is_rejected_and_leaves_nothing_behind() {
    let server = TestServer::start_with(|config| config.limits.media_customer_bytes = 20_000_000);
    let mut large = image(16);
    large.resize(10_000_000, 0);

    let taken = uploaded(&server, "image/png", "", large.clone()).await["id"].as_str().unwrap().to_owned();
    large.push(0);
    for (content_type, bytes, status, reason) in [
        ("image/png", large, 413, "BODY_TOO_LARGE"),
        ("image/webp", b"RIFF\x10\0\0\0WEBPVP8 ".to_vec(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("image/png", VIDEO.to_vec(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("video/mp4", image(16), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("audio/ogg", b"OggS\0".to_vec(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("application/pdf", Vec::new(), 400, "INVALID_ARGUMENT"),
        ("application/pdf", vec![0; 10_000_001], 413, "BODY_TOO_LARGE"),
    ] {
        let response = upload(&server, content_type, "", bytes).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason), "{content_type}");
    }
    let request = server.anonymous(Method::POST, "/v1.0/medias").content_type("image/png");
    assert_eq!(Response::to(request, image(16)).await.status, 401);
    let folder = server.database().with_file_name("media").read_dir().unwrap();
    let mut names: Vec<_> =
        folder.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, [taken.clone(), format!("{taken}.preview")], "only the accepted file is stored");
}

#[actix_web::test]
async fn an_upload_that_is_not_sent_is_removed_after_a_day_and_a_sent_one_stays() {
    let (server, path) = begin().await;
    let (stored, lost) = (image(2), image(3));
    let sent = uploaded(&server, "image/png", "sent.png", stored.as_slice()).await;
    let unsent = uploaded(&server, "image/png", "unsent.png", lost).await;
    let by_id = |upload: &Value| json!({ "type": "image", "id": upload["id"] });
    assert_eq!(send(&server, &path, &by_id(&sent)).await.status, 200);
    let uri = unsent["uri"].as_str().unwrap();
    let files = || crate::media::names(&server).len();

    server.advance(Duration::from_hours(23));
    assert_eq!((server.request(Method::GET, uri).send().await.unwrap().status().as_u16(), files()), (200, 2));
    server.advance(Duration::from_hours(2));
    eventually(|| files() == 1).await;

    assert_eq!(server.get(uri).await.status, 404);
    let refused = send(&server, &path, &by_id(&unsent)).await;
    assert_eq!(detail(&refused), ("medias[0].id".to_owned(), "is not the id of an uploaded file".to_owned()));
    let (status, _, bytes) = fetch(&object(&server)["originalContentUrl"], None).await;
    assert_eq!((status, bytes), (200, stored));
    eventually(|| server.value::<i64>("SELECT count(*) FROM medias") == 1).await;
}

#[actix_web::test]
async fn a_message_whose_upload_expires_at_that_moment_is_not_stored() {
    let (server, path) = begin().await;
    let shared = server.shared();
    let (customer, conversation) = (server.customer, path.split('/').nth(3).unwrap().parse().unwrap());
    let message = NewMessage {
        id: MessageId::new(Timestamp::now()),
        text: String::new(),
        mentions: Vec::new(),
        quoted: None,
        medias: Vec::new(),
        // The row of an expired upload is gone.
        uploads: vec![MediaId::random()],
        requests: vec![b"{}".to_vec()],
    };

    let now = shared.clock.now();
    let stored = shared.store.write(now, move |tx| sending::send(tx, customer, conversation, &message)).await;

    assert!(matches!(stored, Err(Error::Conflict(_))), "{stored:?}");
    assert_eq!(server.get(&path).await.json()["result"].as_array().unwrap().len(), 1);
}

/// The storage use of a customer is a running total, which every change of a file must update.
#[actix_web::test]
async fn the_storage_use_of_a_customer_always_equals_the_size_of_its_files() {
    let server = TestServer::start_with(|config| config.limits.media_customer_bytes = 1_000_000);
    let counted = || server.value::<i64>("SELECT coalesce(sum(bytes), 0) FROM media_usage");
    let stored = || server.value::<i64>("SELECT coalesce(sum(size), 0) FROM medias WHERE status = 'stored'");

    let uploads = (0..4).map(|_| upload(&server, "application/pdf", "", vec![1; 300_000]));
    let statuses: Vec<_> = join_all(uploads).await.iter().map(|response| response.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 3, "{statuses:?}");
    assert_eq!((counted(), stored()), (900_000, 900_000));

    server.advance(Duration::from_hours(25));
    eventually_is((0, 0), async || (counted(), stored())).await;
    assert_eq!(upload(&server, "application/pdf", "", vec![1; 300_000]).await.status, 200);
    let connection = rusqlite::Connection::open(server.database()).unwrap();
    connection.execute_batch("UPDATE medias SET size = 5 WHERE status = 'stored'").unwrap();
    assert_eq!((counted(), stored()), (5, 5));
    connection.execute_batch("DELETE FROM medias").unwrap();
    assert_eq!(counted(), 0);
}
