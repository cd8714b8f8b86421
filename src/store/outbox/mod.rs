//! What must reach LINE: requests that wait, in which order they go out, and the keys of those who asked.

pub mod backlog;
pub mod claims;
pub mod deliveries;
pub mod idempotency;
pub mod lanes;
pub mod removal;
pub mod sending;
pub(in crate::store) mod undeliverable;
pub(in crate::store) mod unreadable;
