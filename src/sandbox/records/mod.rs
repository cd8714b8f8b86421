//! The sandbox's records of requests to it, and the state behind LINE's API.

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

/// A send request that was executed; at LINE it would have been delivered.
#[derive(Debug, Clone, Serialize)]
pub struct Executed {
    /// The `x-line-request-id` of its response.
    pub request_id: String,
    /// `push`, `reply` or `multicast`.
    pub endpoint: &'static str,
    /// The people, groups and rooms that it was addressed to.
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
    /// The resulting messages.
    pub sent_messages: Vec<SentMessage>,
    /// When it was executed, in milliseconds since 1970.
    pub timestamp: i64,
}

/// A request to LINE's API.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// The `x-line-request-id` of its response.
    pub request_id: String,
    /// `GET`, `POST` and the like.
    pub method: String,
    /// The path.
    pub path: String,
    /// The header `X-Line-Retry-Key`.
    pub retry_key: Option<String>,
    /// The HTTP status of the response; `None` if there is none, or none yet.
    pub status: Option<u16>,
    /// The body, byte for byte.
    #[serde(serialize_with = "text")]
    pub body: Bytes,
    /// When it arrived, in milliseconds since 1970.
    pub timestamp: i64,
}

/// Something that a bot must not do, even if LINE allows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The kind of violation.
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
    /// A retry key was sent again with another path or body.
    RetryKeyReused,
    /// A push or multicast was sent without a retry key, so it can never be retried safely.
    RetryKeyMissing,
    /// A retry key was sent to an endpoint that does not accept one.
    RetryKeyMisplaced,
}

/// An attempt to deliver a webhook.
#[derive(Debug, Clone, Serialize)]
pub struct WebhookRecord {
    /// The ids of its events.
    pub webhook_event_ids: Vec<String>,
    /// Whether it was a redelivery.
    pub is_redelivery: bool,
    /// The HTTP status of the response; 0 without one.
    pub status: u16,
    /// The result, in LINE's terms.
    pub reason: &'static str,
    /// When it ended, in milliseconds since 1970.
    pub timestamp: i64,
}

fn text<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}
