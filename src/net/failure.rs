//! The reason why a request has no response, or no complete one.

use std::error::Error;
use std::io::ErrorKind::InvalidData;

use actix_http::error::ParseError;
use actix_web::error::PayloadError;
use awc::error::{ConnectError, SendRequestError};

use crate::net::connector::RefusedAddress;
use crate::net::framed_stream::StaleConnection;

/// A failed request, with a message for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFailure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// Details.
    pub message: String,
}

/// The kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The URL or the request is invalid.
    Address,
    /// Every address of the name is refused by the filter.
    Refused,
    /// No connection could be opened.
    ConnectFailed,
    /// Connecting timed out.
    ConnectTimeout,
    /// The response timed out.
    Timeout,
    /// The connection broke before the response was complete.
    Broken,
    /// The response is not valid HTTP.
    Unreadable,
}

impl RequestFailure {
    /// A failure of this kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Whether no byte of the request can have been received.
    pub fn is_unsent(&self) -> bool {
        use FailureKind::{Address, ConnectFailed, ConnectTimeout, Refused};
        matches!(self.kind, Address | Refused | ConnectFailed | ConnectTimeout)
    }

    /// Whether it is a timeout.
    pub fn timed_out(&self) -> bool {
        matches!(self.kind, FailureKind::ConnectTimeout | FailureKind::Timeout)
    }

    pub(super) fn from_send_error(error: &SendRequestError) -> Self {
        let kind = match error {
            SendRequestError::Url(_) | SendRequestError::Http(_) => FailureKind::Address,
            SendRequestError::Connect(ConnectError::Resolver(cause)) if cause.is::<RefusedAddress>() => {
                FailureKind::Refused
            }
            SendRequestError::Connect(ConnectError::Timeout) => FailureKind::ConnectTimeout,
            // A reused connection that the other side closed while we wrote: the request may already have
            // been read.
            SendRequestError::Connect(ConnectError::Disconnected) => FailureKind::Broken,
            SendRequestError::Connect(_) => FailureKind::ConnectFailed,
            SendRequestError::Response(ParseError::Io(error)) if error.kind() != InvalidData => {
                FailureKind::Broken
            }
            SendRequestError::Response(_) => FailureKind::Unreadable,
            _ => FailureKind::Broken,
        };
        Self::new(kind, chain(error))
    }

    pub(super) fn from_body_error(error: &PayloadError) -> Self {
        Self::new(FailureKind::Broken, format!("truncated response: {}", chain(error)))
    }
}

/// Whether the request was sent on a reused connection that ended without a byte of a response.
pub(super) fn is_stale(error: &SendRequestError) -> bool {
    let (SendRequestError::Send(error) | SendRequestError::Response(ParseError::Io(error))) = error else {
        return false;
    };
    error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<StaleConnection>)
}

/// The messages of the error and its causes. Some libraries repeat the message of the cause, which is then
/// left out.
fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).fold(String::new(), |text, message| {
        if text.is_empty() {
            message
        } else if text.ends_with(&message) {
            text
        } else {
            format!("{text}: {message}")
        }
    })
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

impl std::fmt::Display for RequestFailure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl Error for RequestFailure {}
