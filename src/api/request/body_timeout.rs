//! A timeout for request bodies: the framework has one for heads only, and a slowly dripping body would hold
//! its connection forever.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::web::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

/// The timeout of uploads, which are large.
pub const UPLOAD: Duration = Duration::from_mins(10);

/// A request body that fails when it has not arrived in time.
struct TimedBody {
    payload: Payload,
    deadline: Pin<Box<Sleep>>,
}

/// Makes the body of this request fail unless it arrives within `limit` from now.
pub fn limit(request: &mut ServiceRequest, limit: Duration) {
    if !has_body(request) {
        return;
    }
    let deadline = Box::pin(sleep_until(Instant::now() + limit));
    let payload = request.take_payload();
    request.set_payload(Payload::Stream { payload: Box::pin(TimedBody { payload, deadline }) });
}

/// Whether a body failed because of its timeout.
pub fn is_late(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut)
}

fn has_body(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

impl Stream for TimedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(PayloadError::Io(std::io::ErrorKind::TimedOut.into()))));
        }
        Pin::new(&mut self.payload).poll_next(context)
    }
}
