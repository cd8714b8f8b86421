//! A request to LINE's API and its response, independent of any connection.

use std::sync::LazyLock;
use std::time::Duration;

use actix_web::web::Bytes;
use serde_json::Value;

/// A chunk of the filler that pads a body to its size.
static FILLER: LazyLock<Bytes> = LazyLock::new(|| b"0123456789abcdef".repeat(4 * 1024).into());

/// A request to LINE's API.
#[derive(Debug, Clone, Default)]
pub struct LineCall {
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
    /// The value of `x-line-request-id` in the response.
    pub request_id: String,
}

/// A response of LINE's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResponse {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides the content type and the request id.
    pub headers: Vec<(&'static str, String)>,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The body, or its start.
    pub body: Bytes,
    /// How many bytes of filler follow, which are generated on sending.
    pub filler: u64,
    /// For a truncated response: how long the connection stays open after the first half of the body.
    pub cut_after: Option<Duration>,
}

impl LineCall {
    /// Whether this is a request with this method and path.
    pub fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }

    /// The bearer token.
    pub fn bearer(&self) -> Option<&str> {
        self.authorization.as_deref()?.strip_prefix("Bearer ")
    }

    /// Whether the path or the body contains this id.
    pub fn mentions(&self, id: &str) -> bool {
        self.path.contains(id) || self.body.windows(id.len().max(1)).any(|window| window == id.as_bytes())
    }
}

impl CallResponse {
    /// A JSON response.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// A response of any content type.
    pub fn new(status: u16, content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: content_type.into(),
            body: body.into(),
            filler: 0,
            cut_after: None,
        }
    }

    /// The size of the body.
    pub fn size(&self) -> u64 {
        u64::try_from(self.body.len()).unwrap_or(u64::MAX).saturating_add(self.filler)
    }

    /// The first half of the body in chunks, so that a large one is never held in memory.
    pub fn first_half(&self) -> impl Iterator<Item = Bytes> + use<> {
        self.first_bytes(self.size() / 2)
    }

    /// The whole body in chunks.
    pub fn chunks(&self) -> impl Iterator<Item = Bytes> + use<> {
        self.first_bytes(self.size())
    }

    fn first_bytes(&self, size: u64) -> impl Iterator<Item = Bytes> + use<> {
        let filler = std::iter::repeat(FILLER.clone());
        let mut remaining = size;
        std::iter::once(self.body.clone()).chain(filler).map_while(move |chunk| {
            let length = usize::try_from(remaining).unwrap_or(usize::MAX).min(chunk.len());
            remaining -= u64::try_from(length).unwrap_or(remaining);
            // An empty body is followed by its filler.
            (length > 0 || remaining > 0).then(|| chunk.slice(..length))
        })
    }

    /// The response with a further header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(chunks: impl Iterator<Item = Bytes>) -> Vec<usize> {
        chunks.map(|chunk| chunk.len()).collect()
    }

    #[test]
    fn the_chunks_of_a_body_have_its_size() {
        let response = |body: &'static str, filler| CallResponse {
            filler,
            ..CallResponse::new(200, "text/plain", body)
        };

        assert_eq!(response("", 0).chunks().next(), None);
        assert_eq!(lengths(response("head", 0).chunks()), [4]);
        assert_eq!(lengths(response("head", 70_000).chunks()), [4, 65_536, 4_464]);
        assert_eq!(lengths(response("", 2).chunks()), [0, 2]);
        assert_eq!(lengths(response("head", 0).first_half()), [2]);
        assert_eq!(lengths(response("head", 70_000).first_half()), [4, 34_998]);
    }
}
