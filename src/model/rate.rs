//! How many requests somebody may make: the generic cell rate algorithm, which needs one time for each of those who ask.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::model::timestamp::Timestamp;

/// A steady rate, and how many requests may come at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The time in which one request is earned.
    interval: Duration,
    burst: u32,
}

/// A time for each of those who came lately. The one who has not come for the longest time is forgotten first, in halves of
/// the table: there are never more than [`Lately::KEYS_MAX`].
#[derive(Debug)]
pub struct Lately<K> {
    recent: HashMap<K, Timestamp>,
    before: HashMap<K, Timestamp>,
}

/// How much each of those who have asked lately has left.
#[derive(Debug)]
pub struct Table<K> {
    rate: Rate,
    full_at: Lately<K>,
}

impl Rate {
    /// So many requests a second, and up to `burst` at once; none is no limit.
    pub fn new(per_second: u32, burst: u32) -> Option<Self> {
        let interval = Duration::from_secs(1).checked_div(per_second)?;
        Some(Self { interval, burst: burst.max(1) })
    }

    /// When everything is earned again if a request is made now, or how long to wait until one may be made. `full_at` is
    /// what the request before came to.
    pub fn take(&self, full_at: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Duration> {
        let latest = now.after(self.interval * self.burst);
        // A later time can only come from a clock that was ahead: it tells nothing.
        let full_at = full_at.filter(|at| (now..=latest).contains(at)).unwrap_or(now);
        let next = full_at.after(self.interval);
        if next > latest { Err(next.since(latest)) } else { Ok(next) }
    }
}

impl<K> Default for Lately<K> {
    fn default() -> Self {
        Self { recent: HashMap::new(), before: HashMap::new() }
    }
}

impl<K: Eq + Hash> Lately<K> {
    /// The most that are remembered.
    pub const KEYS_MAX: usize = 65_536;

    /// The time that was noted last for this one, if it is remembered.
    pub fn get(&self, key: &K) -> Option<Timestamp> {
        self.recent.get(key).or_else(|| self.before.get(key)).copied()
    }

    /// Notes a time.
    pub fn note(&mut self, key: K, time: Timestamp) {
        if self.recent.len() >= Self::KEYS_MAX / 2 && !self.recent.contains_key(&key) {
            self.before = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key, time);
    }

    /// How many are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.recent.len() + self.before.len()
    }
}

impl<K: Eq + Hash> Table<K> {
    /// Nobody has asked.
    pub fn new(rate: Rate) -> Self {
        Self { rate, full_at: Lately::default() }
    }

    /// Takes one request of this one, or tells how long to wait.
    pub fn take(&mut self, key: K, now: Timestamp) -> Result<(), Duration> {
        let next = self.rate.take(self.full_at.get(&key), now)?;
        self.full_at.note(key, next);
        Ok(())
    }

    /// Takes one request back that turned out not to count.
    pub fn give_back(&mut self, key: K) {
        if let Some(full_at) = self.full_at.get(&key) {
            self.full_at.note(key, full_at.before(self.rate.interval));
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
    fn a_burst_is_taken_at_once_and_then_one_for_each_interval() {
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
    fn nobody_pays_for_another_and_no_limit_is_none() {
        let mut table = Table::new(Rate::new(1, 2).unwrap());

        assert_eq!((taken(&mut table, 1, NOW), taken(&mut table, 2, NOW)), (2, 2));
        assert_eq!(Rate::new(0, 5), None);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut table = Table::new(Rate::new(1, 3).unwrap());
        taken(&mut table, 1, NOW);

        let earlier = NOW.before(Duration::from_hours(24));

        assert_eq!(taken(&mut table, 1, earlier), 3);
    }

    #[test]
    fn what_was_given_back_can_be_taken_again() {
        let mut table = Table::new(Rate::new(1, 2).unwrap());
        taken(&mut table, 1, NOW);

        table.give_back(1);
        table.give_back(7);

        assert_eq!((taken(&mut table, 1, NOW), taken(&mut table, 7, NOW)), (1, 2));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut table = Table::new(Rate::new(1, 1).unwrap());

        for key in 0..200_000 {
            table.take(key, NOW).unwrap();
        }

        assert!(table.full_at.len() <= Lately::<u32>::KEYS_MAX);
        assert!(table.take(199_999, NOW).is_err(), "those who asked last are known");
    }
}
