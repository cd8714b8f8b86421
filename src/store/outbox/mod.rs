//! The outbox to LINE: sending a message, its deliveries, and idempotency keys.

pub mod backlog;
pub mod claims;
pub mod deliveries;
pub mod idempotency;
pub mod lanes;
pub mod removal;
pub mod sending;
pub(in crate::store) mod undeliverable;
pub(in crate::store) mod unreadable;
