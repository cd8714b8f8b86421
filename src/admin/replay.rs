//! Reading the journal again after an upgrade, page by page: whoever asks for the pages may end between any two of them.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::line::webhook;
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::chats::replays::{self, Replayed};

/// Events in one transaction.
const PAGE: usize = 100;

/// How many events there were of each outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Applied by this replay.
    pub applied: u64,
    /// Not understood by this version either.
    pub unread: u64,
    /// Could not be applied.
    pub failed: u64,
}

/// What became of one page.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReplayPage {
    /// The outcomes.
    pub tally: Tally,
    /// How many events were looked at.
    pub events: u64,
    /// Behind which event the next page begins; nothing after the last one.
    pub next: Option<i64>,
}

/// Applies what was received since then behind this event and was not understood or not applied, in the order of its arrival.
/// Whatever ends it, it can be begun again: an event that was applied is not applied twice.
pub fn page(store: &Store, since: Timestamp, after: i64, now: Timestamp) -> Result<ReplayPage> {
    let waiting = store.reader()?.read(|connection| replays::waiting(connection, since, after, PAGE))?;
    let Some(last) = waiting.last() else { return Ok(ReplayPage::default()) };
    let mut page = ReplayPage { next: Some(last.key), ..ReplayPage::default() };
    let outcomes = store.write_blocking(now, move |tx| {
        let events = waiting.iter().map(|waiting| (waiting, webhook::event::parse_event(&waiting.body)));
        events.map(|(waiting, event)| replays::replay(tx, waiting, &event)).collect::<Result<Vec<_>>>()
    })?;
    for outcome in outcomes {
        page.events += 1;
        page.tally.count(outcome);
    }
    Ok(page)
}

impl Tally {
    /// Adds others.
    pub fn add(&mut self, others: Self) {
        self.applied += others.applied;
        self.unread += others.unread;
        self.failed += others.failed;
    }

    fn count(&mut self, outcome: Replayed) {
        match outcome {
            Replayed::Applied => self.applied += 1,
            Replayed::AppliedBefore => {}
            Replayed::Unread => self.unread += 1,
            Replayed::Failed => self.failed += 1,
        }
    }
}
