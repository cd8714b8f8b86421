//! What the server lists and serves once a campaign has settled.

use std::collections::HashMap;

use serde_json::Value;

use crate::crash::load::Chat;
use crate::crash::process::Api;

/// A message as the server lists it.
#[derive(Debug)]
pub struct Listed {
    /// Whether the customer sent it.
    pub is_ours: bool,
    /// Its status.
    pub status: String,
    /// Whether its outcome is reported as unknown.
    pub is_unknown: bool,
    /// Its text.
    pub text: String,
    /// LINE's id of a received message, as the database has it.
    pub line_id: Option<String>,
    /// Its files.
    pub files: Vec<Shown>,
    id: String,
    path: String,
    tm_create: String,
}

/// A file as shown in its message.
#[derive(Debug)]
pub struct Shown {
    /// Its status.
    pub status: String,
    /// The bytes that were served.
    pub bytes: Option<Vec<u8>>,
    uri: Option<String>,
}

/// All messages of each chat, oldest first.
pub async fn read_all(api: &Api, chats: &[Chat]) -> Vec<Vec<Listed>> {
    let mut lists = Vec::new();
    for chat in chats {
        let path = format!("/v1.0/conversations/{}/messages", chat.conversation);
        let rows = api.list(&path).await;
        let mut listed: Vec<Listed> = rows.iter().map(|row| Listed::new(row, &path)).collect();
        listed.sort_by(|one, other| one.tm_create.cmp(&other.tm_create));
        lists.push(listed);
    }
    lists
}

/// Downloads all available files.
pub async fn read_files(api: &Api, lists: &mut [Vec<Listed>]) {
    for shown in lists.iter_mut().flatten().filter(|one| !one.is_ours).flat_map(|one| &mut one.files) {
        if let Some(uri) = &shown.uri {
            shown.bytes = api.file(uri).await;
        }
    }
}

/// Adds values that only the database has.
pub fn identify(lists: &mut [Vec<Listed>], line_ids: &HashMap<String, String>) {
    for listed in lists.iter_mut().flatten() {
        listed.line_id = line_ids.get(&listed.id).cloned();
    }
}

/// The number of messages whose outcome is reported as unknown.
pub fn unknown(lists: &[Vec<Listed>]) -> usize {
    lists.iter().flatten().filter(|listed| listed.is_unknown).count()
}

/// The paths of all messages whose outcome is open.
pub fn undecided(lists: &[Vec<Listed>]) -> Vec<String> {
    let is_waiting = |listed: &&Listed| {
        listed.status == "sending" || listed.files.iter().any(|shown| shown.status == "pending")
    };
    lists.iter().flatten().filter(is_waiting).map(|listed| listed.path.clone()).collect()
}

/// Whether a message waits for LINE.
pub fn is_undecided(row: &Value) -> bool {
    let medias = row["medias"].as_array().unwrap();
    row["status"] == "sending" || medias.iter().any(|media| media["status"] == "pending")
}

impl Listed {
    fn new(row: &Value, list: &str) -> Self {
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        Self {
            is_ours: row["source_target"] == "",
            status: text("status"),
            is_unknown: row["error"]["reason"] == "OUTCOME_UNKNOWN",
            text: text("text"),
            line_id: None,
            files: row["medias"].as_array().unwrap().iter().map(Shown::new).collect(),
            path: format!("{list}/{}", text("id")),
            id: text("id"),
            tm_create: text("tm_create"),
        }
    }
}

impl Shown {
    fn new(media: &Value) -> Self {
        let text = |field: &str| media[field].as_str().map(str::to_owned);
        Self { status: text("status").unwrap_or_default(), bytes: None, uri: text("uri") }
    }
}
