//! Whether a connection has a request in flight: a shutting-down server closes only the others.

use std::cell::Cell;
use std::rc::Rc;

/// The progress of one connection, noted on both sides of the HTTP parser: bytes received below it, responses
/// above it.
#[derive(Debug, Clone, Default)]
pub struct ConnectionProgress {
    is_in_flight: Rc<Cell<bool>>,
}

impl ConnectionProgress {
    /// Notes received bytes: the start of a request, or more of it.
    pub fn received(&self) {
        self.is_in_flight.set(true);
    }

    /// Notes that the request has its response.
    pub fn answered(&self) {
        self.is_in_flight.set(false);
    }

    /// Whether a complete or partial request awaits its response.
    pub fn is_in_flight(&self) -> bool {
        self.is_in_flight.get()
    }
}
