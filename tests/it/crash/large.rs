//! The largest files, in and out of a process of its own: in little memory, and whole or not at all.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use aws_lc_rs::digest::{SHA256, digest};
use kaiwa::sandbox::contents::Content;
use serde_json::{Value, json};

use crate::crash::load::generator;
use crate::crash::process::{Api, Installation};
use crate::crash::{database, print, seed};
use crate::harness::line::Line;
use crate::harness::server::text_event;

/// The largest file that LINE's users can be sent.
const FILE_BYTES: usize = 200_000_000;

/// A body arrives in pieces of this size.
const PIECE_BYTES: usize = 64 * 1_024;

/// The process may have so much memory at its peak, in KiB: 64 MiB.
const RESIDENT_KIBIBYTES_MAX: usize = 64 * 1_024;

/// Kills while the file is fetched.
const KILLS: usize = 3;

/// Fetching the file takes a few seconds on a machine that does nothing else.
const FETCH_TIME_MAX: Duration = Duration::from_mins(1);

/// A piece of the file; its length has no factor in common with that of any buffer.
const PIECE: &str = "one of many pieces of a large file\n";

#[actix_web::test]
async fn the_largest_files_take_little_memory_and_a_kill_never_leaves_half_of_one() {
    let begun = Instant::now();
    let line = Line::start();
    let installation = Installation::new(&line, "push_only", "10s");
    let bytes = Bytes::from(PIECE.repeat(FILE_BYTES / PIECE.len() + 1)).slice(..FILE_BYTES);
    let expected = (200, FILE_BYTES, digest(&SHA256, &bytes).as_ref().to_vec());
    let event = file_event(&line, bytes.clone());
    let mut draw = generator(seed(), 0);
    let (mut process, mut api) = installation.start().await;
    assert_eq!(api.webhook(&[event]).await.unwrap().status, 200);
    let conversation = api.list("/v1.0/conversations").await[0]["id"].as_str().unwrap().to_owned();

    for _ in 0..KILLS {
        let size = draw.position(FILE_BYTES / 2).unwrap();
        until(async || draft_bytes(&installation.database()) > size).await;
        process.kill();
        assert_eq!(database::faults(&installation.database()), [""; 0]);
        assert_eq!(names(&installation.database(), |name| !name.ends_with(".part")), [""; 0]);
        (process, api) = installation.start().await;
        let media = media(&api, &conversation).await;
        let answer = api.get(&format!("/v1.0/medias/{}", media["id"].as_str().unwrap())).await;
        assert_eq!((media["status"].as_str(), answer.status), (Some("pending"), 404));
    }
    until(async || media(&api, &conversation).await["status"] == "stored").await;
    assert_eq!(api.digest(media(&api, &conversation).await["uri"].as_str().unwrap()).await, expected);
    let upload = api.upload_pieces(bytes, PIECE_BYTES).await;
    let sent = json!({ "medias": [{ "type": "file", "id": upload["id"] }] });
    assert_eq!(api.say(&conversation, &sent, true).await.unwrap().json()["status"], "sent");
    assert_eq!(api.digest(&public_path(&line)).await, expected);

    let resident = process.resident_kibibytes_max();
    print(&format!("large files: {:.1?}, at most {resident} KiB resident", begun.elapsed()));
    assert!(resident < RESIDENT_KIBIBYTES_MAX, "{resident} KiB");
    assert_eq!(process.stop().await.0.code(), Some(0));
    assert_eq!(database::faults(&installation.database()), [""; 0]);
}

/// A user sends this file.
fn file_event(line: &Line, bytes: Bytes) -> Value {
    let mut event = text_event(&line.friend("Alice"), "");
    let line_id = event["message"]["id"].as_str().unwrap().to_owned();
    event["message"] =
        json!({ "type": "file", "id": line_id, "fileName": "large.txt", "fileSize": FILE_BYTES });
    line.platform.with(|state| state.contents.put(&line_id, Content::new("file", "text/plain", bytes)));
    event
}

async fn media(api: &Api, conversation: &str) -> Value {
    let messages = api.list(&format!("/v1.0/conversations/{conversation}/messages")).await;
    let received = messages.iter().find(|message| message["source_target"] != "");
    received.unwrap()["medias"][0].clone()
}

/// How much of the file has arrived.
fn draft_bytes(database: &Path) -> usize {
    let drafts = names(database, |name| name.ends_with(".part"));
    let size = |name: &String| folder(database).join(name).metadata().map_or(0, |file| file.len());
    drafts.iter().map(size).max().map_or(0, |size| usize::try_from(size).unwrap())
}

/// The names of files in the media folder.
fn names(database: &Path, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = folder(database).read_dir().unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| is_meant(name)).collect()
}

fn folder(database: &Path) -> PathBuf {
    database.with_file_name("media")
}

/// Where LINE's users were told to find the file.
fn public_path(line: &Line) -> String {
    let executed = line.platform.executed();
    let text = executed.last().unwrap().body["messages"][0]["text"].as_str().unwrap().to_owned();
    text[text.find("/m/").expect("the text is a link")..].to_owned()
}

async fn until(is_so: impl AsyncFn() -> bool) {
    let limit = Instant::now() + FETCH_TIME_MAX;
    while !is_so().await {
        assert!(Instant::now() < limit, "the file is not fetched");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
