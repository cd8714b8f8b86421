//! Files: fetched from LINE, uploaded, served to their customer, and removed when they are unsent.

mod erasure;
mod external;
mod fetching;
mod forms;
mod serving;
mod shared_uploads;
pub mod uploads;

use awc::http::Method;
use awc::http::header::HeaderMap;
use kaiwa::sandbox::records::contents::{Readiness, SampleContent};
use serde_json::{Value, json};

use crate::harness::eventually_is;
use crate::harness::server::{TestServer, text_event};

/// The first bytes of a JPEG.
pub const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";

/// A message with a file of this type and these bytes, as LINE delivers it.
pub struct Sent {
    pub event: Value,
    pub line_id: String,
    pub user: String,
}

/// A user sends a file; LINE has its bytes, and the server gets the event.
pub async fn send(server: &TestServer, kind: &str, bytes: impl Into<Vec<u8>>) -> Sent {
    let sent = prepare(server, kind, bytes);
    assert_eq!(server.webhook(std::slice::from_ref(&sent.event)).await.status, 200);
    sent
}

/// The same, without sending the event to the server yet.
pub fn prepare(server: &TestServer, kind: &str, bytes: impl Into<Vec<u8>>) -> Sent {
    let user = server.user("Alice");
    let mut event = text_event(&user, "");
    let line_id = event["message"]["id"].as_str().unwrap().to_owned();
    event["message"] = json!({ "type": kind, "id": line_id, "contentProvider": { "type": "line" } });
    if kind == "file" {
        event["message"]["fileName"] = json!("report.pdf");
    }
    let content = SampleContent::new(kind, "text/html", bytes.into());
    server.line.platform.with(|state| state.contents.put(&line_id, content));
    Sent { event, line_id, user }
}

/// The media of the newest message.
pub async fn media(server: &TestServer) -> Value {
    newest(server).await["medias"][0].clone()
}

/// The newest message.
pub async fn newest(server: &TestServer) -> Value {
    let conversations = server.get("/v1.0/conversations").await.json();
    let id = conversations["result"][0]["id"].as_str().unwrap().to_owned();
    server.messages(&id).await.first().cloned().unwrap_or_default()
}

/// Waits until the newest message's media has this status, and returns it.
pub async fn media_once(server: &TestServer, status: &str) -> Value {
    eventually_is(json!(status), async || media(server).await["status"].clone()).await;
    media(server).await
}

/// Sets LINE's response when the content is requested.
pub fn set_readiness(server: &TestServer, sent: &Sent, readiness: Readiness) {
    server.line.platform.with(|state| state.contents.get_mut(&sent.line_id).unwrap().readiness = readiness);
}

/// The number of requests for the content of a message, without previews.
pub fn asked(server: &TestServer, sent: &Sent) -> usize {
    let path = format!("/v2/bot/message/{}/content", sent.line_id);
    server.line.platform.requests().iter().filter(|request| request.path == path).count()
}

/// The user unsends the message.
pub async fn unsend(server: &TestServer, sent: &Sent) {
    let mut event = text_event(&sent.user, "");
    event["type"] = json!("unsend");
    event["unsend"] = json!({ "messageId": sent.line_id });
    assert_eq!(server.webhook(&[event]).await.status, 200);
}

/// A response with a binary body.
pub struct Bytes {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Bytes {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Requests a file with these additional headers.
pub async fn download(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Bytes {
    let mut request = server.request(Method::GET, path);
    for header in headers {
        request = request.insert_header(*header);
    }
    let mut response = request.send().await.unwrap();
    let body = response.body().limit(256 << 20).await.unwrap().to_vec();
    Bytes { status: response.status().as_u16(), headers: response.headers().clone(), body }
}

/// The names of all files in the media folder.
pub fn names(server: &TestServer) -> Vec<String> {
    let entries = server.folder().join("media").read_dir().unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Bytes unique to this file, with a long period.
pub fn noise(seed: u8, size: usize) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..size).map(|_| next()).collect()
}

/// The bytes of an image of this size.
pub fn image(seed: u8, size: usize) -> Vec<u8> {
    [JPEG, &noise(seed, size)].concat()
}
