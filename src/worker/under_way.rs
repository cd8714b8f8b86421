//! What a worker has under way: attempts on tasks of their own, of which only a part may be with those who are slow.

use std::future::pending;

use actix_web::rt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use crate::model::room::Room;

/// Attempts that have begun and not ended.
pub struct UnderWay {
    /// Each says in the end whether it took the place of a slow one.
    tasks: FuturesUnordered<LocalBoxFuture<'static, bool>>,
    slow: usize,
    concurrency: usize,
}

impl UnderWay {
    /// Nothing yet, and up to `concurrency` at once.
    pub fn new(concurrency: usize) -> Self {
        Self { tasks: FuturesUnordered::new(), slow: 0, concurrency }
    }

    /// How many more may begin.
    pub fn room(&self) -> Room {
        Room::left(self.concurrency, self.tasks.len(), self.slow)
    }

    /// Begins on a task of its own, so that no attempt waits for the worker.
    pub fn begin(&mut self, slow: bool, attempt: impl Future<Output = ()> + 'static) {
        let task = rt::spawn(attempt);
        self.slow += usize::from(slow);
        let ended = async move {
            // A panic outside of an attempt ends the worker, as it would have without the task.
            task.await.expect("an attempt catches its own panics");
            slow
        };
        self.tasks.push(ended.boxed_local());
    }

    /// Waits until something has ended, and takes note of all that has; for ever while nothing is under way.
    pub async fn ended(&mut self) {
        let Some(was_slow) = self.tasks.next().await else { return pending().await };
        self.slow -= usize::from(was_slow);
        while let Some(Some(was_slow)) = self.tasks.next().now_or_never() {
            self.slow -= usize::from(was_slow);
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
        let mut under_way = UnderWay::new(8);
        assert_eq!(under_way.room(), Room { any: 8, slow: 2 });
        let mut ends = Vec::new();
        for slow in [true, false, true] {
            let (end, ended) = channel::<()>();
            under_way.begin(slow, async { drop(ended.await) });
            ends.push(end);
        }
        assert_eq!(under_way.room(), Room { any: 5, slow: 0 });
        assert!(under_way.ended().now_or_never().is_none());

        drop(ends.remove(0));
        under_way.ended().await;

        assert_eq!(under_way.room(), Room { any: 6, slow: 1 });
        ends.clear();
        under_way.all_ended().await;
    }
}
