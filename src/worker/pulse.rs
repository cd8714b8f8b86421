//! Whether the workers are alive.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A worker that has not begun a round for this long is stuck: a round takes as long as LINE's slowest answer, for which
/// the configuration allows a minute.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// The life sign of one worker.
#[derive(Debug, Clone)]
pub struct Beat {
    last: Arc<Mutex<Instant>>,
}

/// The life signs of all workers.
#[derive(Debug, Clone, Default)]
pub struct Pulse {
    /// Of the worker that delivers.
    pub deliveries: Beat,
    /// Of the worker that asks for names.
    pub names: Beat,
    /// Of the worker that fetches tokens.
    pub tokens: Beat,
    /// Of the worker that fetches files.
    pub medias: Beat,
    /// Of the worker that removes old events.
    pub events: Beat,
    /// Of the worker that makes backups.
    pub backups: Beat,
    /// Of the worker that removes what is too old.
    pub retention: Beat,
    /// Of the worker that tells customers.
    pub webhooks: Beat,
    /// Of the worker that asks for quotas.
    pub quotas: Beat,
}

impl Beat {
    /// The worker begins a round.
    pub fn beat(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn silence(&self) -> Duration {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

impl Default for Beat {
    fn default() -> Self {
        Self { last: Arc::new(Mutex::new(Instant::now())) }
    }
}

impl Pulse {
    /// `Unavailable` with the name of a worker that is stuck.
    pub fn check(&self) -> Result<()> {
        let Self { deliveries, names, tokens, medias, events, backups, retention, webhooks, quotas } = self;
        let all = [
            ("deliveries", deliveries),
            ("names", names),
            ("tokens", tokens),
            ("medias", medias),
            ("events", events),
            ("backups", backups),
            ("retention", retention),
            ("webhooks", webhooks),
            ("quotas", quotas),
        ];
        for (name, beat) in all {
            let silence = beat.silence();
            if silence > SILENCE_MAX {
                let message =
                    format!("the worker for {name} has been silent for {} seconds", silence.as_secs());
                return Err(Error::Unavailable(message));
            }
        }
        Ok(())
    }
}
