//! The clock of a running server, which tests can set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::model::timestamp::Timestamp;

/// How often the system clock is checked while waiting, since it may be set.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The system clock and a correction that all clones share; it is zero except in tests.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    correction_microseconds: Arc<AtomicI64>,
    changed: Arc<Notify>,
}

impl Clock {
    /// The current time of this clock.
    pub fn now(&self) -> Timestamp {
        let correction = self.correction_microseconds.load(Ordering::Relaxed);
        Timestamp::from_microseconds(Timestamp::now().as_microseconds().saturating_add(correction))
    }

    /// Waits until this clock reaches that time, even if it is set.
    pub async fn wait_until(&self, time: Timestamp) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let now = self.now();
            if now >= time {
                return;
            }
            // In either case the clock is checked again.
            drop(timeout(time.since(now).min(CHECK_INTERVAL), changed).await);
        }
    }

    /// Sets the clock forward by this much, for every clone.
    pub fn advance(&self, duration: Duration) {
        self.shift(microseconds(duration));
    }

    /// Sets the clock back by this much, for every clone.
    pub fn set_back(&self, duration: Duration) {
        self.shift(-microseconds(duration));
    }

    fn shift(&self, microseconds: i64) {
        self.correction_microseconds.fetch_add(microseconds, Ordering::Relaxed);
        self.changed.notify_waiters();
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
