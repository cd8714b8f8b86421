//! State that HTTP and workers share in memory: the state of handlers, wakers and heartbeats, LINE tokens,
//! limits, tickets, open feeds, idempotency locks. None of it has to survive the process.

pub mod app;
pub mod bearer;
pub mod counters;
pub mod feeds;
pub mod grant;
pub mod heartbeats;
pub mod in_flight;
pub mod key_locks;
pub mod limits;
pub mod outcomes;
pub mod quotas;
pub mod tickets;
pub mod tokens;
pub mod wakers;
