//! What customers are notified of.

pub mod event;
pub mod signing_secret;
pub mod webhook;
pub mod webhook_delivery;
