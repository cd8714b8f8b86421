//! Telling those who read a customer's events that there are new ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

/// Those who listen, by the private key of the customer: a commit wakes nobody for whom it has nothing. What they are told
/// is only to look: the truth is in the rows.
#[derive(Debug, Clone, Default)]
pub struct Listeners {
    of_customers: Arc<Mutex<HashMap<i64, watch::Sender<()>>>>,
    webhooks: Arc<Notify>,
}

/// One who listens. Dropping it ends that.
#[derive(Debug)]
pub struct EventListener {
    listeners: Listeners,
    customer: i64,
    told: watch::Receiver<()>,
}

impl Listeners {
    /// Begins to listen: what is committed from now on is told, so that a read after this misses nothing.
    pub fn listen(&self, customer: i64) -> EventListener {
        let told = self.lock().entry(customer).or_default().subscribe();
        EventListener { listeners: self.clone(), customer, told }
    }

    /// Says that there may be new events of these customers.
    pub fn notify(&self, customers: impl IntoIterator<Item = i64>) {
        let of_customers = self.lock();
        for sender in customers.into_iter().filter_map(|customer| of_customers.get(&customer)) {
            sender.send_replace(());
        }
    }

    /// Says that customers are to be called.
    pub fn notify_webhooks(&self) {
        self.webhooks.notify_one();
    }

    /// Notified when webhooks were enqueued. A notification that nobody waits for is kept.
    pub fn webhooks(&self) -> Arc<Notify> {
        Arc::clone(&self.webhooks)
    }

    /// A panic elsewhere leaves the map whole: each change of it is one call.
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, watch::Sender<()>>> {
        self.of_customers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventListener {
    /// Waits until there may be something new. What was told since the last time is not lost.
    pub async fn notified(&mut self) {
        // The sender stays for as long as anybody listens.
        drop(self.told.changed().await);
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
    fn only_those_are_told_who_listen_to_the_customer() {
        let listeners = Listeners::default();
        let (mut first, mut second) = (listeners.listen(1), listeners.listen(2));

        listeners.notify([1, 1, 3]);

        assert_eq!(first.notified().now_or_never(), Some(()));
        assert_eq!(first.notified().now_or_never(), None, "once");
        assert_eq!(second.notified().now_or_never(), None);
    }

    #[test]
    fn nothing_is_kept_of_a_customer_to_whom_nobody_listens() {
        let listeners = Listeners::default();
        let (first, second) = (listeners.listen(1), listeners.listen(1));

        drop(first);
        assert_eq!(listeners.lock().len(), 1);
        drop(second);

        assert_eq!(listeners.lock().len(), 0);
    }
}
