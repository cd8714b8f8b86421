//! Middleware of all or some routes: limits and the error envelope, the access log, framing, idempotency keys.

pub mod access_log;
pub mod base_path;
pub mod connection_progress;
pub mod envelope;
pub mod framing;
pub mod idempotency;
