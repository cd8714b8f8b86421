//! What goes around every request or around some routes: limits and the guard, the access log, framing, idempotency keys.

pub mod access;
pub mod base_path;
pub mod framing;
pub mod guard;
pub mod once;
pub mod progress;
