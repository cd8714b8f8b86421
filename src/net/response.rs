//! The final response to a request, whose body is read in chunks.

use actix_web::web::{Bytes, BytesMut};
use awc::ClientResponse;
use awc::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use futures_util::StreamExt;
use tokio::sync::OwnedSemaphorePermit;

use crate::net::failure::{FailureKind, RequestFailure};
use crate::net::framing;

/// A response. Its permit for the connection is released when it is dropped.
pub struct Response {
    response: ClientResponse,
    _permit: OwnedSemaphorePermit,
}

impl Response {
    pub(super) fn new(response: ClientResponse, permit: OwnedSemaphorePermit) -> Self {
        Self { response, _permit: permit }
    }

    /// The status, which is never that of an interim response, except 101.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The value of a header if it is text. `framing` lists the headers that are forwarded.
    pub fn header(&self, name: impl TryInto<HeaderName>) -> Option<&str> {
        let name = name.try_into().ok()?;
        debug_assert!(
            name == CONTENT_LENGTH || framing::is_forwarded(name.as_str()),
            "{name} is not forwarded"
        );
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The length of the body, if the head has it.
    pub fn length(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH)?.parse().ok()
    }

    /// Whether only the end of the connection delimits the body, so that a truncated one looks complete.
    pub fn ends_by_closing(&self) -> bool {
        let headers = self.response.headers();
        !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING)
    }

    /// Whether the body has a content encoding, although none is ever requested.
    fn has_content_encoding(&self) -> bool {
        let mut codings = self.response.headers().get_all(CONTENT_ENCODING);
        codings.any(|coding| !matches!(coding.as_bytes(), b"" | b"identity"))
    }

    /// The next chunk of the body; `None` at its end. Fails with `Broken` if the body is truncated, and with
    /// `Unreadable` if it has a content encoding.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RequestFailure> {
        if self.has_content_encoding() {
            let message = "the response has a content encoding that was not requested";
            return Err(RequestFailure::new(FailureKind::Unreadable, message));
        }
        self.response.next().await.transpose().map_err(|error| RequestFailure::from_body_error(&error))
    }

    /// The whole body. Fails with `Broken` if it is truncated or longer than `bytes_max`, and with
    /// `Unreadable` if it has a content encoding.
    pub async fn read_all(&mut self, bytes_max: usize) -> Result<Bytes, RequestFailure> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.next().await? {
            if body.len() + chunk.len() > bytes_max {
                let message = format!("the response is longer than {bytes_max} bytes");
                return Err(RequestFailure::new(FailureKind::Broken, message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}
