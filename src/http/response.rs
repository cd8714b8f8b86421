//! The final answer to a request, whose body is read piece by piece.

use actix_web::web::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{HeaderName, TRANSFER_ENCODING};
use hyper::http::response::Parts;
use tokio::sync::OwnedSemaphorePermit;

use crate::http::failure::{Failure, FailureKind};

/// An answer. Its place among the connections is free once it is dropped.
pub struct Response {
    head: Parts,
    body: Incoming,
    ends_by_closing: bool,
    _place: OwnedSemaphorePermit,
}

impl Response {
    /// `Unreadable` when its bytes are coded in a way that nobody has asked for.
    pub(super) fn new(
        answer: hyper::Response<Incoming>,
        place: OwnedSemaphorePermit,
    ) -> Result<Self, Failure> {
        let (head, body) = answer.into_parts();
        let codings = head.headers.get_all(TRANSFER_ENCODING).iter();
        let codings = codings.map(|coding| coding.as_bytes().trim_ascii());
        let mut codings = codings.filter(|coding| !coding.eq_ignore_ascii_case(b"identity")).peekable();
        let is_chunked = codings.peek().is_some();
        if codings.any(|coding| !coding.eq_ignore_ascii_case(b"chunked")) {
            return Err(Failure::new(FailureKind::Unreadable, "a transfer coding that was not asked for"));
        }
        let ends_by_closing = !is_chunked && body.size_hint().exact().is_none();
        Ok(Self { head, body, ends_by_closing, _place: place })
    }

    /// The status, which is never that of an interim answer, unless it is 101.
    pub fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    /// The text of a header, if it is one.
    pub fn header(&self, name: impl TryInto<HeaderName>) -> Option<&str> {
        self.head.headers.get(name.try_into().ok()?)?.to_str().ok()
    }

    /// How many bytes of the body are still to come, where its head says so.
    pub fn length(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// Whether nothing but the end of the connection ends the body: it looks the same whole and cut off.
    pub fn ends_by_closing(&self) -> bool {
        self.ends_by_closing
    }

    /// The next piece of the body, or nothing at its end. `Broken` when it ends before its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| Failure::of_body(&error))?;
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    /// The whole body. `Broken` when it ends before its end or has more than `bytes_max`.
    pub async fn whole(&mut self, bytes_max: usize) -> Result<Bytes, Failure> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await? {
            if whole.len() + piece.len() > bytes_max {
                let message = format!("the answer is longer than {bytes_max} bytes");
                return Err(Failure::new(FailureKind::Broken, message));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}
