//! What goes on behind the answers: delivering messages, asking for names, fetching tokens and files, removing old events.
//!
//! A worker takes no input but rows. A wake-up only says "look again", so that start, retry and normal operation are
//! one path. All workers run on the thread that starts them, because what they read with is bound to its thread.

pub mod backups;
pub mod delivery;
mod download;
pub mod events;
pub mod media;
pub mod names;
pub mod quotas;
pub mod retention;
mod seeded;
pub mod tokens;
pub mod webhooks;

use std::time::Duration;

use uuid::Uuid;

use crate::error::Result;
use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::wakers::{Stop, Waker};

/// A worker looks again after this long at the latest, whether or not it was woken or the clock is right.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A worker whose work is due and which has no room for it looks again after this long at the earliest.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The pause after a failure of the storage.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How long to sleep when the next work is due then.
fn pause(due: Option<Timestamp>, now: Timestamp) -> Duration {
    due.map_or(PAUSE_MAX, |due| due.since(now)).clamp(PAUSE_MIN, PAUSE_MAX)
}

/// Round after round until the worker is stopped. A round does what is due, and says when there is more to do.
async fn rounds(
    name: &str,
    clock: &Clock,
    (waker, heartbeat, mut stop): (Waker, Heartbeat, Stop),
    round: impl AsyncFn() -> Result<Option<Timestamp>>,
) {
    loop {
        heartbeat.beat();
        let pause = match round().await {
            Ok(due) => pause(due, clock.now()),
            Err(error) => {
                log::error!("{name}: {}", error.chain());
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            () = waker.woken() => {}
            () = tokio::time::sleep(pause) => {}
            () = stop.requested() => return,
        }
    }
}

/// A random number from 0 to 1, so that what failed together is not tried together.
fn jitter() -> f64 {
    let (random, ..) = Uuid::new_v4().as_fields();
    f64::from(random) / f64::from(u32::MAX)
}
