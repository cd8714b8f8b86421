//! Waking the workers, and stopping them.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// Wakes a worker. A wake-up that comes while it works is not lost.
#[derive(Debug, Clone, Default)]
pub struct Waker {
    notify: Arc<Notify>,
}

/// The alarm of each worker.
#[derive(Debug, Clone, Default)]
pub struct Wakers {
    /// Something was queued for LINE.
    pub deliveries: Waker,
    /// A name is to be asked for.
    pub names: Waker,
    /// A token is to be fetched.
    pub tokens: Waker,
    /// A file is to be fetched, or to be removed.
    pub medias: Waker,
    /// Events may be old enough to be removed.
    pub events: Waker,
    /// A customer is to be called.
    pub webhooks: Waker,
}

/// The end of something, which everybody who works for it is told of.
#[derive(Debug, Default)]
pub struct End {
    stopping: watch::Sender<bool>,
}

/// Tells a worker when to stop.
#[derive(Debug, Clone)]
pub struct Stop {
    stopping: watch::Receiver<bool>,
}

impl Waker {
    /// Says "look again".
    pub fn wake(&self) {
        self.notify.notify_one();
    }

    /// Waits for the next wake-up.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }
}

impl Wakers {
    /// Says "look again" to all of them.
    pub fn wake_all(&self) {
        let Self { deliveries, names, tokens, medias, events, webhooks } = self;
        for waker in [deliveries, names, tokens, medias, events, webhooks] {
            waker.wake();
        }
    }
}

impl End {
    /// Tells everybody to stop, also those who ask later.
    pub fn begin(&self) {
        self.stopping.send_replace(true);
    }

    /// Who holds this is told; that this was dropped is an end too.
    pub fn stop(&self) -> Stop {
        Stop { stopping: self.stopping.subscribe() }
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        *self.stopping.borrow()
    }
}

impl Stop {
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
