//! What the sandbox remembers of the requests to it, for whoever looks at it from outside.

pub mod access_tokens;
pub mod call;
pub mod contents;
pub mod faults;
pub mod history;
pub mod png;
pub mod quota;
pub mod random;
pub mod reply_tokens;
pub mod retry_keys;
pub mod tokens;

use actix_web::web::Bytes;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::sandbox::records::retry_keys::SentMessage;

/// A request to send messages that was executed: with LINE, what really went out.
#[derive(Debug, Clone, Serialize)]
pub struct Executed {
    /// The `x-line-request-id` of its answer.
    pub request_id: String,
    /// `push`, `reply` or `multicast`.
    pub endpoint: &'static str,
    /// The people, groups and rooms that it was for.
    pub recipients: Vec<String>,
    /// How many of them it reached.
    pub reached: usize,
    /// The header `X-Line-Retry-Key`.
    pub retry_key: Option<String>,
    /// The body, parsed.
    pub body: Value,
    /// The body, byte for byte.
    #[serde(rename = "body_text", serialize_with = "text")]
    pub bytes: Bytes,
    /// The messages that came of it.
    pub sent_messages: Vec<SentMessage>,
    /// When, in milliseconds since 1970.
    pub timestamp: i64,
}

/// A request to LINE's API.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// The `x-line-request-id` of its answer.
    pub request_id: String,
    /// `GET`, `POST` and the like.
    pub method: String,
    /// The path.
    pub path: String,
    /// The header `X-Line-Retry-Key`.
    pub retry_key: Option<String>,
    /// The HTTP status of the answer; nothing while or because there is none.
    pub status: Option<u16>,
    /// The body, byte for byte.
    #[serde(serialize_with = "text")]
    pub body: Bytes,
    /// When it arrived, in milliseconds since 1970.
    pub timestamp: i64,
}

/// Something that a bot must not do, even where LINE lets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What was done.
    pub kind: ViolationKind,
    /// The `x-line-request-id` of the request.
    pub request_id: String,
    /// The path of the request.
    pub path: String,
    /// The header `X-Line-Retry-Key`.
    pub retry_key: Option<String>,
}

/// The kinds of violations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ViolationKind {
    /// A retry key came again with another path or body.
    RetryKeyReused,
    /// A push or multicast came without a retry key: it can never be sent again safely.
    RetryKeyMissing,
    /// A retry key came where LINE takes none.
    RetryKeyMisplaced,
}

/// An attempt to deliver a webhook.
#[derive(Debug, Clone, Serialize)]
pub struct WebhookRecord {
    /// The ids of its events.
    pub webhook_event_ids: Vec<String>,
    /// Whether it was a redelivery.
    pub is_redelivery: bool,
    /// The HTTP status of the answer, 0 without one.
    pub status: u16,
    /// What became of it, in LINE's words.
    pub reason: &'static str,
    /// When it ended, in milliseconds since 1970.
    pub timestamp: i64,
}

fn text<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}
