//! Waking the workers, and stopping them.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// Wakes a worker. A wake-up that comes while it works is not lost.
#[derive(Debug, Clone, Default)]
pub struct Wake {
    notify: Arc<Notify>,
}

/// The alarm of each worker.
#[derive(Debug, Clone, Default)]
pub struct Alarms {
    /// Something was queued for LINE.
    pub deliveries: Wake,
    /// A name is to be asked for.
    pub names: Wake,
    /// A token is to be fetched.
    pub tokens: Wake,
    /// A file is to be fetched, or to be removed.
    pub medias: Wake,
    /// Events may be old enough to be removed.
    pub events: Wake,
    /// A customer is to be called.
    pub webhooks: Wake,
}

/// Tells a worker when to stop.
#[derive(Debug, Clone)]
pub struct Stop {
    stopping: watch::Receiver<bool>,
}

impl Wake {
    /// Says "look again".
    pub fn wake(&self) {
        self.notify.notify_one();
    }

    /// Waits for the next wake-up.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }
}

impl Stop {
    /// A stop that is given when the sender says `true`, or goes away.
    pub fn new(stopping: watch::Receiver<bool>) -> Self {
        Self { stopping }
    }

    /// Whether the stop was given.
    pub fn is_requested(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Waits for the stop.
    pub async fn requested(&mut self) {
        // An error means that the sender has gone, which is a stop as well.
        drop(self.stopping.wait_for(|stopping| *stopping).await);
    }
}
