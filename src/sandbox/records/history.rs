//! Bounded lists of records, which drop the oldest when they are full.

use std::collections::VecDeque;

/// Maximum number of entries.
const ENTRIES_MAX: usize = 100_000;
/// Maximum total size of the entries of one history, in bytes.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// The most recent entries, oldest first.
#[derive(Debug)]
pub struct History<T> {
    entries: VecDeque<(T, usize)>,
    bytes: usize,
    dropped: usize,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), bytes: 0, dropped: 0 }
    }
}

impl<T: Clone> History<T> {
    /// Adds an entry of this size in bytes; returns its position.
    pub fn push(&mut self, entry: T, bytes: usize) -> usize {
        self.bytes += bytes;
        self.entries.push_back((entry, bytes));
        while self.entries.len() > ENTRIES_MAX || self.bytes > BYTES_MAX {
            let Some((_, bytes)) = self.entries.pop_front() else { break };
            self.bytes -= bytes;
            self.dropped += 1;
        }
        self.dropped + self.entries.len() - 1
    }

    /// The entry at this position, unless it was dropped.
    pub fn entry_mut(&mut self, position: usize) -> Option<&mut T> {
        let index = position.checked_sub(self.dropped)?;
        self.entries.get_mut(index).map(|(entry, _)| entry)
    }

    /// All entries, oldest first.
    pub fn to_vec(&self) -> Vec<T> {
        self.entries.iter().map(|(entry, _)| entry.clone()).collect()
    }

    /// The last entries, at most `count`.
    pub fn last(&self, count: usize) -> Vec<T> {
        let first = self.entries.len().saturating_sub(count);
        self.entries.iter().skip(first).map(|(entry, _)| entry.clone()).collect()
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.dropped += self.entries.len();
        self.entries.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_history_drops_the_oldest() {
        let mut history = History::default();

        for number in 0..=ENTRIES_MAX {
            assert_eq!(history.push(number, 0), number);
        }

        assert_eq!(history.to_vec().len(), ENTRIES_MAX);
        assert_eq!(history.entry_mut(0), None);
        assert_eq!(history.entry_mut(1), Some(&mut 1));
        assert_eq!(history.last(2), [ENTRIES_MAX - 1, ENTRIES_MAX]);
    }

    #[test]
    fn large_entries_displace_the_others() {
        let mut history = History::default();

        history.push("light", 1);
        history.push("heavy", BYTES_MAX);

        assert_eq!(history.to_vec(), ["heavy"]);
    }
}
