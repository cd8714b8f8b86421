//! The liveness of the workers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A worker that has not started a round for this long, not counting the time for its calls, is stuck. Covers
/// the longest pause between two rounds and all that the storage may need.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// Maximum number of sequential calls in one round: two for an account whose token another worker is
/// renewing, two requests, two that renew a refused token, and two repeated requests.
const CALLS_MAX: u32 = 8;

/// The heartbeat of one worker.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    last: Arc<Mutex<Instant>>,
    silence_max: Duration,
}

/// The heartbeats of all workers.
#[derive(Debug, Clone)]
pub struct Heartbeats {
    /// The worker that delivers messages.
    pub deliveries: Heartbeat,
    /// The worker that fetches names.
    pub names: Heartbeat,
    /// The worker that fetches tokens.
    pub tokens: Heartbeat,
    /// The worker that fetches files.
    pub medias: Heartbeat,
    /// The worker that removes old events.
    pub events: Heartbeat,
    /// The worker that makes backups.
    pub backups: Heartbeat,
    /// The worker that applies the retention policy.
    pub retention: Heartbeat,
    /// The worker that delivers webhooks to customers.
    pub webhooks: Heartbeat,
    /// The worker that fetches quotas.
    pub quotas: Heartbeat,
}

impl Heartbeat {
    /// The worker starts a round.
    pub fn beat(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn new(silence_max: Duration) -> Self {
        Self { last: Arc::new(Mutex::new(Instant::now())), silence_max }
    }

    /// How long the worker has been silent at this time.
    fn silence(&self, at: Instant) -> Duration {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        at.saturating_duration_since(last)
    }
}

impl Heartbeats {
    /// Heartbeats for this timeout of a call to LINE. Workers that call LINE within a round may be silent for
    /// longer.
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

    /// Fails with `Unavailable` and the name of a worker that is stuck.
    pub fn check(&self) -> Result<()> {
        self.check_at(Instant::now())
    }

    fn check_at(&self, at: Instant) -> Result<()> {
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
            let silence = heartbeat.silence(at);
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
    fn only_workers_that_call_line_may_be_silent_for_the_calls_of_a_round() {
        for call_max in [1, 10, 45, 60].map(Duration::from_secs) {
            let heartbeats = Heartbeats::new(call_max);
            let start = Instant::now();
            let round = call_max * CALLS_MAX;
            let all = [
                &heartbeats.deliveries,
                &heartbeats.medias,
                &heartbeats.webhooks,
                &heartbeats.events,
                &heartbeats.backups,
                &heartbeats.retention,
            ];
            let check_after = |silence: Duration| {
                for heartbeat in all {
                    *heartbeat.last.lock().unwrap() = start + silence;
                }
                heartbeats.check_at(start + silence)
            };

            assert!(check_after(round + Duration::from_secs(5)).is_ok(), "{call_max:?}");
            let stuck = check_after(round + SILENCE_MAX + Duration::from_secs(1)).unwrap_err().to_string();
            assert!(stuck.starts_with("the worker for names has been silent for "), "{stuck}");
        }
        let heartbeats = Heartbeats::new(Duration::from_mins(1));
        let stuck = heartbeats.check_at(Instant::now() + SILENCE_MAX + Duration::from_secs(1)).unwrap_err();
        assert!(stuck.to_string().starts_with("the worker for deliveries "), "{stuck}");
    }
}
