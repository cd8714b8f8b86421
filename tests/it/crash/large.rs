//! Files far larger than the memory the server may use: they are streamed in both directions, and arrive complete even
//! when the server is killed meanwhile.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use awc::ClientRequest;
use awc::http::Method;
use aws_lc_rs::digest::{Context, SHA256, digest};
use futures_util::StreamExt;
use kaiwa::sandbox::records::contents::SampleContent;
use serde_json::{Value, json};

use crate::crash::process::{Api, Installation, Process};
use crate::harness::line::Line;
use crate::harness::response::Response;
use crate::harness::server::text_event;

/// LINE's maximum size of a video, in bytes.
const SIZE: usize = 200_000_000;

/// The maximum peak resident memory of the server, in bytes.
const RESIDENT_MAX: u64 = 64 << 20;

/// Size in bytes of the video during whose download the server is killed.
const KILLED_SIZE: usize = SIZE / 4;

/// Kills during one download.
const KILLS: usize = 4;

/// A busy machine needs some seconds for one file.
const TIME_MAX: Duration = Duration::from_mins(3);

/// A user has sent a large video, and the server has received the event.
struct Scene {
    line: Line,
    installation: Installation,
    bytes: Bytes,
    user: String,
}

impl Scene {
    fn new(size: usize) -> Self {
        let line = Line::start();
        let installation = Installation::patient(&line);
        let user = line.friend("Alice");
        Self { bytes: video(size), line, installation, user }
    }

    async fn send_video(&self, api: &Api) {
        let mut event = text_event(&self.user, "");
        let id = event["message"]["id"].as_str().unwrap().to_owned();
        event["message"] = json!({ "type": "video", "id": id, "contentProvider": { "type": "line" } });
        let content = SampleContent::new("video", "video/mp4", self.bytes.clone());
        self.line.platform.with(|state| state.contents.put(&id, content));
        assert_eq!(api.webhook(&[event]).await.unwrap().status, 200);
    }

    fn folder(&self) -> PathBuf {
        self.installation.database().with_file_name("media")
    }

    /// Names and sizes of the files in the media folder.
    fn files(&self) -> Vec<(String, u64)> {
        let entries = self.folder().read_dir().unwrap().flatten();
        let described = entries.map(|entry| {
            let size = entry.metadata().map_or(0, |file| file.len());
            (entry.file_name().into_string().unwrap(), size)
        });
        described.collect()
    }
}

/// Bytes that begin like a video and have a long period.
fn video(size: usize) -> Bytes {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    let mut bytes = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec();
    let part: Vec<u8> = (0..1_000_003).map(|_| next()).collect();
    while bytes.len() < size {
        bytes.extend_from_slice(&part[..part.len().min(size - bytes.len())]);
    }
    bytes.into()
}

/// The media of the newest message of the only conversation.
async fn media(api: &Api) -> Value {
    let conversation = api.list("/v1.0/conversations").await[0]["id"].as_str().unwrap().to_owned();
    api.list(&format!("/v1.0/conversations/{conversation}/messages")).await[0]["medias"][0].clone()
}

async fn media_once_stored(api: &Api) -> Value {
    let limit = Instant::now() + TIME_MAX;
    loop {
        let media = media(api).await;
        if media["status"] == "stored" {
            return media;
        }
        assert!(media["status"] == "pending" && Instant::now() < limit, "{media}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Reads a response in chunks; returns its status, size and hash.
async fn read(request: ClientRequest) -> (u16, usize, Vec<u8>) {
    let mut response = request.timeout(TIME_MAX).send().await.unwrap();
    let (mut size, mut hash) = (0, Context::new(&SHA256));
    while let Some(piece) = response.next().await {
        let piece = piece.unwrap();
        size += piece.len();
        hash.update(&piece);
    }
    (response.status().as_u16(), size, hash.finish().as_ref().to_vec())
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// The peak resident memory of a process, as Linux reports it.
fn resident_max(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux reports it");
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

#[actix_web::test]
async fn two_hundred_megabytes_are_received_and_served_in_less_than_64_mib_of_memory() {
    let scene = Scene::new(SIZE);
    let (mut process, api) = scene.installation.start().await;
    scene.send_video(&api).await;
    let expected = (200, SIZE, hash(&scene.bytes));

    let received = media_once_stored(&api).await;
    let request = api.request(Method::GET, received["uri"].as_str().unwrap());
    let served = read(request.bearer_auth(&api.token)).await;
    let upload = api.request(Method::POST, "/v1.0/medias?filename=video.mp4").bearer_auth(&api.token);
    let uploaded =
        Response::to(upload.content_type("video/mp4").timeout(TIME_MAX), scene.bytes.clone()).await;
    let own = api.request(Method::GET, uploaded.json()["uri"].as_str().unwrap());
    let read_back = read(own.bearer_auth(&api.token)).await;
    let conversation = api.list("/v1.0/conversations").await[0]["id"].as_str().unwrap().to_owned();
    let sent = json!({ "medias": [{ "type": "file", "id": uploaded.json()["id"] }] });
    let sent = api.say(&conversation, &sent, true).await.unwrap().json();
    let address = sent["medias"][0]["alt_text"].as_str().unwrap();
    let public = api.request(Method::GET, &address[address.find("/m/").expect("it is a link")..]);

    assert_eq!(served, expected);
    assert_eq!((uploaded.status, &uploaded.json()["size"]), (200, &json!(SIZE)));
    assert_eq!(read_back, expected);
    assert_eq!(read(public).await, expected, "as LINE's users fetch it");
    let resident = resident_max(&process);
    assert!(resident < RESIDENT_MAX, "{resident} bytes");
    process.stop().await;
}

#[actix_web::test]
async fn a_killed_download_shows_no_partial_file_and_is_completed_after_a_restart() {
    let scene = Scene::new(KILLED_SIZE);
    let (mut process, mut api) = scene.installation.start().await;
    scene.send_video(&api).await;
    let mut cut = Vec::new();

    for kill in 0..KILLS {
        // Each kill falls later in the file than the one before.
        let enough = u64::try_from(KILLED_SIZE * kill / KILLS).unwrap();
        let limit = Instant::now() + TIME_MAX;
        while !scene.files().iter().any(|(_, size)| *size > enough) {
            assert!(Instant::now() < limit, "the download does not go on: {:?}", scene.files());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        process.kill();
        let whole = u64::try_from(KILLED_SIZE).unwrap();
        cut.extend(scene.files().into_iter().map(|(_, size)| size).filter(|size| *size < whole));
        (process, api) = scene.installation.start().await;
        let media = media(&api).await;
        if media["status"] == "stored" {
            break;
        }
        let path = format!("/v1.0/medias/{}", media["id"].as_str().unwrap());
        assert_eq!(api.get(&path).await.status, 404, "half a file can be read");
    }
    let media = media_once_stored(&api).await;
    let request = api.request(Method::GET, media["uri"].as_str().unwrap());
    let served = read(request.bearer_auth(&api.token)).await;

    assert!(cut.len() >= 2, "too few kills came in the midst of it: {cut:?}");
    assert_eq!(served, (200, KILLED_SIZE, hash(&scene.bytes)));
    process.stop().await;
    assert_eq!(scene.files().into_iter().filter(|(name, _)| !name.contains("preview")).count(), 1);
}
