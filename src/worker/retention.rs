//! Removing what is older than it may be kept, in small parts with pauses.

use std::time::{Duration, Instant};

use crate::config::section;
use crate::error::Result;
use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::wakers::Stop;
use crate::store::Store;
use crate::store::erasure::retention::{self, RetentionPolicy};
use crate::worker::PAUSE_MAX;

/// Things of each kind that are removed in one transaction.
const BATCH: usize = 100;

/// The pause between two transactions.
const BATCH_PAUSE: Duration = Duration::from_millis(100);

/// How often it is looked whether something has become too old. The unit of the settings is a day.
const ROUND_PAUSE: Duration = Duration::from_mins(10);

/// The worker for retention.
#[derive(Clone)]
pub struct RetentionWorker {
    store: Store,
    keep: RetentionPolicy,
}

impl RetentionWorker {
    /// A worker that follows the settings, and what customers have said for themselves.
    pub fn new(store: Store, settings: &section::RetentionSettings) -> Self {
        let section::RetentionSettings { message_days, webhook_body_days, .. } = *settings;
        Self { store, keep: RetentionPolicy { message_days, webhook_body_days } }
    }

    /// Removes a part of what is too old, and tells how many things that were; 0 when nothing is left.
    pub async fn step(&self, now: Timestamp) -> Result<usize> {
        let keep = self.keep;
        let expired =
            self.store.read(move |connection| retention::expired(connection, keep, now, BATCH)).await?;
        let count = expired.count();
        if count > 0 {
            self.store.write(now, move |tx| retention::remove(tx, &expired)).await?;
        }
        Ok(count)
    }

    /// Removes until it is stopped. Whatever ends it, the next start goes on.
    pub async fn run(self, clock: Clock, heartbeat: Heartbeat, mut stop: Stop) {
        let (mut removed, mut next_round) = (0, Instant::now());
        loop {
            heartbeat.beat();
            let mut pause = PAUSE_MAX;
            if Instant::now() >= next_round {
                let count = self.step(clock.now()).await.unwrap_or_else(|error| {
                    log::error!("retention: {}", error.chain());
                    0
                });
                removed += count;
                if count > 0 {
                    pause = BATCH_PAUSE;
                } else {
                    next_round = Instant::now() + ROUND_PAUSE;
                    report(std::mem::take(&mut removed));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.requested() => return,
            }
        }
    }
}

fn report(removed: usize) {
    if removed > 0 {
        log::info!("retention: {removed} messages and bodies of events were too old and are removed");
    }
}
