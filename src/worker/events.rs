//! Removing events that are older than anybody was promised.

use std::rc::Rc;
use std::time::Duration;

use crate::error::Result;
use crate::model::clock::Clock;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::wakers::{Stop, Waker};
use crate::store::reader::Reader;
use crate::store::{Store, events};
use crate::worker::rounds;

/// The worker that removes old events, a few in each step, so that nobody else waits for long.
#[derive(Clone)]
pub struct EventWorker {
    store: Store,
    reader: Rc<Reader>,
    retention: Duration,
}

impl EventWorker {
    /// A worker that keeps events for this long.
    pub fn new(store: Store, retention: Duration) -> Result<Self> {
        let reader = Rc::new(store.reader()?);
        Ok(Self { store, reader, retention })
    }

    /// Removes some of the events that are too old, and says how many those were.
    pub async fn step(&self, clock: &Clock) -> Result<usize> {
        let before = clock.now().before(self.retention);
        let oldest = self.reader.read(events::oldest)?;
        if oldest.is_none_or(|oldest| oldest >= before) {
            return Ok(0);
        }
        self.store.write(clock.now(), move |tx| events::prune(tx, before)).await
    }

    /// Removes old events until it is stopped.
    pub async fn run(self, clock: Clock, waker: Waker, heartbeat: Heartbeat, stop: Stop) {
        let round = async || {
            self.step(&clock).await?;
            Ok(self.reader.read(events::oldest)?.map(|oldest| oldest.after(self.retention)))
        };
        rounds("events", &clock, (waker, heartbeat, stop), round).await;
    }
}
