//! What a worker has under way: attempts on tasks of their own, of which only a part may be with those who are slow.

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

/// Whoever has given no answer for so long counts as slow already, before the attempt has ended.
const SLOW_AFTER: Duration = Duration::from_secs(1);

/// Attempts that have begun and not ended.
pub struct InFlight {
    /// Each gives its number in the end.
    tasks: FuturesUnordered<LocalBoxFuture<'static, u64>>,
    attempts: HashMap<u64, Running>,
    next: u64,
    concurrency: usize,
}

struct Running {
    /// Whether it is with somebody who was slow before.
    slow: bool,
    since: Since,
}

/// When the attempt that a task is at has begun.
#[derive(Clone)]
pub struct Since(Rc<Cell<Instant>>);

impl Since {
    /// The task begins its next attempt.
    pub fn restart(&self) {
        self.0.set(Instant::now());
    }
}

impl InFlight {
    /// Nothing yet, and up to `concurrency` at once.
    pub fn new(concurrency: usize) -> Self {
        Self { tasks: FuturesUnordered::new(), attempts: HashMap::new(), next: 0, concurrency }
    }

    /// How many more may begin.
    pub fn capacity(&self) -> Capacity {
        self.capacity_at(Instant::now())
    }

    fn capacity_at(&self, now: Instant) -> Capacity {
        let is_slow = |attempt: &&Running| {
            attempt.slow || now.saturating_duration_since(attempt.since.0.get()) >= SLOW_AFTER
        };
        Capacity::left(self.concurrency, self.attempts.len(), self.attempts.values().filter(is_slow).count())
    }

    /// Begins on a task of its own, so that no attempt waits for the worker. The task says when it begins another attempt.
    pub fn begin<A: Future<Output = ()> + 'static>(&mut self, slow: bool, attempts: impl FnOnce(Since) -> A) {
        let since = Since(Rc::new(Cell::new(Instant::now())));
        let task = rt::spawn(attempts(since.clone()));
        let number = self.next;
        self.next += 1;
        self.attempts.insert(number, Running { slow, since });
        let ended = async move {
            // A panic outside of an attempt ends the worker, as it would have without the task.
            task.await.expect("an attempt catches its own panics");
            number
        };
        self.tasks.push(ended.boxed_local());
    }

    /// Waits until something has ended, and takes note of all that has; for ever while nothing is under way.
    pub async fn ended(&mut self) {
        let Some(number) = self.tasks.next().await else { return pending().await };
        self.attempts.remove(&number);
        while let Some(Some(number)) = self.tasks.next().now_or_never() {
            self.attempts.remove(&number);
        }
    }

    /// Waits for all that is under way.
    pub async fn all_ended(mut self) {
        while self.tasks.next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::channel;

    use super::*;

    #[actix_web::test]
    async fn places_are_taken_and_are_free_again_afterwards() {
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
    async fn who_gives_no_answer_for_a_second_is_slow_until_the_next_attempt_begins() {
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
