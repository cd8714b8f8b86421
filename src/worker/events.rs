//! Removes events that are older than their retention.

use std::time::Duration;

use crate::error::Result;
use crate::model::clock::Clock;
use crate::store::reader::Reader;
use crate::store::{Store, events};
use crate::worker::{Worker, WorkerContext, pause};

/// Removes old events, a few in each round, so that other writes do not wait long.
pub struct EventWorker {
    store: Store,
    reader: Reader,
    retention: Duration,
}

impl EventWorker {
    /// A worker that keeps events for this long.
    pub fn new(store: Store, retention: Duration) -> Result<Self> {
        let reader = store.reader()?;
        Ok(Self { store, reader, retention })
    }

    /// Removes some of the events that are too old.
    async fn prune(&self, clock: &Clock) -> Result<()> {
        let before = clock.now().before(self.retention);
        let oldest = self.reader.read(events::oldest)?;
        if oldest.is_none_or(|oldest| oldest >= before) {
            return Ok(());
        }
        self.store.write(clock.now(), move |tx| events::prune(tx, before)).await?;
        Ok(())
    }
}

impl Worker for EventWorker {
    const NAME: &'static str = "events";

    async fn round(&mut self, context: &mut WorkerContext) -> Result<Duration> {
        self.prune(&context.clock).await?;
        let due = self.reader.read(events::oldest)?.map(|oldest| oldest.after(self.retention));
        Ok(pause(due, context.clock.now()))
    }
}
