//! Limits on open live feeds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::section::LimitSettings;
use crate::error::{Error, Result};
use crate::model::id::CustomerId;

/// When a caller with too many open feeds should try again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The open feeds of a server.
#[derive(Debug)]
pub struct Feeds {
    open: Arc<Mutex<OpenFeeds>>,
    all_max: usize,
    customer_max: usize,
}

/// How many feeds are open, per customer and in total.
#[derive(Debug, Default)]
struct OpenFeeds {
    by_customer: HashMap<CustomerId, usize>,
    all: usize,
}

/// The permit of one open feed; dropping it releases the permit.
#[derive(Debug)]
pub struct FeedPermit {
    open: Arc<Mutex<OpenFeeds>>,
    customer: CustomerId,
}

impl Feeds {
    /// No open feeds, with these limits.
    pub fn new(limits: &LimitSettings) -> Self {
        let (all_max, customer_max) = (limits.feeds, limits.customer_feeds);
        Self { open: Arc::default(), all_max, customer_max }
    }

    /// Takes a permit for a feed of this customer.
    ///
    /// Fails with `TooMany` at the customer's limit, and with `Unavailable` at the server's.
    pub fn acquire(&self, customer: CustomerId) -> Result<FeedPermit> {
        let mut open = lock(&self.open);
        let count = open.by_customer.get(&customer).copied().unwrap_or(0);
        if count >= self.customer_max {
            let message = format!("{count} live feeds are already open; close one or try again later");
            return Err(Error::TooMany { message, wait: RETRY_AFTER });
        }
        if open.all >= self.all_max {
            return Err(Error::Unavailable("too many live feeds are open".to_owned()));
        }
        open.by_customer.insert(customer, count + 1);
        open.all += 1;
        Ok(FeedPermit { open: Arc::clone(&self.open), customer })
    }

    /// How many feeds are open.
    pub fn count(&self) -> usize {
        lock(&self.open).all
    }
}

impl Drop for FeedPermit {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        open.all -= 1;
        let count = open.by_customer.entry(self.customer).or_default();
        *count -= 1;
        if *count == 0 {
            open.by_customer.remove(&self.customer);
        }
    }
}

/// A panic elsewhere leaves the counts consistent: nothing in between can fail.
fn lock(open: &Mutex<OpenFeeds>) -> MutexGuard<'_, OpenFeeds> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;

    const NOW: Timestamp = Timestamp::from_microseconds(1_655_445_974_446_158);

    #[test]
    fn feeds_are_limited_per_customer_and_in_total_and_permits_are_released() {
        let feeds = Feeds::new(&LimitSettings { feeds: 3, customer_feeds: 2, ..LimitSettings::default() });
        let (one, other) = (CustomerId::new(NOW), CustomerId::new(NOW));

        let (first, _second) = (feeds.acquire(one).unwrap(), feeds.acquire(one).unwrap());
        assert!(matches!(feeds.acquire(one), Err(Error::TooMany { .. })));
        let _third = feeds.acquire(other).unwrap();
        assert!(matches!(feeds.acquire(other), Err(Error::Unavailable(_))), "the server is full");
        drop(first);

        assert_eq!(feeds.count(), 2);
        assert!(feeds.acquire(one).is_ok());
        assert_eq!(feeds.count(), 2, "a permit that was not held is released");
    }
}
