//! Counters since the start, for the operator.

use serde::Serialize;

use crate::metrics::Counter;

/// The counters of a server.
#[derive(Debug, Default, Serialize)]
pub struct Counters {
    /// Webhooks without a valid signature of LINE's.
    pub webhooks_refused: Counter,
    /// Events that were stored.
    pub events_stored: Counter,
    /// Duplicates of stored events.
    pub events_duplicate: Counter,
    /// Stored events that this version does not understand.
    pub events_unread: Counter,
    /// Requests that ended in a panic.
    pub panics: Counter,
}
