//! The clock that a running server goes by, which a test may set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::model::timestamp::Timestamp;

/// The longest time for which the machine's clock is not looked at: somebody may set it.
const LOOK_PAUSE: Duration = Duration::from_secs(5);

/// The machine's clock and a correction that all copies share: zero, but in a test that turns the hands.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    correction_microseconds: Arc<AtomicI64>,
    turned: Arc<Notify>,
}

impl Clock {
    /// What this clock shows.
    pub fn now(&self) -> Timestamp {
        let correction = self.correction_microseconds.load(Ordering::Relaxed);
        Timestamp::from_microseconds(Timestamp::now().as_microseconds().saturating_add(correction))
    }

    /// Waits until this clock shows that time, however it comes to it.
    pub async fn reaches(&self, time: Timestamp) {
        loop {
            let mut turned = std::pin::pin!(self.turned.notified());
            turned.as_mut().enable();
            let now = self.now();
            if now >= time {
                return;
            }
            // Either way the clock is looked at again.
            drop(timeout(time.since(now).min(LOOK_PAUSE), turned).await);
        }
    }

    /// Turns the hands forward by this much, for every copy.
    pub fn advance(&self, duration: Duration) {
        self.shift(microseconds(duration));
    }

    /// Turns the hands back by this much, for every copy.
    pub fn set_back(&self, duration: Duration) {
        self.shift(-microseconds(duration));
    }

    fn shift(&self, microseconds: i64) {
        self.correction_microseconds.fetch_add(microseconds, Ordering::Relaxed);
        self.turned.notify_waiters();
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
