//! Wakes and stops the workers.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// Wakes a worker. A wake-up while it works is not lost.
#[derive(Debug, Clone, Default)]
pub struct Waker {
    notify: Arc<Notify>,
}

/// The waker of each worker.
#[derive(Debug, Clone, Default)]
pub struct Wakers {
    /// A message was queued for LINE.
    pub deliveries: Waker,
    /// A name is to be fetched.
    pub names: Waker,
    /// A token is to be fetched.
    pub tokens: Waker,
    /// A file is to be fetched or removed.
    pub medias: Waker,
    /// Events may be old enough to be removed.
    pub events: Waker,
    /// A webhook is to be delivered to a customer.
    pub webhooks: Waker,
}

/// The end of something, of which everything that depends on it is notified.
#[derive(Debug, Default)]
pub struct End {
    stopping: watch::Sender<bool>,
}

/// Notifies a worker of the stop.
#[derive(Debug, Clone)]
pub struct Stop {
    stopping: watch::Receiver<bool>,
}

impl Waker {
    /// Wakes the worker, which then looks for work again.
    pub fn wake(&self) {
        self.notify.notify_one();
    }

    /// Waits for the next wake-up.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }
}

impl Wakers {
    /// Wakers, of which the one for webhooks also wakes when this is notified.
    pub fn new(webhooks: Arc<Notify>) -> Self {
        Self { webhooks: Waker { notify: webhooks }, ..Self::default() }
    }

    /// Wakes all workers.
    pub fn wake_all(&self) {
        let Self { deliveries, names, tokens, medias, events, webhooks } = self;
        for waker in [deliveries, names, tokens, medias, events, webhooks] {
            waker.wake();
        }
    }
}

impl End {
    /// Requests the stop, also of receivers created later.
    pub fn begin(&self) {
        self.stopping.send_replace(true);
    }

    /// A receiver of the stop; dropping this requests it as well.
    pub fn stop(&self) -> Stop {
        Stop { stopping: self.stopping.subscribe() }
    }

    /// Whether the stop was requested.
    pub fn has_begun(&self) -> bool {
        *self.stopping.borrow()
    }
}

impl Stop {
    /// Whether the stop was requested.
    pub fn is_requested(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Waits for the stop.
    pub async fn requested(&mut self) {
        // An error means that the sender was dropped, which is a stop as well.
        drop(self.stopping.wait_for(|stopping| *stopping).await);
    }
}
