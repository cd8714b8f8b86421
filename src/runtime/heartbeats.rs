//! Whether the workers are alive.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A worker that has not begun a round for this long, apart from the time for its calls, is stuck: in it are the longest
/// pause between two rounds and all that the storage may need.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// The calls of one round that wait for each other: two for an account whose token another worker renews at this moment,
/// two that ask, two that renew a refused token, and two that ask again.
const CALLS_MAX: u32 = 8;

/// The life sign of one worker.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    last: Arc<Mutex<Instant>>,
    silence_max: Duration,
}

/// The life signs of all workers.
#[derive(Debug, Clone)]
pub struct Heartbeats {
    /// Of the worker that delivers.
    pub deliveries: Heartbeat,
    /// Of the worker that asks for names.
    pub names: Heartbeat,
    /// Of the worker that fetches tokens.
    pub tokens: Heartbeat,
    /// Of the worker that fetches files.
    pub medias: Heartbeat,
    /// Of the worker that removes old events.
    pub events: Heartbeat,
    /// Of the worker that makes backups.
    pub backups: Heartbeat,
    /// Of the worker that removes what is too old.
    pub retention: Heartbeat,
    /// Of the worker that tells customers.
    pub webhooks: Heartbeat,
    /// Of the worker that asks for quotas.
    pub quotas: Heartbeat,
}

impl Heartbeat {
    /// The worker begins a round.
    pub fn beat(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn new(silence_max: Duration) -> Self {
        Self { last: Arc::new(Mutex::new(Instant::now())), silence_max }
    }

    /// For how long it has been silent by then.
    fn silence(&self, then: Instant) -> Duration {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        then.saturating_duration_since(last)
    }
}

impl Heartbeats {
    /// All of them, where one call to LINE may take so long. Who calls LINE within a round may be silent for longer.
    pub fn new(call_max: Duration) -> Self {
        let silent = || Heartbeat::new(SILENCE_MAX);
        let calling = || Heartbeat::new(SILENCE_MAX.saturating_add(call_max.saturating_mul(CALLS_MAX)));
        Self {
            deliveries: silent(),
            names: calling(),
            tokens: calling(),
            medias: silent(),
            events: silent(),
            backups: silent(),
            retention: silent(),
            webhooks: silent(),
            quotas: calling(),
        }
    }

    /// `Unavailable` with the name of a worker that is stuck.
    pub fn check(&self) -> Result<()> {
        self.check_at(Instant::now())
    }

    fn check_at(&self, then: Instant) -> Result<()> {
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
        for (name, heartbeat) in all {
            let silence = heartbeat.silence(then);
            if silence > heartbeat.silence_max {
                let message =
                    format!("the worker for {name} has been silent for {} seconds", silence.as_secs());
                return Err(Error::Unavailable(message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_calls_line_may_be_silent_for_as_long_as_the_calls_of_a_round_may_take_and_nobody_for_longer() {
        for call_max in [1, 10, 45, 60].map(Duration::from_secs) {
            let heartbeats = Heartbeats::new(call_max);
            let began = Instant::now();
            let round = call_max * CALLS_MAX;
            let all = [
                &heartbeats.deliveries,
                &heartbeats.medias,
                &heartbeats.webhooks,
                &heartbeats.events,
                &heartbeats.backups,
                &heartbeats.retention,
            ];
            let look = |silence: Duration| {
                for heartbeat in all {
                    *heartbeat.last.lock().unwrap() = began + silence;
                }
                heartbeats.check_at(began + silence)
            };

            assert!(look(round + Duration::from_secs(5)).is_ok(), "{call_max:?}");
            let stuck = look(round + SILENCE_MAX + Duration::from_secs(1)).unwrap_err().to_string();
            assert!(stuck.starts_with("the worker for names has been silent for "), "{stuck}");
        }
        let heartbeats = Heartbeats::new(Duration::from_mins(1));
        let stuck = heartbeats.check_at(Instant::now() + SILENCE_MAX + Duration::from_secs(1)).unwrap_err();
        assert!(stuck.to_string().starts_with("the worker for deliveries "), "{stuck}");
    }
}
