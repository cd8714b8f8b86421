//! How an answer is put on the wire: what the version and the method of its request, and a server that stops, ask for.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_http::ConnectionType;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, Version};
use actix_web::web::Bytes;

/// What `GET` would answer, without being made: `HEAD` is told its length (RFC 9110, 9.3.2).
struct Unsized(BodySize);

/// Makes an answer one that its client can read to the end.
pub fn fit(response: ServiceResponse<BoxBody>, is_last: bool) -> ServiceResponse<BoxBody> {
    let (method, version) = (response.request().method().clone(), response.request().version());
    let is_stream = response.response().body().size() == BodySize::Stream;
    let mut response = match method {
        Method::HEAD => response.map_body(|_, body| Unsized(body.size()).boxed()),
        _ => response,
    };
    let head = response.response_mut().head_mut();
    if is_stream && version < Version::HTTP_11 {
        // Such a client knows no chunks: the body ends with the connection (RFC 9112, 6.1 and 6.3).
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    if is_last {
        head.set_connection_type(ConnectionType::Close);
    }
    response
}

/// How much of a body is sent. One that is streamed has no length yet.
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
