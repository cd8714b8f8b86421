//! Replays the journal after an upgrade, page by page. The command that requests the pages can be stopped
//! between any two of them.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::line::webhook;
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::chats::replays::{self, Replayed};

/// Events per transaction.
const PAGE: usize = 100;

/// The number of events per outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Applied by this replay.
    pub applied: u64,
    /// Not understood by this version either.
    pub unread: u64,
    /// Could not be applied.
    pub failed: u64,
}

/// The result of one page.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReplayPage {
    /// The outcomes.
    pub tally: Tally,
    /// The number of events examined.
    pub events: u64,
    /// The event after which the next page starts; `None` after the last page.
    pub next: Option<i64>,
}

/// Applies a page of the events after this one that were received since then and not understood or not applied,
/// in order of arrival. Safe to repeat after an interruption: an applied event is not applied twice.
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
    /// Adds the numbers of another tally.
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
