//! A running server with everything around it, and the calls that tests make.

pub mod contract;
pub mod event_audit;
pub mod external_server;
pub mod feed;
pub mod line;
pub mod response;
pub mod server;

use std::time::{Duration, Instant};

/// How long a test waits for an expected result: far longer than it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until the condition holds; fails after [`PATIENCE`].
#[track_caller]
pub fn eventually(condition: impl Fn() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let limit = Instant::now() + PATIENCE;
        while !condition() {
            assert!(Instant::now() < limit, "{place}: it did not come true within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Polls until the result is the expected one; fails after [`PATIENCE`] with the last result.
#[track_caller]
pub fn eventually_is<T: PartialEq + std::fmt::Debug>(
    expected: T,
    ask: impl AsyncFn() -> T,
) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let limit = Instant::now() + PATIENCE;
        loop {
            let found = ask().await;
            if found == expected {
                return;
            }
            assert!(Instant::now() < limit, "{place}: after {PATIENCE:?} it is {found:?}, not {expected:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
