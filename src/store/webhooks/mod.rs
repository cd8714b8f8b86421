//! What customers are notified of: where, in which order, and with which outcome.

pub mod deliveries;
pub mod endpoints;
pub mod history;
pub mod lanes;
pub mod reset;
