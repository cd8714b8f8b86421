//! Notification of feeds and webhooks about committed events.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

/// Listeners by the private key of their customer, so that a commit wakes only those whose customer has new events. A
/// notification carries nothing; listeners read the rows.
#[derive(Debug, Clone, Default)]
pub struct Listeners {
    of_customers: Arc<Mutex<HashMap<i64, watch::Sender<()>>>>,
    webhooks: Arc<Notify>,
}

/// A listener of one customer's events. It is removed when it is dropped.
#[derive(Debug)]
pub struct EventListener {
    listeners: Listeners,
    customer: i64,
    changes: watch::Receiver<()>,
}

impl Listeners {
    /// Adds a listener. It is notified of every commit from now on, so a read after this misses nothing.
    pub fn listen(&self, customer: i64) -> EventListener {
        let changes = self.lock().entry(customer).or_default().subscribe();
        EventListener { listeners: self.clone(), customer, changes }
    }

    /// Notifies the listeners of these customers.
    pub fn notify(&self, customers: impl IntoIterator<Item = i64>) {
        let of_customers = self.lock();
        for sender in customers.into_iter().filter_map(|customer| of_customers.get(&customer)) {
            sender.send_replace(());
        }
    }

    /// Notifies the webhook worker that there are deliveries.
    pub fn notify_webhooks(&self) {
        self.webhooks.notify_one();
    }

    /// Notified when webhooks were enqueued. A notification that nobody waits for is kept.
    pub fn webhooks(&self) -> Arc<Notify> {
        Arc::clone(&self.webhooks)
    }

    /// A poisoned lock is usable: each change of the map is a single call.
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, watch::Sender<()>>> {
        self.of_customers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventListener {
    /// Waits until there may be new events. A notification since the last call is not lost.
    pub async fn notified(&mut self) {
        // The sender exists as long as there are listeners.
        drop(self.changes.changed().await);
    }
}

impl Drop for EventListener {
    fn drop(&mut self) {
        let mut of_customers = self.listeners.lock();
        let is_last = of_customers.get(&self.customer).is_some_and(|sender| sender.receiver_count() == 1);
        if is_last {
            of_customers.remove(&self.customer);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn only_listeners_of_the_customer_are_notified() {
        let listeners = Listeners::default();
        let (mut first, mut second) = (listeners.listen(1), listeners.listen(2));

        listeners.notify([1, 1, 3]);

        assert_eq!(first.notified().now_or_never(), Some(()));
        assert_eq!(first.notified().now_or_never(), None, "once");
        assert_eq!(second.notified().now_or_never(), None);
    }

    #[test]
    fn nothing_is_stored_for_a_customer_without_listeners() {
        let listeners = Listeners::default();
        let (first, second) = (listeners.listen(1), listeners.listen(1));

        drop(first);
        assert_eq!(listeners.lock().len(), 1);
        drop(second);

        assert_eq!(listeners.lock().len(), 0);
    }
}
