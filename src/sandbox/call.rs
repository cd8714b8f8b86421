//! A request to LINE's API and the answer to it, apart from any connection.

use std::time::Duration;

use actix_web::web::Bytes;
use serde_json::Value;

/// A request to LINE's API.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// `GET`, `POST` and the like.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The header `X-Line-Retry-Key`.
    pub retry_key: Option<String>,
    /// The body, byte for byte.
    pub body: Bytes,
    /// What the answer carries as `x-line-request-id`.
    pub request_id: String,
}

/// What LINE answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides the content type and the request id.
    pub headers: Vec<(&'static str, String)>,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
    /// For half an answer: how long the connection stays open after the first half of the body.
    pub cut_after: Option<Duration>,
}

impl Call {
    /// Whether this is a request of this kind.
    pub fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }

    /// The token behind `Bearer`.
    pub fn bearer(&self) -> Option<&str> {
        self.authorization.as_deref()?.strip_prefix("Bearer ")
    }

    /// Whether the path or the body names this id.
    pub fn names(&self, id: &str) -> bool {
        self.path.contains(id) || self.body.windows(id.len().max(1)).any(|window| window == id.as_bytes())
    }
}

impl Answer {
    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// Any answer.
    pub fn new(status: u16, content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: content_type.into(),
            body: body.into(),
            cut_after: None,
        }
    }

    /// The answer with a further header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
