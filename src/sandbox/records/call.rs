//! A request to LINE's API and the answer to it, apart from any connection.

use std::sync::LazyLock;
use std::time::Duration;

use actix_web::web::Bytes;
use serde_json::Value;

/// A piece of what fills up a body of which only the size matters.
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
    /// What the answer carries as `x-line-request-id`.
    pub request_id: String,
}

/// What LINE answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides the content type and the request id.
    pub headers: Vec<(&'static str, String)>,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The body, or its beginning.
    pub body: Bytes,
    /// So many bytes follow, which are made when they are sent.
    pub filler: u64,
    /// For half an answer: how long the connection stays open after the first half of the body.
    pub cut_after: Option<Duration>,
}

impl LineCall {
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

impl CallAnswer {
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
            filler: 0,
            cut_after: None,
        }
    }

    /// How long the body is.
    pub fn size(&self) -> u64 {
        u64::try_from(self.body.len()).unwrap_or(u64::MAX).saturating_add(self.filler)
    }

    /// The first half of the body, piece by piece, so that no large one is ever held as a whole.
    pub fn first_half(&self) -> impl Iterator<Item = Bytes> + use<> {
        self.first(self.size() / 2)
    }

    /// The whole body, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = Bytes> + use<> {
        self.first(self.size())
    }

    fn first(&self, size: u64) -> impl Iterator<Item = Bytes> + use<> {
        let filler = std::iter::repeat(FILLER.clone());
        let mut left = size;
        std::iter::once(self.body.clone()).chain(filler).map_while(move |piece| {
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            left -= u64::try_from(length).unwrap_or(left);
            // An empty beginning is no end.
            (length > 0 || left > 0).then(|| piece.slice(..length))
        })
    }

    /// The answer with a further header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(pieces: impl Iterator<Item = Bytes>) -> Vec<usize> {
        pieces.map(|piece| piece.len()).collect()
    }

    #[test]
    fn a_body_comes_in_pieces_that_are_as_long_as_it_is() {
        let answer =
            |body: &'static str, filler| CallAnswer { filler, ..CallAnswer::new(200, "text/plain", body) };

        assert_eq!(answer("", 0).pieces().next(), None);
        assert_eq!(lengths(answer("head", 0).pieces()), [4]);
        assert_eq!(lengths(answer("head", 70_000).pieces()), [4, 65_536, 4_464]);
        assert_eq!(lengths(answer("", 2).pieces()), [0, 2]);
        assert_eq!(lengths(answer("head", 0).first_half()), [2]);
        assert_eq!(lengths(answer("head", 70_000).first_half()), [4, 34_998]);
    }
}
