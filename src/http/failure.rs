//! Why there is no answer, or no whole one.

use std::error::Error;

use crate::http::connector::{Late, Refused};

/// What went wrong, with words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
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

impl Failure {
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

    pub(super) fn of_exchange(error: &hyper_util::client::legacy::Error) -> Self {
        let kind = match find::<hyper::Error>(error) {
            _ if find::<Refused>(error).is_some() => FailureKind::Refused,
            _ if find::<Late>(error).is_some() => FailureKind::ConnectedLate,
            _ if error.is_connect() => FailureKind::Unconnected,
            Some(error) if error.is_parse() => FailureKind::Unreadable,
            // A kept connection that the other side closed while we wrote: the request may have been read before.
            _ => FailureKind::Broken,
        };
        Self::new(kind, chain(error))
    }

    pub(super) fn of_body(error: &(dyn Error + 'static)) -> Self {
        Self::new(FailureKind::Broken, format!("half an answer: {}", chain(error)))
    }
}

/// The cause of this kind.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
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

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl Error for Failure {}
