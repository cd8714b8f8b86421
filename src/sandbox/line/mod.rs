//! LINE's side of the wire: its API as it answers, and the webhooks that it sends.

pub mod endpoints;
pub mod errors;
pub mod events;
pub mod hangup;
pub mod http;
pub mod refusal;
pub mod sender;
pub mod taps;
pub mod webhooks;
