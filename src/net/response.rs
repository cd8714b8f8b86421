//! The final answer to a request, whose body is read piece by piece.

use actix_web::web::{Bytes, BytesMut};
use awc::ClientResponse;
use awc::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use futures_util::StreamExt;
use tokio::sync::OwnedSemaphorePermit;

use crate::net::failure::{FailureKind, RequestFailure};
use crate::net::framing;

/// An answer. Its place among the connections is free once it is dropped.
pub struct Response {
    answer: ClientResponse,
    _place: OwnedSemaphorePermit,
}

impl Response {
    pub(super) fn new(answer: ClientResponse, place: OwnedSemaphorePermit) -> Self {
        Self { answer, _place: place }
    }

    /// The status, which is never that of an interim answer, unless it is 101.
    pub fn status(&self) -> u16 {
        self.answer.status().as_u16()
    }

    /// The text of a header, if it is one. `framing` lists those that are told on.
    pub fn header(&self, name: impl TryInto<HeaderName>) -> Option<&str> {
        let name = name.try_into().ok()?;
        debug_assert!(
            name == CONTENT_LENGTH || framing::is_forwarded(name.as_str()),
            "{name} is not told on"
        );
        self.answer.headers().get(name)?.to_str().ok()
    }

    /// How many bytes the body has, where its head says so.
    pub fn length(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH)?.parse().ok()
    }

    /// Whether nothing but the end of the connection ends the body: it looks the same whole and cut off.
    pub fn ends_by_closing(&self) -> bool {
        let headers = self.answer.headers();
        !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING)
    }

    /// Whether the body is in a coding, none of which is ever asked for: its bytes are not those that it means.
    fn is_coded(&self) -> bool {
        let mut codings = self.answer.headers().get_all(CONTENT_ENCODING);
        codings.any(|coding| !matches!(coding.as_bytes(), b"" | b"identity"))
    }

    /// The next piece of the body, or nothing at its end. `Broken` when it ends before its end, `Unreadable` when it is in a
    /// coding.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RequestFailure> {
        if self.is_coded() {
            let message = "the answer is in a content coding that was not asked for";
            return Err(RequestFailure::new(FailureKind::Unreadable, message));
        }
        self.answer.next().await.transpose().map_err(|error| RequestFailure::of_body(&error))
    }

    /// The whole body. `Broken` when it ends before its end or has more than `bytes_max`, `Unreadable` when it is in a coding.
    pub async fn whole(&mut self, bytes_max: usize) -> Result<Bytes, RequestFailure> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await? {
            if whole.len() + piece.len() > bytes_max {
                let message = format!("the answer is longer than {bytes_max} bytes");
                return Err(RequestFailure::new(FailureKind::Broken, message));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}
