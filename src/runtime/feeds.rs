//! How many live feeds are open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::section::LimitSettings;
use crate::error::{Error, Result};
use crate::model::id::CustomerId;

/// A caller with too many open feeds tries again after this long.
const PAUSE: Duration = Duration::from_secs(10);

/// The open feeds of a server.
#[derive(Debug)]
pub struct Feeds {
    open: Arc<Mutex<OpenFeeds>>,
    all_max: usize,
    customer_max: usize,
}

/// How many are open, of each customer and in all.
#[derive(Debug, Default)]
struct OpenFeeds {
    of_customers: HashMap<CustomerId, usize>,
    all: usize,
}

/// One open feed. Dropping it makes room for another.
#[derive(Debug)]
pub struct FeedPermit {
    open: Arc<Mutex<OpenFeeds>>,
    customer: CustomerId,
}

impl Feeds {
    /// No feed is open, and so many may be.
    pub fn new(limits: &LimitSettings) -> Self {
        let (all_max, customer_max) = (limits.feeds, limits.customer_feeds);
        Self { open: Arc::default(), all_max, customer_max }
    }

    /// Takes a place for a feed of this customer.
    ///
    /// `TooMany` when the customer has as many as one may have, `Unavailable` when the server has.
    pub fn enter(&self, customer: CustomerId) -> Result<FeedPermit> {
        let mut open = lock(&self.open);
        let own = open.of_customers.get(&customer).copied().unwrap_or(0);
        if own >= self.customer_max {
            let message = format!("{own} live feeds are open already; close one or come back later");
            return Err(Error::TooMany { message, wait: PAUSE });
        }
        if open.all >= self.all_max {
            return Err(Error::Unavailable("too many live feeds are open".to_owned()));
        }
        open.of_customers.insert(customer, own + 1);
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
        let own = open.of_customers.entry(self.customer).or_default();
        *own -= 1;
        if *own == 0 {
            open.of_customers.remove(&self.customer);
        }
    }
}

/// A panic elsewhere leaves the numbers whole: nothing in between can fail.
fn lock(open: &Mutex<OpenFeeds>) -> MutexGuard<'_, OpenFeeds> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;

    const NOW: Timestamp = Timestamp::from_microseconds(1_655_445_974_446_158);

    #[test]
    fn a_customer_and_the_server_have_only_so_many_feeds_and_places_come_back() {
        let feeds = Feeds::new(&LimitSettings { feeds: 3, customer_feeds: 2, ..LimitSettings::default() });
        let (one, other) = (CustomerId::new(NOW), CustomerId::new(NOW));

        let (first, _second) = (feeds.enter(one).unwrap(), feeds.enter(one).unwrap());
        assert!(matches!(feeds.enter(one), Err(Error::TooMany { .. })));
        let _third = feeds.enter(other).unwrap();
        assert!(matches!(feeds.enter(other), Err(Error::Unavailable(_))), "the server is full");
        drop(first);

        assert_eq!(feeds.count(), 2);
        assert!(feeds.enter(one).is_ok());
        assert_eq!(feeds.count(), 2, "a place that was not kept is free");
    }
}
