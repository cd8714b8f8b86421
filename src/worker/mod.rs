//! Background work: delivering messages and webhooks, fetching names, tokens and files, removing what is too old, backups.
//!
//! A worker takes no input but rows. A wake-up only says "look again", so that start, retry and normal operation are
//! one path. All workers run on the thread that starts them, because their readers are bound to a thread.

pub mod backups;
pub mod delivery;
mod download;
pub mod events;
pub mod media;
pub mod names;
pub mod outbox;
pub mod quotas;
pub mod retention;
mod seeded;
mod sweeper;
pub mod tokens;
pub mod webhooks;

use std::future::{pending, ready};
use std::time::Duration;

use uuid::Uuid;

use crate::error::Result;
use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::wakers::{Stop, Waker};

/// The longest pause between two rounds, whether or not the worker is woken or the clock is right.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The shortest pause of a worker whose work is due but which has no capacity for it.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The pause after a failure of the storage.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What a worker needs to run.
pub struct WorkerContext {
    /// The clock.
    pub clock: Clock,
    /// Ends the pause between two rounds.
    pub waker: Waker,
    /// Shows that the worker is alive.
    pub heartbeat: Heartbeat,
    /// Ends the worker.
    pub stop: Stop,
}

/// What is a worker's own; [`run`] does the rest.
pub trait Worker {
    /// Its name in the log.
    const NAME: &'static str;

    /// Does or starts everything that is due, and returns the pause until the next round.
    fn round(&mut self, context: &mut WorkerContext) -> impl Future<Output = Result<Duration>>;

    /// Waits until an attempt in flight ends, which makes room for another one. Pending while there is none.
    fn ended(&mut self) -> impl Future<Output = ()> {
        pending()
    }

    /// Waits for the attempts that a stop finds in flight and that must not be cut off.
    fn finish(self) -> impl Future<Output = ()>
    where
        Self: Sized,
    {
        ready(())
    }
}

/// Runs a worker round after round until it is stopped.
///
/// An error of a round is logged, and no wake-up shortens the pause after it; one that comes meanwhile is not lost.
pub async fn run<W: Worker>(mut worker: W, mut context: WorkerContext) {
    loop {
        context.heartbeat.beat();
        let round = worker.round(&mut context).await;
        let has_failed = round.is_err();
        let pause = round.unwrap_or_else(|error| {
            log::error!("{}: {}", W::NAME, error.chain());
            PAUSE_AFTER_FAILURE
        });
        tokio::select! {
            () = worker.ended() => {}
            () = context.waker.woken(), if !has_failed => {}
            () = tokio::time::sleep(pause) => {}
            () = context.stop.requested() => break,
        }
    }
    worker.finish().await;
}

/// The pause until something is due.
fn pause(due: Option<Timestamp>, now: Timestamp) -> Duration {
    due.map_or(PAUSE_MAX, |due| due.since(now)).clamp(PAUSE_MIN, PAUSE_MAX)
}

/// A random number from 0 to 1, so that attempts that failed together are not repeated together.
fn jitter() -> f64 {
    let (random, ..) = Uuid::new_v4().as_fields();
    f64::from(random) / f64::from(u32::MAX)
}
