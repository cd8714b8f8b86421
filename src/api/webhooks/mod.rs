//! What customers are notified of, and where.

pub mod deliveries;
pub mod endpoint;
