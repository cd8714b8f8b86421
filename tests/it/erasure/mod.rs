//! Erasure on request, and by the retention policy.

pub mod erase;
pub mod retention;
