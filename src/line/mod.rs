//! LINE's wire: signatures, webhook bodies, request bodies and LINE's rules for them, and the client that speaks to
//! LINE's API.

pub mod answer;
pub mod client;
pub mod content;
pub mod lenient;
pub mod mentions;
pub mod outgoing;
pub mod push;
pub mod quota;
pub mod read_and_typing;
pub mod reply;
pub mod responses;
pub mod signature;
pub mod token;
pub mod validation;
pub mod webhook;
