//! The server itself, for those who run it: whether it works, and its metrics.

pub mod health;
pub mod metrics;
