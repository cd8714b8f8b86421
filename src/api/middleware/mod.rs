//! What goes around every request or around some routes: limits and the guard, the access log, framing, idempotency keys.

pub mod access_log;
pub mod base_path;
pub mod connection_progress;
pub mod envelope;
pub mod framing;
pub mod idempotency;
