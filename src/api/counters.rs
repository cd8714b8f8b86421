//! What happened since the start, for the operator.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// The counters of a server.
#[derive(Debug, Default, Serialize)]
pub struct Counters {
    /// Webhooks without LINE's signature.
    pub webhooks_refused: Counter,
    /// Events that were stored.
    pub events_stored: Counter,
    /// Events that had been stored before.
    pub events_duplicate: Counter,
    /// Stored events that this version does not understand.
    pub events_unread: Counter,
    /// Requests that ended in a panic.
    pub panics: Counter,
}

impl Counter {
    /// Counts this many more.
    pub fn add(&self, count: usize) {
        self.0.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Serialize for Counter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.load(Ordering::Relaxed))
    }
}
