//! How long a caller may stay.

use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;

/// What a caller was let in with, for those who stay longer than a request. A key or a session that can be taken back will
/// be asked here, so that whoever stays is told of both ends in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// From when on it lets nobody in.
    pub expires_at: Timestamp,
}

impl Grant {
    /// Whether it lets the caller go on.
    pub fn holds(self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// Waits until it does not.
    pub async fn ended(self, clock: &Clock) {
        clock.reaches(self.expires_at).await;
    }
}
