//! Why there is no answer, or no whole one.

use std::error::Error;
use std::io::ErrorKind::InvalidData;

use actix_http::error::ParseError;
use actix_web::error::PayloadError;
use awc::error::{ConnectError, SendRequestError};

use crate::net::answers::Unheard;
use crate::net::connector::RefusedAddress;

/// What went wrong, with words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFailure {
    /// What it was.
    pub kind: FailureKind,
    /// More about it.
    pub message: String,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// This is no web address, or no request.
    Address,
    /// No address of the name may be connected to.
    Refused,
    /// There was no connection.
    Unconnected,
    /// There was no connection in time.
    ConnectedLate,
    /// There was no answer in time.
    Late,
    /// The connection broke before the answer was whole.
    Broken,
    /// What came is not HTTP.
    Unreadable,
}

impl RequestFailure {
    /// A failure of this kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Whether no byte of the request can have arrived.
    pub fn is_unsent(&self) -> bool {
        use FailureKind::{Address, ConnectedLate, Refused, Unconnected};
        matches!(self.kind, Address | Refused | Unconnected | ConnectedLate)
    }

    /// Whether time ran out.
    pub fn timed_out(&self) -> bool {
        matches!(self.kind, FailureKind::ConnectedLate | FailureKind::Late)
    }

    pub(super) fn of_send_error(error: &SendRequestError) -> Self {
        let kind = match error {
            SendRequestError::Url(_) | SendRequestError::Http(_) => FailureKind::Address,
            SendRequestError::Connect(ConnectError::Resolver(cause)) if cause.is::<RefusedAddress>() => {
                FailureKind::Refused
            }
            SendRequestError::Connect(ConnectError::Timeout) => FailureKind::ConnectedLate,
            // A kept connection that the other side closed while we wrote: the request may have been read before.
            SendRequestError::Connect(ConnectError::Disconnected) => FailureKind::Broken,
            SendRequestError::Connect(_) => FailureKind::Unconnected,
            SendRequestError::Response(ParseError::Io(error)) if error.kind() != InvalidData => {
                FailureKind::Broken
            }
            SendRequestError::Response(_) => FailureKind::Unreadable,
            _ => FailureKind::Broken,
        };
        Self::new(kind, chain(error))
    }

    pub(super) fn of_body(error: &PayloadError) -> Self {
        Self::new(FailureKind::Broken, format!("half an answer: {}", chain(error)))
    }
}

/// Whether the request was sent on a kept connection that ended without a byte of an answer.
pub(super) fn is_unheard(error: &SendRequestError) -> bool {
    let (SendRequestError::Send(error) | SendRequestError::Response(ParseError::Io(error))) = error else {
        return false;
    };
    error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Unheard>)
}

/// The words of all causes. Each is said once, though some libraries repeat those of what is beneath.
fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).fold(String::new(), |text, words| {
        if text.is_empty() {
            words
        } else if text.ends_with(&words) {
            text
        } else {
            format!("{text}: {words}")
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
