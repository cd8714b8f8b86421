//! LINE's API: signatures, webhook bodies, request bodies with LINE's validation rules, and the HTTP client.

pub mod client;
pub mod content;
pub mod lenient;
pub mod mentions;
pub mod outcome;
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
