//! Response framing, as the request's version and method and a shutting-down server require.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_http::ConnectionType;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, Version};
use actix_web::web::Bytes;

/// The size of the `GET` response, without its body: `HEAD` reports that length (RFC 9110, 9.3.2).
struct Unsized(BodySize);

/// Adapts a response so that its client can read it to the end.
pub fn fit(response: ServiceResponse<BoxBody>, is_last: bool) -> ServiceResponse<BoxBody> {
    let (method, version) = (response.request().method().clone(), response.request().version());
    let is_stream = response.response().body().size() == BodySize::Stream;
    let mut response = match method {
        Method::HEAD => response.map_body(|_, body| Unsized(body.size()).boxed()),
        _ => response,
    };
    let head = response.response_mut().head_mut();
    if is_stream && version < Version::HTTP_11 {
        // Such a client does not support chunks: the end of the connection ends the body (RFC 9112, 6.1 and 6.3).
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    if is_last {
        head.set_connection_type(ConnectionType::Close);
    }
    response
}

/// The bytes of the body that are sent; 0 for a streamed body, whose length is unknown.
pub fn sent(response: &ServiceResponse<BoxBody>) -> u64 {
    match response.response().body().size() {
        BodySize::Sized(bytes) if response.request().method() != Method::HEAD => bytes,
        _ => 0,
    }
}

impl MessageBody for Unsized {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
