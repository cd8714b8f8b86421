//! A worker's attempts in flight, on tasks of their own. Slow ones have only a part of the capacity.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::pending;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use crate::model::capacity::Capacity;

/// An attempt that has no response for this long counts as slow before it ends.
const SLOW_AFTER: Duration = Duration::from_secs(1);

/// Attempts that have started and not ended.
pub struct InFlight {
    /// Each returns its number.
    tasks: FuturesUnordered<LocalBoxFuture<'static, u64>>,
    attempts: HashMap<u64, Running>,
    next: u64,
    concurrency: usize,
}

struct Running {
    /// Whether its lane or party was slow before.
    slow: bool,
    since: Since,
}

/// When the current attempt of a task started.
#[derive(Clone)]
pub struct Since(Rc<Cell<Instant>>);

impl Since {
    /// Notes that the task starts its next attempt.
    pub fn restart(&self) {
        self.0.set(Instant::now());
    }
}

impl InFlight {
    /// No attempt yet; up to `concurrency` at once, or more while most are slow.
    pub fn new(concurrency: usize) -> Self {
        Self { tasks: FuturesUnordered::new(), attempts: HashMap::new(), next: 0, concurrency }
    }

    /// How many more attempts may start.
    pub fn capacity(&self) -> Capacity {
        self.capacity_at(Instant::now())
    }

    fn capacity_at(&self, now: Instant) -> Capacity {
        let is_slow = |attempt: &&Running| {
            attempt.slow || now.saturating_duration_since(attempt.since.0.get()) >= SLOW_AFTER
        };
        Capacity::left(self.concurrency, self.attempts.len(), self.attempts.values().filter(is_slow).count())
    }

    /// Starts attempts on a task of their own, so that none waits for the worker. The task notes when it starts another one.
    pub fn begin<A: Future<Output = ()> + 'static>(&mut self, slow: bool, attempts: impl FnOnce(Since) -> A) {
        let since = Since(Rc::new(Cell::new(Instant::now())));
        let task = rt::spawn(attempts(since.clone()));
        let number = self.next;
        self.next += 1;
        self.attempts.insert(number, Running { slow, since });
        let ended = async move {
            // A panic outside an attempt ends the worker, as it would without the task.
            task.await.expect("an attempt catches its own panics");
            number
        };
        self.tasks.push(ended.boxed_local());
    }

    /// Waits until a task ends, and frees the capacity of all that have. Pending while nothing is in flight.
    pub async fn ended(&mut self) {
        let Some(number) = self.tasks.next().await else { return pending().await };
        self.attempts.remove(&number);
        while let Some(Some(number)) = self.tasks.next().now_or_never() {
            self.attempts.remove(&number);
        }
    }

    /// Waits for all tasks.
    pub async fn all_ended(mut self) {
        while self.tasks.next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::channel;

    use super::*;

    #[actix_web::test]
    async fn capacity_is_taken_and_free_again_afterwards() {
        let mut in_flight = InFlight::new(8);
        assert_eq!(in_flight.capacity(), Capacity { any: 8, slow: 2 });
        let mut ends = Vec::new();
        for slow in [true, false, true] {
            let (end, ended) = channel::<()>();
            in_flight.begin(slow, |_| async { drop(ended.await) });
            ends.push(end);
        }
        assert_eq!(in_flight.capacity(), Capacity { any: 5, slow: 0 });
        assert!(in_flight.ended().now_or_never().is_none());

        drop(ends.remove(0));
        in_flight.ended().await;

        assert_eq!(in_flight.capacity(), Capacity { any: 6, slow: 1 });
        ends.clear();
        in_flight.all_ended().await;
    }

    #[actix_web::test]
    async fn an_attempt_without_a_response_for_a_second_is_slow_until_the_next_one_starts() {
        let mut in_flight = InFlight::new(8);
        let (mut ends, mut begun) = (Vec::new(), Vec::new());
        for _ in 0..8 {
            let (end, ended) = channel::<()>();
            in_flight.begin(false, |since| {
                begun.push(since);
                async { drop(ended.await) }
            });
            ends.push(end);
        }
        assert_eq!(in_flight.capacity(), Capacity { any: 0, slow: 0 });

        let now = Instant::now() + SLOW_AFTER;
        assert_eq!(in_flight.capacity_at(now), Capacity { any: 6, slow: 0 });

        for since in &begun[1..] {
            since.0.set(now);
        }
        assert_eq!(in_flight.capacity_at(now), Capacity { any: 0, slow: 0 });
        ends.clear();
        in_flight.all_ended().await;
    }
}
