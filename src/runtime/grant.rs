//! How long a caller is authorized.

use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;

/// The authorization of a caller that outlives a request. Once keys or sessions can be revoked, this is where
/// that will be checked too, so that there is one place for both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// When it expires.
    pub expires_at: Timestamp,
}

impl Grant {
    /// Whether it is still valid.
    pub fn holds(self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// Waits until it has ended.
    pub async fn ended(self, clock: &Clock) {
        clock.wait_until(self.expires_at).await;
    }
}
