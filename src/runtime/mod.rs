//! What HTTP and workers share while the process lives: what handlers work with, wakers and heartbeats, tokens of LINE, limits,
//! tickets, open feeds, locks of idempotency keys. Nothing of it survives the process, and nothing has to.

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
