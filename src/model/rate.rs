//! Rate limits by the generic cell rate algorithm, which stores one time per key.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::model::timestamp::Timestamp;

/// A steady rate, and the burst that is allowed after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The time in which one request becomes available.
    interval: Duration,
    burst: u32,
}

/// The most recent time of each key. When full, the keys of the older half are dropped, so that there are
/// never more than [`RecentTimes::KEYS_MAX`].
#[derive(Debug)]
pub struct RecentTimes<K> {
    recent: HashMap<K, Timestamp>,
    older: HashMap<K, Timestamp>,
}

/// The remaining requests of each recent key.
#[derive(Debug)]
pub struct Table<K> {
    rate: Rate,
    full_at: RecentTimes<K>,
}

impl Rate {
    /// This many requests per second, and up to `burst` at once; `None` for a rate of 0, which means no
    /// limit.
    pub fn new(per_second: u32, burst: u32) -> Option<Self> {
        let interval = Duration::from_secs(1).checked_div(per_second)?;
        Some(Self { interval, burst: burst.max(1) })
    }

    /// Takes one request: returns when the full burst is available again, or how long to wait. `full_at` is
    /// the result for the request before.
    pub fn take(&self, full_at: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Duration> {
        let latest = now.after(self.interval * self.burst);
        // A later time can only come from a clock that was ahead, so it is ignored.
        let full_at = full_at.filter(|at| (now..=latest).contains(at)).unwrap_or(now);
        let next = full_at.after(self.interval);
        if next > latest { Err(next.since(latest)) } else { Ok(next) }
    }
}

impl<K> Default for RecentTimes<K> {
    fn default() -> Self {
        Self { recent: HashMap::new(), older: HashMap::new() }
    }
}

impl<K: Eq + Hash> RecentTimes<K> {
    /// Maximum number of keys stored.
    pub const KEYS_MAX: usize = 65_536;

    /// The last time recorded for this key, if it is stored.
    pub fn get(&self, key: &K) -> Option<Timestamp> {
        self.recent.get(key).or_else(|| self.older.get(key)).copied()
    }

    /// Records a time.
    pub fn record(&mut self, key: K, time: Timestamp) {
        if self.recent.len() >= Self::KEYS_MAX / 2 && !self.recent.contains_key(&key) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key, time);
    }

    /// How many keys are stored.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.recent.len() + self.older.len()
    }
}

impl<K: Eq + Hash> Table<K> {
    /// A table without any keys.
    pub fn new(rate: Rate) -> Self {
        Self { rate, full_at: RecentTimes::default() }
    }

    /// Takes one request for this key, or returns how long to wait.
    pub fn take(&mut self, key: K, now: Timestamp) -> Result<(), Duration> {
        let next = self.rate.take(self.full_at.get(&key), now)?;
        self.full_at.record(key, next);
        Ok(())
    }

    /// Refunds one request that turned out not to count.
    pub fn refund(&mut self, key: K) {
        if let Some(full_at) = self.full_at.get(&key) {
            self.full_at.record(key, full_at.before(self.rate.interval));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);

    fn taken(table: &mut Table<u32>, key: u32, now: Timestamp) -> usize {
        (0..1_000).take_while(|_| table.take(key, now).is_ok()).count()
    }

    #[test]
    fn a_burst_is_allowed_at_once_and_then_one_request_per_interval() {
        let mut table = Table::new(Rate::new(10, 5).unwrap());

        assert_eq!(taken(&mut table, 1, NOW), 5);
        assert_eq!(table.take(1, NOW), Err(Duration::from_millis(100)));
        assert_eq!(taken(&mut table, 1, NOW.after(Duration::from_millis(99))), 0);
        assert_eq!(taken(&mut table, 1, NOW.after(Duration::from_millis(300))), 3);
        assert_eq!(
            taken(&mut table, 1, NOW.after(Duration::from_hours(1))),
            5,
            "and never more than a burst"
        );
    }

    #[test]
    fn keys_are_limited_separately_and_a_rate_of_zero_is_no_limit() {
        let mut table = Table::new(Rate::new(1, 2).unwrap());

        assert_eq!((taken(&mut table, 1, NOW), taken(&mut table, 2, NOW)), (2, 2));
        assert_eq!(Rate::new(0, 5), None);
    }

    #[test]
    fn a_clock_that_is_set_back_blocks_nobody() {
        let mut table = Table::new(Rate::new(1, 3).unwrap());
        taken(&mut table, 1, NOW);

        let earlier = NOW.before(Duration::from_hours(24));

        assert_eq!(taken(&mut table, 1, earlier), 3);
    }

    #[test]
    fn a_refunded_request_can_be_taken_again() {
        let mut table = Table::new(Rate::new(1, 2).unwrap());
        taken(&mut table, 1, NOW);

        table.refund(1);
        table.refund(7);

        assert_eq!((taken(&mut table, 1, NOW), taken(&mut table, 7, NOW)), (1, 2));
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let mut table = Table::new(Rate::new(1, 1).unwrap());

        for key in 0..200_000 {
            table.take(key, NOW).unwrap();
        }

        assert!(table.full_at.len() <= RecentTimes::<u32>::KEYS_MAX);
        assert!(table.take(199_999, NOW).is_err(), "the most recent keys are stored");
    }
}
