//! Removes what the retention policy no longer keeps, in small batches with pauses.

use std::time::{Duration, Instant};

use crate::config::section;
use crate::error::Result;
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::erasure::retention::{self, RetentionPolicy};
use crate::worker::{PAUSE_MAX, Worker, WorkerContext};

/// Rows of each kind that one transaction removes.
const BATCH: usize = 100;

/// The pause between two transactions.
const BATCH_PAUSE: Duration = Duration::from_millis(100);

/// The pause after nothing was left to remove. The unit of the settings is a day.
const ROUND_PAUSE: Duration = Duration::from_mins(10);

/// The worker for retention.
pub struct RetentionWorker {
    store: Store,
    policy: RetentionPolicy,
    /// What it has removed since it last reported.
    removed: usize,
    next_at: Instant,
}

impl RetentionWorker {
    /// A worker that follows the settings, and the policies that customers have set for themselves.
    pub fn new(store: Store, settings: &section::RetentionSettings) -> Self {
        let section::RetentionSettings { message_days, webhook_body_days, .. } = *settings;
        let policy = RetentionPolicy { message_days, webhook_body_days };
        Self { store, policy, removed: 0, next_at: Instant::now() }
    }

    /// Removes one batch of what is too old, and returns how many rows that were; 0 when nothing is left.
    pub async fn step(&self, now: Timestamp) -> Result<usize> {
        let policy = self.policy;
        let expired =
            self.store.read(move |connection| retention::expired(connection, policy, now, BATCH)).await?;
        let count = expired.count();
        if count > 0 {
            self.store.write(now, move |tx| retention::remove(tx, &expired)).await?;
        }
        Ok(count)
    }
}

impl Worker for RetentionWorker {
    const NAME: &'static str = "retention";

    async fn round(&mut self, context: &mut WorkerContext) -> Result<Duration> {
        if Instant::now() < self.next_at {
            return Ok(PAUSE_MAX);
        }
        let step = self.step(context.clock.now()).await;
        if let Ok(count @ 1..) = step {
            self.removed += count;
            return Ok(BATCH_PAUSE);
        }
        self.next_at = Instant::now() + ROUND_PAUSE;
        report(std::mem::take(&mut self.removed));
        step.map(|_| PAUSE_MAX)
    }
}

fn report(removed: usize) {
    if removed > 0 {
        log::info!("retention: removed {removed} messages and event bodies that were too old");
    }
}
