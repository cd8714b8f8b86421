//! How far a connection has come with its requests: a server that stops ends none on which a request is under way.

use std::cell::Cell;
use std::rc::Rc;

/// The progress of one connection, which both ends of the HTTP parser note: below it what arrived, above it what was
/// answered.
#[derive(Debug, Clone, Default)]
pub struct ConnectionProgress {
    is_in_flight: Rc<Cell<bool>>,
}

impl ConnectionProgress {
    /// Something arrived: the beginning of a request, or more of it.
    pub fn received(&self) {
        self.is_in_flight.set(true);
    }

    /// The request has its answer.
    pub fn answered(&self) {
        self.is_in_flight.set(false);
    }

    /// Whether a request, or a part of one, has no answer yet.
    pub fn is_in_flight(&self) -> bool {
        self.is_in_flight.get()
    }
}
