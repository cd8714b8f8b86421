//! LINE's side: its API with its responses, and the webhooks that it sends.

pub mod endpoints;
pub mod errors;
pub mod events;
pub mod hangup;
pub mod http;
pub mod refusal;
pub mod sender;
pub mod taps;
pub mod webhooks;
