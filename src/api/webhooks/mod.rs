//! Customers' webhooks: the endpoint and its deliveries.

pub mod deliveries;
pub mod endpoint;
