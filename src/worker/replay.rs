//! Reading the journal again after an upgrade, while no server runs.

use crate::error::Result;
use crate::line::webhook;
use crate::model::progress::{self, Unit};
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::replays::{self, Replayed};

/// Events in one transaction.
const PAGE: usize = 100;

/// How many events there were of each outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Applied by this replay.
    pub applied: u64,
    /// Not understood by this version either.
    pub unread: u64,
    /// Could not be applied.
    pub failed: u64,
}

/// Applies what was received since then and was not understood or not applied, in the order of its arrival. Whatever ends
/// it, it can be begun again: an event that was applied is not applied twice.
pub fn replay(store: &Store, since: Timestamp, now: Timestamp) -> Result<Tally> {
    let reader = store.reader()?;
    let (mut tally, mut after) = (Tally::default(), 0);
    progress::begin("applying events", Unit::Pieces, None);
    loop {
        let waiting = reader.read(|connection| replays::waiting(connection, since, after, PAGE))?;
        let Some(last) = waiting.last() else { return Ok(tally) };
        after = last.key;
        let outcomes = store.write_blocking(now, move |tx| {
            let events = waiting.iter().map(|waiting| (waiting, webhook::parse_event(&waiting.body)));
            events.map(|(waiting, event)| replays::replay(tx, waiting, &event)).collect::<Result<Vec<_>>>()
        })?;
        progress::advance(u64::try_from(outcomes.len()).unwrap_or(0));
        for outcome in outcomes {
            tally.count(outcome);
        }
    }
}

impl Tally {
    fn count(&mut self, outcome: Replayed) {
        match outcome {
            Replayed::Applied => self.applied += 1,
            Replayed::AppliedBefore => {}
            Replayed::Unread => self.unread += 1,
            Replayed::Failed => self.failed += 1,
        }
    }
}
